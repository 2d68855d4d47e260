//! The slimmed table as bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Refused;
use super::file::{put, round_up, u32_at};
use super::select::Kept;
use super::table::{Class, FIXED, Function, INLINED, NONE, Object, Table};

/// The table, and where its parts are.
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) names: Range,
    pub(super) units: Range,
    pub(super) pcs: Range,
    pub(super) functions: Range,
    pub(super) data: usize,
    pub(super) find: usize,
    /// Where the data of functions is no part of the table: what of it is other now, by offset.
    pub(super) patches: Vec<(usize, Vec<u8>)>,
}

/// Offset and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range(pub(super) usize, pub(super) usize);

/// Writes the table with what stays.
pub(super) fn table(table: &Table<'_>, kept: &Kept) -> Result<Written, Refused> {
    let mut functions = kept.functions.clone();
    let mut data = if table.layout.whole { data(table, &mut functions)? } else { in_place(table, &functions)? };
    let names = names(table, kept, &mut functions, &mut data)?;
    let patches = if table.layout.whole { Vec::new() } else { patches(table, &data) };
    if !table.layout.whole {
        data.bytes.clear();
    }
    let pcs = pcs(table, &mut functions)?;
    let w = table.width.bytes();
    let mut bytes = vec![0; 8 + 8 * w];
    let mut add = |part: &[u8], align: usize| {
        bytes.resize(round_up(bytes.len(), align), 0);
        bytes.extend_from_slice(part);
        Range(bytes.len() - part.len(), part.len())
    };
    let (names, units, pcs) = (add(&names, 1), add(&[], 4), add(&pcs, 1));
    let functions_bytes = index(&functions, table.end)?;
    let functions = add(&functions_bytes, 8);
    let data = add(&data.bytes, 16).0;
    let find = add(table.find, 4).0;
    put(&mut bytes, 0, table.magic)?;
    // Functions, files, the start of the text, names, units, files, tables, functions: see pcHeader.
    let text = if table.layout.whole { 0 } else { table.text_start() };
    let parts = [names.0, units.0, units.0, pcs.0, functions.0].map(|part| part as u64);
    let header = [kept.functions.len() as u64, 0, text].into_iter().chain(parts);
    for (index, word) in header.enumerate() {
        table.width.put(&mut bytes, 8 + index * w, word)?;
    }
    if bytes.len() > table.section_len() {
        return Err(Refused::Damaged("it would grow"));
    }
    Ok(Written { bytes, names, units, pcs, functions, data, find, patches })
}

/// What functions refer to, and where the trees of inlined calls in it are.
struct Data {
    bytes: Vec<u8>,
    trees: Vec<Range>,
}

/// Writes each object that is still referred to, equal ones once, and turns the functions' offsets into the new ones.
fn data(table: &Table<'_>, functions: &mut [Function]) -> Result<Data, Refused> {
    let objects = table.objects()?;
    let mut data = Data { bytes: Vec::new(), trees: Vec::new() };
    let mut moved: BTreeMap<u32, u32> = BTreeMap::new();
    let mut equal: HashMap<(&[u8], usize, Class), u32> = HashMap::new();
    let mut live: Vec<u32> =
        functions.iter().flat_map(|function| &function.data).copied().filter(|offset| *offset != NONE).collect();
    live.sort_unstable();
    live.dedup();
    for offset in live {
        let Object { bytes, align, class } = *objects.get(&offset).ok_or(Refused::Damaged("data of a function"))?;
        // Trees are not shared: each has its own offsets of names.
        if let Some(known) = equal.get(&(bytes, align, class)).filter(|_| class != Class::InlineTree) {
            moved.insert(offset, *known);
            continue;
        }
        data.bytes.resize(round_up(data.bytes.len(), align), 0);
        let at = u32::try_from(data.bytes.len()).map_err(|_| Refused::Damaged("too much data"))?;
        if class == Class::InlineTree {
            data.trees.push(Range(data.bytes.len(), bytes.len()));
        } else {
            equal.insert((bytes, align, class), at);
        }
        data.bytes.extend_from_slice(bytes);
        moved.insert(offset, at);
    }
    for offset in functions.iter_mut().flat_map(|function| &mut function.data).filter(|offset| **offset != NONE) {
        *offset = *moved.get(offset).ok_or(Refused::Damaged("data of a function"))?;
    }
    Ok(data)
}

/// The data as it is, where it can't move, with the trees of inlined calls that nothing refers to any more overwritten by zeros:
/// they pack to nothing.
fn in_place(table: &Table<'_>, functions: &[Function]) -> Result<Data, Refused> {
    let mut data = Data { bytes: table.data.to_vec(), trees: Vec::new() };
    let live: HashSet<u32> = functions.iter().flat_map(|function| &function.data).copied().collect();
    for (offset, object) in table.objects()?.into_iter().filter(|(_, object)| object.class == Class::InlineTree) {
        let range = Range(offset as usize, object.bytes.len());
        if live.contains(&offset) {
            data.trees.push(range);
        } else {
            put(&mut data.bytes, range.0, &vec![0; range.1])?;
        }
    }
    Ok(data)
}

/// What is other than it was in the data, a byte's offset and those that follow.
fn patches(table: &Table<'_>, data: &Data) -> Vec<(usize, Vec<u8>)> {
    let changed = |at: &usize| table.data.get(*at) != data.bytes.get(*at);
    let mut patches: Vec<(usize, Vec<u8>)> = Vec::new();
    for at in (0..data.bytes.len()).filter(changed) {
        let byte = data.bytes.get(at).copied().unwrap_or(0);
        match patches.last_mut().filter(|(start, bytes)| start + bytes.len() == at) {
            Some((_, bytes)) => bytes.push(byte),
            None => patches.push((at, vec![byte])),
        }
    }
    patches
}

/// Writes the names that stay, and turns offsets into the new ones, those in the trees of inlined calls too.
fn names(table: &Table<'_>, kept: &Kept, functions: &mut [Function], data: &mut Data) -> Result<Vec<u8>, Refused> {
    let mut bytes = vec![0];
    let mut known: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut moved = |offset: u32, id: u8| -> Result<u32, Refused> {
        let name = kept.name(table.name(offset)?, id);
        if name.is_empty() {
            return Ok(0);
        }
        if let Some(at) = known.get(name.as_ref()) {
            return Ok(*at);
        }
        let at = u32::try_from(bytes.len()).map_err(|_| Refused::Damaged("too many names"))?;
        bytes.extend_from_slice(&name);
        bytes.push(0);
        known.insert(name.into_owned(), at);
        Ok(at)
    };
    for function in functions {
        function.name = moved(function.name, function.id)?;
    }
    for Range(start, length) in &data.trees {
        for at in (*start..start + length).step_by(INLINED) {
            let id = data.bytes.get(at).copied().unwrap_or(0);
            let name = moved(u32_at(&data.bytes, at + 4)?, id)?;
            put(&mut data.bytes, at + 4, &name.to_le_bytes())?;
            // The line where the callee begins.
            put(&mut data.bytes, at + 12, &[0; 4])?;
        }
    }
    Ok(bytes)
}

/// Writes the tables by program counter that are still referred to, in the order that Go has them in, which is that of the
/// functions: it packs better than the most used first.
fn pcs(table: &Table<'_>, functions: &mut [Function]) -> Result<Vec<u8>, Refused> {
    let offsets = |function: &Function| {
        [function.frame_sizes].into_iter().chain(function.pc_tables.iter().copied()).collect::<Vec<u32>>()
    };
    let order: BTreeSet<u32> = functions.iter().flat_map(offsets).filter(|offset| *offset != 0).collect();
    // Offset 0 means that there is no table.
    let mut bytes = vec![0];
    let mut moved: HashMap<u32, u32> = HashMap::from([(0, 0)]);
    let mut equal: HashMap<&[u8], u32> = HashMap::new();
    for offset in order {
        let (content, _) = table.pc_table(offset)?;
        let next = u32::try_from(bytes.len()).map_err(|_| Refused::Damaged("too many tables"))?;
        let at = *equal.entry(content).or_insert(next);
        if at == next {
            bytes.extend_from_slice(content);
        }
        moved.insert(offset, at);
    }
    let new = |offset: u32| moved.get(&offset).copied().ok_or(Refused::Damaged("a table"));
    for function in functions {
        function.frame_sizes = new(function.frame_sizes)?;
        for offset in &mut function.pc_tables {
            *offset = new(*offset)?;
        }
    }
    Ok(bytes)
}

/// Writes the index of functions and the functions behind it.
fn index(functions: &[Function], end: u32) -> Result<Vec<u8>, Refused> {
    let too_many = |_| Refused::Damaged("too many functions");
    let base = functions.len() * 8 + 4;
    let (mut index, mut bodies) = (Vec::with_capacity(base), Vec::new());
    for function in functions {
        index.extend_from_slice(&function.entry.to_le_bytes());
        index.extend_from_slice(&u32::try_from(base + bodies.len()).map_err(too_many)?.to_le_bytes());
        body(function, &mut bodies)?;
    }
    index.extend_from_slice(&end.to_le_bytes());
    index.extend_from_slice(&bodies);
    Ok(index)
}

fn body(function: &Function, bytes: &mut Vec<u8>) -> Result<(), Refused> {
    let start = bytes.len();
    let count = |length: usize| u32::try_from(length).map_err(|_| Refused::Damaged("a count"));
    let numbers = [
        function.entry,
        function.name,
        function.arguments.cast_unsigned(),
        function.deferreturn,
        function.frame_sizes,
        function.files,
        function.lines,
        count(function.pc_tables.len())?,
        function.unit,
        function.first_line.cast_unsigned(),
    ];
    bytes.extend(numbers.into_iter().flat_map(u32::to_le_bytes));
    let data_count = u8::try_from(function.data.len()).map_err(|_| Refused::Damaged("a count"))?;
    bytes.extend_from_slice(&[function.id, function.flags, 0, data_count]);
    debug_assert_eq!(bytes.len() - start, FIXED);
    bytes.extend(function.pc_tables.iter().chain(&function.data).copied().flat_map(u32::to_le_bytes));
    Ok(())
}
