//! The slimmed table in the file: what stood behind it moves up, and the rest of the file with it.
//!
//! No address of code, read-only data or data changes. Behind the table in its segment stand lists that only the runtime's
//! record points at (Go 1.26): they move up, and the segment ends earlier. Where types stand there (Go 1.27), whose addresses
//! are in the code, the segment is split in two around the pages that are free.

use super::Refused;
use super::file::{ElfFile, HEADERS, LOAD, Section, Segment, part, put, round_up};
use super::layout::{FILES, FIND, FUNCTIONS, HEADER, INDEX, NAMES, PCS, UNITS};
use super::table::Table;
use super::write::{Range, Written};

/// The file with the table in it.
pub(super) fn into(file: &ElfFile<'_>, table: &Table<'_>, written: &Written) -> Result<Vec<u8>, Refused> {
    let mut plan = Plan::new(file, table)?;
    plan.record = record(table, written)?;
    let movable = |section: &&Section| table.layout.links.is_some() && link(section).is_some();
    if plan.behind.iter().all(|section| movable(&section)) {
        plan.move_up(table, written)?;
    } else {
        plan.split(table, written)?;
    }
    let mut bytes = plan.assemble(table)?;
    if !written.patches.is_empty() {
        // The read-only data stands before the table: nothing of it moved.
        let data = file.section(".rodata").ok_or(Refused::Damaged("there is no read-only data"))?;
        let skip = table.record.get(table.layout.data).and_then(|address| address.checked_sub(data.address));
        let skip = skip.and_then(|skip| usize::try_from(skip).ok()).ok_or(Refused::Damaged("data of functions"))?;
        if data.offset > table.section.offset {
            return Err(Refused::Kind("laid out as Go's own linker does not"));
        }
        for (at, new) in &written.patches {
            put(&mut bytes, data.offset + skip + at, new)?;
        }
    }
    Ok(bytes)
}

/// The number of a list of the runtime's record that can move, and the size of its entries in words.
fn link(section: &Section) -> Option<usize> {
    [".typelink", ".itablink"].iter().position(|name| section.name == *name)
}

/// The runtime's record with the table's new parts.
fn record(table: &Table<'_>, written: &Written) -> Result<Vec<u64>, Refused> {
    let start = table.section.address;
    let mut record = table.record.clone();
    let address = |offset: usize| start + offset as u64;
    let mut slice = |index: usize, Range(offset, length): Range| {
        for (place, value) in [(index, address(offset)), (index + 1, length as u64), (index + 2, length as u64)] {
            if let Some(word) = record.get_mut(place) {
                *word = value;
            }
        }
    };
    slice(NAMES, written.names);
    slice(UNITS, written.units);
    slice(FILES, Range(written.units.0, 0));
    slice(PCS, written.pcs);
    slice(FUNCTIONS, written.functions);
    let singles = [(HEADER, 0), (INDEX, written.functions.0)];
    let own = [(FIND, written.find), (table.layout.data, written.data), (table.layout.data + 1, written.bytes.len())];
    for (index, offset) in singles.into_iter().chain(own.into_iter().filter(|_| table.layout.whole)) {
        *record.get_mut(index).ok_or(Refused::Damaged("the runtime's record"))? = address(offset);
    }
    Ok(record)
}

/// The file to be.
struct Plan<'a> {
    file: &'a ElfFile<'a>,
    segments: Vec<Segment>,
    sections: Vec<Section>,
    /// The table's segment.
    home: usize,
    /// What stands behind the table in its segment, in the order of addresses.
    behind: Vec<Section>,
    /// The new bytes from the table on to the end of its segment.
    tail: Vec<u8>,
    /// More bytes for a segment of their own: what is split off.
    split: Option<Vec<u8>>,
    record: Vec<u64>,
}

impl<'a> Plan<'a> {
    fn new(file: &'a ElfFile<'a>, table: &Table<'_>) -> Result<Self, Refused> {
        let start = table.section.address;
        let holds = |segment: &Segment| {
            segment.kind == LOAD && (segment.address..segment.address + segment.in_file as u64).contains(&start)
        };
        let home = file.segments.iter().position(holds).ok_or(Refused::Damaged("the table is not loaded"))?;
        let segment = &file.segments[home];
        let end = segment.address + segment.in_file as u64;
        if segment.in_file != segment.in_memory || table.section.end() > end {
            return Err(Refused::Damaged("the table's segment"));
        }
        let behind =
            |section: &&Section| section.is_loaded() && section.address >= table.section.end() && section.address < end;
        let mut behind: Vec<Section> = file.sections.iter().filter(behind).cloned().collect();
        behind.sort_by_key(|section| section.address);
        if file.sections_at >= table.section.offset || behind.iter().any(|section| section.end() > end) {
            return Err(Refused::Kind("laid out as Go's own linker does not"));
        }
        let (segments, sections) = (file.segments.clone(), file.sections.clone());
        Ok(Self { file, segments, sections, home, behind, tail: Vec::new(), split: None, record: Vec::new() })
    }

    fn section_mut(&mut self, name: &str) -> Result<&mut Section, Refused> {
        self.sections.iter_mut().find(|section| section.name == name).ok_or(Refused::Damaged("a section is gone"))
    }

    /// What stands behind the table moves up.
    fn move_up(&mut self, table: &Table<'_>, written: &Written) -> Result<(), Refused> {
        let (start, w) = (table.section.address, table.width.bytes());
        self.tail.clone_from(&written.bytes);
        for section in std::mem::take(&mut self.behind) {
            self.tail.resize(round_up(self.tail.len(), section.align.max(w)), 0);
            let address = start + self.tail.len() as u64;
            self.tail.extend_from_slice(self.file.content(&section)?);
            let index = link(&section).zip(table.layout.links).map(|(number, links)| links[number]);
            let index = index.ok_or(Refused::Damaged("a list that can't move"))?;
            let entry = if section.name == ".typelink" { 4 } else { w };
            let count = (section.size / entry) as u64;
            if self.record.get(index..index + 3) != Some(&[section.address, count, count]) {
                return Err(Refused::Damaged("the runtime's record does not know a list"));
            }
            self.record[index] = address;
            self.section_mut(&section.name)?.address = address;
        }
        let home = &mut self.segments[self.home];
        home.in_file = usize::try_from(start - home.address).unwrap_or(0) + self.tail.len();
        home.in_memory = home.in_file;
        self.section_mut(".gopclntab")?.size = written.bytes.len();
        Ok(())
    }

    /// The segment ends with the table, and what stood behind it gets one of its own.
    fn split(&mut self, table: &Table<'_>, written: &Written) -> Result<(), Refused> {
        let old = self.segments[self.home].clone();
        let (rest, end) = (table.section.end(), old.address + old.in_file as u64);
        let first = rest - rest % old.align as u64;
        if first < table.section.address + written.bytes.len() as u64 {
            return Err(Refused::Kind("so small that no page of it would be free"));
        }
        // The page of the first byte that stays begins with the end of the old table.
        let mut bytes = vec![0; usize::try_from(rest - first).unwrap_or(0)];
        let skip = usize::try_from(rest - old.address).unwrap_or(0);
        bytes.extend_from_slice(part(self.file.bytes, old.offset + skip, old.in_file - skip)?);
        let in_file = usize::try_from(end - first).unwrap_or(0);
        let split = Segment { address: first, physical: first, in_file, in_memory: in_file, ..old };
        self.segments.insert(self.home + 1, split);
        self.split = Some(bytes);
        self.tail.clone_from(&written.bytes);
        let home = &mut self.segments[self.home];
        home.in_file = usize::try_from(table.section.address - home.address).unwrap_or(0) + self.tail.len();
        home.in_memory = home.in_file;
        self.section_mut(".gopclntab")?.size = written.bytes.len();
        for header in self.segments.iter_mut().filter(|segment| segment.kind == HEADERS) {
            header.in_file += table.width.offsets().segment_size;
            header.in_memory = header.in_file;
        }
        Ok(())
    }

    /// Puts the file together: all up to the table as it is, the tail, and every later segment where its alignment allows.
    fn assemble(mut self, table: &Table<'_>) -> Result<Vec<u8>, Refused> {
        let mut bytes = part(self.file.bytes, 0, table.section.offset)?.to_vec();
        bytes.extend_from_slice(&self.tail);
        let home = self.segments[self.home].offset;
        let mut later: Vec<usize> = (0..self.segments.len())
            .filter(|index| {
                self.segments[*index].kind == LOAD && *index != self.home && self.segments[*index].offset >= home
            })
            .collect();
        later.sort_by_key(|index| self.segments[*index].address);
        for index in later {
            let segment = &mut self.segments[index];
            let content = match self.split.take_if(|_| index == self.home + 1) {
                Some(split) => split,
                None => part(self.file.bytes, segment.offset, segment.in_file)?.to_vec(),
            };
            let align = segment.align as u64;
            let gap = (segment.address % align + align - bytes.len() as u64 % align) % align;
            bytes.resize(bytes.len() + usize::try_from(gap).unwrap_or(0), 0);
            segment.offset = bytes.len();
            bytes.extend_from_slice(&content);
        }
        self.follow_segments();
        for section in self.sections.iter_mut().filter(|section| !section.is_loaded() && section.has_bytes()) {
            let content = part(self.file.bytes, section.offset, section.size)?;
            section.offset = bytes.len();
            bytes.extend_from_slice(content);
        }
        self.write_record(&mut bytes, table)?;
        self.write_headers(&mut bytes)?;
        Ok(bytes)
    }

    /// Sections, and segments that are parts of loaded ones, are where the loaded segments are now.
    fn follow_segments(&mut self) {
        let loaded: Vec<Segment> = self.segments.iter().filter(|segment| segment.kind == LOAD).cloned().collect();
        let offset = |address: u64| {
            let segment = loaded.iter().find(|segment| {
                (segment.address..=segment.address + segment.in_memory as u64).contains(&address)
                    && (address < segment.address + segment.in_memory as u64 || segment.in_memory == 0)
            })?;
            Some(segment.offset + usize::try_from(address - segment.address).ok()?)
        };
        for section in self.sections.iter_mut().filter(|section| section.is_loaded()) {
            section.offset = offset(section.address).unwrap_or(section.offset);
        }
        for segment in self.segments.iter_mut().filter(|segment| segment.kind != LOAD && segment.in_file > 0) {
            segment.offset = offset(segment.address).unwrap_or(segment.offset);
        }
    }

    fn write_record(&mut self, bytes: &mut [u8], table: &Table<'_>) -> Result<(), Refused> {
        let at = self.section_mut(&table.record_in.name)?.offset + table.record_at;
        for (index, word) in self.record.iter().enumerate() {
            table.width.put(bytes, at + index * table.width.bytes(), *word)?;
        }
        Ok(())
    }

    /// Writes the headers: where they were, or the sections' at the end where one more segment needs their place.
    fn write_headers(&self, bytes: &mut Vec<u8>) -> Result<(), Refused> {
        let (width, places) = (self.file.width, self.file.width.offsets());
        let mut sections_at = self.file.sections_at;
        if self.segments.len() > self.file.segments.len() {
            let old = self.sections.len() * places.section_size;
            put(bytes, sections_at, &vec![0; old])?;
            let end = self.file.segments_at + self.segments.len() * places.segment_size;
            if self.sections.iter().any(|section| section.has_bytes() && section.offset < end) {
                return Err(Refused::Kind("without room for one more program header"));
            }
            bytes.resize(round_up(bytes.len(), 8), 0);
            sections_at = bytes.len();
            bytes.resize(sections_at + old, 0);
            width.put(bytes, places.sections, sections_at as u64)?;
            let count = u16::try_from(self.segments.len()).map_err(|_| Refused::Damaged("too many segments"))?;
            put(bytes, places.segment_count, &count.to_le_bytes())?;
        }
        for (index, segment) in self.segments.iter().enumerate() {
            put(bytes, self.file.segments_at + index * places.segment_size, &segment.to_bytes(width)?)?;
        }
        for (index, section) in self.sections.iter().enumerate() {
            put(bytes, sections_at + index * places.section_size, &section.to_bytes(width)?)?;
        }
        Ok(())
    }
}
