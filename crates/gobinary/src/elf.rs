//! The outside of an ELF file: which processor it is for, and whether it stands alone.

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, File, FileKind, Object, ObjectSection, Section, elf};

use crate::Unreadable;
use crate::limits::NAMES;

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

/// The sections of a file with their names, as long as the names come to no more than [`NAMES`].
pub(crate) fn sections<'data, 'file>(
    file: &'file File<'data>,
) -> impl Iterator<Item = (&'data [u8], Section<'data, 'file>)> {
    bounded(file.sections(), Section::name_bytes)
}

/// Things with their names, as long as those can be read and come to no more than [`NAMES`].
pub(crate) fn bounded<'data, T>(
    all: impl Iterator<Item = T>,
    name: impl Fn(&T) -> object::Result<&'data [u8]>,
) -> impl Iterator<Item = (&'data [u8], T)> {
    let mut left = NAMES;
    all.map_while(move |one| {
        let name = name(&one).ok()?;
        left = left.checked_sub(name.len() + 1)?;
        Some((name, one))
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind;

    /// An ELF file of 64 bits with so many sections, each named by all of a string table of this length, and so many writable
    /// segments, each as long as the file.
    fn made_to_hurt(sections: u16, names: usize, segments: u16) -> Vec<u8> {
        let (header, segment, section) = (64_usize, 56_usize, 64_usize);
        let sections_at = header + usize::from(segments) * segment;
        let names_at = sections_at + usize::from(sections) * section;
        let whole = (names_at + names) as u64;
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
        let words = |file: &mut Vec<u8>, words: &[u64]| words.iter().for_each(|word| file.extend(word.to_le_bytes()));
        let offset = |at: usize, count: u16| if count == 0 { 0 } else { at as u64 };
        words(&mut file, &[0, offset(header, segments), offset(sections_at, sections)]);
        file.extend([0; 4]);
        [64, 56, segments, 64, sections, sections.saturating_sub(1)]
            .iter()
            .for_each(|half: &u16| file.extend(half.to_le_bytes()));
        for _ in 0..segments {
            file.extend([1, 0, 0, 0, 6, 0, 0, 0]);
            words(&mut file, &[0, 0, 0, whole, whole, 1]);
        }
        for _ in 0..sections {
            file.extend([0, 0, 0, 0, 3, 0, 0, 0]);
            words(&mut file, &[0, 0, names_at as u64, names as u64, 0, 1, 0]);
        }
        file.resize(names_at + names - 1, b'a');
        file.push(0);
        file
    }

    #[test]
    fn names_as_long_as_the_file_are_read_only_so_far() {
        let length = 1 << 20;
        let bytes = made_to_hurt(1000, length, 0);
        let file = File::parse(&*bytes).unwrap();
        assert_eq!(file.sections().count(), 999);
        assert_eq!(sections(&file).count(), NAMES / length);
        assert_eq!(kind(&bytes), crate::Kind::NotGo);
    }

    #[test]
    fn segments_that_cover_each_other_are_not_searched_again_and_again() {
        let bytes = made_to_hurt(0, 1 << 20, 2000);
        assert_eq!(kind(&bytes), crate::Kind::NotGo);
    }
}
