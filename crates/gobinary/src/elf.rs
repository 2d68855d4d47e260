//! Reads the platform, the build ID and the sections of an ELF file.

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, File, FileKind, Object, ObjectSection, Section, elf};

use crate::error::Unreadable;
use crate::limits::MAX_NAMES_LEN;

/// The platform of an executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The processor as Go's `GOARCH`; `None` if Go does not support it.
    pub goarch: Option<&'static str>,
    /// Whether it runs without a dynamic linker.
    pub is_static: bool,
    /// Whether it uses the hard-float ABI of 32-bit ARM, which armv5 does not support. C compilers
    /// record this; Go's linker does not.
    pub is_hard_float: bool,
}

/// Reads the platform of an ELF executable, packed or not.
///
/// # Errors
/// [`Unreadable::NotElf`] if the headers are not those of an ELF file.
pub fn identify(bytes: &[u8]) -> Result<Identity, Unreadable> {
    let not_elf = |error: object::Error| Unreadable::NotElf(error.to_string());
    match FileKind::parse(bytes).map_err(not_elf)? {
        FileKind::Elf32 => read_identity::<elf::FileHeader32<Endianness>>(bytes).map_err(not_elf),
        FileKind::Elf64 => read_identity::<elf::FileHeader64<Endianness>>(bytes).map_err(not_elf),
        other => Err(Unreadable::NotElf(format!("the format is {other:?}"))),
    }
}

/// Returns the GNU build ID of an ELF file in hexadecimal, if it has one. Go's linker derives it
/// from its input, and it does not change when the file is rewritten.
#[must_use]
pub fn build_id(bytes: &[u8]) -> Option<String> {
    let file = File::parse(bytes).ok()?;
    let id = file.build_id().ok()??;
    Some(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Returns the sections of a file with their names. Ends early if the names exceed
/// [`MAX_NAMES_LEN`].
pub(crate) fn named_sections<'data, 'file>(
    file: &'file File<'data>,
) -> impl Iterator<Item = (&'data [u8], Section<'data, 'file>)> {
    with_names(file.sections(), Section::name_bytes)
}

/// Returns items with their names. Ends early if a name can't be read or the names exceed
/// [`MAX_NAMES_LEN`].
pub(crate) fn with_names<'data, T>(
    items: impl Iterator<Item = T>,
    name: impl Fn(&T) -> object::Result<&'data [u8]>,
) -> impl Iterator<Item = (&'data [u8], T)> {
    let mut remaining = MAX_NAMES_LEN;
    items.map_while(move |item| {
        let name = name(&item).ok()?;
        remaining = remaining.checked_sub(name.len() + 1)?;
        Some((name, item))
    })
}

fn read_identity<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> object::Result<Identity> {
    let header = Elf::parse(bytes)?;
    let endian = header.endian()?;
    let has_interpreter =
        header.program_headers(endian, bytes)?.iter().any(|segment| segment.p_type(endian) == elf::PT_INTERP);
    let machine = header.e_machine(endian);
    let flags = header.e_flags(endian);
    Ok(Identity {
        goarch: goarch(machine, endian, header.is_type_64()),
        is_static: !has_interpreter,
        is_hard_float: machine == elf::EM_ARM && flags.0 & elf::EF_ARM_ABI_FLOAT_HARD != 0,
    })
}

fn goarch(machine: elf::Machine, endian: Endianness, is_64_bit: bool) -> Option<&'static str> {
    let is_little = endian == Endianness::Little;
    Some(match machine {
        elf::EM_386 => "386",
        elf::EM_X86_64 => "amd64",
        elf::EM_ARM => "arm",
        elf::EM_AARCH64 => "arm64",
        elf::EM_LOONGARCH => "loong64",
        elf::EM_MIPS => match (is_64_bit, is_little) {
            (false, false) => "mips",
            (false, true) => "mipsle",
            (true, false) => "mips64",
            (true, true) => "mips64le",
        },
        elf::EM_PPC64 if is_little => "ppc64le",
        elf::EM_PPC64 => "ppc64",
        elf::EM_RISCV => "riscv64",
        elf::EM_S390 => "s390x",
        _ => return None,
    })
}
