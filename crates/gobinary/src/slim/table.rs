//! The function table as values, every offset checked.
//!
//! Source: Go's `src/runtime/symtab.go` (`pcHeader`, `moduledata`), `src/runtime/runtime2.go` (`_func`), `src/runtime/symtabinl.go`
//! (`inlinedCall`), `src/internal/abi/symtab.go` (the numbers of tables), `src/cmd/link/internal/ld/pcln.go` (how it is written).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Refused;
use super::file::{ElfFile, Section, Width, i32_at, part, u32_at};
use super::layout::{FILES, FIND, FUNCTIONS, HEADER, INDEX, Layout, NAMES, PCS, TEXT, UNITS};
use super::record;

/// The magic number since Go 1.20, `abi.CurrentPCLnTabMagic`.
const MAGIC: u32 = 0xffff_fff1;

/// Tables by number of program counters: `PCDATA_*` in `internal/abi`.
pub(crate) const INLINE_INDEX: usize = 2;
pub(super) const ARGUMENT_LIVENESS: usize = 3;
const MOST_PC_TABLES: usize = 5;

/// Data of a function by number: `FUNCDATA_*` in `internal/abi`.
pub(super) const ARGUMENT_POINTERS: usize = 0;
pub(super) const LOCAL_POINTERS: usize = 1;
pub(super) const STACK_OBJECTS: usize = 2;
pub(crate) const INLINE_TREE: usize = 3;
pub(super) const ARGUMENTS: usize = 5;
pub(super) const LIVE_ARGUMENTS: usize = 6;
const MOST_DATA: usize = 8;

/// No data.
pub(crate) const NONE: u32 = u32::MAX;

/// The bytes of a `_func` before its two lists.
pub(super) const FIXED: usize = 44;

/// The bytes of an `inlinedCall`.
pub(crate) const INLINED: usize = 16;

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) entry: u32,
    pub(crate) name: u32,
    pub(super) arguments: i32,
    pub(super) deferreturn: u32,
    pub(super) frame_sizes: u32,
    pub(crate) files: u32,
    pub(crate) lines: u32,
    pub(crate) unit: u32,
    pub(super) first_line: i32,
    /// 0 for an ordinary one, see `abi.FuncID`.
    pub(super) id: u8,
    pub(super) flags: u8,
    /// Offsets of tables by program counter, 0 for none.
    pub(crate) pc_tables: Vec<u32>,
    /// Offsets of data, [`NONE`] for none.
    pub(crate) data: Vec<u32>,
}

/// Offsets that were read, each once, and how many bytes may still be.
struct Once {
    seen: HashSet<u32>,
    left: usize,
}

impl Once {
    fn new(left: usize) -> Self {
        Self { seen: HashSet::new(), left }
    }

    /// Reads what is at an offset, if it was not before, and counts its length.
    fn read(&mut self, offset: u32, length: impl FnOnce(u32) -> Result<usize, Refused>) -> Result<(), Refused> {
        if self.seen.insert(offset) {
            let left = self.left.checked_sub(length(offset)?);
            self.left = left.ok_or(Refused::Damaged("its parts overlap"))?;
        }
        Ok(())
    }
}

/// The table.
#[derive(Debug, Clone)]
pub(crate) struct Table<'a> {
    pub(super) width: Width,
    pub(super) layout: Layout,
    pub(super) section: Section,
    /// The words of the runtime's record, the section that it is in, and where in it.
    pub(super) record: Vec<u64>,
    pub(super) record_in: Section,
    pub(super) record_at: usize,
    /// The first 8 bytes of the header.
    pub(super) magic: &'a [u8],
    pub(super) file_count: u64,
    pub(super) names: &'a [u8],
    pub(super) units: &'a [u8],
    pub(super) files: &'a [u8],
    /// By how many bytes program counters step: the shortest instruction.
    quantum: u8,
    pub(super) pcs: &'a [u8],
    /// What functions refer to, where it is no part of the table with what follows it.
    pub(super) data: &'a [u8],
    /// The runtime's way from a program counter to a function: it has numbers of functions and no offsets. Empty where it is no
    /// part of the table.
    pub(super) find: &'a [u8],
    pub(crate) functions: Vec<Function>,
    /// The end of the last function.
    pub(crate) end: u32,
}

fn damaged<T>(what: &'static str) -> Result<T, Refused> {
    Err(Refused::Damaged(what))
}

impl<'a> Table<'a> {
    /// Reads the table and everything that it refers to.
    pub(crate) fn read(file: &ElfFile<'a>, layout: Layout) -> Result<Self, Refused> {
        let none = Refused::Kind("without a function table in sections of its own");
        let section = file.section(".gopclntab").ok_or(none)?.clone();
        let (bytes, width) = (file.content(&section)?, file.width);
        let (record_in, record_at, record) = record::find(file, &section, layout)?;
        let w = width.bytes();
        if u32_at(bytes, 0)? != MAGIC || bytes.get(4..6) != Some(&[0, 0]) || bytes.get(7) != Some(&(w as u8)) {
            return damaged("its header");
        }
        let word = |index: usize| width.size(bytes, 8 + index * w);
        let (count, parts) = (word(0)?, [word(3)?, word(4)?, word(5)?, word(6)?, word(7)?]);
        // Go before 1.26 wrote the start of the text there.
        if word(2)? as u64 != if layout.whole { 0 } else { record[TEXT] } {
            return damaged("its header has another start of text");
        }
        let [names, units, files, pcs, functions] = parts;
        let offset = |index: usize| record::inside(&section, record[index]);
        let (data, find) =
            if layout.whole { (offset(layout.data)?, offset(FIND)?) } else { (section.size, section.size) };
        let ordered = [8 + 8 * w, names, units, files, pcs, functions, data, find, section.size];
        let ends = if layout.whole { offset(layout.data + 1).ok() } else { Some(section.size) };
        let own = (record[HEADER] == section.address).then_some(()).and(ends);
        if !ordered.is_sorted() || own != Some(section.size) {
            return damaged("its parts are not in order");
        }
        for (slice, at, unit) in
            [(NAMES, names, 1), (UNITS, units, 4), (FILES, files, 1), (PCS, pcs, 1), (FUNCTIONS, functions, 1)]
        {
            let length = record[slice + 1].checked_mul(unit).and_then(|length| length.checked_add(record[slice]));
            if record[slice] != section.address + at as u64 || length.is_none_or(|end| end > section.end()) {
                return damaged("the runtime's record points elsewhere");
            }
        }
        if record[INDEX] != record[FUNCTIONS] || usize::try_from(record[INDEX + 1]) != Ok(count + 1) {
            return damaged("the runtime's record counts other functions");
        }
        let between = |start: usize, end: usize| part(bytes, start, end - start);
        let (all, end) = functions_of(between(functions, data)?, count)?;
        let data_bytes =
            if layout.whole { between(data, find)? } else { record::read_only_from(file, record[layout.data])? };
        let table = Self {
            width,
            layout,
            record,
            record_in,
            record_at,
            magic: between(0, 8)?,
            file_count: width.word(bytes, 8 + w)?,
            names: between(names, units)?,
            units: between(units, files)?,
            files: between(files, pcs)?,
            quantum: bytes.get(6).copied().unwrap_or(1),
            pcs: between(pcs, functions)?,
            data: data_bytes,
            find: between(find, section.size)?,
            functions: all,
            end,
            section,
        };
        table.check()?;
        Ok(table)
    }

    /// Whether it was rewritten: then it has no files.
    pub(crate) fn is_slim(&self) -> bool {
        self.file_count == 0 && self.files.is_empty()
    }

    /// The bytes of the section.
    pub(super) fn section_len(&self) -> usize {
        self.section.size
    }

    /// Every offset of every function is one that can be read. Names and tables do not overlap: else each of many could be as
    /// long as all together.
    fn check(&self) -> Result<(), Refused> {
        let mut before = None;
        let (mut names, mut tables) = (Once::new(self.names.len()), Once::new(self.pcs.len()));
        for function in &self.functions {
            if before.is_some_and(|before| before >= function.entry) || function.entry >= self.end {
                return damaged("its functions are not in order");
            }
            before = Some(function.entry);
            names.read(function.name, |offset| Ok(self.name(offset)?.len()))?;
            let own = [function.frame_sizes, function.files, function.lines];
            for offset in own.into_iter().chain(function.pc_tables.iter().copied()).filter(|offset| *offset != 0) {
                tables.read(offset, |offset| Ok(self.pc_table(offset)?.0.len()))?;
            }
        }
        Ok(())
    }

    /// The name at an offset, without its final NUL. Offset 0 is the empty name.
    pub(crate) fn name(&self, offset: u32) -> Result<&'a [u8], Refused> {
        let rest = self.names.get(offset as usize..).ok_or(Refused::Damaged("a name is outside"))?;
        let end = rest.iter().position(|byte| *byte == 0).ok_or(Refused::Damaged("a name has no end"))?;
        Ok(&rest[..end])
    }

    /// The table by program counter at an offset, as bytes, and the largest value in it.
    ///
    /// Pairs of varints: the step of the value, zigzag-coded, and the step of the program counter. A value step of 0 ends it,
    /// but for the first (`step` in `src/runtime/symtab.go`).
    pub(crate) fn pc_table(&self, offset: u32) -> Result<(&'a [u8], i32), Refused> {
        let rest = self.pcs.get(offset as usize..).ok_or(Refused::Damaged("a table is outside"))?;
        let (mut at, mut value, mut largest) = (0, -1_i32, i32::MIN);
        loop {
            let (step, next) = varint(rest, at)?;
            if step == 0 && at != 0 {
                return Ok((part(rest, 0, next)?, largest));
            }
            value = value.wrapping_add((step >> 1) as i32 ^ -((step & 1) as i32));
            largest = largest.max(value);
            (_, at) = varint(rest, next)?;
        }
    }

    /// The value of a table by program counter at an offset into the function; nothing where there is no table, or none there.
    pub(crate) fn value_at(&self, offset: u32, target: u32) -> Result<Option<i32>, Refused> {
        if offset == 0 {
            return Ok(None);
        }
        let (bytes, _) = self.pc_table(offset)?;
        let (mut at, mut value, mut counter) = (0, -1_i32, 0_u32);
        while at < bytes.len() {
            let (step, next) = varint(bytes, at)?;
            if step == 0 && at != 0 {
                break;
            }
            value = value.wrapping_add((step >> 1) as i32 ^ -((step & 1) as i32));
            let (length, next) = varint(bytes, next)?;
            counter = counter.saturating_add(length.saturating_mul(u32::from(self.quantum)));
            if target < counter {
                return Ok(Some(value));
            }
            at = next;
        }
        Ok(None)
    }

    /// A file of a compilation unit, by its number there.
    pub(crate) fn file(&self, unit: u32, number: u32) -> Result<&'a [u8], Refused> {
        let at = (unit as usize).checked_add(number as usize).and_then(|index| index.checked_mul(4));
        let offset = u32_at(self.units, at.ok_or(Refused::Damaged("a file's number"))?)?;
        let rest = self.files.get(offset as usize..).ok_or(Refused::Damaged("a file's name is outside"))?;
        Ok(rest.split(|byte| *byte == 0).next().unwrap_or_default())
    }

    /// An inlined call of a tree, by its offset in the data.
    pub(crate) fn inlined_call(&self, at: usize) -> Result<Inlined, Refused> {
        Ok(Inlined { name: u32_at(self.data, at.saturating_add(4))?, parent: u32_at(self.data, at.saturating_add(8))? })
    }

    /// The address that functions' entries count from.
    pub(crate) fn text_start(&self) -> u64 {
        self.record.get(TEXT).copied().unwrap_or(0)
    }

    /// How many inlined calls a function's tree has.
    pub(super) fn inlined(&self, function: &Function) -> Result<usize, Refused> {
        let index = function.pc_tables.get(INLINE_INDEX).copied().unwrap_or(0);
        let tree = function.data.get(INLINE_TREE).copied().unwrap_or(NONE);
        if index == 0 || tree == NONE {
            return Ok(0);
        }
        let (_, largest) = self.pc_table(index)?;
        Ok(usize::try_from(largest.saturating_add(1)).unwrap_or(0))
    }

    /// The data at each offset that a function refers to, exactly as long as it is.
    pub(super) fn objects(&self) -> Result<BTreeMap<u32, Object<'a>>, Refused> {
        let mut kinds: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
        let mut calls: BTreeMap<u32, usize> = BTreeMap::new();
        for function in &self.functions {
            for (kind, offset) in function.data.iter().enumerate().filter(|(_, offset)| **offset != NONE) {
                kinds.entry(*offset).or_default().insert(kind);
            }
            if let Some(tree) = function.data.get(INLINE_TREE).filter(|offset| **offset != NONE) {
                let count = calls.entry(*tree).or_default();
                *count = self.inlined(function)?.max(*count);
            }
        }
        let starts: Vec<u32> = kinds.keys().copied().collect();
        let mut objects = BTreeMap::new();
        for (index, (offset, kinds)) in kinds.into_iter().enumerate() {
            let end = starts.get(index + 1).map_or(self.data.len(), |next| *next as usize);
            let room = self.data.get(offset as usize..end).ok_or(Refused::Damaged("data of a function is outside"))?;
            let align = kinds.iter().map(|kind| alignment(*kind, self.width)).max().unwrap_or(1);
            let length = self.object_len(room, &kinds, calls.get(&offset).copied().unwrap_or(0))?;
            if !(offset as usize).is_multiple_of(align) {
                return damaged("data of a function is not aligned");
            }
            objects.insert(offset, Object { bytes: part(room, 0, length)?, align, class: class(&kinds) });
        }
        Ok(objects)
    }

    /// How long an object is, by what it is: a map of pointers and a list of stack objects say so themselves, a tree is as
    /// long as its index goes; of others what lies between it and the next is taken.
    fn object_len(&self, room: &[u8], kinds: &BTreeSet<usize>, calls: usize) -> Result<usize, Refused> {
        let only = |wanted: &[usize]| kinds.iter().all(|kind| wanted.contains(kind));
        let number =
            |at: usize| usize::try_from(i32_at(room, at)?).map_err(|_| Refused::Damaged("a length is negative"));
        if only(&[ARGUMENT_POINTERS, LOCAL_POINTERS]) {
            // stackmap: how many bitmaps, of how many bits each.
            let (maps, bits) = (number(0)?, number(4)?);
            return maps
                .checked_mul(bits.div_ceil(8))
                .and_then(|bytes| bytes.checked_add(8))
                .ok_or(Refused::Damaged("a length"));
        }
        if only(&[STACK_OBJECTS]) {
            // A count as a word, and as many stackObjectRecords of 16 bytes.
            let count = self.width.size(room, 0)?;
            return count
                .checked_mul(16)
                .and_then(|bytes| bytes.checked_add(self.width.bytes()))
                .ok_or(Refused::Damaged("a length"));
        }
        if only(&[INLINE_TREE]) {
            return Ok(calls * INLINED);
        }
        if kinds.contains(&INLINE_TREE) || kinds.contains(&STACK_OBJECTS) {
            return damaged("data of a function is of two kinds");
        }
        Ok(room.len())
    }
}

/// A call that was inlined: the callee's name, and where in the function its caller's code stands.
pub(crate) struct Inlined {
    pub(crate) name: u32,
    pub(crate) parent: u32,
}

/// Data that functions refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Object<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) align: usize,
    pub(super) class: Class,
}

/// What the length of an object is told by. Only equals of a class may be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Pointers,
    StackObjects,
    InlineTree,
    Other,
}

fn class(kinds: &BTreeSet<usize>) -> Class {
    if kinds.contains(&INLINE_TREE) {
        Class::InlineTree
    } else if kinds.contains(&STACK_OBJECTS) {
        Class::StackObjects
    } else if kinds.iter().all(|kind| [ARGUMENT_POINTERS, LOCAL_POINTERS].contains(kind)) {
        Class::Pointers
    } else {
        Class::Other
    }
}

/// How data of a kind is aligned: by its widest field.
fn alignment(kind: usize, width: Width) -> usize {
    match kind {
        STACK_OBJECTS => width.bytes(),
        4..=6 => 1,
        _ => 4,
    }
}

fn functions_of(bytes: &[u8], count: usize) -> Result<(Vec<Function>, u32), Refused> {
    let index = count.checked_mul(8).ok_or(Refused::Damaged("a count"))?;
    let function = |number: usize| {
        let (entry, at) = (u32_at(bytes, number * 8)?, u32_at(bytes, number * 8 + 4)? as usize);
        let function = function(bytes.get(at..).ok_or(Refused::Damaged("a function is outside"))?)?;
        if function.entry == entry { Ok(function) } else { damaged("a function is not where its index says") }
    };
    let end = u32_at(bytes, index)?;
    Ok(((0..count).map(function).collect::<Result<_, _>>()?, end))
}

fn function(bytes: &[u8]) -> Result<Function, Refused> {
    let number = |index: usize| u32_at(bytes, index * 4);
    let (id, flags, data_count) = match part(bytes, 40, 4)? {
        [id, flags, 0, count] => (*id, *flags, usize::from(*count)),
        _ => return damaged("a function's padding"),
    };
    let pc_count = number(7)? as usize;
    if pc_count > MOST_PC_TABLES || data_count > MOST_DATA {
        return damaged("a function has tables of a kind that is not known");
    }
    let list = |at: usize, count: usize| {
        (0..count).map(|index| u32_at(bytes, at + index * 4)).collect::<Result<Vec<u32>, _>>()
    };
    Ok(Function {
        entry: number(0)?,
        name: number(1)?,
        arguments: i32_at(bytes, 8)?,
        deferreturn: number(3)?,
        frame_sizes: number(4)?,
        files: number(5)?,
        lines: number(6)?,
        unit: number(8)?,
        first_line: i32_at(bytes, 36)?,
        id,
        flags,
        pc_tables: list(FIXED, pc_count)?,
        data: list(FIXED + pc_count * 4, data_count)?,
    })
}

/// A varint of at most 32 bits, and the offset behind it.
fn varint(bytes: &[u8], mut at: usize) -> Result<(u32, usize), Refused> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(at).ok_or(Refused::Damaged("a table has no end"))?;
        at += 1;
        value |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte < 0x80 {
            return Ok((value, at));
        }
    }
    damaged("a number in a table is too long")
}
