//! The walk over a function table, the same for splitting and joining.
//!
//! Functions come in the order of the table. Most references are either to the next thing that nothing referred to
//! yet, or one that was lately referred to: references count back from the next new one. The contents of a table by program counter
//! follow the first reference to it, because its kind, its function's place and its length are known there.

use super::anchors::{Code, FARTHEST, FRAME_SIZES, StackChange};
use super::columns::{Column, Columns, TABLES, unzigzag, zigzag};
use super::source::Source;
use crate::error::Unreadable;

/// The most tables or objects that one record refers to; more than Go has kinds.
const MOST: u32 = 64;

/// No function data.
const NO_DATA: u32 = u32::MAX;

/// Indexes of fields of a record, `_func` in Go's `src/runtime/runtime2.go`.
const FIRST_TABLE: usize = 4;
const TABLE_COUNT: usize = 7;
const FLAGS: usize = 10;
const LISTS: usize = 11;

/// A function: its fields, and numbers of tables and objects instead of offsets.
#[derive(Debug, Clone, Default)]
pub(super) struct Function {
    pub(super) entry: u32,
    pub(super) name: u32,
    pub(super) arguments: u32,
    pub(super) defer_return: u32,
    pub(super) unit: u32,
    pub(super) first_line: u32,
    pub(super) flags: u32,
    /// Frame sizes, files, lines, then by `PCDATA_*`; `None` for the offset 0.
    pub(super) tables: Vec<Option<u32>>,
    pub(super) data: Vec<Option<u32>>,
}

/// A table by program counter.
#[derive(Debug, Clone, Default)]
pub(super) struct PcTable {
    pub(super) bytes: Vec<u8>,
    /// The sum of its steps.
    total: u32,
}

/// Everything that the columns are about.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) functions: Vec<Function>,
    /// The end of the last function.
    pub(super) end: u32,
    /// By number; `None` if nothing refers to it.
    pub(super) tables: Vec<Option<PcTable>>,
    /// Offsets of function data, by number.
    pub(super) objects: Vec<u32>,
}

/// Numbers of what is in a table that is split; empty when one is joined.
#[derive(Debug, Default)]
pub(super) struct Known<'a> {
    pub(super) source: Option<Source<'a>>,
    /// Sorted offsets of tables by program counter.
    pub(super) tables: Vec<u32>,
    /// Sorted offsets of function data.
    pub(super) objects: Vec<u32>,
}

impl<'a> Known<'a> {
    /// The numbers of a table's parts; `None` if a record is outside or not as Go writes it.
    pub(super) fn new(source: Source<'a>) -> Option<Self> {
        let mut known = Self { source: Some(source), ..Self::default() };
        for index in 0..source.count {
            let record = source.record(index)?;
            let (tables, data) = (record.field(TABLE_COUNT), record.field(FLAGS) >> 24);
            if tables > MOST || data > MOST {
                return None;
            }
            let lists = LISTS..LISTS + tables as usize;
            let fixed = FIRST_TABLE..FIRST_TABLE + 3;
            known
                .tables
                .extend(fixed.chain(lists.clone()).map(|index| record.field(index)).filter(|offset| *offset != 0));
            let data = lists.end..lists.end + data as usize;
            known.objects.extend(data.map(|index| record.field(index)).filter(|offset| *offset != NO_DATA));
        }
        for offsets in [&mut known.tables, &mut known.objects] {
            offsets.sort_unstable();
            offsets.dedup();
        }
        Some(known)
    }

    fn table(&self, offset: u32) -> Option<u32> {
        self.tables.binary_search(&offset).ok().map(|number| number as u32)
    }

    fn object(&self, offset: u32) -> Option<u32> {
        self.objects.binary_search(&offset).ok().map(|number| number as u32)
    }
}

/// The walk's state.
pub(super) struct Walk<'a, C> {
    pub(super) columns: &'a mut C,
    pub(super) known: &'a Known<'a>,
    pub(super) code: Code<'a>,
    pub(super) names: &'a [u8],
    walked: Walked,
    next_name: u32,
    /// Offsets of names, in the order of the functions that have them first.
    seen_names: Vec<u32>,
    next_table: u32,
    next_object: u32,
    last_unit: u32,
    /// How many tables and objects there are.
    most: [u32; 2],
    /// The bytes of machine code that may still be searched: columns from elsewhere must not make the walk search for ever.
    budget: u64,
}

const DAMAGED: Unreadable = Unreadable::Damaged("the function table's columns");

impl<'a, C: Columns> Walk<'a, C> {
    /// A walk over a table with so many tables by program counter and objects of function data.
    pub(super) fn new(
        columns: &'a mut C,
        known: &'a Known<'a>,
        code: Code<'a>,
        names: &'a [u8],
        most: [u32; 2],
    ) -> Self {
        Self {
            columns,
            known,
            code,
            names,
            walked: Walked::default(),
            next_name: 1,
            seen_names: Vec::new(),
            next_table: 0,
            next_object: 0,
            last_unit: 0,
            most,
            budget: 32 * code.bytes.len() as u64,
        }
    }

    /// Walks over so many functions.
    pub(super) fn run(mut self, count: usize) -> Result<Walked, Unreadable> {
        let mut entry = 0;
        for index in 0..count {
            let size = self.function(index, entry)?;
            entry = entry.wrapping_add(size);
        }
        self.walked.end = entry;
        Ok(self.walked)
    }

    /// Walks over a function and returns the distance to the next one.
    fn function(&mut self, index: usize, entry: u32) -> Result<u32, Unreadable> {
        let record = self.known.source.and_then(|source| source.record(index));
        let field = |number: usize| record.map_or(0, |record| record.field(number));
        let mut function = Function { entry, name: self.name(field(1))?, ..Function::default() };
        function.arguments = unzigzag(self.columns.pass(Column::Arguments, zigzag(field(2)))?);
        function.defer_return = self.columns.pass(Column::DeferReturn, field(3))?;
        let unit = zigzag(field(8).wrapping_sub(self.last_unit));
        function.unit = unzigzag(self.columns.pass(Column::Unit, unit)?).wrapping_add(self.last_unit);
        self.last_unit = function.unit;
        function.first_line = unzigzag(self.columns.pass(Column::FirstLine, zigzag(field(9)))?);
        function.flags = self.columns.pass(Column::Flags, field(FLAGS) & 0x00ff_ffff)?;
        let table_count = self.columns.pass(Column::TableCount, field(TABLE_COUNT))?;
        let data_count = self.columns.pass(Column::DataCount, field(FLAGS) >> 24)?;
        if table_count > MOST || data_count > MOST {
            return Err(DAMAGED);
        }
        let mut total = 0;
        for slot in 0..3 + table_count as usize {
            let number =
                self.table(slot, field(if slot < 3 { FIRST_TABLE + slot } else { LISTS - 3 + slot }), entry, total)?;
            if slot == 0 {
                let table = number.and_then(|number| self.walked.tables.get(number as usize)?.as_ref());
                total = table.map_or(0, |table| table.total);
            }
            function.tables.push(number);
        }
        for slot in 0..data_count as usize {
            let number = self.object(slot, field(LISTS + table_count as usize + slot))?;
            function.data.push(number);
        }
        self.walked.functions.push(function);
        let mask = self.code.alignment - 1;
        let predicted = total.wrapping_mul(self.code.quantum).wrapping_add(mask) & !mask;
        let next = self.known.source.and_then(|source| source.entry(index + 1)).unwrap_or(0);
        let difference = zigzag(next.wrapping_sub(entry).wrapping_sub(predicted));
        Ok(unzigzag(self.columns.pass(Column::Size, difference)?).wrapping_add(predicted))
    }

    /// A name: one past 0 counts back from the next new name; 0 is followed by the distance to an offset elsewhere.
    fn name(&mut self, offset: u32) -> Result<u32, Unreadable> {
        let count = self.seen_names.len() as u32;
        let back = if self.known.source.is_none() {
            0
        } else if offset == self.next_name {
            1
        } else {
            self.seen_names.binary_search(&offset).map_or(0, |number| 1 + count - number as u32)
        };
        let offset = match self.columns.pass(Column::Name, back)? {
            0 => {
                let distance = zigzag(offset.wrapping_sub(self.next_name));
                return Ok(unzigzag(self.columns.pass(Column::Name, distance)?).wrapping_add(self.next_name));
            }
            1 => self.next_name,
            back => {
                let number = count.checked_sub(back - 1).ok_or(DAMAGED)?;
                return self.seen_names.get(number as usize).copied().ok_or(DAMAGED);
            }
        };
        let rest = self.names.get(offset as usize..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        self.seen_names.push(offset);
        self.next_name = offset.wrapping_add(length as u32 + 1);
        Ok(offset)
    }

    /// A reference to a numbered thing. 0 is none; odd numbers are the next new one or skip some, even ones count back.
    fn reference(
        columns: &mut C,
        column: Column,
        next: &mut u32,
        most: u32,
        number: Option<u32>,
    ) -> Result<Option<u32>, Unreadable> {
        let coded = number.map_or(0, |number| {
            if number >= *next { (number - *next).wrapping_mul(2) + 1 } else { (*next - number).wrapping_mul(2) }
        });
        let number = match columns.pass(column, coded)? {
            0 => return Ok(None),
            coded if coded & 1 == 1 => next.checked_add(coded >> 1),
            coded => next.checked_sub(coded >> 1),
        };
        let number = number.filter(|number| *number < most).ok_or(DAMAGED)?;
        *next = (*next).max(number + 1);
        Ok(Some(number))
    }

    fn object(&mut self, slot: usize, offset: u32) -> Result<Option<u32>, Unreadable> {
        let number = self.known.object(offset);
        let Some(number) =
            Self::reference(self.columns, Column::Data(slot), &mut self.next_object, self.most[1], number)?
        else {
            return Ok(None);
        };
        while self.walked.objects.len() <= number as usize {
            let count = self.walked.objects.len();
            let last = self.walked.objects.last().copied().unwrap_or(0);
            let length = self.known.objects.get(count).map_or(0, |offset| offset - last);
            self.walked.objects.push(last.wrapping_add(self.columns.pass(Column::Object, length)?));
        }
        Ok(Some(number))
    }

    fn table(&mut self, slot: usize, offset: u32, entry: u32, total: u32) -> Result<Option<u32>, Unreadable> {
        let number = self.known.table(offset);
        let number = Self::reference(self.columns, Column::Table(slot), &mut self.next_table, self.most[0], number)?;
        let Some(number) = number else { return Ok(None) };
        let tables = &mut self.walked.tables;
        if tables.get(number as usize).is_some_and(Option::is_some) {
            return Ok(Some(number));
        }
        tables.resize(tables.len().max(number as usize + 1), None);
        let table = self.contents(slot, offset, entry, total)?;
        if let Some(place) = self.walked.tables.get_mut(number as usize) {
            *place = Some(table);
        }
        Ok(Some(number))
    }

    /// The contents of a table by program counter, of a function that begins at `entry` and has so many steps; a table of frame
    /// sizes says that itself.
    fn contents(&mut self, slot: usize, offset: u32, entry: u32, total: u32) -> Result<PcTable, Unreadable> {
        let pairs = self.known.source.map(|source| source.table(offset).ok_or(DAMAGED)).transpose()?;
        let pairs = pairs.unwrap_or_default();
        let sum = pairs.iter().fold(0, |sum: u32, (_, step)| sum.wrapping_add(*step));
        let total = if slot == FRAME_SIZES { self.length(entry, sum)? } else { total };
        let (mut table, mut frame) = (PcTable::default(), Frame::default());
        for index in 0.. {
            let at = entry.wrapping_add(table.total.wrapping_mul(self.code.quantum));
            let (value, step) = pairs.get(index).copied().unwrap_or_default();
            let value = self.value(slot, &mut frame, index, at, value)?;
            let is_last = index + 1 == pairs.len();
            let left = total.wrapping_sub(table.total);
            let step = match self.step(slot, at, left, (!is_last).then_some(step))? {
                Some(step) => step,
                None => {
                    let difference = zigzag(step.wrapping_sub(left));
                    let difference = unzigzag(self.columns.pass(Column::Rest, difference)?);
                    super::columns::put(&mut table.bytes, value);
                    super::columns::put(&mut table.bytes, left.wrapping_add(difference));
                    table.total = table.total.wrapping_add(left).wrapping_add(difference);
                    table.bytes.push(0);
                    return Ok(table);
                }
            };
            super::columns::put(&mut table.bytes, value);
            super::columns::put(&mut table.bytes, step);
            table.total = table.total.wrapping_add(step);
        }
        Err(DAMAGED)
    }

    /// A value, zigzag-coded less the one before. That of a frame's size is predicted from the instruction before it.
    fn value(&mut self, slot: usize, frame: &mut Frame, index: usize, at: u32, value: u32) -> Result<u32, Unreadable> {
        if slot != FRAME_SIZES {
            return self.columns.pass(Column::Value(slot), value);
        }
        let change = if index == 0 { None } else { self.code.stack_change(at) };
        let predicted = match change {
            Some(StackChange::By(by)) => by,
            Some(StackChange::Return) => frame.largest.wrapping_sub(frame.size),
            None => 0,
        };
        let difference = self.columns.pass(Column::Value(slot), zigzag(unzigzag(value).wrapping_sub(predicted)))?;
        let change = unzigzag(difference).wrapping_add(predicted);
        frame.size = frame.size.wrapping_add(change);
        if frame.size.cast_signed() > frame.largest.cast_signed() {
            frame.largest = frame.size;
        }
        Ok(zigzag(change))
    }

    /// A step to the place where the next value begins: to an anchor, so far, or up to so far from the end. `None` is the last.
    fn step(&mut self, slot: usize, at: u32, left: u32, step: Option<u32>) -> Result<Option<u32>, Unreadable> {
        let coded = match step {
            None => 0,
            Some(step) => {
                let to = at.wrapping_add(step.wrapping_mul(self.code.quantum));
                let near = to > at && to - at <= FARTHEST;
                if near && self.code.is_anchor(slot, to) { 2 + self.code.anchors_between(slot, at, to) } else { 1 }
            }
        };
        match self.columns.pass(Column::Anchor(slot), coded)? {
            0 => Ok(None),
            1 => {
                let step = step.unwrap_or(0);
                let rest = left.wrapping_sub(step);
                let coded = if rest < NEAR_THE_END && step < 1 << 30 { rest << 1 | 1 } else { step << 1 };
                let coded = self.columns.pass(Column::Step(slot), coded)?;
                Ok(Some(if coded & 1 == 1 { left.wrapping_sub(coded >> 1) } else { coded >> 1 }))
            }
            skip => {
                let to = self.code.anchor_after(slot, at, skip - 2).ok_or(DAMAGED)?;
                self.spend(to - at)?;
                Ok(Some((to - at) / self.code.quantum))
            }
        }
    }

    /// Takes searched bytes off the budget.
    fn spend(&mut self, bytes: u32) -> Result<(), Unreadable> {
        self.budget = self.budget.checked_sub(bytes.into()).ok_or(DAMAGED)?;
        Ok(())
    }

    /// The length of a function, in steps: up to a likely end, or as it is.
    fn length(&mut self, entry: u32, steps: u32) -> Result<u32, Unreadable> {
        let to = entry.wrapping_add(steps.wrapping_mul(self.code.quantum));
        let skip = if self.known.source.is_some() { self.code.ends(entry).position(|end| end == to) } else { None };
        match self.columns.pass(Column::Length, skip.map_or(0, |skip| skip as u32 + 1))? {
            0 => self.columns.pass(Column::Length, steps),
            skip => {
                let end = self.code.ends(entry).nth(skip as usize - 1).ok_or(DAMAGED)?;
                self.spend(end.abs_diff(entry))?;
                Ok(end.wrapping_sub(entry) / self.code.quantum)
            }
        }
    }
}

/// The size of a frame while a table of frame sizes is walked over, from -1, and the largest so far.
#[derive(Debug)]
struct Frame {
    size: u32,
    largest: u32,
}

impl Default for Frame {
    fn default() -> Self {
        Self { size: u32::MAX, largest: 0 }
    }
}

/// Steps up to so near the end of the function are counted from there.
const NEAR_THE_END: u32 = 32;

const _: () = assert!(TABLES == 8, "slots are numbered");
