//! A little-endian ELF executable with its headers as values that can be changed and written back.

use std::mem::{offset_of, size_of};

use object::elf::{
    ET_EXEC, FileHeader32, FileHeader64, PT_INTERP, PT_LOAD, ProgramFlags, ProgramHeader32, ProgramHeader64,
    ProgramType, SHF_ALLOC, SHT_NOBITS, SHT_NULL, SectionFlags, SectionHeader32, SectionHeader64, SectionType,
};
use object::pod::bytes_of;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{FileKind, LittleEndian, U32, U64};

use super::bytes::{PtrSize, part, to_u32, to_usize};
use crate::elf::with_names;
use crate::error::Refused;

/// The largest accepted alignment. Go's processors have pages of at most 64 kB; a larger value would
/// only add padding.
const MAX_ALIGNMENT: usize = 1 << 16;

/// A program header, with ELF's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) p_type: ProgramType,
    pub(super) p_flags: ProgramFlags,
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
    pub(super) name: String,
    sh_name: u32,
    pub(super) sh_type: SectionType,
    pub(super) sh_flags: SectionFlags,
    pub(super) sh_addr: u64,
    pub(super) sh_offset: usize,
    pub(super) sh_size: usize,
    sh_link: u32,
    sh_info: u32,
    pub(super) sh_addralign: usize,
    sh_entsize: u64,
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
    /// Reads the headers of a stripped static executable. Every segment and section must lie in the file.
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
    pub(super) fn e_shoff_and_e_phnum(self) -> (usize, usize) {
        type Header32 = FileHeader32<LittleEndian>;
        type Header64 = FileHeader64<LittleEndian>;
        match self {
            Self::Four => (offset_of!(Header32, e_shoff), offset_of!(Header32, e_phnum)),
            Self::Eight => (offset_of!(Header64, e_shoff), offset_of!(Header64, e_phnum)),
        }
    }
}

impl Segment {
    fn new<H: ProgramHeader<Endian = LittleEndian>>(header: &H) -> Result<Self, Refused> {
        Ok(Self {
            p_type: header.p_type(LittleEndian),
            p_flags: header.p_flags(LittleEndian),
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
        Ok(match ptr_size {
            PtrSize::Four => bytes_of(&ProgramHeader32 {
                p_type: U32::new(LittleEndian, self.p_type),
                p_offset: narrow(self.p_offset as u64)?,
                p_vaddr: narrow(self.p_vaddr)?,
                p_paddr: narrow(self.p_paddr)?,
                p_filesz: narrow(self.p_filesz as u64)?,
                p_memsz: narrow(self.p_memsz as u64)?,
                p_flags: U32::new(LittleEndian, self.p_flags),
                p_align: narrow(self.p_align as u64)?,
            })
            .to_vec(),
            PtrSize::Eight => bytes_of(&ProgramHeader64 {
                p_type: U32::new(LittleEndian, self.p_type),
                p_flags: U32::new(LittleEndian, self.p_flags),
                p_offset: wide(self.p_offset as u64),
                p_vaddr: wide(self.p_vaddr),
                p_paddr: wide(self.p_paddr),
                p_filesz: wide(self.p_filesz as u64),
                p_memsz: wide(self.p_memsz as u64),
                p_align: wide(self.p_align as u64),
            })
            .to_vec(),
        })
    }
}

impl Section {
    fn new<H: SectionHeader<Endian = LittleEndian>>(name: &[u8], header: &H) -> Result<Self, Refused> {
        Ok(Self {
            name: String::from_utf8_lossy(name).into_owned(),
            sh_name: header.sh_name(LittleEndian),
            sh_type: header.sh_type(LittleEndian),
            sh_flags: header.sh_flags(LittleEndian),
            sh_addr: header.sh_addr(LittleEndian).into(),
            sh_offset: to_usize(header.sh_offset(LittleEndian).into())?,
            sh_size: to_usize(header.sh_size(LittleEndian).into())?,
            sh_link: header.sh_link(LittleEndian),
            sh_info: header.sh_info(LittleEndian),
            sh_addralign: to_usize(header.sh_addralign(LittleEndian).into())?,
            sh_entsize: header.sh_entsize(LittleEndian).into(),
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
        Ok(match ptr_size {
            PtrSize::Four => bytes_of(&SectionHeader32 {
                sh_name: U32::new(LittleEndian, self.sh_name),
                sh_type: U32::new(LittleEndian, self.sh_type),
                sh_flags: U32::new_u64(LittleEndian, self.sh_flags)
                    .map_err(|_| Refused::Damaged("unknown section flags"))?,
                sh_addr: narrow(self.sh_addr)?,
                sh_offset: narrow(self.sh_offset as u64)?,
                sh_size: narrow(self.sh_size as u64)?,
                sh_link: U32::new(LittleEndian, self.sh_link),
                sh_info: U32::new(LittleEndian, self.sh_info),
                sh_addralign: narrow(self.sh_addralign as u64)?,
                sh_entsize: narrow(self.sh_entsize)?,
            })
            .to_vec(),
            PtrSize::Eight => bytes_of(&SectionHeader64 {
                sh_name: U32::new(LittleEndian, self.sh_name),
                sh_type: U32::new(LittleEndian, self.sh_type),
                sh_flags: U64::new(LittleEndian, self.sh_flags),
                sh_addr: wide(self.sh_addr),
                sh_offset: wide(self.sh_offset as u64),
                sh_size: wide(self.sh_size as u64),
                sh_link: U32::new(LittleEndian, self.sh_link),
                sh_info: U32::new(LittleEndian, self.sh_info),
                sh_addralign: wide(self.sh_addralign as u64),
                sh_entsize: wide(self.sh_entsize),
            })
            .to_vec(),
        })
    }
}

fn narrow(value: u64) -> Result<U32<LittleEndian>, Refused> {
    to_u32(value).map(|value| U32::new(LittleEndian, value))
}

fn wide(value: u64) -> U64<LittleEndian> {
    U64::new(LittleEndian, value)
}
