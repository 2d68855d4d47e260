//! The outside of an ELF file: which processor it is for, and whether it stands alone.

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind, Object, elf};

use crate::error::Unreadable;

/// Which machine an executable is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The processor, as Go's `GOARCH` names it; nothing for one that Go does not build for.
    pub goarch: Option<&'static str>,
    /// Whether it runs without a dynamic linker.
    pub is_static: bool,
    /// Whether it passes numbers in the floating-point registers of 32-bit ARM, which armv5 has not. Go's binaries
    /// don't say which level they need; the C library's do.
    pub is_hard_float: bool,
}

/// Reads the header of an ELF executable, packed or not.
///
/// # Errors
/// [`Unreadable::NotElf`] if the headers are not those of an ELF file.
pub fn identify(bytes: &[u8]) -> Result<Identity, Unreadable> {
    let not_elf = |error: object::Error| Unreadable::NotElf(error.to_string());
    match FileKind::parse(bytes).map_err(not_elf)? {
        FileKind::Elf32 => read::<elf::FileHeader32<Endianness>>(bytes).map_err(not_elf),
        FileKind::Elf64 => read::<elf::FileHeader64<Endianness>>(bytes).map_err(not_elf),
        other => Err(Unreadable::NotElf(format!("{other:?}"))),
    }
}

/// The GNU build ID of an ELF file in hexadecimal, if it has one: Go's linker derives it from what it links, and it stays
/// when the file is rewritten.
#[must_use]
pub fn build_id(bytes: &[u8]) -> Option<String> {
    let file = object::File::parse(bytes).ok()?;
    let id = file.build_id().ok()??;
    Some(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn read<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> object::Result<Identity> {
    let header = Elf::parse(bytes)?;
    let endian = header.endian()?;
    let interpreter =
        header.program_headers(endian, bytes)?.iter().any(|segment| segment.p_type(endian) == elf::PT_INTERP);
    let machine = header.e_machine(endian);
    let flags = header.e_flags(endian);
    Ok(Identity {
        goarch: goarch(machine, endian, header.is_type_64()),
        is_static: !interpreter,
        is_hard_float: machine == elf::EM_ARM && flags.0 & elf::EF_ARM_ABI_FLOAT_HARD != 0,
    })
}

fn goarch(machine: elf::Machine, endian: Endianness, wide: bool) -> Option<&'static str> {
    let little = endian == Endianness::Little;
    Some(match machine {
        elf::EM_386 => "386",
        elf::EM_X86_64 => "amd64",
        elf::EM_ARM => "arm",
        elf::EM_AARCH64 => "arm64",
        elf::EM_LOONGARCH => "loong64",
        elf::EM_MIPS => match (wide, little) {
            (false, false) => "mips",
            (false, true) => "mipsle",
            (true, false) => "mips64",
            (true, true) => "mips64le",
        },
        elf::EM_PPC64 if little => "ppc64le",
        elf::EM_PPC64 => "ppc64",
        elf::EM_RISCV => "riscv64",
        elf::EM_S390 => "s390x",
        _ => return None,
    })
}
