//! The payload's table: what the loader needs before it decodes anything.
//!
//! Little-endian words of 32 bits, at an offset that is a multiple of 4: [`WORDS`] words of [`Header`], six words for each segment,
//! three for each part, three for each stream, then the streams. `docs/packing.md` has a picture.

use blake2::digest::consts::U32;
use blake2::{Blake2b256, Blake2s256, Digest};

use crate::elf::PAGE;
use crate::error::Unreadable;
use crate::lzma::{Model, Stream};
use crate::program::{LONGEST, MOST_SEGMENTS, Machine, Segment};

/// The first word. The last byte is the format's version.
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"XPK\x02");

/// Words before the segments.
const WORDS: usize = 23;

/// Where in the table the checksums are, in bytes: of the whole file, and of what comes before the streams.
const CHECKSUMS: std::ops::Range<usize> = 4..12;

/// Where in the table the streams' offset is, in bytes.
const STREAMS_AT: usize = 24;

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
    /// The streams' offset in the table.
    pub(crate) streams: u32,
    /// The [`hash`] of the segments' bytes in the file, one segment after another.
    pub(crate) image_hash: u32,
    /// `AT_ENTRY`, `AT_PHDR` and `AT_PHNUM`.
    pub(crate) entry: u32,
    pub(crate) headers: u32,
    pub(crate) header_count: u32,
    /// Bytes of memory that the loader takes for the time of decoding, besides the program's own.
    pub(crate) scratch: u32,
    /// The memory that processes share.
    pub(crate) copy: SharedCopy,
    pub(crate) segments: Vec<Segment>,
    pub(crate) parts: Vec<Part>,
}

/// The memory that processes of a program share: the segments' bytes in the file, each at an offset that has the same remainder by
/// the largest page as its address, and zero bytes between them. It is a multiple of the largest page, so the digest covers every
/// byte that is mapped with any page size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SharedCopy {
    pub(crate) length: u32,
    /// BLAKE2b of 32 bytes on 64-bit processors, otherwise BLAKE2s.
    pub(crate) digest: [u8; 32],
}

impl SharedCopy {
    /// The copy of segments of a file; `None` if they are not in it.
    pub(crate) fn new(machine: Machine, segments: &[Segment], file: &[u8]) -> Option<Self> {
        if machine.is_wide() {
            read_copy::<Blake2b256>(segments, file)
        } else {
            read_copy::<Blake2s256>(segments, file)
        }
    }
}

fn read_copy<D: Digest<OutputSize = U32>>(segments: &[Segment], file: &[u8]) -> Option<SharedCopy> {
    let (offsets, length) = layout(segments);
    let (mut hasher, mut at) = (D::new(), 0);
    for (segment, offset) in segments.iter().zip(offsets) {
        hasher.update(vec![0; (offset - at) as usize]);
        hasher.update(file.get(segment.range())?);
        at = offset + segment.in_file;
    }
    hasher.update(vec![0; (length - at) as usize]);
    Some(SharedCopy { length, digest: hasher.finalize().into() })
}

/// The offset of each segment in the copy, and the copy's length. All segments together are shorter than [`LONGEST`].
fn layout(segments: &[Segment]) -> (Vec<u32>, u32) {
    let (mut offsets, mut at) = (Vec::new(), 0_u32);
    for segment in segments {
        let offset = at.next_multiple_of(PAGE) + segment.address % PAGE;
        offsets.push(offset);
        at = offset + segment.in_file;
    }
    (offsets, at.next_multiple_of(PAGE))
}

/// The hash of no bytes.
pub(crate) const HASH_OF_NOTHING: u32 = 0x811c_9dc5;

/// Goes on with a hash over words: FNV-1a with a rotation, because otherwise the high bits of a word would change only the high bits
/// of the hash. Any change of one word changes it.
pub(crate) fn hash(hash: u32, bytes: &[u8]) -> u32 {
    let step = |hash: u32, number: u32| (hash ^ number).wrapping_mul(0x0100_0193).rotate_left(15);
    let (words, rest) = bytes.as_chunks::<4>();
    let hash = words.iter().fold(hash, |hash, word| step(hash, u32::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| step(hash, u32::from(*byte)))
}

/// Writes the table and the streams after it, with 0 for the checksum.
pub(crate) fn write(header: &Header) -> Vec<u8> {
    let Header { segments, parts, .. } = header;
    let mut words = vec![MAGIC, 0, 0, header.offset, header.packed_length, header.length, header.streams];
    words.extend([header.image_hash, header.entry, header.headers, header.header_count, header.scratch]);
    words.push(header.copy.length);
    words.extend(header.copy.digest.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)));
    words.extend([segments.len() as u32, parts.len() as u32]);
    debug_assert_eq!(words.len(), WORDS);
    for (segment, offset) in segments.iter().zip(layout(segments).0) {
        words.extend([segment.address, segment.in_file, segment.in_memory, segment.flags, segment.offset, offset]);
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

/// The length of the table without the streams.
pub(crate) fn length(segments: &[Segment], parts: &[Part]) -> u32 {
    let streams: usize = parts.iter().map(|part| part.streams.len()).sum();
    (4 * (WORDS + 6 * segments.len() + 3 * parts.len() + 3 * streams)) as u32
}

/// The checksums of a file with a table at an offset: of the whole file, and of its head, before the streams. Neither covers the two
/// words themselves.
fn checksums(file: &[u8], offset: usize) -> Option<[u32; 2]> {
    let streams = offset.checked_add(word(file, offset + STREAMS_AT)? as usize)?;
    let head = hash(HASH_OF_NOTHING, file.get(..offset + CHECKSUMS.start)?);
    let head = hash(head, file.get(offset + CHECKSUMS.end..streams)?);
    Some([hash(head, &file[streams..]), head])
}

/// Whether the checksums of a file with a table at an offset are right.
pub(crate) fn is_intact(file: &[u8], offset: usize) -> bool {
    let [at, head_at] = [CHECKSUMS.start, CHECKSUMS.start + 4].map(|at| word(file, offset + at));
    checksums(file, offset).is_some_and(|[whole, head]| at == Some(whole) && head_at == Some(head))
}

/// Writes the checksums into a file with a table at an offset.
pub(crate) fn seal(file: &mut [u8], offset: usize) {
    if let Some(checksums) = checksums(file, offset) {
        let bytes = checksums.map(u32::to_le_bytes);
        file[offset + CHECKSUMS.start..offset + CHECKSUMS.end].copy_from_slice(bytes.as_flattened());
    }
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

    fn digest(&mut self) -> Result<[u8; 32], Unreadable> {
        let mut digest = [0; 32];
        for word in digest.as_chunks_mut().0 {
            *word = self.next()?.to_le_bytes();
        }
        Ok(digest)
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
    let mut words = Words { bytes, at: CHECKSUMS.end };
    let mut header = Header {
        offset: words.next()?,
        packed_length: words.next()?,
        length: words.count(LONGEST)? as u32,
        streams: words.next()?,
        image_hash: words.next()?,
        entry: words.next()?,
        headers: words.next()?,
        header_count: words.next()?,
        scratch: words.next()?,
        copy: SharedCopy { length: words.next()?, digest: words.digest()? },
        segments: Vec::new(),
        parts: Vec::new(),
    };
    let (segments, parts) = (words.count(MOST_SEGMENTS)?, words.count(MOST_PARTS)?);
    let (mut offsets, mut room) = (Vec::new(), header.length);
    for _ in 0..segments {
        let segment = segment(&mut words, header.length)?;
        // Segments do not overlap in the file, and neither do parts.
        room = room.checked_sub(segment.in_file).ok_or(Unreadable::Damaged("segments overlap"))?;
        header.segments.push(segment);
        offsets.push(words.next()?);
    }
    if layout(&header.segments).0 != offsets {
        return Err(Unreadable::Damaged("a segment's offset in the copy"));
    }
    let (mut lengths, mut room) = (Vec::new(), header.length);
    for _ in 0..parts {
        let (part, packed) = part(&mut words, room)?;
        room -= part.length;
        header.parts.push(part);
        lengths.push(packed);
    }
    let mut at = words.at;
    if header.streams as usize != at {
        return Err(Unreadable::Damaged("the offset of the streams"));
    }
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
