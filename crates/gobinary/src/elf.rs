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
    /// Whether it uses the hard-float ABI of 32-bit ARM, which armv5 does not support. C compilers record this; Go's
    /// linker does not.
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

/// Returns the GNU build ID of an ELF file in hexadecimal, if it has one. Go's linker derives it from its input, and it
/// does not change when the file is rewritten.
#[must_use]
pub fn build_id(bytes: &[u8]) -> Option<String> {
    let file = File::parse(bytes).ok()?;
    let id = file.build_id().ok()??;
    Some(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Returns the sections of a file with their names. Ends early if the names exceed [`MAX_NAMES_LEN`].
pub(crate) fn named_sections<'data, 'file>(
    file: &'file File<'data>,
) -> impl Iterator<Item = (&'data [u8], Section<'data, 'file>)> {
    with_names(file.sections(), Section::name_bytes)
}

/// Returns items with their names. Ends early if a name can't be read or the names exceed [`MAX_NAMES_LEN`].
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{self, classify};

    /// Builds a 64-bit ELF file whose sections all have the whole string table as their name, and whose segments
    /// are writable and all cover the whole file.
    fn overlapping_elf(sections: u16, names: usize, segments: u16) -> Vec<u8> {
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
    fn named_sections_end_when_the_names_are_too_long() {
        let length = 1 << 20;
        let bytes = overlapping_elf(1000, length, 0);
        let file = File::parse(&*bytes).unwrap();
        assert_eq!(file.sections().count(), 999);
        assert_eq!(named_sections(&file).count(), MAX_NAMES_LEN / length);
        assert_eq!(classify(&bytes), classify::FileKind::NotGo);
    }

    #[test]
    fn classify_searches_overlapping_segments_once() {
        let bytes = overlapping_elf(0, 1 << 20, 2000);
        assert_eq!(classify(&bytes), classify::FileKind::NotGo);
    }
}
