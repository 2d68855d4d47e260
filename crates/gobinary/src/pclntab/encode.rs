//! Encodes the retained parts as a new pclntab.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use super::bytes::{put, round_up, to_u32};
use super::decode::{FuncdataKind, FuncdataObject, Pclntab, pc_header_len};
use super::func::{Func, INLINED_CALL_LEN, InlinedCall, NONE};
use super::retain::Retained;
use crate::error::Refused;

/// An encoded pclntab and the position of its parts in it.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) funcnametab: Range<usize>,
    pub(super) cutab: Range<usize>,
    pub(super) filetab: Range<usize>,
    pub(super) pctab: Range<usize>,
    pub(super) pclntable: Range<usize>,
    pub(super) gofunc: usize,
    pub(super) findfunctab: usize,
    /// The new funcdata if it is not part of the pclntab. It has the length of the old.
    pub(super) rodata_from_gofunc: Option<Vec<u8>>,
}

/// Encodes the pclntab.
pub(super) fn encode(pclntab: &Pclntab<'_>, retained: &Retained) -> Result<Encoded, Refused> {
    let (layout, ptr_size) = (pclntab.layout, pclntab.ptr_size);
    let mut funcs = retained.funcs.clone();
    let mut funcdata =
        if layout.has_epclntab { Funcdata::packed(pclntab, &mut funcs)? } else { Funcdata::in_place(pclntab, &funcs)? };
    let funcnametab = encode_names(pclntab, retained, &mut funcs, &mut funcdata)?;
    let pctab = encode_pctab(pclntab, &mut funcs)?;
    let pclntable = encode_pclntable(&funcs, pclntab.text_end)?;

    let mut bytes = vec![0; pc_header_len(ptr_size)];
    let mut append = |part: &[u8], align: usize| {
        bytes.resize(round_up(bytes.len(), align), 0);
        bytes.extend_from_slice(part);
        bytes.len() - part.len()..bytes.len()
    };
    let (funcnametab, cutab, filetab) = (append(&funcnametab, 1), append(&[], 4), append(&[], 1));
    let (pctab, pclntable) = (append(&pctab, 1), append(&pclntable, 8));
    let (part_of_pclntab, rodata_from_gofunc) =
        if layout.has_epclntab { (funcdata.bytes, None) } else { (Vec::new(), Some(funcdata.bytes)) };
    let gofunc = append(&part_of_pclntab, 16).start;
    let findfunctab = append(pclntab.findfunctab, 4).start;

    put(&mut bytes, 0, pclntab.magic)?;
    let text_start = if layout.has_epclntab { 0 } else { pclntab.text_start() };
    let parts = [&funcnametab, &cutab, &filetab, &pctab, &pclntable].map(|part| part.start as u64);
    let header = [funcs.len() as u64, 0, text_start].into_iter().chain(parts);
    for (index, word) in header.enumerate() {
        ptr_size.put(&mut bytes, 8 + index * ptr_size.bytes(), word)?;
    }
    if bytes.len() > pclntab.section.sh_size {
        return Err(Refused::Damaged("the rewritten table is larger"));
    }
    Ok(Encoded { bytes, funcnametab, cutab, filetab, pctab, pclntable, gofunc, findfunctab, rodata_from_gofunc })
}

/// Funcdata objects and the inline trees among them.
struct Funcdata {
    bytes: Vec<u8>,
    inline_trees: Vec<Range<usize>>,
}

impl Funcdata {
    /// Encodes each object that is still used, equal ones once, and updates the offsets of the
    /// functions.
    fn packed(pclntab: &Pclntab<'_>, funcs: &mut [Func]) -> Result<Self, Refused> {
        let objects = pclntab.funcdata_objects()?;
        let unknown = Refused::Damaged("unknown funcdata");
        let mut packed = Self { bytes: Vec::new(), inline_trees: Vec::new() };
        let mut moved: BTreeMap<u32, u32> = BTreeMap::from([(NONE, NONE)]);
        let mut equal: HashMap<(&[u8], usize, FuncdataKind), u32> = HashMap::new();
        let used: BTreeSet<u32> = funcs.iter().flat_map(|func| &func.funcdata).copied().collect();
        for offset in used.into_iter().filter(|offset| *offset != NONE) {
            let FuncdataObject { bytes, align, kind } = *objects.get(&offset).ok_or(unknown.clone())?;
            // Inline trees are not shared, because each gets its own name offsets.
            if let Some(known) = equal.get(&(bytes, align, kind)).filter(|_| kind != FuncdataKind::InlineTree) {
                moved.insert(offset, *known);
                continue;
            }
            let start = round_up(packed.bytes.len(), align);
            packed.bytes.resize(start, 0);
            packed.bytes.extend_from_slice(bytes);
            if kind == FuncdataKind::InlineTree {
                packed.inline_trees.push(start..packed.bytes.len());
            }
            let start = to_u32(start)?;
            equal.insert((bytes, align, kind), start);
            moved.insert(offset, start);
        }
        for offset in funcs.iter_mut().flat_map(|func| &mut func.funcdata) {
            *offset = *moved.get(offset).ok_or(unknown.clone())?;
        }
        Ok(packed)
    }

    /// Keeps funcdata that can't move and overwrites unused inline trees with zeros, which compress
    /// well.
    fn in_place(pclntab: &Pclntab<'_>, funcs: &[Func]) -> Result<Self, Refused> {
        let mut funcdata = Self { bytes: pclntab.funcdata.to_vec(), inline_trees: Vec::new() };
        let used: HashSet<u32> = funcs.iter().flat_map(|func| &func.funcdata).copied().collect();
        for (offset, object) in pclntab.funcdata_objects()? {
            let start = offset as usize;
            if object.kind != FuncdataKind::InlineTree {
                continue;
            } else if used.contains(&offset) {
                funcdata.inline_trees.push(start..start + object.bytes.len());
            } else {
                put(&mut funcdata.bytes, start, &vec![0; object.bytes.len()])?;
            }
        }
        Ok(funcdata)
    }
}

/// Encodes the retained names and updates the name offsets of functions and inlined calls.
fn encode_names(
    pclntab: &Pclntab<'_>,
    retained: &Retained,
    funcs: &mut [Func],
    funcdata: &mut Funcdata,
) -> Result<Vec<u8>, Refused> {
    let mut bytes = vec![0];
    // Offset 0 is the empty name.
    let mut known: HashMap<Vec<u8>, u32> = HashMap::from([(Vec::new(), 0)]);
    let mut new_offset = |offset: u32, func_id: u8| -> Result<u32, Refused> {
        let name = retained.name(pclntab.name(offset)?, func_id);
        if let Some(offset) = known.get(name.as_ref()) {
            return Ok(*offset);
        }
        let offset = to_u32(bytes.len())?;
        bytes.extend_from_slice(&name);
        bytes.push(0);
        known.insert(name.into_owned(), offset);
        Ok(offset)
    };
    for func in funcs {
        func.name_off = new_offset(func.name_off, func.func_id)?;
    }
    for at in funcdata.inline_trees.iter().flat_map(|tree| tree.clone().step_by(INLINED_CALL_LEN)) {
        let call = InlinedCall::decode(&funcdata.bytes, at)?;
        put(&mut funcdata.bytes, at + 4, &new_offset(call.name_off, call.func_id)?.to_le_bytes())?;
        // `startLine`, the line of the callee.
        put(&mut funcdata.bytes, at + 12, &[0; 4])?;
    }
    Ok(bytes)
}

/// Encodes the pc-value tables that are still used, and updates the offsets. Tables stay in Go's
/// order, which is that of the functions: it compresses better than most used first.
fn encode_pctab(pclntab: &Pclntab<'_>, funcs: &mut [Func]) -> Result<Vec<u8>, Refused> {
    let used: BTreeSet<u32> = funcs.iter().flat_map(|func| func.pcdata.iter().copied().chain([func.pcsp])).collect();
    // Offset 0 means that a table is absent.
    let mut bytes = vec![0];
    let mut moved: HashMap<u32, u32> = HashMap::from([(0, 0)]);
    let mut equal: HashMap<&[u8], u32> = HashMap::new();
    for offset in used {
        let Some(table) = pclntab.pc_values(offset)? else { continue };
        let end = to_u32(bytes.len())?;
        let new_offset = *equal.entry(table.bytes).or_insert(end);
        if new_offset == end {
            bytes.extend_from_slice(table.bytes);
        }
        moved.insert(offset, new_offset);
    }
    for func in funcs {
        for offset in func.pcdata.iter_mut().chain([&mut func.pcsp]) {
            *offset = *moved.get(offset).ok_or(Refused::Damaged("unknown pc-value table"))?;
        }
    }
    Ok(bytes)
}

/// Encodes `ftab` and the functions that follow it.
fn encode_pclntable(funcs: &[Func], text_end: u32) -> Result<Vec<u8>, Refused> {
    let ftab_len = funcs.len() * 8 + 4;
    let (mut ftab, mut encoded) = (Vec::with_capacity(ftab_len), Vec::new());
    for func in funcs {
        ftab.extend_from_slice(&func.entry_off.to_le_bytes());
        ftab.extend_from_slice(&to_u32(ftab_len + encoded.len())?.to_le_bytes());
        func.encode(&mut encoded)?;
    }
    ftab.extend_from_slice(&text_end.to_le_bytes());
    ftab.extend_from_slice(&encoded);
    Ok(ftab)
}
