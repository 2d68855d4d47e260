//! The packed file's own ELF header and program headers.

use object::elf;

use crate::program::{ABI_FLAGS, Machine, Program};

/// The largest page of the processors that have a loader: the file may be mapped with any smaller one.
pub(crate) const PAGE: u32 = 1 << 16;

/// The length of the headers before the loader, with MIPS's flags at their end: a multiple of 16, as the loader is aligned.
/// `cargo xtask execpack loaders` links the loaders for these offsets.
#[must_use]
pub(crate) fn headers_length(machine: Machine) -> u32 {
    match machine {
        Machine::Amd64 | Machine::Arm64 | Machine::Mips => 0xb0,
        Machine::Arm => 0x80,
    }
}

/// Little-endian numbers of a header, as wide as the class has them.
struct Fields {
    wide: bool,
    bytes: Vec<u8>,
}

impl Fields {
    fn half(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn full(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn word(&mut self, value: u32) {
        self.full(value);
        if self.wide {
            self.full(0);
        }
    }

    /// A program header; its flags are in another place in the wide form.
    fn segment(&mut self, kind: u32, flags: u32, offset: u32, address: u32, length: u32, align: u32) {
        self.full(kind);
        if self.wide {
            self.full(flags);
        }
        [offset, address, address, length, length].into_iter().for_each(|value| self.word(value));
        if !self.wide {
            self.full(flags);
        }
        self.word(align);
    }
}

/// Headers of a file of `length` bytes that is mapped as a whole, readable and executable, at an address, and whose loader comes
/// right after them. The stack is not executable.
pub(crate) fn headers(program: &Program, address: u32, length: u32) -> Vec<u8> {
    let (machine, wide) = (program.machine, program.machine.is_wide());
    let (header_size, entry_size, class) = if wide { (64_u16, 56_u16, 2) } else { (52, 32, 1) };
    let count = if machine == Machine::Mips { 3 } else { 2 };
    let mut fields = Fields { wide, bytes: vec![0x7f, b'E', b'L', b'F', class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0] };
    fields.half(elf::ET_EXEC.0);
    fields.half(machine.elf_number());
    fields.full(1);
    [address + headers_length(machine), header_size.into(), 0].into_iter().for_each(|value| fields.word(value));
    fields.full(program.flags);
    [header_size, entry_size, count, 0, 0, 0].into_iter().for_each(|value| fields.half(value));
    fields.segment(elf::PT_LOAD.0, (elf::PF_R | elf::PF_X).0, 0, address, length, PAGE);
    fields.segment(elf::PT_GNU_STACK.0, (elf::PF_R | elf::PF_W).0, 0, 0, 0, 16);
    if machine == Machine::Mips {
        let at = headers_length(machine) - ABI_FLAGS as u32;
        let kind = if program.abi_flags.is_some() { elf::PT_MIPS_ABIFLAGS } else { elf::PT_NULL };
        fields.segment(kind.0, elf::PF_R.0, at, address + at, ABI_FLAGS as u32, 8);
        fields.bytes.resize(at as usize, 0);
        fields.bytes.extend_from_slice(&program.abi_flags.unwrap_or_default());
    }
    fields.bytes.resize(headers_length(machine) as usize, 0);
    fields.bytes
}
