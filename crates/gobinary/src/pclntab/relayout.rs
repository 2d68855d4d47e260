//! Writes the new pclntab into the file and moves what follows it to lower offsets.
//!
//! No address of code, read-only data or data changes. In Go 1.26 only lists that `moduledata`
//! points at follow the pclntab in its segment: they move to lower addresses, and the segment ends
//! earlier. In Go 1.27 types follow it, and code contains their addresses: there the segment is
//! split around the free pages.

use object::elf::{PT_LOAD, PT_PHDR};

use super::bytes::{part, put, round_up, to_usize};
use super::decode::Pclntab;
use super::elf_file::{ElfFile, Section, Segment};
use super::encode::Encoded;
use super::moduledata::{CUTAB, FILETAB, FINDFUNCTAB, FTAB, FUNCNAMETAB, Moduledata, PC_HEADER, PCLNTABLE, PCTAB};
use crate::error::Refused;

/// The error for a file that is arranged in an unknown way.
const UNKNOWN_ARRANGEMENT: Refused = Refused::Unsupported("not arranged as Go's own linker does it");

/// Returns the file with the new pclntab.
pub(super) fn write(file: &ElfFile<'_>, pclntab: &Pclntab<'_>, encoded: &Encoded) -> Result<Vec<u8>, Refused> {
    let mut plan = Relayout::new(file, pclntab, encoded)?;
    let can_move = |section: &Section| pclntab.layout.links.is_some() && link_index(section).is_some();
    if plan.following.iter().all(can_move) {
        plan.move_links()?;
    } else {
        plan.split_segment()?;
    }
    let mut bytes = plan.assemble()?;
    if let Some(funcdata) = &encoded.rodata_from_gofunc {
        // `.rodata` precedes the pclntab, so it did not move.
        let rodata = file.section(".rodata").ok_or(Refused::Damaged("the section .rodata is missing"))?;
        if rodata.sh_offset > pclntab.section.sh_offset {
            return Err(UNKNOWN_ARRANGEMENT);
        }
        let gofunc = rodata.offset_of(pclntab.moduledata.word(pclntab.layout.gofunc))?;
        put(&mut bytes, rodata.sh_offset + gofunc, funcdata)?;
    }
    Ok(bytes)
}

/// The index of a section in [`Layout::links`](super::moduledata::Layout::links).
fn link_index(section: &Section) -> Option<usize> {
    [".typelink", ".itablink"].iter().position(|name| section.name == *name)
}

/// Returns `moduledata` with the new positions of the parts.
fn updated_moduledata(pclntab: &Pclntab<'_>, encoded: &Encoded) -> Moduledata {
    let mut moduledata = pclntab.moduledata.clone();
    let address = |offset: usize| pclntab.section.sh_addr + offset as u64;
    for (index, part) in [
        (FUNCNAMETAB, &encoded.funcnametab),
        (CUTAB, &encoded.cutab),
        (FILETAB, &encoded.filetab),
        (PCTAB, &encoded.pctab),
        (PCLNTABLE, &encoded.pclntable),
    ] {
        moduledata.set(index, address(part.start));
        moduledata.set(index + 1, part.len() as u64);
        moduledata.set(index + 2, part.len() as u64);
    }
    moduledata.set(PC_HEADER, address(0));
    moduledata.set(FTAB, address(encoded.pclntable.start));
    if pclntab.layout.has_epclntab {
        moduledata.set(FINDFUNCTAB, address(encoded.findfunctab));
        moduledata.set(pclntab.layout.gofunc, address(encoded.gofunc));
        moduledata.set(pclntab.layout.gofunc + 1, address(encoded.bytes.len()));
    }
    moduledata
}

/// The new file while it is planned.
struct Relayout<'a> {
    file: &'a ElfFile<'a>,
    pclntab: &'a Pclntab<'a>,
    segments: Vec<Segment>,
    sections: Vec<Section>,
    moduledata: Moduledata,
    /// The index of the segment with the pclntab.
    home: usize,
    /// The sections that follow the pclntab in its segment, by address.
    following: Vec<Section>,
    /// The new bytes from the pclntab to the end of its segment.
    tail: Vec<u8>,
    /// The bytes of the new segment after `home`, if the segment is split.
    split: Option<Vec<u8>>,
}

impl<'a> Relayout<'a> {
    fn new(file: &'a ElfFile<'a>, pclntab: &'a Pclntab<'a>, encoded: &Encoded) -> Result<Self, Refused> {
        let section = &pclntab.section;
        let contains = |segment: &Segment| {
            segment.p_type == PT_LOAD && (segment.p_vaddr..segment.file_end()).contains(&section.sh_addr)
        };
        let home = file.segments.iter().position(contains).ok_or(Refused::Damaged("the pclntab is not loaded"))?;
        let segment = &file.segments[home];
        let end = segment.file_end();
        if segment.p_filesz != segment.p_memsz || section.end() > end {
            return Err(Refused::Damaged("the segment of the pclntab has a wrong size"));
        }
        let follows = |other: &&Section| other.is_loaded() && (section.end()..end).contains(&other.sh_addr);
        let mut following: Vec<Section> = file.sections.iter().filter(follows).cloned().collect();
        following.sort_by_key(|section| section.sh_addr);
        if file.e_shoff >= section.sh_offset || following.iter().any(|section| section.end() > end) {
            return Err(UNKNOWN_ARRANGEMENT);
        }
        Ok(Self {
            file,
            pclntab,
            segments: file.segments.clone(),
            sections: file.sections.clone(),
            moduledata: updated_moduledata(pclntab, encoded),
            home,
            following,
            tail: encoded.bytes.clone(),
            split: None,
        })
    }

    fn section_mut(&mut self, name: &str) -> Result<&mut Section, Refused> {
        self.sections.iter_mut().find(|section| section.name == name).ok_or(Refused::Damaged("a section is missing"))
    }

    /// Ends the segment after `tail`, and the section after the new pclntab.
    fn shorten(&mut self, pclntab_len: usize) -> Result<(), Refused> {
        let home = &mut self.segments[self.home];
        home.p_filesz = to_usize(self.pclntab.section.sh_addr - home.p_vaddr)? + self.tail.len();
        home.p_memsz = home.p_filesz;
        self.section_mut(".gopclntab")?.sh_size = pclntab_len;
        Ok(())
    }

    /// Moves the lists that follow the pclntab to lower addresses.
    fn move_links(&mut self) -> Result<(), Refused> {
        let (word, pclntab_len) = (self.pclntab.ptr_size.bytes(), self.tail.len());
        for section in std::mem::take(&mut self.following) {
            let index = link_index(&section).zip(self.pclntab.layout.links).map(|(index, links)| links[index]);
            let index = index.ok_or(Refused::Damaged("an unknown list follows the pclntab"))?;
            let entry = if section.name == ".typelink" { 4 } else { word };
            let count = (section.sh_size / entry) as u64;
            if self.moduledata.words.get(index..index + 3) != Some(&[section.sh_addr, count, count]) {
                return Err(Refused::Damaged("moduledata does not match a list that follows the pclntab"));
            }
            self.tail.resize(round_up(self.tail.len(), section.sh_addralign.max(word)), 0);
            let address = self.pclntab.section.sh_addr + self.tail.len() as u64;
            self.tail.extend_from_slice(self.file.content(&section)?);
            self.moduledata.set(index, address);
            self.section_mut(&section.name)?.sh_addr = address;
        }
        self.shorten(pclntab_len)
    }

    /// Ends the segment after the pclntab and creates another segment for what follows.
    fn split_segment(&mut self) -> Result<(), Refused> {
        let section = &self.pclntab.section;
        let old = self.segments[self.home].clone();
        let first_page = section.end() - section.end() % old.p_align as u64;
        if first_page < section.sh_addr + self.tail.len() as u64 {
            return Err(Refused::Unsupported("too small: rewriting it would not free a page"));
        }
        // The first page of the new segment begins with the end of the old pclntab.
        let mut bytes = vec![0; to_usize(section.end() - first_page)?];
        let skipped = to_usize(section.end() - old.p_vaddr)?;
        bytes.extend_from_slice(part(self.file.bytes, old.p_offset + skipped, old.p_filesz - skipped)?);
        let split =
            Segment { p_vaddr: first_page, p_paddr: first_page, p_filesz: bytes.len(), p_memsz: bytes.len(), ..old };
        self.segments.insert(self.home + 1, split);
        self.split = Some(bytes);
        for table in self.segments.iter_mut().filter(|segment| segment.p_type == PT_PHDR) {
            table.p_filesz += self.pclntab.ptr_size.program_header_len();
            table.p_memsz = table.p_filesz;
        }
        self.shorten(self.tail.len())
    }

    /// Builds the file: everything before the pclntab, the tail, the later segments at the next
    /// aligned offset, and the sections that are not loaded.
    fn assemble(mut self) -> Result<Vec<u8>, Refused> {
        let mut bytes = part(self.file.bytes, 0, self.pclntab.section.sh_offset)?.to_vec();
        bytes.extend_from_slice(&self.tail);
        let home = self.segments[self.home].p_offset;
        let is_later = |(index, segment): &(usize, &Segment)| {
            segment.p_type == PT_LOAD && *index != self.home && segment.p_offset >= home
        };
        let mut later: Vec<usize> = self.segments.iter().enumerate().filter(is_later).map(|(index, _)| index).collect();
        later.sort_by_key(|index| self.segments[*index].p_vaddr);
        for index in later {
            let segment = &mut self.segments[index];
            let content = match self.split.take_if(|_| index == self.home + 1) {
                Some(split) => split,
                None => part(self.file.bytes, segment.p_offset, segment.p_filesz)?.to_vec(),
            };
            let align = segment.p_align as u64;
            let padding = (segment.p_vaddr % align + align - bytes.len() as u64 % align) % align;
            bytes.resize(bytes.len() + to_usize(padding)?, 0);
            segment.p_offset = bytes.len();
            bytes.extend_from_slice(&content);
        }
        self.update_offsets();
        for section in self.sections.iter_mut().filter(|section| !section.is_loaded() && section.has_bytes()) {
            let content = part(self.file.bytes, section.sh_offset, section.sh_size)?;
            section.sh_offset = bytes.len();
            bytes.extend_from_slice(content);
        }
        self.write_moduledata(&mut bytes)?;
        self.write_headers(&mut bytes)?;
        Ok(bytes)
    }

    /// Sets the offsets of loaded sections, and of segments inside loaded ones, to follow the
    /// loaded segments.
    fn update_offsets(&mut self) {
        let loaded: Vec<Segment> = self.segments.iter().filter(|segment| segment.p_type == PT_LOAD).cloned().collect();
        let offset_of = |address: u64| {
            let contains = |segment: &&Segment| {
                (segment.p_vaddr..segment.memory_end()).contains(&address)
                    || segment.p_memsz == 0 && segment.p_vaddr == address
            };
            let segment = loaded.iter().find(contains)?;
            Some(segment.p_offset + usize::try_from(address - segment.p_vaddr).ok()?)
        };
        for section in self.sections.iter_mut().filter(|section| section.is_loaded()) {
            section.sh_offset = offset_of(section.sh_addr).unwrap_or(section.sh_offset);
        }
        for segment in self.segments.iter_mut().filter(|segment| segment.p_type != PT_LOAD && segment.p_filesz > 0) {
            segment.p_offset = offset_of(segment.p_vaddr).unwrap_or(segment.p_offset);
        }
    }

    fn write_moduledata(&mut self, bytes: &mut [u8]) -> Result<(), Refused> {
        let Moduledata { words, section, offset } = self.moduledata.clone();
        let start = self.section_mut(&section)?.sh_offset + offset;
        let ptr_size = self.pclntab.ptr_size;
        for (index, word) in words.iter().enumerate() {
            ptr_size.put(bytes, start + index * ptr_size.bytes(), *word)?;
        }
        Ok(())
    }

    /// Writes the headers in place. If a program header was added, the section headers move to the
    /// end of the file to make room.
    fn write_headers(&self, bytes: &mut Vec<u8>) -> Result<(), Refused> {
        let ptr_size = self.file.ptr_size;
        let (segment_len, section_len) = (ptr_size.program_header_len(), ptr_size.section_header_len());
        let mut e_shoff = self.file.e_shoff;
        if self.segments.len() > self.file.segments.len() {
            let table_len = self.sections.len() * section_len;
            put(bytes, e_shoff, &vec![0; table_len])?;
            let end = self.file.e_phoff + self.segments.len() * segment_len;
            if self.sections.iter().any(|section| section.has_bytes() && section.sh_offset < end) {
                return Err(Refused::Unsupported("without room for one more program header"));
            }
            bytes.resize(round_up(bytes.len(), 8), 0);
            e_shoff = bytes.len();
            bytes.resize(e_shoff + table_len, 0);
            let [e_shoff_at, e_phnum_at] = ptr_size.e_shoff_and_e_phnum();
            ptr_size.put(bytes, e_shoff_at, e_shoff as u64)?;
            let e_phnum = u16::try_from(self.segments.len()).map_err(|_| Refused::Damaged("too many segments"))?;
            put(bytes, e_phnum_at, &e_phnum.to_le_bytes())?;
        }
        for (index, segment) in self.segments.iter().enumerate() {
            put(bytes, self.file.e_phoff + index * segment_len, &segment.to_bytes(ptr_size)?)?;
        }
        for (index, section) in self.sections.iter().enumerate() {
            put(bytes, e_shoff + index * section_len, &section.to_bytes(ptr_size)?)?;
        }
        Ok(())
    }
}
