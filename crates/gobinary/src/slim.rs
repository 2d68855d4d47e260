//! A linked Go executable made smaller: what its function table holds for tracebacks and profiles goes, and no
//! instruction changes.
//!
//! Go's linker writes a table of every function (`.gopclntab`, "pclntab") that the runtime walks stacks with. A third of a
//! small binary is this table, and most of that only names source files and lines. [`slim`] rebuilds it without:
//!
//! - tables of files and lines, first lines and compilation units: a traceback then says `function +0x34d`;
//! - tables of arguments: a traceback then shows none;
//! - trees of inlined calls: a traceback then names the function that a call was inlined into;
//! - with [`Names::Runtime`], the names of functions that the runtime itself does not look at.
//!
//! What the runtime needs to run stays, as it was: frame sizes, pointer maps, stack objects, deferred calls, safe points.
//! Trees of inlined calls stay where the runtime looks at more than their text: in and below wrappers and special functions
//! (`recover` counts frames through them), and where a callee belongs to the runtime. The freed bytes are removed from the file
//! and from the segment, so a packed binary takes less memory too. Addresses of code, read-only data and data do not change.
//!
//! The result is read again and [proved](prove) before it is given: each function's tables must say the same as before, and no
//! byte outside of what is owned here may differ. Modules in reading order: `file` (ELF), `layout` (what differs between versions
//! of Go), `record` (where the runtime's record is), `table` (the function table as values), `select` (what goes), `write` (the table as bytes), `place` (those bytes in
//! the file), `proof`.

pub(crate) mod file;
pub(crate) mod layout;
mod place;
mod proof;
mod record;
mod select;
pub(crate) mod table;
mod write;

use std::fmt;

use crate::{Unreadable, build_info};
use file::ElfFile;
use layout::Layout;
use table::Table;

pub use proof::prove;

/// Raised whenever other bytes come out for the same file, so that what was made before counts as old.
pub const REVISION: u32 = 2;

/// Which names of functions stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Those of every function.
    All,
    /// Those that the runtime itself looks at.
    Runtime,
}

/// Why a file is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It is no Go executable that can be read: packed, foreign or damaged.
    Unreadable(Unreadable),
    /// A Go whose layout is not known here.
    Toolchain(String),
    /// A kind of file that is not rewritten: what it is.
    Kind(&'static str),
    /// It was rewritten before.
    Already,
    /// Its tables contradict themselves or end early: what was seen.
    Damaged(&'static str),
    /// The result did not stand the proof: what differed. A fault of ours.
    Unproved(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => why.fmt(f),
            Self::Toolchain(go) => write!(f, "built by {go}; the layouts of Go {} are known", layout::KNOWN),
            Self::Kind(what) => write!(f, "{what}"),
            Self::Already => f.write_str("its function table was rewritten before"),
            Self::Damaged(what) => write!(f, "damaged function table: {what}"),
            Self::Unproved(what) => write!(f, "the rewritten file did not stand the proof: {what}"),
        }
    }
}

impl std::error::Error for Refused {}

impl From<Unreadable> for Refused {
    fn from(why: Unreadable) -> Self {
        Self::Unreadable(why)
    }
}

/// What is taken for granted of the runtime's record in a version of Go, `go1.26`: fields of `moduledata` and the number of
/// words before each. For a test to hold against Go's own source.
///
/// # Errors
/// [`Refused::Toolchain`] for a version whose layout is not known.
pub fn assumed(toolchain: &str) -> Result<Vec<(&'static str, usize)>, Refused> {
    Ok(Layout::of(toolchain)?.fields())
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slim {
    /// The file.
    pub bytes: Vec<u8>,
    /// How many bytes the function table had.
    pub table_before: usize,
    /// How many it has.
    pub table_after: usize,
}

/// Rewrites an executable as linked by Go, stripped with `-s -w`, for a little-endian processor.
///
/// # Errors
/// [`Refused`], with nothing changed: it is no such file, or one that is not understood to the last offset.
pub fn slim(bytes: &[u8], names: Names) -> Result<Slim, Refused> {
    let layout = Layout::of(&build_info(bytes)?.go)?;
    let file = ElfFile::read(bytes)?;
    let table = Table::read(&file, layout)?;
    if table.is_slim() {
        return Err(Refused::Already);
    }
    let kept = select::keep(&table, names)?;
    let written = write::table(&table, &kept)?;
    let slimmed = place::into(&file, &table, &written)?;
    prove(bytes, &slimmed, names)?;
    Ok(Slim { bytes: slimmed, table_before: table.section_len(), table_after: written.bytes.len() })
}
