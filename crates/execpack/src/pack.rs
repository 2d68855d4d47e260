//! Packing: the executable cut into parts, each compressed, with a loader before them.

use std::ops::Range;

use crate::error::Refused;
use crate::loader::Loader;
use crate::lzma::{Model, compress};
use crate::payload::{Header, Kind, Part, SharedCopy};
use crate::program::{Machine, Program, Segment};
use crate::{code, elf, function_table, lzma, payload, unpack};

/// A packed executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its pieces, for a report of sizes.
    pub parts: Vec<PartSize>,
}

/// The size of a piece of the executable, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSize {
    /// The offset in the executable.
    pub offset: usize,
    /// Bytes in the executable.
    pub bytes: usize,
    /// How the piece is packed: `plain`, `code`, `function table` or `file only`.
    pub kind: &'static str,
    /// Bytes of each of its streams in the packed file.
    pub streams: Vec<usize>,
}

/// Packs a static executable. The result is unpacked again and compared before it is returned; the same input always packs to the
/// same bytes.
///
/// # Errors
/// [`Refused`] if the file is not a static executable with fixed addresses of a processor that has a loader.
pub fn pack(file: &[u8]) -> Result<Packed, Refused> {
    if unpack::is_packed(file) {
        return Err(Refused::Packed);
    }
    let program = Program::read(file)?;
    let parts = pieces(&program, file).into_iter().map(|piece| part(&program, file, &piece)).collect::<Vec<_>>();
    let packed = assemble(&program, file, parts)?;
    match unpack::unpack(&packed.bytes) {
        Ok(unpacked) if unpacked == file => Ok(packed),
        Ok(_) => Err(Refused::Mismatch("other bytes")),
        Err(_) => Err(Refused::Mismatch("an error")),
    }
}

/// A range of the file that becomes a part.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    kind: Kind,
    range: Range<usize>,
}

/// Cuts the file: code and function table by themselves, the rest of each segment between them, and what no segment has.
/// Code comes first because function tables are joined with it, and with the names before them.
fn pieces(program: &Program, file: &[u8]) -> Vec<Piece> {
    let code = program.code.clone().map(|range| Piece { kind: Kind::Code, range });
    let table = program.function_table.clone().and_then(|section| {
        let start = function_table::start(&file[section.clone()], program.machine)?;
        Some(Piece { kind: Kind::FunctionTable, range: section.start + start..section.end })
    });
    let mut cut: Vec<Piece> = code.into_iter().chain(table).collect();
    cut.sort_by_key(|piece| piece.range.start);
    let mut pieces = Vec::new();
    for segment in &program.segments {
        let mut at = segment.range().start;
        let inside = |piece: &&Piece| segment.range().contains(&piece.range.start);
        for piece in cut.iter().filter(inside) {
            pieces.push(Piece { kind: Kind::Plain, range: at..piece.range.start });
            pieces.push(piece.clone());
            at = piece.range.end;
        }
        // A segment without a section for its code is packed as code. The loader reads instructions as words.
        let is_code = segment.flags & object::elf::PF_X.0 != 0 && program.code.is_none();
        let is_aligned = program.address(at).is_some_and(|address| address % 4 == 0);
        let kind = if is_code && is_aligned { Kind::Code } else { Kind::Plain };
        pieces.push(Piece { kind, range: at..segment.range().end });
    }
    let mut at = 0;
    for range in program.segments.iter().map(|segment| segment.range()).chain(std::iter::once(file.len()..file.len())) {
        if file[at..range.start].iter().any(|byte| *byte != 0) {
            pieces.push(Piece { kind: Kind::FileOnly, range: at..range.start });
        }
        at = range.end;
    }
    pieces.retain(|piece| !piece.range.is_empty());
    pieces
}

/// Compresses a piece.
fn part(program: &Program, file: &[u8], piece: &Piece) -> Part {
    let bytes = &file[piece.range.clone()];
    let start = program.address(piece.range.start);
    let plain = |kind: Kind, bytes: &[u8], models: &[Model]| Part {
        kind,
        start: start.filter(|_| kind != Kind::FileOnly).unwrap_or(piece.range.start as u32),
        length: bytes.len() as u32,
        streams: vec![compress(bytes, models)],
    };
    match (piece.kind, start) {
        (Kind::Code, Some(address)) => {
            let mut code = bytes.to_vec();
            code::encode(program.machine, &mut code, address);
            plain(Kind::Code, &code, code_models(program.machine))
        }
        (Kind::FunctionTable, Some(start)) => match split(program, file, &piece.range) {
            Some(streams) => {
                let models = [RECORDS, VALUES, STEPS, DATA];
                let streams = streams.iter().zip(models).map(|(stream, models)| compress(stream, models)).collect();
                Part { kind: Kind::FunctionTable, start, length: bytes.len() as u32, streams }
            }
            None => plain(Kind::Plain, bytes, PLAIN),
        },
        (kind, _) => plain(kind, bytes, PLAIN),
    }
}

/// The streams of a function table; `None` if they do not join to the same bytes.
fn split(program: &Program, file: &[u8], range: &Range<usize>) -> Option<Vec<Vec<u8>>> {
    let (section, code) = (program.function_table.clone()?, program.code.clone()?);
    let (address, code_address) = (program.address(section.start)?, program.address(code.start)?);
    let streams = function_table::split(&file[section], address, &file[code], code_address, program.machine)?;
    let image = unpack::Image { bytes: file, segments: &program.segments };
    let joined = function_table::join(&streams, range.len(), program.machine, &image).ok()?;
    (joined == file[range.clone()] && streams.iter().all(|stream| stream.len() <= range.len())).then_some(streams)
}

/// The models that are tried, by what a stream has in it.
const PLAIN: &[Model] = &[Model::new(2, 1, 3), Model::new(3, 0, 2), Model::new(0, 2, 2)];
const RECORDS: &[Model] = &[Model::new(0, 0, 0), Model::new(3, 0, 0)];
const VALUES: &[Model] = &[Model::new(0, 0, 0), Model::new(3, 0, 0)];
const STEPS: &[Model] = &[Model::new(3, 0, 0), Model::new(0, 0, 0)];
const DATA: &[Model] = &[Model::new(0, 2, 2), Model::new(2, 2, 2)];
const BYTES: &[Model] = &[Model::new(8, 0, 0)];
const WORDS: &[Model] = &[Model::new(4, 2, 2)];

fn code_models(machine: Machine) -> &'static [Model] {
    match machine {
        Machine::Amd64 => BYTES,
        Machine::Arm64 | Machine::Arm | Machine::Mips => WORDS,
    }
}

/// Puts the headers, the loader, the table and the streams together.
fn assemble(program: &Program, file: &[u8], parts: Vec<Part>) -> Result<Packed, Refused> {
    let loader = Loader::find(program).ok_or(Refused::Machine(program.machine.elf_number()))?;
    let too_long = || Refused::Kind("it is too long");
    let offset = (elf::headers_length(program.machine) as usize + loader.bytes.len()).next_multiple_of(4);
    let hash = |hash, segment: &Segment| payload::hash(hash, &file[segment.range()]);
    let mut header = Header {
        offset: offset as u32,
        packed_length: 0,
        length: u32::try_from(file.len()).map_err(|_| too_long())?,
        streams: payload::length(&program.segments, &parts),
        image_hash: program.segments.iter().fold(payload::HASH_OF_NOTHING, hash),
        entry: program.entry,
        headers: program.headers,
        header_count: program.header_count,
        scratch: parts.iter().map(scratch).max().unwrap_or(0).next_multiple_of(elf::PAGE as usize) as u32,
        copy: SharedCopy::new(program.machine, &program.segments, file).ok_or(Refused::Mismatch("segments"))?,
        segments: program.segments.clone(),
        parts,
    };
    let length = offset + payload::write(&header).len();
    header.packed_length = u32::try_from(length).map_err(|_| too_long())?;
    // After the program, with room to its last byte, so that neither is in the other's way.
    let after = program.end().next_multiple_of(elf::PAGE) + elf::PAGE;
    let address = loader.address.unwrap_or(after);
    if address < after {
        return Err(Refused::Kind("an address is too high"));
    }
    let mut bytes = elf::headers(program, address, header.packed_length);
    bytes.extend_from_slice(loader.bytes);
    bytes.resize(offset, 0);
    bytes.extend(payload::write(&header));
    payload::seal(&mut bytes, offset);
    let parts = header.parts.iter().map(|part| size(program, part)).collect();
    Ok(Packed { bytes, parts })
}

/// The memory that the loader takes while it decodes a part: pieces are multiples of 8 bytes.
fn scratch(part: &Part) -> usize {
    let model = part.streams.iter().map(|stream| lzma::probabilities(stream.model)).max().unwrap_or(0);
    let round = |length: usize| length.next_multiple_of(8);
    if part.kind != Kind::FunctionTable {
        return round(model);
    }
    let streams: usize = part.streams.iter().map(|stream| round(stream.length)).sum();
    let first =
        part.streams.first().and_then(|stream| lzma::decompress(&stream.packed, stream.model, stream.length).ok());
    let joined: usize = function_table::scratch(first.as_deref().unwrap_or_default()).into_iter().map(round).sum();
    streams + round(model).max(joined)
}

fn size(program: &Program, part: &Part) -> PartSize {
    let inside = program.segments.iter().find(|segment| {
        part.kind != Kind::FileOnly && (segment.address..segment.address + segment.in_file).contains(&part.start)
    });
    let offset = inside.map_or(part.start, |segment| part.start - segment.address + segment.offset) as usize;
    let kind = match part.kind {
        Kind::Plain => "plain",
        Kind::Code => "code",
        Kind::FunctionTable => "function table",
        Kind::FileOnly => "file only",
    };
    let streams = part.streams.iter().map(|stream| stream.packed.len()).collect();
    PartSize { offset, bytes: part.length as usize, kind, streams }
}
