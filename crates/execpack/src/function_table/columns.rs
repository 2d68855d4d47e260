//! Columns of numbers: written when a table is split, read when it is joined.

use crate::error::Unreadable;

/// A column's place among the others. Each is a sequence of variable-length numbers (LEB128).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// The distance between two entries less the predicted one, zigzag-coded.
    Size,
    Name,
    Arguments,
    DeferReturn,
    /// How many tables by program counter a record refers to after the fixed ones.
    TableCount,
    Unit,
    FirstLine,
    Flags,
    /// How many objects of function data a record has places for.
    DataCount,
    /// The distance between two objects of function data.
    Object,
    /// The length of a function, in steps: the number of a likely end and one, or 0 and the length.
    Length,
    /// The last step of a table less the one to the end of the function, zigzag-coded.
    Rest,
    /// References to tables by program counter, by slot.
    Table(usize),
    /// References to function data, by slot.
    Data(usize),
    /// Values of a table by program counter, by slot.
    Value(usize),
    /// Kinds of steps, by slot. 0: the last step. 1: its length is in [`Column::Step`]. n from 2 on: it ends at an anchor,
    /// after n − 2 others.
    Anchor(usize),
    /// Lengths of steps that end at no anchor, by slot: even numbers are twice the step, odd ones count from the function's end.
    Step(usize),
}

/// Slots of tables by program counter: frame sizes, files, lines, then `PCDATA_*` by number.
pub(super) const TABLES: usize = 8;
/// Slots of function data: `FUNCDATA_*` by number.
pub(super) const DATA: usize = 8;

/// Columns before those by slot.
const FIXED: usize = 12;
/// The columns of records, which are one stream; those of values are the second, those of steps the third.
pub(super) const RECORDS: usize = FIXED + TABLES + DATA;
pub(super) const VALUES: usize = RECORDS + TABLES;
/// All columns.
pub(super) const COUNT: usize = VALUES + 2 * TABLES;

impl Column {
    fn index(self) -> usize {
        match self {
            Self::Size => 0,
            Self::Name => 1,
            Self::Arguments => 2,
            Self::DeferReturn => 3,
            Self::TableCount => 4,
            Self::Unit => 5,
            Self::FirstLine => 6,
            Self::Flags => 7,
            Self::DataCount => 8,
            Self::Object => 9,
            Self::Length => 10,
            Self::Rest => 11,
            Self::Table(slot) => FIXED + slot.min(TABLES - 1),
            Self::Data(slot) => FIXED + TABLES + slot.min(DATA - 1),
            Self::Value(slot) => RECORDS + slot.min(TABLES - 1),
            Self::Anchor(slot) => VALUES + slot.min(TABLES - 1),
            Self::Step(slot) => VALUES + TABLES + slot.min(TABLES - 1),
        }
    }
}

/// The numbers of a table, on their way into columns or out of them. One walk serves both, so what is joined is what was split.
pub(super) trait Columns {
    /// Passes a number through a column: a writer appends `number` and returns it, a reader ignores it and returns the next one.
    fn pass(&mut self, column: Column, number: u32) -> Result<u32, Unreadable>;
}

/// Columns that are being written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    columns: Vec<Vec<u8>>,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { columns: vec![Vec::new(); COUNT] }
    }

    pub(super) fn into_columns(self) -> Vec<Vec<u8>> {
        self.columns
    }
}

impl Columns for Writer {
    fn pass(&mut self, column: Column, number: u32) -> Result<u32, Unreadable> {
        if let Some(column) = self.columns.get_mut(column.index()) {
            put(column, number);
        }
        Ok(number)
    }
}

/// Columns that are being read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    columns: Vec<&'a [u8]>,
}

impl<'a> Reader<'a> {
    /// Cuts streams into columns of these lengths.
    pub(super) fn new(streams: [&'a [u8]; 3], lengths: &[usize]) -> Result<Self, Unreadable> {
        let mut rest = streams;
        let mut columns = Vec::new();
        for (index, length) in lengths.iter().enumerate() {
            let stream = &mut rest[usize::from(index >= RECORDS) + usize::from(index >= VALUES)];
            let (column, after) =
                stream.split_at_checked(*length).ok_or(Unreadable::Damaged("a column is longer than its stream"))?;
            columns.push(column);
            *stream = after;
        }
        Ok(Self { columns })
    }

    /// Whether every number was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.columns.iter().all(|column| column.is_empty())
    }
}

impl Columns for Reader<'_> {
    fn pass(&mut self, column: Column, _: u32) -> Result<u32, Unreadable> {
        let column = self.columns.get_mut(column.index()).ok_or(Unreadable::Damaged("a column"))?;
        take(column).ok_or(Unreadable::Damaged("a column ends too early"))
    }
}

/// Appends a number.
pub(super) fn put(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number off the front; `None` if it is cut off or longer than 32 bits need.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// A signed number as an unsigned one, small for those around 0.
pub(super) fn zigzag(number: u32) -> u32 {
    number << 1 ^ (number.cast_signed() >> 31).cast_unsigned()
}

/// Undoes [`zigzag`].
pub(super) fn unzigzag(number: u32) -> u32 {
    number >> 1 ^ (number & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(numbers: Vec<u32>) {
            let mut bytes = Vec::new();
            numbers.iter().for_each(|number| put(&mut bytes, zigzag(*number)));
            let mut rest = bytes.as_slice();
            for number in numbers {
                prop_assert_eq!(take(&mut rest).map(unzigzag), Some(number));
            }
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn every_column_has_its_own_place() {
        use Column::{
            Anchor, Arguments, Data, DataCount, DeferReturn, FirstLine, Flags, Length, Name, Object, Rest, Size, Step,
            Table, TableCount, Unit, Value,
        };
        let fixed =
            [Size, Name, Arguments, DeferReturn, TableCount, Unit, FirstLine, Flags, DataCount, Object, Length, Rest];
        let slots = (0..TABLES).flat_map(|slot| [Table(slot), Value(slot), Anchor(slot), Step(slot)]);
        let all = fixed.into_iter().chain(slots).chain((0..DATA).map(Data));
        let mut places: Vec<usize> = all.map(Column::index).collect();
        places.sort_unstable();
        assert_eq!(places, (0..COUNT).collect::<Vec<_>>());
    }
}
