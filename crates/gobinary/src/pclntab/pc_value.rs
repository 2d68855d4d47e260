//! Tables that map program counters to values: frame sizes, lines, and PCDATA.

use super::bytes::part;
use crate::error::Refused;

/// A pc-value table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PcValues<'a> {
    pub(crate) bytes: &'a [u8],
    /// The largest value.
    pub(super) max: i32,
}

/// Decoder of a pc-value table: pairs of varints, the zigzag-encoded value delta and the pc delta.
/// A value delta of 0 ends the table, except in the first pair.
///
/// Source: `step` in Go's `src/runtime/symtab.go`.
pub(super) struct PcValueSteps<'a> {
    bytes: &'a [u8],
    /// The offset of the next pair.
    at: usize,
    value: i32,
}

impl<'a> PcValueSteps<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, value: -1 }
    }

    /// Decodes the whole table.
    pub(super) fn finish(mut self) -> Result<PcValues<'a>, Refused> {
        let mut max = i32::MIN;
        while let Some((value, _)) = self.next_step()? {
            max = max.max(value);
        }
        Ok(PcValues { bytes: part(self.bytes, 0, self.at)?, max })
    }

    /// Returns the next value and the pc delta it applies to, or `None` at the end.
    pub(super) fn next_step(&mut self) -> Result<Option<(i32, u32)>, Refused> {
        let is_first = self.at == 0;
        let delta = self.varint()?;
        if delta == 0 && !is_first {
            return Ok(None);
        }
        self.value = self.value.wrapping_add((delta >> 1).cast_signed() ^ -(delta & 1).cast_signed());
        Ok(Some((self.value, self.varint()?)))
    }

    /// Reads a varint of at most 32 bits.
    fn varint(&mut self) -> Result<u32, Refused> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(Refused::Damaged("a pc-value table is not terminated"))?;
            self.at += 1;
            value |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Refused::Damaged("a number in a pc-value table is too long"))
    }
}
