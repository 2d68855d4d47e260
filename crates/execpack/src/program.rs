//! The executable to pack: its header, the segments that the kernel maps, and the sections that are packed separately.

use std::ops::Range;

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{FileKind, LittleEndian};

use crate::error::Refused;

/// The length of `Elf_Internal_ABIFlags_v0`, from which a MIPS kernel takes the floating-point mode.
pub(crate) const ABI_FLAGS: usize = 24;

/// A processor that has a loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    /// 64-bit x86.
    Amd64,
    /// 64-bit ARM.
    Arm64,
    /// 32-bit ARM, from v5 on.
    Arm,
    /// 32-bit little-endian MIPS.
    Mips,
}

impl Machine {
    /// The machine of an ELF file's header.
    pub(crate) fn from_elf(number: u16, wide: bool) -> Option<Self> {
        match (elf::Machine(number), wide) {
            (elf::EM_X86_64, true) => Some(Self::Amd64),
            (elf::EM_AARCH64, true) => Some(Self::Arm64),
            (elf::EM_ARM, false) => Some(Self::Arm),
            (elf::EM_MIPS, false) => Some(Self::Mips),
            _ => None,
        }
    }

    /// The machine's number in an ELF header.
    pub(crate) fn elf_number(self) -> u16 {
        match self {
            Self::Amd64 => elf::EM_X86_64.0,
            Self::Arm64 => elf::EM_AARCH64.0,
            Self::Arm => elf::EM_ARM.0,
            Self::Mips => elf::EM_MIPS.0,
        }
    }

    /// Whether addresses are 64 bits wide.
    pub(crate) fn is_wide(self) -> bool {
        matches!(self, Self::Amd64 | Self::Arm64)
    }
}

/// A part of the file that the kernel maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Address of the first byte.
    pub(crate) address: u32,
    /// Offset of the first byte in the file.
    pub(crate) offset: u32,
    /// Bytes in the file.
    pub(crate) in_file: u32,
    /// Bytes in memory; those after the file's are zero.
    pub(crate) in_memory: u32,
    /// `PF_R`, `PF_W` and `PF_X`.
    pub(crate) flags: u32,
}

impl Segment {
    /// The segment's bytes in the file.
    pub(crate) fn range(&self) -> Range<usize> {
        self.offset as usize..self.offset as usize + self.in_file as usize
    }
}

/// An executable's headers, as far as the packer needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) machine: Machine,
    /// `e_flags`.
    pub(crate) flags: u32,
    /// The record that a MIPS kernel chooses the floating-point mode by.
    pub(crate) abi_flags: Option<[u8; ABI_FLAGS]>,
    /// `AT_ENTRY`.
    pub(crate) entry: u32,
    /// `AT_PHDR`.
    pub(crate) headers: u32,
    /// `AT_PHNUM`.
    pub(crate) header_count: u32,
    /// In the order of addresses and of offsets.
    pub(crate) segments: Vec<Segment>,
    /// The file's bytes of the section `.text`, if it has one inside an executable segment.
    pub(crate) code: Option<Range<usize>>,
    /// The file's bytes of Go's function table, if it has one.
    pub(crate) function_table: Option<Range<usize>>,
}

/// Addresses above are left to the loader.
const HIGHEST: u64 = 0xa000_0000;

/// A file of more bytes is not a program for a small flash memory; offsets are 32 bits wide.
pub(crate) const LONGEST: usize = 1 << 27;

impl Program {
    /// Reads an executable's headers.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Refused> {
        if bytes.len() > LONGEST {
            return Err(Refused::Kind("it is longer than 128 MiB"));
        }
        match FileKind::parse(bytes) {
            Ok(FileKind::Elf32) => read::<FileHeader32<LittleEndian>>(bytes),
            Ok(FileKind::Elf64) => read::<FileHeader64<LittleEndian>>(bytes),
            Ok(_) => Err(Refused::NotElf("another format".to_owned())),
            Err(error) => Err(Refused::NotElf(error.to_string())),
        }
    }

    /// The address after the last byte in memory.
    pub(crate) fn end(&self) -> u32 {
        self.segments.iter().map(|segment| segment.address + segment.in_memory).max().unwrap_or(0)
    }

    /// The address of a byte of the file, if the kernel maps it.
    pub(crate) fn address(&self, offset: usize) -> Option<u32> {
        let segment = self.segments.iter().find(|segment| segment.range().contains(&offset))?;
        u32::try_from(offset).ok().map(|offset| segment.address + (offset - segment.offset))
    }
}

fn read<Elf: FileHeader<Endian = LittleEndian>>(bytes: &[u8]) -> Result<Program, Refused> {
    let damaged = |error: object::Error| Refused::NotElf(error.to_string());
    let header = Elf::parse(bytes).map_err(damaged)?;
    let endian = header.endian().map_err(|_| Refused::Kind("it is big-endian"))?;
    let number = header.e_machine(endian).0;
    let machine = Machine::from_elf(number, header.is_type_64()).ok_or(Refused::Machine(number))?;
    if header.e_type(endian) != elf::ET_EXEC {
        return Err(Refused::Kind("it has no fixed address (a position-independent executable or a library)"));
    }
    let headers = header.program_headers(endian, bytes).map_err(damaged)?;
    let (mut segments, mut abi_flags) = (Vec::new(), None);
    for entry in headers {
        match entry.p_type(endian) {
            elf::PT_INTERP | elf::PT_DYNAMIC => return Err(Refused::Kind("it needs a dynamic linker")),
            elf::PT_GNU_STACK if entry.p_flags(endian).0 & elf::PF_X.0 != 0 => {
                return Err(Refused::Kind("it asks for an executable stack"));
            }
            elf::PT_MIPS_ABIFLAGS if machine == Machine::Mips => {
                abi_flags = entry.data(endian, bytes).ok().and_then(|data| data.try_into().ok());
            }
            elf::PT_LOAD if entry.p_memsz(endian).into() > 0 => segments.push(segment(entry, endian, bytes)?),
            _ => {}
        }
    }
    check(&segments)?;
    let mut program = Program {
        machine,
        flags: header.e_flags(endian).0,
        abi_flags,
        entry: narrow(header.e_entry(endian).into())?,
        headers: 0,
        header_count: u32::from(header.e_phnum(endian)),
        segments,
        code: None,
        function_table: None,
    };
    let offset = usize::try_from(header.e_phoff(endian).into()).unwrap_or(usize::MAX);
    program.headers = program.address(offset).ok_or(Refused::Kind("its program headers are not in memory"))?;
    // Sections only decide how well a file packs: without them its segments are packed whole.
    if let Ok(sections) = header.sections(endian, bytes) {
        let range = |name: &[u8]| {
            let (_, section) = sections.section_by_name(endian, name)?;
            let (offset, size) = section.file_range(endian)?;
            let start = usize::try_from(offset).ok()?;
            let range = start..start.checked_add(usize::try_from(size).ok()?)?;
            let inside = |segment: &&Segment| segment.range().start <= range.start && range.end <= segment.range().end;
            let segment = program.segments.iter().find(inside)?;
            Some((range, segment.flags & elf::PF_X.0 != 0))
        };
        let code = range(b".text").filter(|(_, executable)| *executable).map(|(range, _)| range);
        let table = range(b".gopclntab").map(|(range, _)| range);
        let apart =
            |code: &Range<usize>| table.as_ref().is_none_or(|table| code.end <= table.start || table.end <= code.start);
        // The loader reads instructions as words; ARMv5 cannot do that at other addresses.
        let aligned = |code: &Range<usize>| program.address(code.start).is_some_and(|address| address % 4 == 0);
        let code = code.filter(apart).filter(aligned);
        program.code = code;
        program.function_table = table;
    }
    Ok(program)
}

fn narrow(value: u64) -> Result<u32, Refused> {
    u32::try_from(value).ok().filter(|value| u64::from(*value) < HIGHEST).ok_or(Refused::Kind("an address is too high"))
}

fn segment<P: ProgramHeader<Endian = LittleEndian>>(
    entry: &P,
    endian: LittleEndian,
    bytes: &[u8],
) -> Result<Segment, Refused> {
    let segment = Segment {
        address: narrow(entry.p_vaddr(endian).into())?,
        offset: narrow(entry.p_offset(endian).into())?,
        in_file: narrow(entry.p_filesz(endian).into())?,
        in_memory: narrow(entry.p_memsz(endian).into())?,
        flags: entry.p_flags(endian).0,
    };
    narrow(u64::from(segment.address) + u64::from(segment.in_memory))?;
    if segment.in_file > segment.in_memory
        || u64::from(segment.offset) + u64::from(segment.in_file) > bytes.len() as u64
    {
        return Err(Refused::NotElf("a segment ends after the file".to_owned()));
    }
    if segment.flags & elf::PF_W.0 != 0 && segment.flags & elf::PF_X.0 != 0 {
        return Err(Refused::Kind("a segment is writable and executable"));
    }
    // The loader maps zeroed memory readable and writable.
    if segment.flags & elf::PF_W.0 == 0 && segment.in_file < segment.in_memory {
        return Err(Refused::Kind("zeroed memory is not writable"));
    }
    Ok(segment)
}

/// The most segments that a packed file can have; Go's programs have three or four.
pub(crate) const MOST_SEGMENTS: usize = 16;

fn check(segments: &[Segment]) -> Result<(), Refused> {
    if segments.is_empty() || segments.len() > MOST_SEGMENTS {
        return Err(Refused::Kind("it has no segments or too many"));
    }
    let ordered = segments.windows(2).all(|pair| {
        pair[0].address + pair[0].in_memory <= pair[1].address && pair[0].range().end <= pair[1].range().start
    });
    if ordered { Ok(()) } else { Err(Refused::Kind("its segments overlap or are not in order")) }
}
