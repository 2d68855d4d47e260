//! The payload's table: what the loader needs before it decodes anything.
//!
//! Little-endian words of 32 bits, at an offset that is a multiple of 4: [`WORDS`] words of [`Header`], five words for each segment,
//! three for each part, three for each stream, then the streams. `docs/packing.md` has a picture.

use crate::error::Unreadable;
use crate::lzma::{Model, Stream};
use crate::program::{LONGEST, MOST_SEGMENTS, Segment};

/// The first word. The last byte is the format's version.
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"XPK\x01");

/// Words before the segments.
const WORDS: usize = 12;

/// Where in the table the checksum is, in bytes.
pub(crate) const CHECKSUM_AT: usize = 4;

/// The most parts of a packed file, and the most streams of a part.
const MOST_PARTS: usize = 64;
const MOST_STREAMS: usize = 8;

/// How a part's bytes come out of its streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// They are the stream's.
    Plain,
    /// Machine code with absolute targets.
    Code,
    /// Go's function table, in columns.
    FunctionTable,
    /// The stream's bytes, at an offset of the file that is not in memory: the loader skips it.
    FileOnly,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Plain, Self::Code, Self::FunctionTable, Self::FileOnly];

    fn number(self) -> u32 {
        match self {
            Self::Plain => 0,
            Self::Code => 1,
            Self::FunctionTable => 2,
            Self::FileOnly => 3,
        }
    }
}

/// A piece of the executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) kind: Kind,
    /// The address of the first byte in memory; of [`Kind::FileOnly`] its offset in the file.
    pub(crate) start: u32,
    pub(crate) length: u32,
    pub(crate) streams: Vec<Stream>,
}

/// The fixed beginning of the table, with the segments and parts after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The table's offset in the packed file: the loader finds the file's beginning with it.
    pub(crate) offset: u32,
    /// The length of the packed file.
    pub(crate) packed_length: u32,
    /// The length of the executable.
    pub(crate) length: u32,
    /// The [`hash`] of the segments' bytes in the file, one segment after another.
    pub(crate) image_hash: u32,
    /// `AT_ENTRY`, `AT_PHDR` and `AT_PHNUM`.
    pub(crate) entry: u32,
    pub(crate) headers: u32,
    pub(crate) header_count: u32,
    /// Bytes of memory that the loader takes for the time of decoding, besides the program's own.
    pub(crate) scratch: u32,
    pub(crate) segments: Vec<Segment>,
    pub(crate) parts: Vec<Part>,
}

/// The hash of no bytes.
pub(crate) const HASH_OF_NOTHING: u32 = 0x811c_9dc5;

/// Goes on with a hash of the decoded program: FNV-1a over words instead of bytes, which the loader is done with sooner. Any
/// change of one word changes it.
pub(crate) fn hash(hash: u32, bytes: &[u8]) -> u32 {
    let step = |hash: u32, number: u32| (hash ^ number).wrapping_mul(0x0100_0193);
    let (words, rest) = bytes.as_chunks::<4>();
    let hash = words.iter().fold(hash, |hash, word| step(hash, u32::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| step(hash, u32::from(*byte)))
}

/// Writes the table and the streams after it, with 0 for the checksum.
pub(crate) fn write(header: &Header) -> Vec<u8> {
    let Header { segments, parts, .. } = header;
    let mut words = vec![MAGIC, 0, header.offset, header.packed_length, header.length, header.image_hash];
    words.extend([header.entry, header.headers, header.header_count, header.scratch]);
    words.extend([segments.len() as u32, parts.len() as u32]);
    debug_assert_eq!(words.len(), WORDS);
    for segment in segments {
        words.extend([segment.address, segment.in_file, segment.in_memory, segment.flags, segment.offset]);
    }
    for part in parts {
        words.extend([part.kind.number() | (part.streams.len() as u32) << 8, part.start, part.length]);
        for stream in &part.streams {
            words.extend([stream.model.byte().into(), stream.length as u32, stream.packed.len() as u32]);
        }
    }
    let mut bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    parts.iter().flat_map(|part| &part.streams).for_each(|stream| bytes.extend_from_slice(&stream.packed));
    bytes
}

/// Words of the table, one after another.
struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Words<'_> {
    fn next(&mut self) -> Result<u32, Unreadable> {
        let word = word(self.bytes, self.at).ok_or(Unreadable::Damaged("the table is cut off"))?;
        self.at += 4;
        Ok(word)
    }

    /// A count or length below a limit.
    fn count(&mut self, limit: usize) -> Result<usize, Unreadable> {
        let count = self.next()? as usize;
        if count <= limit { Ok(count) } else { Err(Unreadable::Damaged("a count or length is too large")) }
    }
}

/// The little-endian word at an offset.
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Reads the table at an offset of a packed file, and the streams.
///
/// # Errors
/// [`Unreadable::Damaged`] if lengths or addresses contradict each other or the file.
pub(crate) fn read(file: &[u8], offset: usize) -> Result<Header, Unreadable> {
    let bytes = file.get(offset..).ok_or(Unreadable::NotPacked)?;
    let mut words = Words { bytes, at: 8 };
    let mut header = Header {
        offset: words.next()?,
        packed_length: words.next()?,
        length: words.count(LONGEST)? as u32,
        image_hash: words.next()?,
        entry: words.next()?,
        headers: words.next()?,
        header_count: words.next()?,
        scratch: words.next()?,
        segments: Vec::new(),
        parts: Vec::new(),
    };
    let (segments, parts) = (words.count(MOST_SEGMENTS)?, words.count(MOST_PARTS)?);
    for _ in 0..segments {
        header.segments.push(segment(&mut words, header.length)?);
    }
    let (mut lengths, mut room) = (Vec::new(), header.length);
    for _ in 0..parts {
        let (part, packed) = part(&mut words, room)?;
        // Parts do not overlap: together they are no longer than the file.
        room -= part.length;
        header.parts.push(part);
        lengths.push(packed);
    }
    let mut at = words.at;
    for (part, lengths) in header.parts.iter_mut().zip(lengths) {
        for (stream, length) in part.streams.iter_mut().zip(lengths) {
            let range = at..at.checked_add(length).ok_or(Unreadable::Damaged("a stream's length"))?;
            stream.packed = bytes.get(range).ok_or(Unreadable::Damaged("a stream is cut off"))?.to_vec();
            at += length;
        }
    }
    if at != bytes.len() || header.packed_length as usize != file.len() || header.offset as usize != offset {
        return Err(Unreadable::Damaged("the file's length or the table's offset"));
    }
    Ok(header)
}

fn segment(words: &mut Words<'_>, length: u32) -> Result<Segment, Unreadable> {
    let address = words.next()?;
    let (in_file, in_memory) = (words.count(length as usize)? as u32, words.next()?);
    let (flags, offset) = (words.next()?, words.count(length as usize)? as u32);
    let fits = offset.checked_add(in_file).is_some_and(|end| end <= length);
    if !fits || in_memory < in_file || address.checked_add(in_memory).is_none() {
        return Err(Unreadable::Damaged("a segment"));
    }
    Ok(Segment { address, offset, in_file, in_memory, flags })
}

/// A part without its streams' bytes, and their lengths.
fn part(words: &mut Words<'_>, length: u32) -> Result<(Part, Vec<usize>), Unreadable> {
    let first = words.next()?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.number() == first & 0xff);
    let kind = kind.ok_or(Unreadable::Damaged("a part of an unknown kind"))?;
    let count = (first >> 8) as usize;
    let (start, length) = (words.next()?, words.count(length as usize)? as u32);
    if count > MOST_STREAMS {
        return Err(Unreadable::Damaged("a part has too many streams"));
    }
    let (mut streams, mut lengths) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let byte = u8::try_from(words.next()?).ok();
        let model = byte.and_then(Model::from_byte).ok_or(Unreadable::Damaged("a stream's model"))?;
        // A stream of a function table is never longer than the table.
        streams.push(Stream { model, length: words.count(length as usize)?, packed: Vec::new() });
        lengths.push(words.next()? as usize);
    }
    Ok((Part { kind, start, length, streams }, lengths))
}
