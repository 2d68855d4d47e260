//! Go's function table, split into columns and joined again.
//!
//! A part of this kind is what follows the names in `.gopclntab`: tables by program counter, the index of functions, their records,
//! the data that they refer to, and the runtime's buckets. The index and the buckets follow from the rest and are not stored.

mod anchors;
mod columns;
mod source;
mod walk;

use self::anchors::Code;
use self::columns::{COUNT, RECORDS, Reader, VALUES, Writer, put, take};
use self::source::Source;
use self::walk::{Known, Walk, Walked};
use crate::error::Unreadable;
use crate::program::Machine;

/// The parts of memory that a function table is joined with, by address.
pub(crate) trait Memory {
    /// The bytes from an address to the end of its segment in the file.
    fn from(&self, address: u32) -> Option<&[u8]>;
}

/// Numbers at the beginning of the first stream.
#[derive(Debug, Clone, Copy, Default)]
struct Parameters {
    count: u32,
    quantum: u32,
    alignment: u32,
    /// The length of all tables by program counter, with the padding after them.
    tables: u32,
    /// Bytes of buckets at the end.
    buckets: u32,
    /// The address of the first name.
    names: u32,
    /// The address and length of the machine code.
    code: u32,
    code_length: u32,
    /// How many tables by program counter and objects of function data there are: the loader takes memory for them.
    table_count: u32,
    object_count: u32,
    /// The alignment of records, counted from the index.
    record_alignment: u32,
}

/// How many numbers the parameters are.
const PARAMETERS: usize = 11;

impl Parameters {
    /// Every number, in the order of the stream.
    fn numbers(&mut self) -> [&mut u32; PARAMETERS] {
        let Self { count, quantum, alignment, tables, buckets, names, code, code_length, .. } = self;
        let Self { table_count, object_count, record_alignment, .. } = self;
        [
            count,
            quantum,
            alignment,
            tables,
            buckets,
            names,
            code,
            code_length,
            table_count,
            object_count,
            record_alignment,
        ]
    }

    fn to_words(mut self) -> [u32; PARAMETERS] {
        self.numbers().map(|number| *number)
    }

    /// How many tables by program counter and objects of function data there are.
    fn most(self) -> [u32; 2] {
        [self.table_count, self.object_count]
    }

    /// Reads the parameters from the front of the first stream.
    fn take(stream: &mut &[u8]) -> Option<Self> {
        let mut parameters = Self::default();
        for number in parameters.numbers() {
            *number = take(stream)?;
        }
        Some(parameters)
    }
}

/// The pieces of memory that the loader takes to join streams, in bytes, besides the streams.
pub(crate) fn scratch(mut first_stream: &[u8]) -> [usize; 4] {
    let parameters = Parameters::take(&mut first_stream).unwrap_or_default();
    let Parameters { count, object_count, table_count, tables, .. } = parameters;
    [count as usize * 4, object_count as usize * 4, table_count as usize * 12, tables as usize]
}

/// The offset in `.gopclntab` of what [`split`] takes; `None` if the section is not as Go writes it.
pub(crate) fn start(section: &[u8], machine: Machine) -> Option<usize> {
    Source::read(section, machine.is_wide()).map(|source| source.tables)
}

/// Splits a `.gopclntab` into streams, to be compressed one by one. `None` if it is not as Go writes it.
pub(crate) fn split(
    section: &[u8],
    section_address: u32,
    code: &[u8],
    code_address: u32,
    machine: Machine,
) -> Option<Vec<Vec<u8>>> {
    let source = Source::read(section, machine.is_wide())?;
    let entries = (0..=source.count).map(|index| source.entry(index)).collect::<Option<Vec<u32>>>()?;
    let bits = entries[..source.count].iter().fold(64, |bits, entry| bits | entry);
    let mut parameters = Parameters {
        count: u32::try_from(source.count).ok()?,
        quantum: source.quantum,
        alignment: 1 << bits.trailing_zeros(),
        tables: u32::try_from(source.functions - source.tables).ok()?,
        buckets: 0,
        names: section_address + u32::try_from(source.names).ok()?,
        code: code_address,
        code_length: u32::try_from(code.len()).ok()?,
        // Go aligns records as pointers are; those that were rewritten follow right after the index.
        record_alignment: if source.record_at(0)? == source.functions + source.count * 8 + 4 { 4 } else { 8 },
        ..Parameters::default()
    };
    let known = Known::new(source)?;
    (parameters.table_count, parameters.object_count) = (known.tables.len() as u32, known.objects.len() as u32);
    let mut writer = Writer::new();
    let code = Code { machine, bytes: code, alignment: parameters.alignment, quantum: parameters.quantum };
    let walked = Walk::new(&mut writer, &known, code, &section[source.names..source.tables], parameters.most())
        .run(source.count)
        .ok()?;
    let joined = records(&walked, parameters);
    let rest = section[source.tables..].get(joined.len()..)?;
    let buckets = buckets(&walked);
    let data = rest.strip_suffix(buckets.as_slice()).unwrap_or(rest);
    parameters.buckets = u32::try_from(rest.len() - data.len()).ok()?;
    let columns = writer.into_columns();
    let mut first = Vec::new();
    parameters.to_words().into_iter().for_each(|word| put(&mut first, word));
    columns.iter().for_each(|column| put(&mut first, column.len() as u32));
    let streams = [0..RECORDS, RECORDS..VALUES, VALUES..COUNT].map(|range| columns[range].concat());
    let [records, values, steps] = streams;
    first.extend(records);
    Some(vec![first, values, steps, data.to_vec()])
}

/// Joins streams to a part of `length` bytes.
///
/// # Errors
/// [`Unreadable::Damaged`] if the streams contradict each other.
pub(crate) fn join(
    streams: &[Vec<u8>],
    length: usize,
    machine: Machine,
    memory: &dyn Memory,
) -> Result<Vec<u8>, Unreadable> {
    let damaged = Unreadable::Damaged("the function table's parameters");
    let [first, values, steps, data] = streams else { return Err(damaged) };
    let mut rest = first.as_slice();
    let parameters = Parameters::take(&mut rest).ok_or(damaged)?;
    let mut lengths = Vec::new();
    for _ in 0..COUNT {
        lengths.push(take(&mut rest).ok_or(damaged)? as usize);
    }
    let Parameters { count, quantum, alignment, record_alignment, .. } = parameters;
    // Every function has an index entry and a record in the part, every table at least a byte.
    let counted = count as usize <= length / 8 && parameters.table_count as usize <= length;
    let aligned = alignment.is_power_of_two() && alignment <= 64 && matches!(record_alignment, 4 | 8);
    if !counted || !aligned || !matches!(quantum, 1 | 2 | 4) {
        return Err(damaged);
    }
    let names = memory.from(parameters.names).ok_or(damaged)?;
    let bytes = memory.from(parameters.code).and_then(|bytes| bytes.get(..parameters.code_length as usize));
    let code = Code { machine, bytes: bytes.ok_or(damaged)?, alignment, quantum };
    let mut reader = Reader::new([rest, values, steps], &lengths)?;
    let known = Known::default();
    let walked = Walk::new(&mut reader, &known, code, names, parameters.most()).run(count as usize)?;
    if !reader.is_at_end() || parameters.tables as usize > length {
        return Err(damaged);
    }
    let mut joined = records(&walked, parameters);
    joined.extend_from_slice(data);
    if parameters.buckets > 0 {
        joined.extend(buckets(&walked));
    }
    if joined.len() == length { Ok(joined) } else { Err(damaged) }
}

/// The tables by program counter, the index of functions and their records.
fn records(walked: &Walked, parameters: Parameters) -> Vec<u8> {
    let mut bytes = vec![0];
    let mut offsets = Vec::new();
    for table in &walked.tables {
        offsets.push(bytes.len() as u32);
        bytes.extend(table.iter().flat_map(|table| &table.bytes));
    }
    bytes.resize(bytes.len().max(parameters.tables as usize), 0);
    let lookup = |offsets: &[u32], number: Option<u32>, none: u32| {
        number.map_or(none, |number| offsets.get(number as usize).copied().unwrap_or(none))
    };
    let (mut index, mut bodies) = (Vec::new(), Vec::new());
    let before = walked.functions.len() * 8 + 4;
    for function in &walked.functions {
        let start = (before + bodies.len()).next_multiple_of(parameters.record_alignment as usize);
        bodies.resize(start - before, 0);
        index.extend([function.entry, start as u32]);
        let table = |slot: usize| lookup(&offsets, function.tables.get(slot).copied().flatten(), 0);
        let lists = function.tables.len() as u32 - 3;
        let fixed =
            [function.entry, function.name, function.arguments, function.defer_return, table(0), table(1), table(2)];
        let flags = function.flags | (function.data.len() as u32) << 24;
        let tables = (3..function.tables.len()).map(table);
        let data = function.data.iter().map(|number| lookup(&walked.objects, *number, u32::MAX));
        let words =
            fixed.into_iter().chain([lists, function.unit, function.first_line, flags]).chain(tables).chain(data);
        bodies.extend(words.flat_map(u32::to_le_bytes));
    }
    index.push(walked.end);
    bytes.extend(index.into_iter().flat_map(u32::to_le_bytes));
    bytes.extend(bodies);
    bytes
}

/// The bytes of machine code for each of a bucket's 16 numbers.
const SMALL_BUCKET: u32 = 256;

/// The runtime's way from a program counter to a function: for each 4096 bytes of code the number of the function there, and for
/// each 256 bytes of them how many further. Source: `findfunctab` in Go's `src/cmd/link/internal/ld/pcln.go`.
fn buckets(walked: &Walked) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut function = 0;
    // Entries of functions are bounded by the walk, but not by the code: more buckets than code would fill memory.
    let count = walked.end.min(1 << 27).div_ceil(SMALL_BUCKET);
    let mut first = 0;
    for small in 0..count.next_multiple_of(16) {
        while walked.functions.get(function + 1).is_some_and(|next| next.entry <= small * SMALL_BUCKET) && small < count
        {
            function += 1;
        }
        if small % 16 == 0 {
            first = function;
            bytes.extend_from_slice(&(first as u32).to_le_bytes());
        }
        bytes.push(if small < count { (function - first) as u8 } else { 0 });
    }
    bytes
}
