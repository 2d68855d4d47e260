//! Unpacking: the checksum, the parts, and the executable that they make.

use crate::error::Unreadable;
use crate::function_table::Memory;
use crate::payload::{HASH_OF_NOTHING, Header, Kind, MAGIC, Part, word};
use crate::program::{Machine, Segment};
use crate::{code, elf, function_table, loader, lzma, payload};

/// Whether a file begins as packed files do; it may be damaged.
#[must_use]
pub fn is_packed(file: &[u8]) -> bool {
    table(file).is_some()
}

/// Unpacks a packed executable to the bytes that were packed.
///
/// # Errors
/// [`Unreadable`] if the file was not packed by this crate, is cut off or was changed.
pub fn unpack(file: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let (machine, offset) = table(file).ok_or(Unreadable::NotPacked)?;
    if !payload::is_intact(file, offset) {
        return Err(Unreadable::Checksum);
    }
    let header = payload::read(file, offset)?;
    let mut bytes = Vec::new();
    for part in &header.parts {
        place(&mut bytes, &header, part, machine)?;
    }
    bytes.resize(bytes.len().max(header.length as usize), 0);
    let mut hash = HASH_OF_NOTHING;
    for segment in &header.segments {
        hash = payload::hash(hash, bytes.get(segment.range()).ok_or(Unreadable::Damaged("a segment"))?);
    }
    if hash != header.image_hash {
        return Err(Unreadable::Damaged("the program's hash"));
    }
    if payload::SharedCopy::new(machine, &header.segments, &bytes) != Some(header.copy) {
        return Err(Unreadable::Damaged("the digest of the shared copy"));
    }
    Ok(bytes)
}

/// The machine of a packed file, and where its table is.
fn table(file: &[u8]) -> Option<(Machine, usize)> {
    let wide = *file.get(4)? == 2;
    let number = u16::from_le_bytes(file.get(18..20)?.try_into().ok()?);
    let machine = Machine::from_elf(number, wide).filter(|_| file.starts_with(b"\x7fELF"))?;
    let after = elf::headers_length(machine) as usize;
    let lengths = loader::lengths(machine);
    let mut offsets = lengths.map(|length| (after + length).next_multiple_of(4));
    offsets.find(|offset| word(file, *offset) == Some(MAGIC)).map(|offset| (machine, offset))
}

/// Decodes a part and puts it where it belongs in the file.
fn place(bytes: &mut Vec<u8>, header: &Header, part: &Part, machine: Machine) -> Result<(), Unreadable> {
    let length = part.length as usize;
    let mut streams = Vec::new();
    for stream in &part.streams {
        streams.push(lzma::decompress(&stream.packed, stream.model, stream.length)?);
    }
    let image = Image { bytes, segments: &header.segments };
    let start = if part.kind == Kind::FileOnly { Some(part.start as usize) } else { image.offset(part.start) };
    let start = start.ok_or(Unreadable::Damaged("a part's address"))?;
    let decoded = match part.kind {
        Kind::FunctionTable => function_table::join(&streams, length, machine, &image)?,
        kind => {
            let mut decoded = streams.into_iter().next().unwrap_or_default();
            if kind == Kind::Code {
                code::decode(machine, &mut decoded, part.start);
            }
            decoded
        }
    };
    let end = start.checked_add(length).filter(|end| *end <= header.length as usize);
    let end = end.filter(|_| decoded.len() == length).ok_or(Unreadable::Damaged("a part's length"))?;
    bytes.resize(bytes.len().max(end), 0);
    bytes[start..end].copy_from_slice(&decoded);
    Ok(())
}

/// The executable's bytes, by address.
pub(crate) struct Image<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) segments: &'a [Segment],
}

impl Image<'_> {
    fn offset(&self, address: u32) -> Option<usize> {
        let inside = |segment: &&Segment| address.checked_sub(segment.address).is_some_and(|at| at < segment.in_file);
        let segment = self.segments.iter().find(inside)?;
        Some((address - segment.address) as usize + segment.offset as usize)
    }
}

impl Memory for Image<'_> {
    fn from(&self, address: u32) -> Option<&[u8]> {
        self.bytes.get(self.offset(address)?..)
    }
}
