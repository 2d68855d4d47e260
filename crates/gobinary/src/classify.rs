//! Classifies a file: a Go executable, or the specific reason why it is not one.

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, Object, elf};

use crate::buildinfo::{BuildInfo, build_info, toolchain};
use crate::elf::named_sections;
use crate::error::Unreadable;

/// The classification of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A Go executable with build information.
    Go(Box<BuildInfo>),
    /// A Go executable whose build information is missing or can't be read.
    GoWithoutBuildInfo {
        /// The toolchain, if it can still be read.
        go: Option<String>,
        /// What is wrong with the build information.
        why: Unreadable,
    },
    /// An ELF file packed with UPX. Unpack it to classify the content.
    Packed,
    /// An ELF file that is shorter than its headers say.
    Truncated {
        /// The size in bytes according to the headers.
        needs: u64,
    },
    /// An ELF file without any sign of Go.
    NotGo,
    /// Not an ELF file, or one that can't be read, with the parser's error.
    NotElf(String),
}

/// Classifies a file by its content.
#[must_use]
pub fn classify(bytes: &[u8]) -> FileKind {
    let needs = match object::FileKind::parse(bytes) {
        Ok(object::FileKind::Elf32) => required_size::<elf::FileHeader32<Endianness>>(bytes),
        Ok(object::FileKind::Elf64) => required_size::<elf::FileHeader64<Endianness>>(bytes),
        Ok(other) => return FileKind::NotElf(format!("the format is {other:?}")),
        Err(error) => return FileKind::NotElf(error.to_string()),
    };
    match needs {
        Ok(needs) if needs > bytes.len() as u64 => FileKind::Truncated { needs },
        Ok(_) if is_packed(bytes) => FileKind::Packed,
        Ok(_) => match build_info(bytes) {
            Ok(info) => FileKind::Go(Box::new(info)),
            Err(Unreadable::NotElf(why)) => FileKind::NotElf(why),
            Err(why) => match toolchain(bytes) {
                None if !is_go(bytes) => FileKind::NotGo,
                go => FileKind::GoWithoutBuildInfo { go, why },
            },
        },
        // The file ends within the file header.
        Err(_) if bytes.len() < 64 => FileKind::Truncated { needs: 64 },
        Err(error) => FileKind::NotElf(error.to_string()),
    }
}

/// Returns the size of the file according to its header tables and segments.
fn required_size<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> object::Result<u64> {
    let header = Elf::parse(bytes)?;
    let endian = header.endian()?;
    let table_end = |offset: u64, count: u16, size: u16| match count {
        0 => 0,
        _ => offset.saturating_add(u64::from(count) * u64::from(size)),
    };
    let segments_end = table_end(header.e_phoff(endian).into(), header.e_phnum(endian), header.e_phentsize(endian));
    let sections_end = table_end(header.e_shoff(endian).into(), header.e_shnum(endian), header.e_shentsize(endian));
    let tables_end = segments_end.max(sections_end);
    if segments_end > bytes.len() as u64 {
        return Ok(tables_end);
    }
    let segments = header.program_headers(endian, bytes)?.iter();
    let loaded = segments.filter(|segment| segment.p_type(endian) == elf::PT_LOAD);
    let ends = loaded.map(|segment| segment.p_offset(endian).into().saturating_add(segment.p_filesz(endian).into()));
    Ok(ends.fold(tables_end, u64::max))
}

/// Whether an ELF file is packed with UPX. Its magic follows the program headers (`l_info` in UPX's
/// `stub/src/include/linux.h`) and is repeated in the pack header at the end (`packhead.cpp`). A
/// packed file has no sections.
fn is_packed(bytes: &[u8]) -> bool {
    const MAGIC: &[u8] = b"UPX!";
    const HEADERS: usize = 512;
    const TRAILER: usize = 64;
    let has_magic = |part: &[u8]| part.windows(MAGIC.len()).any(|window| window == MAGIC);
    let has_sections = object::File::parse(bytes).is_ok_and(|file| file.sections().next().is_some());
    !has_sections
        && (has_magic(&bytes[..HEADERS.min(bytes.len())]) || has_magic(&bytes[bytes.len().saturating_sub(TRAILER)..]))
}

/// Whether an ELF file was linked by Go. If it has sections, those of the pclntab or of the build
/// ID show it. If not, the build ID at the start of the code does.
fn is_go(bytes: &[u8]) -> bool {
    const SECTIONS: [&[u8]; 3] = [b".gopclntab", b".data.rel.ro.gopclntab", b".note.go.buildid"];
    const BUILD_ID: &[u8] = b"\xff Go build ID: \"";
    /// The code starts in the first page, or in the page after the headers. Pages have at most 64
    /// kB.
    const START_OF_CODE: usize = 0x2_0000;
    let Ok(file) = object::File::parse(bytes) else { return false };
    if file.sections().next().is_some() {
        return named_sections(&file).any(|(name, _)| SECTIONS.contains(&name));
    }
    bytes[..START_OF_CODE.min(bytes.len())].windows(BUILD_ID.len()).any(|window| window == BUILD_ID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classify_reports_why_a_file_is_not_a_go_executable() {
        assert!(matches!(classify(b""), FileKind::NotElf(_)));
        assert!(matches!(classify(b"#!/bin/sh\nexec tailscaled\n"), FileKind::NotElf(_)));
        if cfg!(target_os = "linux") {
            // The test program is an ELF file that Go did not link.
            let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
            assert_eq!(classify(&own), FileKind::NotGo);
            for length in [20, 64, 1000, own.len() / 2, own.len() - 1] {
                let kind = classify(&own[..length]);
                assert!(matches!(kind, FileKind::Truncated { needs } if needs > length as u64), "{length}");
            }
        }
    }

    /// Builds a 64-bit ELF file whose sections all have the whole string table as their name, and
    /// whose segments are writable and all cover the whole file.
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
        let file = object::File::parse(&*bytes).unwrap();
        assert_eq!(file.sections().count(), 999);
        assert_eq!(named_sections(&file).count(), crate::limits::MAX_NAMES_LEN / length);
        assert_eq!(classify(&bytes), FileKind::NotGo);
    }

    #[test]
    fn classify_searches_overlapping_segments_once() {
        let bytes = overlapping_elf(0, 1 << 20, 2000);
        assert_eq!(classify(&bytes), FileKind::NotGo);
    }

    proptest! {
        #[test]
        fn classify_of_random_bytes_does_not_panic(
            tail in prop::collection::vec(any::<u8>(), 0..600), is_64_bit: bool, is_big_endian: bool
        ) {
            let mut file = b"\x7fELF".to_vec();
            file.extend([if is_64_bit { 2 } else { 1 }, if is_big_endian { 2 } else { 1 }, 1]);
            file.extend(tail);
            let _ = classify(&file);
        }
    }
}
