//! Executables made for the tests: packed and unpacked, changed before, and changed after.

use object::elf;
use proptest::prelude::*;

use crate::payload;
use crate::program::Machine;
use crate::{Refused, Unreadable, is_packed, pack, unpack};

const MACHINES: [Machine; 4] = [Machine::Amd64, Machine::Arm64, Machine::Arm, Machine::Mips];

/// A small executable with machine code, a function table as Go writes it, and data.
struct Sample {
    machine: Machine,
    functions: Vec<Function>,
    data: Vec<u8>,
    /// Whether the file has sections.
    sections: bool,
}

#[derive(Debug, Clone)]
struct Function {
    code: Vec<u8>,
    name: String,
    /// Values and steps of tables, one for each slot.
    tables: Vec<Vec<(u32, u32)>>,
    /// Numbers of objects of function data.
    data: Vec<Option<u8>>,
}

fn put(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

impl Sample {
    fn code(&self) -> (Vec<u8>, Vec<u32>) {
        let (mut code, mut entries) = (Vec::new(), Vec::new());
        for function in &self.functions {
            entries.push(code.len() as u32);
            code.extend_from_slice(&function.code);
            let filler = if self.machine == Machine::Amd64 { 0xcc } else { 0 };
            code.resize(code.len().next_multiple_of(32), filler);
        }
        entries.push(code.len() as u32);
        (code, entries)
    }

    fn table(&self, entries: &[u32]) -> Vec<u8> {
        let width = if self.machine.is_wide() { 8 } else { 4 };
        let quantum = if self.machine == Machine::Amd64 { 1 } else { 4 };
        let (mut names, mut tables, mut records, mut index) = (vec![0], vec![0], Vec::new(), Vec::new());
        let before = self.functions.len() * 8 + 4;
        for (function, entry) in self.functions.iter().zip(entries) {
            let name = names.len() as u32;
            names.extend_from_slice(function.name.as_bytes());
            names.push(0);
            let offsets: Vec<u32> = function
                .tables
                .iter()
                .map(|table| {
                    if table.is_empty() {
                        return 0;
                    }
                    let offset = tables.len() as u32;
                    for (value, step) in table {
                        put(&mut tables, *value);
                        put(&mut tables, *step);
                    }
                    tables.push(0);
                    offset
                })
                .collect();
            index.extend([*entry, (before + records.len() * 4) as u32]);
            let offset = |slot: usize| offsets.get(slot).copied().unwrap_or(0);
            let count = offsets.len().saturating_sub(3) as u32;
            records.extend([*entry, name, 8, 0, offset(0), offset(1), offset(2), count, u32::MAX, 0]);
            records.push((function.data.len() as u32) << 24);
            records.extend_from_slice(offsets.get(3..).unwrap_or_default());
            records.extend(function.data.iter().map(|number| number.map_or(u32::MAX, |number| u32::from(number) * 8)));
        }
        index.push(entries.last().copied().unwrap_or(0));
        tables.resize(tables.len().next_multiple_of(8), 0);
        let mut header = 0xffff_fff1_u32.to_le_bytes().to_vec();
        header.extend([0, 0, quantum, width as u8]);
        let names_at = 8 + 8 * width;
        let tables_at = (names_at + names.len()).next_multiple_of(8);
        let functions_at = tables_at + tables.len();
        for word in [self.functions.len(), 0, 0, names_at, tables_at, tables_at, tables_at, functions_at] {
            header.extend_from_slice(&(word as u64).to_le_bytes()[..width]);
        }
        header.extend(names);
        header.resize(tables_at, 0);
        header.extend(tables);
        header.extend(index.into_iter().chain(records).flat_map(u32::to_le_bytes));
        header.extend([7; 64]);
        header
    }

    /// The file: a segment of headers and code, one of the function table and one of data.
    fn file(&self) -> Vec<u8> {
        let wide = self.machine.is_wide();
        let (code, entries) = self.code();
        let table = self.table(&entries);
        let word = |value: usize| (value as u64).to_le_bytes()[..if wide { 8 } else { 4 }].to_vec();
        let (base, code_at) = (0x1_0000, 0x200);
        let table_at = (code_at + code.len()).next_multiple_of(64);
        let data_at = (table_at + table.len()).next_multiple_of(64);
        let names_at = data_at + self.data.len() + 32;
        let sections_at = (names_at + SECTION_NAMES.len()).next_multiple_of(8);
        let (header, entry, section) = if wide { (64_u16, 56_u16, 64_u16) } else { (52, 32, 40) };
        let mut file = vec![0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        file.extend([2, 0].into_iter().chain(self.machine.elf_number().to_le_bytes()).chain([1, 0, 0, 0]));
        file.extend([base + code_at, header.into(), if self.sections { sections_at } else { 0 }].map(word).concat());
        file.extend([0; 4]);
        let count = if self.sections { 4 } else { 0 };
        file.extend(
            [header, entry, 3, section, count, if self.sections { 3 } else { 0 }].map(u16::to_le_bytes).concat(),
        );
        // A page apart in memory.
        let segments = [
            (0, code_at + code.len(), 0, elf::PF_R | elf::PF_X),
            (table_at, table.len(), 0x1_0000, elf::PF_R),
            (data_at, self.data.len(), 0x2_0000, elf::PF_R | elf::PF_W),
        ];
        for (offset, length, apart, flags) in segments {
            let address = word(base + apart + offset);
            let flags = flags.0.to_le_bytes().to_vec();
            file.extend(elf::PT_LOAD.0.to_le_bytes());
            let flags = if wide { [flags, Vec::new()] } else { [Vec::new(), flags] };
            let memory = word(length + if apart == 0x2_0000 { 500 } else { 0 });
            file.extend(
                [&flags[0], &word(offset), &address, &address, &word(length), &memory, &flags[1], &word(64)]
                    .map(Vec::clone)
                    .concat(),
            );
        }
        for (at, bytes) in
            [(code_at, &code), (table_at, &table), (data_at, &self.data), (names_at, &SECTION_NAMES.to_vec())]
        {
            file.resize(at, 0);
            file.extend_from_slice(bytes);
        }
        file.resize(sections_at, 0);
        let sections = [
            (0, 0, 0, 0),
            (1, base + code_at, code_at, code.len()),
            (7, base + 0x1_0000 + table_at, table_at, table.len()),
            (18, 0, names_at, SECTION_NAMES.len()),
        ];
        for (name, address, offset, length) in sections.into_iter().take(count.into()) {
            file.extend_from_slice(&[name, 0, 0, 0, u8::from(length > 0), 0, 0, 0]);
            file.extend([0, address, offset, length].map(word).concat());
            file.extend([0; 8]);
            file.extend([word(1), word(0)].concat());
        }
        file
    }
}

const SECTION_NAMES: &[u8] = b"\0.text\0.gopclntab\0.shstrtab\0";

prop_compose! {
    fn function()(
        code in proptest::collection::vec(prop_oneof![
            Just(0xe8_u32), Just(0x0083_3d10), Just(0x9400_1234), Just(0xb000_0011), Just(0xeb00_0123), Just(0xd65f_03c0), Just(0x1066_3b49), any::<u32>(),
        ], 1..40),
        name in "[a-z.]{1,9}",
        tables in proptest::collection::vec(proptest::collection::vec((1_u32..300, 1_u32..20), 0..4), 1..9),
        data in proptest::collection::vec(proptest::option::of(0_u8..9), 0..9),
    ) -> Function {
        Function { code: code.into_iter().flat_map(u32::to_le_bytes).collect(), name, tables, data }
    }
}

prop_compose! {
    fn sample()(
        machine in proptest::sample::select(&MACHINES[..]),
        functions in proptest::collection::vec(function(), 1..12),
        data in proptest::collection::vec(any::<u8>(), 1..200),
        sections in proptest::bool::weighted(0.8),
    ) -> Sample {
        Sample { machine, functions, data, sections }
    }
}

impl std::fmt::Debug for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} {:?}", self.machine, self.sections, self.functions)
    }
}

/// Puts the right checksums into a changed file, as somebody who wants to hurt the unpacker would.
fn with_checksum(mut file: Vec<u8>) -> Vec<u8> {
    let Some(offset) = file.windows(4).position(|window| window == b"XPK\x02") else { return file };
    payload::seal(&mut file, offset);
    file
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn executables_come_back(sample in sample()) {
        let file = sample.file();
        let packed = pack(&file).unwrap();
        let kinds: Vec<&str> = packed.parts.iter().map(|part| part.kind).collect();
        prop_assert_eq!(kinds.contains(&"function table"), sample.sections, "{:?}", kinds);
        prop_assert_eq!(unpack(&packed.bytes).unwrap(), file);
        prop_assert!(is_packed(&packed.bytes));
        prop_assert_eq!(pack(&packed.bytes), Err(Refused::Packed));
    }

    #[test]
    fn changed_executables_come_back_or_are_refused(
        sample in sample(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut file = sample.file();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        file.truncate(length.map_or(file.len(), |length| length.index(file.len())));
        match pack(&file) {
            Ok(packed) => prop_assert_eq!(unpack(&packed.bytes).unwrap(), file),
            Err(refused) => prop_assert!(!matches!(refused, Refused::Mismatch(_)), "{refused}"),
        }
    }

    #[test]
    fn changed_packed_files_are_refused(
        sample in sample(),
        change in (any::<prop::sample::Index>(), 1..=u8::MAX),
        length in any::<prop::sample::Index>(),
    ) {
        let packed = pack(&sample.file()).unwrap().bytes;
        let mut changed = packed.clone();
        let at = change.0.index(changed.len());
        changed[at] ^= change.1;
        prop_assert!(unpack(&changed).is_err());
        prop_assert!(unpack(&packed[..length.index(packed.len())]).is_err());
    }

    #[test]
    fn hostile_payloads_end_in_an_error_or_a_program(
        sample in sample(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut changed = pack(&sample.file()).unwrap().bytes;
        let table = changed.windows(4).position(|window| window == b"XPK\x02").unwrap();
        for (at, byte) in changes {
            let at = table + 12 + at.index(changed.len() - table - 12);
            changed[at] = byte;
        }
        let _ = unpack(&with_checksum(changed));
    }

    #[test]
    fn bytes_that_nobody_packed_are_no_packed_file(bytes: Vec<u8>) {
        prop_assert_eq!(unpack(&bytes), Err(Unreadable::NotPacked));
        prop_assert!(pack(&bytes).is_err());
    }
}

fn fixed(machine: Machine) -> Sample {
    let function = |name: &str, value: u32| Function {
        code: vec![0x90; 40],
        name: name.to_owned(),
        tables: vec![vec![(value, 4), (1, 6)], Vec::new(), Vec::new(), vec![(2, 10)]],
        data: vec![Some(1), None],
    };
    Sample {
        machine,
        functions: vec![function("main.main", 3), function("main.f", 4)],
        data: vec![1; 90],
        sections: true,
    }
}

#[test]
fn the_same_input_packs_to_the_same_bytes() {
    for machine in MACHINES {
        assert_eq!(pack(&fixed(machine).file()), pack(&fixed(machine).file()));
    }
}

#[test]
fn what_cannot_be_packed_is_refused_with_the_reason() {
    let refused = |at: usize, value: u8| {
        let mut file = fixed(Machine::Amd64).file();
        file[at] = value;
        pack(&file).unwrap_err().to_string()
    };
    assert_eq!(refused(0, 0), "not an ELF file: Unknown file magic");
    assert!(refused(16, 3).contains("no fixed address"));
    assert_eq!(refused(18, 243), "no loader for ELF machine 243");
    assert!(refused(64, 3).contains("dynamic linker"));
    assert!(refused(68, 7).contains("writable and executable"));
    assert!(refused(80 + 5, 1).contains("too high"));
    assert!(refused(5, 2).contains("big-endian") || refused(5, 2).contains("not an ELF"));
}

#[test]
fn a_cut_or_changed_file_names_its_damage() {
    let packed = pack(&fixed(Machine::Arm64).file()).unwrap().bytes;
    assert_eq!(unpack(&packed[..packed.len() - 1]), Err(Unreadable::Checksum));
    assert_eq!(unpack(&packed[..100]), Err(Unreadable::NotPacked));
}
