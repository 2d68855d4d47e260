//! An ELF executable as its headers have it, 32 or 64 bits wide, and the words in it.

use super::Refused;
use crate::limits::NAMES;

/// How wide a word of the machine is. Everything is little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Four,
    Eight,
}

impl Width {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// The word at an offset.
    pub(super) fn word(self, bytes: &[u8], at: usize) -> Result<u64, Refused> {
        Ok(match self {
            Self::Four => u64::from(u32::from_le_bytes(array(bytes, at)?)),
            Self::Eight => u64::from_le_bytes(array(bytes, at)?),
        })
    }

    /// The word at an offset, as a length or an offset into memory.
    pub(super) fn size(self, bytes: &[u8], at: usize) -> Result<usize, Refused> {
        usize::try_from(self.word(bytes, at)?).map_err(|_| Refused::Damaged("an offset is too large"))
    }

    /// Writes a word over the one at an offset.
    pub(super) fn put(self, bytes: &mut [u8], at: usize, value: u64) -> Result<(), Refused> {
        match self {
            Self::Four => {
                let value = u32::try_from(value).map_err(|_| Refused::Damaged("an address is too large"))?;
                put(bytes, at, &value.to_le_bytes())
            }
            Self::Eight => put(bytes, at, &value.to_le_bytes()),
        }
    }
}

/// As many bytes from an offset.
pub(super) fn part(bytes: &[u8], at: usize, length: usize) -> Result<&[u8], Refused> {
    at.checked_add(length).and_then(|end| bytes.get(at..end)).ok_or(Refused::Damaged("something ends behind the end"))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Refused> {
    part(bytes, at, N)?.try_into().map_err(|_| Refused::Damaged("a number is cut off"))
}

/// The 32-bit number at an offset.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Refused> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// The signed 32-bit number at an offset.
pub(super) fn i32_at(bytes: &[u8], at: usize) -> Result<i32, Refused> {
    array(bytes, at).map(i32::from_le_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Refused> {
    array(bytes, at).map(u16::from_le_bytes)
}

/// Writes bytes over those at an offset.
pub(super) fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Result<(), Refused> {
    let end = at.checked_add(value.len()).ok_or(Refused::Damaged("an offset is too large"))?;
    bytes.get_mut(at..end).ok_or(Refused::Damaged("something ends behind the end"))?.copy_from_slice(value);
    Ok(())
}

/// A number rounded up to a multiple; 0 and 1 leave it.
pub(super) fn round_up(number: usize, multiple: usize) -> usize {
    number.next_multiple_of(multiple.max(1))
}

/// A program header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) kind: u32,
    pub(super) flags: u32,
    pub(super) offset: usize,
    pub(super) address: u64,
    pub(super) physical: u64,
    pub(super) in_file: usize,
    pub(super) in_memory: usize,
    pub(super) align: usize,
}

/// A section header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: String,
    name_at: u32,
    pub(super) kind: u32,
    pub(super) flags: u64,
    pub(super) address: u64,
    pub(super) offset: usize,
    pub(super) size: usize,
    link: u32,
    info: u32,
    pub(super) align: usize,
    entry: u64,
}

/// The kinds of segments and sections that matter here. Source: the ELF specification.
pub(super) const LOAD: u32 = 1;
pub(super) const INTERPRETER: u32 = 3;
pub(super) const HEADERS: u32 = 6;
const NO_BITS: u32 = 8;

/// Pages are at most 64 kB large on Go's processors; more would be padding without end.
const LARGEST_ALIGNMENT: usize = 1 << 16;
const EXECUTABLE: u16 = 2;
const ALLOCATED: u64 = 2;

impl Section {
    /// Whether it has bytes in the file.
    pub(super) fn has_bytes(&self) -> bool {
        self.kind != 0 && self.kind != NO_BITS
    }

    /// Whether it is in memory when the program runs.
    pub(super) fn is_loaded(&self) -> bool {
        self.flags & ALLOCATED != 0
    }

    /// The address behind its last byte.
    pub(super) fn end(&self) -> u64 {
        self.address.saturating_add(self.size as u64)
    }
}

/// An executable: its bytes, and its headers as values.
#[derive(Debug, Clone)]
pub(crate) struct ElfFile<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) width: Width,
    pub(super) segments: Vec<Segment>,
    pub(super) segments_at: usize,
    pub(super) sections: Vec<Section>,
    pub(super) sections_at: usize,
    /// The index of the section with the sections' names.
    pub(super) names: usize,
}

/// Where the header has what, by width: the specification's `Elf32_Ehdr` and `Elf64_Ehdr`.
pub(super) struct Offsets {
    pub(super) segments: usize,
    pub(super) sections: usize,
    pub(super) segment_count: usize,
    section_count: usize,
    names: usize,
    pub(super) segment_size: usize,
    pub(super) section_size: usize,
}

impl Width {
    pub(super) fn offsets(self) -> Offsets {
        let (segments, sections, segment_count, section_count, names, segment_size, section_size) = match self {
            Self::Four => (0x1c, 0x20, 0x2c, 0x30, 0x32, 32, 40),
            Self::Eight => (0x20, 0x28, 0x38, 0x3c, 0x3e, 56, 64),
        };
        Offsets { segments, sections, segment_count, section_count, names, segment_size, section_size }
    }
}

impl<'a> ElfFile<'a> {
    /// Reads the headers; every segment and section must lie in the file.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Refused> {
        if part(bytes, 0, 7)? != [0x7f, b'E', b'L', b'F', bytes[4], 1, 1] {
            return Err(Refused::Kind("not a little-endian ELF file"));
        }
        let width = match bytes[4] {
            1 => Width::Four,
            2 => Width::Eight,
            _ => return Err(Refused::Kind("neither a 32-bit nor a 64-bit file")),
        };
        if u16_at(bytes, 16)? != EXECUTABLE {
            return Err(Refused::Kind("not linked to a fixed address (position-independent, a library or an object)"));
        }
        let places = width.offsets();
        let (segments_at, sections_at) = (width.size(bytes, places.segments)?, width.size(bytes, places.sections)?);
        let count = |at: usize| u16_at(bytes, at).map(usize::from);
        let (segment_count, section_count) = (count(places.segment_count)?, count(places.section_count)?);
        let segments = (0..segment_count).map(|i| segment(bytes, width, segments_at, i)).collect::<Result<_, _>>()?;
        let sections = (0..section_count).map(|i| section(bytes, width, sections_at, i)).collect::<Result<_, _>>()?;
        let names = count(places.names)?;
        let mut file = Self { bytes, width, segments, segments_at, sections, sections_at, names };
        file.name_sections()?;
        file.check()?;
        Ok(file)
    }

    fn name_sections(&mut self) -> Result<(), Refused> {
        let texts = self
            .sections
            .get(self.names)
            .ok_or(Refused::Kind("without section headers, which Go leaves even stripped"))?;
        let texts = part(self.bytes, texts.offset, texts.size)?;
        let mut left = NAMES;
        for section in &mut self.sections {
            let text = texts.get(section.name_at as usize..).ok_or(Refused::Damaged("a section's name"))?;
            let name = text.split(|byte| *byte == 0).next().unwrap_or_default();
            left = left.checked_sub(name.len()).ok_or(Refused::Damaged("the sections' names are too long"))?;
            section.name = String::from_utf8_lossy(name).into_owned();
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Refused> {
        if self.segments.iter().any(|segment| segment.kind == INTERPRETER) {
            return Err(Refused::Kind("linked dynamically"));
        }
        if self.sections.iter().any(|section| section.name == ".symtab" || section.name.starts_with(".debug_")) {
            return Err(Refused::Kind("not stripped: build it with -ldflags='-s -w'"));
        }
        for section in self.sections.iter().filter(|section| section.has_bytes()) {
            part(self.bytes, section.offset, section.size)?;
            if section.align > LARGEST_ALIGNMENT {
                return Err(Refused::Damaged("a section is not aligned as any is"));
            }
        }
        let mut loaded: Vec<&Segment> = self.segments.iter().filter(|segment| segment.kind == LOAD).collect();
        loaded.sort_by_key(|segment| segment.offset);
        for segment in &loaded {
            part(self.bytes, segment.offset, segment.in_file)?;
            let congruent = segment.address.checked_sub(segment.offset as u64).is_some_and(|gap| {
                segment.align.is_power_of_two()
                    && segment.align <= LARGEST_ALIGNMENT
                    && gap.is_multiple_of(segment.align as u64)
            });
            if !congruent {
                return Err(Refused::Damaged("a segment is not where its alignment puts it"));
            }
        }
        let apart = |pair: &[&Segment]| {
            pair[0].offset + pair[0].in_file <= pair[1].offset
                && pair[0].address + pair[0].in_memory as u64 <= pair[1].address
        };
        if loaded.windows(2).all(apart) { Ok(()) } else { Err(Refused::Damaged("segments overlap")) }
    }

    /// The only section of this name, with its bytes.
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name && section.has_bytes())
    }

    /// The bytes of a section.
    pub(super) fn content(&self, section: &Section) -> Result<&'a [u8], Refused> {
        part(self.bytes, section.offset, section.size)
    }
}

fn segment(bytes: &[u8], width: Width, table: usize, index: usize) -> Result<Segment, Refused> {
    let size = width.offsets().segment_size;
    let entry = part(bytes, table.saturating_add(index * size), size)?;
    let word = |index: usize| width.size(entry, index);
    let [flags, offset, address, physical, in_file, in_memory, align] = places(width);
    Ok(Segment {
        kind: u32_at(entry, 0)?,
        flags: u32_at(entry, flags)?,
        offset: word(offset)?,
        address: width.word(entry, address)?,
        physical: width.word(entry, physical)?,
        in_file: word(in_file)?,
        in_memory: word(in_memory)?,
        align: word(align)?,
    })
}

/// Where a program header has flags, offset, address, physical address, both sizes and alignment.
fn places(width: Width) -> [usize; 7] {
    match width {
        Width::Four => [24, 4, 8, 12, 16, 20, 28],
        Width::Eight => [4, 8, 16, 24, 32, 40, 48],
    }
}

impl Segment {
    /// The header as bytes.
    pub(super) fn to_bytes(&self, width: Width) -> Result<Vec<u8>, Refused> {
        let mut entry = vec![0; width.offsets().segment_size];
        let [flags, offset, address, physical, in_file, in_memory, align] = places(width);
        put(&mut entry, 0, &self.kind.to_le_bytes())?;
        put(&mut entry, flags, &self.flags.to_le_bytes())?;
        for (place, value) in [
            (offset, self.offset as u64),
            (address, self.address),
            (physical, self.physical),
            (in_file, self.in_file as u64),
            (in_memory, self.in_memory as u64),
            (align, self.align as u64),
        ] {
            width.put(&mut entry, place, value)?;
        }
        Ok(entry)
    }
}

fn section(bytes: &[u8], width: Width, table: usize, index: usize) -> Result<Section, Refused> {
    let size = width.offsets().section_size;
    let entry = part(bytes, table.saturating_add(index * size), size)?;
    let w = width.bytes();
    Ok(Section {
        name: String::new(),
        name_at: u32_at(entry, 0)?,
        kind: u32_at(entry, 4)?,
        flags: width.word(entry, 8)?,
        address: width.word(entry, 8 + w)?,
        offset: width.size(entry, 8 + 2 * w)?,
        size: width.size(entry, 8 + 3 * w)?,
        link: u32_at(entry, 8 + 4 * w)?,
        info: u32_at(entry, 12 + 4 * w)?,
        align: width.size(entry, 16 + 4 * w)?,
        entry: width.word(entry, 16 + 5 * w)?,
    })
}

impl Section {
    /// The header as bytes.
    pub(super) fn to_bytes(&self, width: Width) -> Result<Vec<u8>, Refused> {
        let mut entry = vec![0; width.offsets().section_size];
        let w = width.bytes();
        for (place, value) in [(0, self.name_at), (4, self.kind), (8 + 4 * w, self.link), (12 + 4 * w, self.info)] {
            put(&mut entry, place, &value.to_le_bytes())?;
        }
        for (place, value) in [
            (8, self.flags),
            (8 + w, self.address),
            (8 + 2 * w, self.offset as u64),
            (8 + 3 * w, self.size as u64),
            (16 + 4 * w, self.align as u64),
            (16 + 5 * w, self.entry),
        ] {
            width.put(&mut entry, place, value)?;
        }
        Ok(entry)
    }
}
