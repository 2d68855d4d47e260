//! Makes a linked Go executable smaller by removing from its function table what only tracebacks
//! and profiles use. No instruction changes.
//!
//! Go's linker writes a table of all functions, the pclntab, into the section `.gopclntab`. The
//! runtime walks stacks with it. It is a third of a small binary, and most of it only names source
//! files and lines. [`rewrite`] removes:
//!
//! - files, lines, first lines and compilation units: a traceback then prints `function +0x34d`;
//! - argument information: a traceback then prints no arguments;
//! - inline trees: a traceback then names the function that a call was inlined into;
//! - with [`Names::Runtime`], the function names that the runtime only prints.
//!
//! Everything else that the runtime needs is kept: frame sizes, pointer maps, stack objects,
//! deferred calls, safe points. Inline trees are kept where the runtime uses them for more than
//! printing: in wrappers and special functions, because `recover` counts frames through them, and
//! where a function of the runtime was inlined. The freed bytes are removed from the file and from
//! the segment, so the program also takes less memory. Addresses of code, read-only data and data
//! do not change.
//!
//! The result is read again and [verified](verify) before it is returned. Modules in reading order:
//! `bytes` (numbers), `elf_file` (ELF headers), `moduledata` (differences between Go versions),
//! `func` and `pc_value` (parts of the pclntab), `decode` (pclntab to values), `retain` (the kept
//! parts), `encode` (values to pclntab), `relayout` (the new file), `verify`.

mod bytes;
pub(crate) mod decode;
pub(crate) mod elf_file;
mod encode;
pub(crate) mod func;
pub(crate) mod moduledata;
mod pc_value;
mod relayout;
mod retain;
mod verify;

use crate::buildinfo::build_info;
use crate::error::Refused;
use decode::Pclntab;
use elf_file::ElfFile;
use moduledata::Layout;
use retain::Retained;

pub use moduledata::moduledata_fields;
pub use retain::Names;
pub use verify::verify;

/// The revision of the output. Bump this whenever the output changes for the same input; it
/// invalidates cached builds.
pub const REVISION: u32 = 2;

/// A rewritten executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The file.
    pub bytes: Vec<u8>,
    /// The size of the pclntab before.
    pub pclntab_before: usize,
    /// The size of the pclntab after.
    pub pclntab_after: usize,
}

/// Rewrites an executable as Go links it for a little-endian processor with `-ldflags='-s -w'`.
///
/// # Errors
/// [`Refused`] if the file is not such an executable, or if any part of its pclntab is not
/// understood.
pub fn rewrite(bytes: &[u8], names: Names) -> Result<Rewritten, Refused> {
    let layout = Layout::from_toolchain(&build_info(bytes)?.go)?;
    let file = ElfFile::read(bytes)?;
    let pclntab = Pclntab::read(&file, layout)?;
    if pclntab.is_rewritten() {
        return Err(Refused::AlreadyRewritten);
    }
    let encoded = encode::encode(&pclntab, &Retained::new(&pclntab, names)?)?;
    let rewritten = relayout::write(&file, &pclntab, &encoded)?;
    verify(bytes, &rewritten, names)?;
    Ok(Rewritten { bytes: rewritten, pclntab_before: pclntab.section.sh_size, pclntab_after: encoded.bytes.len() })
}
