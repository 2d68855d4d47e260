//! Go's function table as its bytes have it, before it is split.
//!
//! Source: Go's `src/runtime/symtab.go` (`pcHeader`, `step`), `src/runtime/runtime2.go` (`_func`), `src/cmd/link/internal/ld/pcln.go`.

use crate::payload::word;

/// The table's magic number since Go 1.20, `abi.CurrentPCLnTabMagic`.
const MAGIC: u32 = 0xffff_fff1;

/// A function's record, `_func`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// The 32-bit field at an index.
    pub(super) fn field(self, index: usize) -> u32 {
        word(self.bytes, index * 4).unwrap_or(0)
    }
}

/// The table's parts, as offsets into the section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) bytes: &'a [u8],
    /// How many functions there are.
    pub(super) count: usize,
    /// The bytes between program counters: the shortest instruction's.
    pub(super) quantum: u32,
    pub(super) names: usize,
    /// Tables by program counter.
    pub(super) tables: usize,
    /// The index of functions, and their records after it.
    pub(super) functions: usize,
}

impl<'a> Source<'a> {
    /// Reads the header; `None` if the parts are not where they usually are.
    pub(super) fn read(bytes: &'a [u8], wide: bool) -> Option<Self> {
        let width = if wide { 8 } else { 4 };
        if word(bytes, 0)? != MAGIC || usize::from(*bytes.get(7)?) != width {
            return None;
        }
        // Words: functions, files, start of the text, names, units, files, tables, functions.
        let size = |index: usize| {
            let at = 8 + index * width;
            let high = if wide { word(bytes, at + 4)? } else { 0 };
            (high == 0).then_some(word(bytes, at)? as usize)
        };
        let source = Self {
            bytes,
            count: size(0)?,
            quantum: u32::from(*bytes.get(6)?),
            names: size(3)?,
            tables: size(6)?,
            functions: size(7)?,
        };
        let ordered = 8 <= source.names && source.names <= source.tables && source.tables < source.functions;
        let index = source.count.checked_mul(8)?.checked_add(4)?.checked_add(source.functions)?;
        (ordered && index <= bytes.len() && source.count > 0 && matches!(source.quantum, 1 | 2 | 4)).then_some(source)
    }

    /// The entry of a function; at the index `count` the end of the last.
    pub(super) fn entry(&self, index: usize) -> Option<u32> {
        word(self.bytes, self.functions.checked_add(index.checked_mul(8)?)?)
    }

    /// The offset of a record into the section.
    pub(super) fn record_at(&self, index: usize) -> Option<usize> {
        let at = word(self.bytes, self.functions.checked_add(index.checked_mul(8)?)?.checked_add(4)?)?;
        self.functions.checked_add(at as usize)
    }

    /// The record of a function.
    pub(super) fn record(&self, index: usize) -> Option<Record<'a>> {
        self.bytes.get(self.record_at(index)?..).map(|bytes| Record { bytes })
    }

    /// The table by program counter at an offset: pairs of a value's step, zigzag-coded as it is, and the program counter's.
    pub(super) fn table(&self, offset: u32) -> Option<Vec<(u32, u32)>> {
        let mut rest = self.bytes.get(self.tables..self.functions)?.get(offset as usize..)?;
        let mut pairs = Vec::new();
        loop {
            let value = super::columns::take(&mut rest)?;
            if value == 0 && !pairs.is_empty() {
                return Some(pairs);
            }
            pairs.push((value, super::columns::take(&mut rest)?));
        }
    }
}
