//! What a file is, as far as a program of Go's is looked for: each way of not being one told apart from the others.

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind, Object, elf};

use crate::buildinfo::toolchain;
use crate::elf::sections;
use crate::{BuildInfo, Unreadable, build_info};

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A program of Go's with its build information.
    Go(Box<BuildInfo>),
    /// A program of Go's whose build information is not there or can't be read.
    Silent {
        /// The toolchain, where that much is left.
        go: Option<String>,
        /// What is wrong with the record.
        why: Unreadable,
    },
    /// An ELF file that UPX packed: what was in it shows when it is unpacked.
    Packed,
    /// An ELF file that states more bytes than are there.
    Truncated {
        /// How many bytes its headers ask for.
        needs: u64,
    },
    /// An ELF file that nothing shows to be Go's.
    NotGo,
    /// No ELF file, or one that can't be read; the parser's words.
    NotElf(String),
}

/// Tells what a file is.
#[must_use]
pub fn kind(bytes: &[u8]) -> Kind {
    let needs = match FileKind::parse(bytes) {
        Ok(FileKind::Elf32) => extent::<elf::FileHeader32<Endianness>>(bytes),
        Ok(FileKind::Elf64) => extent::<elf::FileHeader64<Endianness>>(bytes),
        Ok(other) => return Kind::NotElf(format!("it is {other:?}")),
        Err(error) => return Kind::NotElf(error.to_string()),
    };
    match needs {
        Ok(needs) if needs > bytes.len() as u64 => Kind::Truncated { needs },
        Ok(_) if is_packed(bytes) => Kind::Packed,
        Ok(_) => match build_info(bytes) {
            Ok(info) => Kind::Go(Box::new(info)),
            Err(Unreadable::NotElf(why)) => Kind::NotElf(why),
            Err(why) => match toolchain(bytes) {
                None if !is_go(bytes) => Kind::NotGo,
                go => Kind::Silent { go, why },
            },
        },
        // A header without the rest of it.
        Err(_) if bytes.len() < 64 => Kind::Truncated { needs: 64 },
        Err(error) => Kind::NotElf(error.to_string()),
    }
}

/// How many bytes the headers of an ELF file ask for: its segments and the tables of its headers.
fn extent<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> object::Result<u64> {
    let header = Elf::parse(bytes)?;
    let endian = header.endian()?;
    let table = |offset: u64, count: u16, size: u16| match count {
        0 => 0,
        _ => offset.saturating_add(u64::from(count) * u64::from(size)),
    };
    let (programs, sections) = (header.e_phoff(endian).into(), header.e_shoff(endian).into());
    let programs = table(programs, header.e_phnum(endian), header.e_phentsize(endian));
    let sections = table(sections, header.e_shnum(endian), header.e_shentsize(endian));
    let tables = programs.max(sections);
    if programs > bytes.len() as u64 {
        return Ok(tables);
    }
    let segments = header.program_headers(endian, bytes)?.iter();
    let ends = segments.filter(|segment| segment.p_type(endian) == elf::PT_LOAD);
    let ends = ends.map(|segment| segment.p_offset(endian).into().saturating_add(segment.p_filesz(endian).into()));
    Ok(ends.fold(tables, u64::max))
}

/// Whether UPX packed an ELF file. Its mark stands behind the program headers (`l_info` in UPX's `stub/src/include/linux.h`), and
/// there again in the header of the packed data at the very end (`packhead.cpp`); no section is left.
fn is_packed(bytes: &[u8]) -> bool {
    const MARK: &[u8] = b"UPX!";
    const HEADERS: usize = 512;
    const TRAILER: usize = 64;
    let holds = |part: &[u8]| part.windows(MARK.len()).any(|window| window == MARK);
    let sections = object::File::parse(bytes).is_ok_and(|file| file.sections().next().is_some());
    !sections && (holds(&bytes[..HEADERS.min(bytes.len())]) || holds(&bytes[bytes.len().saturating_sub(TRAILER)..]))
}

/// Whether anything shows an ELF file to be Go's: the sections of its function table and build ID, or, where no section is left,
/// the build ID that the linker writes at the beginning of the code.
fn is_go(bytes: &[u8]) -> bool {
    const SECTIONS: [&[u8]; 3] = [b".gopclntab", b".data.rel.ro.gopclntab", b".note.go.buildid"];
    const BUILD_ID: &[u8] = b"\xff Go build ID: \"";
    /// The code of a program that Go links begins in its first page or the one behind the headers.
    const BEGINNING: usize = 0x2_0000;
    let Ok(file) = object::File::parse(bytes) else { return false };
    if file.sections().next().is_some() {
        return sections(&file).any(|(name, _)| SECTIONS.contains(&name));
    }
    bytes[..BEGINNING.min(bytes.len())].windows(BUILD_ID.len()).any(|window| window == BUILD_ID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_program_of_gos_is_told_apart() {
        assert!(matches!(kind(b""), Kind::NotElf(_)));
        assert!(matches!(kind(b"#!/bin/sh\nexec tailscaled\n"), Kind::NotElf(_)));
        if cfg!(target_os = "linux") {
            // The test program itself is an ELF file that Go did not make.
            let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
            assert_eq!(kind(&own), Kind::NotGo);
            for length in [20, 64, 1000, own.len() / 2, own.len() - 1] {
                assert!(matches!(kind(&own[..length]), Kind::Truncated { needs } if needs > length as u64), "{length}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail in prop::collection::vec(any::<u8>(), 0..600), wide: bool, big: bool) {
            let mut file = b"\x7fELF".to_vec();
            file.extend([if wide { 2 } else { 1 }, if big { 2 } else { 1 }, 1]);
            file.extend(tail);
            let _ = kind(&file);
        }
    }
}
