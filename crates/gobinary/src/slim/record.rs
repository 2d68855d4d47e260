//! Where the runtime's record of the module is.

use super::Refused;
use super::file::{ElfFile, Section};
use super::layout::{FILES, FUNCTIONS, HEADER, INDEX, Layout, NAMES, PCS, UNITS};

/// The runtime's record: the section that it is in, where in it, and its words.
///
/// Go 1.25 gives it no section of its own. There it is the only place among the data without pointers to the heap that begins
/// with the address of the table and goes on with those of its parts.
pub(super) fn find(file: &ElfFile<'_>, table: &Section, layout: Layout) -> Result<(Section, usize, Vec<u64>), Refused> {
    let words = |bytes: &[u8], at: usize| -> Result<Vec<u64>, Refused> {
        (0..layout.words).map(|index| file.width.word(bytes, at + index * file.width.bytes())).collect()
    };
    let name = if layout.whole { ".go.module" } else { ".noptrdata" };
    let none = Refused::Kind("without a function table in sections of its own");
    let section = file.section(name).ok_or(none)?;
    let bytes = file.content(section)?;
    if layout.whole {
        return Ok((section.clone(), 0, words(bytes, 0)?));
    }
    let w = file.width.bytes();
    let begins = |record: &[u64]| {
        let parts = [HEADER, NAMES, UNITS, FILES, PCS, FUNCTIONS].map(|index| record.get(index).copied().unwrap_or(0));
        parts[0] == table.address && parts.is_sorted() && parts[5] < table.end() && record[INDEX] == parts[5]
    };
    let mut found = Vec::new();
    for at in (0..bytes.len().saturating_sub(layout.words * w)).step_by(w) {
        if file.width.word(bytes, at)? == table.address {
            let record = words(bytes, at)?;
            found.extend(begins(&record).then_some((at, record)));
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some((at, record)), true) => Ok((section.clone(), at, record)),
        (None, _) => Err(Refused::Damaged("the runtime's record is not there")),
        _ => Err(Refused::Damaged("there are two records of the runtime's")),
    }
}

/// The read-only data from an address on.
pub(super) fn read_only_from<'a>(file: &ElfFile<'a>, address: u64) -> Result<&'a [u8], Refused> {
    let section = file.section(".rodata").ok_or(Refused::Damaged("there is no read-only data"))?;
    file.content(section)?.get(inside(section, address)?..).ok_or(Refused::Damaged("data of functions"))
}

/// The offset of an address in a section; its end counts.
pub(super) fn inside(section: &Section, address: u64) -> Result<usize, Refused> {
    let offset = address.checked_sub(section.address).and_then(|offset| usize::try_from(offset).ok());
    offset.filter(|offset| *offset <= section.size).ok_or(Refused::Damaged("the runtime's record points elsewhere"))
}
