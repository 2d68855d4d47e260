//! Bounds-checked little-endian numbers in a byte slice.

use crate::error::Refused;

/// The size of a pointer: `goarch.PtrSize`, and the class of the ELF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PtrSize {
    Four,
    Eight,
}

impl PtrSize {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// Reads the word at an offset.
    pub(super) fn word(self, bytes: &[u8], at: usize) -> Result<u64, Refused> {
        Ok(match self {
            Self::Four => u64::from(u32_at(bytes, at)?),
            Self::Eight => u64::from_le_bytes(array(bytes, at)?),
        })
    }

    /// Reads the word at an offset as a length or an offset.
    pub(super) fn size(self, bytes: &[u8], at: usize) -> Result<usize, Refused> {
        to_usize(self.word(bytes, at)?)
    }

    /// Overwrites the word at an offset.
    pub(super) fn put(self, bytes: &mut [u8], at: usize, value: u64) -> Result<(), Refused> {
        match self {
            Self::Four => put(bytes, at, &to_u32(value)?.to_le_bytes()),
            Self::Eight => put(bytes, at, &value.to_le_bytes()),
        }
    }
}

/// Converts a length or an offset.
pub(super) fn to_usize(value: u64) -> Result<usize, Refused> {
    usize::try_from(value).map_err(|_| Refused::Damaged("an offset is too large"))
}

/// Converts a number that must fit into 32 bits.
pub(super) fn to_u32(value: impl TryInto<u32>) -> Result<u32, Refused> {
    value.try_into().map_err(|_| Refused::Damaged("a number does not fit into 32 bits"))
}

/// Returns `length` bytes from an offset.
pub(super) fn part(bytes: &[u8], at: usize, length: usize) -> Result<&[u8], Refused> {
    at.checked_add(length).and_then(|end| bytes.get(at..end)).ok_or(Refused::Damaged("an offset is out of range"))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Refused> {
    part(bytes, at, N)?.try_into().map_err(|_| Refused::Damaged("a number is truncated"))
}

/// Reads the unsigned 32-bit number at an offset.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Refused> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// Reads the signed 32-bit number at an offset.
pub(super) fn i32_at(bytes: &[u8], at: usize) -> Result<i32, Refused> {
    array(bytes, at).map(i32::from_le_bytes)
}

/// Overwrites bytes from an offset.
pub(super) fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Result<(), Refused> {
    let end = at.checked_add(value.len()).and_then(|end| bytes.get_mut(at..end));
    end.ok_or(Refused::Damaged("an offset is out of range"))?.copy_from_slice(value);
    Ok(())
}

/// Rounds up to a multiple. Multiples 0 and 1 leave the number unchanged, as in ELF's alignments.
pub(super) fn round_up(number: usize, multiple: usize) -> usize {
    number.next_multiple_of(multiple.max(1))
}
