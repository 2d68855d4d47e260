//! A little-endian ELF executable with its headers as values that can be changed and written back.

use std::mem::{offset_of, size_of};

use object::elf::{
    ET_EXEC, FileHeader32, FileHeader64, PT_INTERP, PT_LOAD, ProgramHeader32, ProgramHeader64, ProgramType, SHF_ALLOC,
    SHT_NOBITS, SHT_NULL, SectionFlags, SectionHeader32, SectionHeader64, SectionType,
};
use object::pod::bytes_of;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{FileKind, LittleEndian};

use super::bytes::{PtrSize, part, to_usize};
use crate::elf::with_names;
use crate::error::Refused;

/// The largest accepted alignment. Go's processors have pages of at most 64 kB; a larger value
/// would only add padding.
const MAX_ALIGNMENT: usize = 1 << 16;

/// The offsets of fields in a header.
macro_rules! offsets_of {
    ($header:ty: $($field:ident),+) => { [$(offset_of!($header, $field)),+] };
}

/// A program header, with ELF's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// The original header.
    pub(super) header: Vec<u8>,
    pub(super) p_type: ProgramType,
    pub(super) p_offset: usize,
    pub(super) p_vaddr: u64,
    pub(super) p_paddr: u64,
    pub(super) p_filesz: usize,
    pub(super) p_memsz: usize,
    pub(super) p_align: usize,
}

/// A section header, with ELF's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// The original header.
    header: Vec<u8>,
    pub(super) name: String,
    pub(super) sh_type: SectionType,
    pub(super) sh_flags: SectionFlags,
    pub(super) sh_addr: u64,
    pub(super) sh_offset: usize,
    pub(super) sh_size: usize,
    pub(super) sh_addralign: usize,
}

/// An executable: its bytes, and its headers as values.
#[derive(Debug, Clone)]
pub(crate) struct ElfFile<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) ptr_size: PtrSize,
    pub(super) entry: u64,
    pub(super) segments: Vec<Segment>,
    pub(super) e_phoff: usize,
    pub(super) sections: Vec<Section>,
    pub(super) e_shoff: usize,
}

impl<'a> ElfFile<'a> {
    /// Reads the headers of a stripped static executable. Every segment and section must lie in the
    /// file.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Refused> {
        let file = match FileKind::parse(bytes) {
            Ok(FileKind::Elf32) => Self::read_headers::<FileHeader32<LittleEndian>>(bytes, PtrSize::Four),
            Ok(FileKind::Elf64) => Self::read_headers::<FileHeader64<LittleEndian>>(bytes, PtrSize::Eight),
            _ => Err(Refused::Unsupported("not an ELF file")),
        }?;
        file.check_is_stripped_and_static()?;
        file.check_sections()?;
        file.check_segments()?;
        Ok(file)
    }

    fn read_headers<Elf: FileHeader<Endian = LittleEndian>>(
        bytes: &'a [u8],
        ptr_size: PtrSize,
    ) -> Result<Self, Refused> {
        let header = Elf::parse(bytes).and_then(|header| header.endian().map(|_| header));
        let header = header.map_err(|_| Refused::Unsupported("not a little-endian ELF file"))?;
        if header.e_type(LittleEndian) != ET_EXEC {
            let why = "not linked to a fixed address (position-independent, a library or an object)";
            return Err(Refused::Unsupported(why));
        }
        let segments = header.program_headers(LittleEndian, bytes);
        let segments = segments.map_err(|_| Refused::Damaged("the program headers can't be read"))?;
        let sections = header.sections(LittleEndian, bytes);
        let sections = sections.map_err(|_| Refused::Damaged("the section headers can't be read"))?;
        if sections.is_empty() {
            return Err(Refused::Unsupported("without section headers, which Go writes even with -ldflags='-s -w'"));
        }
        let named = with_names(sections.iter(), |section| sections.section_name(LittleEndian, section));
        let named: Vec<Section> = named.map(|(name, header)| Section::new(name, header)).collect::<Result<_, _>>()?;
        if named.len() < sections.len() {
            return Err(Refused::Damaged("the section names can't be read or are too long"));
        }
        Ok(Self {
            bytes,
            ptr_size,
            entry: header.e_entry(LittleEndian).into(),
            segments: segments.iter().map(Segment::new).collect::<Result<_, _>>()?,
            e_phoff: to_usize(header.e_phoff(LittleEndian).into())?,
            sections: named,
            e_shoff: to_usize(header.e_shoff(LittleEndian).into())?,
        })
    }

    fn check_is_stripped_and_static(&self) -> Result<(), Refused> {
        if self.segments.iter().any(|segment| segment.p_type == PT_INTERP) {
            return Err(Refused::Unsupported("linked dynamically"));
        }
        if self.sections.iter().any(|section| section.name == ".symtab" || section.name.starts_with(".debug_")) {
            return Err(Refused::Unsupported("not stripped: build it with -ldflags='-s -w'"));
        }
        Ok(())
    }

    fn check_sections(&self) -> Result<(), Refused> {
        for section in self.sections.iter().filter(|section| section.has_bytes()) {
            self.content(section)?;
            if section.sh_addralign > MAX_ALIGNMENT {
                return Err(Refused::Damaged("the alignment of a section is too large"));
            }
        }
        Ok(())
    }

    fn check_segments(&self) -> Result<(), Refused> {
        let mut loaded: Vec<&Segment> = self.segments.iter().filter(|segment| segment.p_type == PT_LOAD).collect();
        loaded.sort_by_key(|segment| segment.p_offset);
        for segment in &loaded {
            part(self.bytes, segment.p_offset, segment.p_filesz)?;
            let is_congruent = segment.p_vaddr.checked_sub(segment.p_offset as u64).is_some_and(|gap| {
                segment.p_align.is_power_of_two()
                    && segment.p_align <= MAX_ALIGNMENT
                    && gap.is_multiple_of(segment.p_align as u64)
            });
            if !is_congruent {
                return Err(Refused::Damaged("a segment's offset does not match its alignment"));
            }
        }
        let are_disjoint = |pair: &[&Segment]| {
            pair[0].p_offset + pair[0].p_filesz <= pair[1].p_offset && pair[0].memory_end() <= pair[1].p_vaddr
        };
        if loaded.windows(2).all(are_disjoint) { Ok(()) } else { Err(Refused::Damaged("segments overlap")) }
    }

    /// Returns the first section of this name that has bytes in the file.
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name && section.has_bytes())
    }

    /// Returns the bytes of a section.
    pub(super) fn content(&self, section: &Section) -> Result<&'a [u8], Refused> {
        part(self.bytes, section.sh_offset, section.sh_size)
    }
}

impl PtrSize {
    /// The size of a program header.
    pub(super) fn program_header_len(self) -> usize {
        match self {
            Self::Four => size_of::<ProgramHeader32<LittleEndian>>(),
            Self::Eight => size_of::<ProgramHeader64<LittleEndian>>(),
        }
    }

    /// The size of a section header.
    pub(super) fn section_header_len(self) -> usize {
        match self {
            Self::Four => size_of::<SectionHeader32<LittleEndian>>(),
            Self::Eight => size_of::<SectionHeader64<LittleEndian>>(),
        }
    }

    /// The offsets of `e_shoff` and `e_phnum` in the file header.
    pub(super) fn e_shoff_and_e_phnum(self) -> [usize; 2] {
        match self {
            Self::Four => offsets_of!(FileHeader32<LittleEndian>: e_shoff, e_phnum),
            Self::Eight => offsets_of!(FileHeader64<LittleEndian>: e_shoff, e_phnum),
        }
    }
}

impl Segment {
    fn new<H: ProgramHeader<Endian = LittleEndian>>(header: &H) -> Result<Self, Refused> {
        Ok(Self {
            header: bytes_of(header).to_vec(),
            p_type: header.p_type(LittleEndian),
            p_offset: to_usize(header.p_offset(LittleEndian).into())?,
            p_vaddr: header.p_vaddr(LittleEndian).into(),
            p_paddr: header.p_paddr(LittleEndian).into(),
            p_filesz: to_usize(header.p_filesz(LittleEndian).into())?,
            p_memsz: to_usize(header.p_memsz(LittleEndian).into())?,
            p_align: to_usize(header.p_align(LittleEndian).into())?,
        })
    }

    /// The address after the last byte that comes from the file.
    pub(super) fn file_end(&self) -> u64 {
        self.p_vaddr.saturating_add(self.p_filesz as u64)
    }

    /// The address after the last byte in memory.
    pub(super) fn memory_end(&self) -> u64 {
        self.p_vaddr.saturating_add(self.p_memsz as u64)
    }

    /// Encodes the header.
    pub(super) fn to_bytes(&self, ptr_size: PtrSize) -> Result<Vec<u8>, Refused> {
        let values = [self.p_offset as u64, self.p_vaddr, self.p_paddr, self.p_filesz as u64, self.p_memsz as u64];
        let offsets = match ptr_size {
            PtrSize::Four => offsets_of!(ProgramHeader32<LittleEndian>: p_offset, p_vaddr, p_paddr, p_filesz, p_memsz),
            PtrSize::Eight => offsets_of!(ProgramHeader64<LittleEndian>: p_offset, p_vaddr, p_paddr, p_filesz, p_memsz),
        };
        updated(&self.header, ptr_size, offsets.into_iter().zip(values))
    }
}

impl Section {
    fn new<H: SectionHeader<Endian = LittleEndian>>(name: &[u8], header: &H) -> Result<Self, Refused> {
        Ok(Self {
            header: bytes_of(header).to_vec(),
            name: String::from_utf8_lossy(name).into_owned(),
            sh_type: header.sh_type(LittleEndian),
            sh_flags: header.sh_flags(LittleEndian),
            sh_addr: header.sh_addr(LittleEndian).into(),
            sh_offset: to_usize(header.sh_offset(LittleEndian).into())?,
            sh_size: to_usize(header.sh_size(LittleEndian).into())?,
            sh_addralign: to_usize(header.sh_addralign(LittleEndian).into())?,
        })
    }

    /// Whether the section has bytes in the file.
    pub(super) fn has_bytes(&self) -> bool {
        self.sh_type != SHT_NULL && self.sh_type != SHT_NOBITS
    }

    /// Whether the section is in memory when the program runs.
    pub(super) fn is_loaded(&self) -> bool {
        self.sh_flags.contains(SHF_ALLOC)
    }

    /// The address after the last byte.
    pub(super) fn end(&self) -> u64 {
        self.sh_addr.saturating_add(self.sh_size as u64)
    }

    /// Converts an address in the section, or its end, to an offset in the section.
    pub(super) fn offset_of(&self, address: u64) -> Result<usize, Refused> {
        let offset = address.checked_sub(self.sh_addr).and_then(|offset| usize::try_from(offset).ok());
        offset.filter(|offset| *offset <= self.sh_size).ok_or(Refused::Damaged("moduledata has a wrong address"))
    }

    /// Encodes the header.
    pub(super) fn to_bytes(&self, ptr_size: PtrSize) -> Result<Vec<u8>, Refused> {
        let values = [self.sh_addr, self.sh_offset as u64, self.sh_size as u64];
        let offsets = match ptr_size {
            PtrSize::Four => offsets_of!(SectionHeader32<LittleEndian>: sh_addr, sh_offset, sh_size),
            PtrSize::Eight => offsets_of!(SectionHeader64<LittleEndian>: sh_addr, sh_offset, sh_size),
        };
        updated(&self.header, ptr_size, offsets.into_iter().zip(values))
    }
}

/// Returns a header with new words at some offsets.
fn updated(header: &[u8], ptr_size: PtrSize, words: impl Iterator<Item = (usize, u64)>) -> Result<Vec<u8>, Refused> {
    let mut header = header.to_vec();
    for (at, word) in words {
        ptr_size.put(&mut header, at, word)?;
    }
    Ok(header)
}
