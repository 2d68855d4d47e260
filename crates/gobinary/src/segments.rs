//! The segments that the kernel loads.

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind, elf};

use crate::error::Unreadable;

/// The sizes in the file, in bytes, of the segments that are loaded executable (`PT_LOAD` with `PF_X`), in the file's order.
///
/// # Errors
/// [`Unreadable::NotElf`] if the headers are not those of an ELF file.
pub fn executable_segments(bytes: &[u8]) -> Result<Vec<u64>, Unreadable> {
    let not_elf = |error: object::Error| Unreadable::NotElf(error.to_string());
    match FileKind::parse(bytes).map_err(not_elf)? {
        FileKind::Elf32 => read::<elf::FileHeader32<Endianness>>(bytes).map_err(not_elf),
        FileKind::Elf64 => read::<elf::FileHeader64<Endianness>>(bytes).map_err(not_elf),
        other => Err(Unreadable::NotElf(format!("{other:?}"))),
    }
}

fn read<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> object::Result<Vec<u64>> {
    let header = Elf::parse(bytes)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, bytes)?.iter();
    let executable = |segment: &&Elf::ProgramHeader| {
        segment.p_type(endian) == elf::PT_LOAD && segment.p_flags(endian).contains(elf::PF_X)
    };
    Ok(segments.filter(executable).map(|segment| segment.p_filesz(endian).into()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_has_one_executable_segment() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let sizes = executable_segments(&own).unwrap();
        assert!(sizes.len() == 1 && sizes[0] > 4096 && sizes[0] < own.len() as u64, "{sizes:?}");
        assert!(executable_segments(b"#!/bin/sh").is_err());
    }
}
