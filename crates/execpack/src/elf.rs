//! The packed file's own ELF header and program headers.

use object::elf;

use crate::program::Machine;

/// The largest page of the processors that have a loader: the file may be mapped with any smaller one.
pub(crate) const PAGE: u32 = 1 << 16;

/// The length of the headers before the loader.
pub(crate) fn headers_length(machine: Machine) -> u32 {
    if machine.is_wide() { 64 + 2 * 56 } else { 52 + 2 * 32 }
}

/// Headers of a file of `length` bytes that is mapped as a whole, readable and executable, at an address, and whose loader comes
/// right after them. The stack is not executable.
pub(crate) fn headers(machine: Machine, flags: u32, address: u32, length: u32) -> Vec<u8> {
    let wide = machine.is_wide();
    let word = |value: u32| if wide { u64::from(value).to_le_bytes().to_vec() } else { value.to_le_bytes().to_vec() };
    let half = |value: u16| value.to_le_bytes().to_vec();
    let full = |value: u32| value.to_le_bytes().to_vec();
    let (header_size, entry_size) = if wide { (64_u16, 56_u16) } else { (52, 32) };
    let class = if wide { 2 } else { 1 };
    let identification = vec![0x7f, b'E', b'L', b'F', class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut fields = vec![identification, half(elf::ET_EXEC.0), half(machine.elf_number()), full(1)];
    fields.extend([word(address + headers_length(machine)), word(header_size.into()), word(0), full(flags)]);
    fields.extend([half(header_size), half(entry_size), half(2), half(0), half(0), half(0)]);
    let mut add = |kind: u32, protection: u32, address: u32, length: u32, align: u32| {
        let (offset, places, lengths) = (word(0), [word(address), word(address)], [word(length), word(length)]);
        let [virtual_address, physical] = places;
        let [in_file, in_memory] = lengths;
        // The flags are in another place in the wide form.
        let fields_of_entry = if wide {
            vec![full(kind), full(protection), offset, virtual_address, physical, in_file, in_memory, word(align)]
        } else {
            vec![full(kind), offset, virtual_address, physical, in_file, in_memory, full(protection), word(align)]
        };
        fields.extend(fields_of_entry);
    };
    add(elf::PT_LOAD.0, (elf::PF_R | elf::PF_X).0, address, length, PAGE);
    add(elf::PT_GNU_STACK.0, (elf::PF_R | elf::PF_W).0, 0, 0, 16);
    fields.concat()
}
