//! Decodes the pclntab and checks every offset in it.
//!
//! Source: Go's `src/runtime/symtab.go` (`pcHeader`) and `src/cmd/link/internal/ld/pcln.go` (the
//! writer).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::bytes::{PtrSize, i32_at, part, u32_at};
use super::elf_file::{ElfFile, Section};
use super::func::{
    FUNCDATA_ARG_INFO, FUNCDATA_ARG_LIVE_INFO, FUNCDATA_ARGS_POINTER_MAPS, FUNCDATA_INL_TREE,
    FUNCDATA_LOCALS_POINTER_MAPS, FUNCDATA_OPEN_CODED_DEFER_INFO, FUNCDATA_STACK_OBJECTS, Func, INLINED_CALL_LEN,
    InlinedCall, NONE, PCDATA_INL_TREE_INDEX,
};
use super::moduledata::{
    CUTAB, FILETAB, FINDFUNCTAB, FTAB, FUNCNAMETAB, Layout, Moduledata, PC_HEADER, PCLNTABLE, PCTAB, TEXT,
};
use super::pc_value::{PcValueSteps, PcValues};
use crate::error::Refused;

/// `abi.CurrentPCLnTabMagic`, since Go 1.20.
const MAGIC: u32 = 0xffff_fff1;

/// The size of the `pcHeader`: 8 bytes and 8 words.
pub(super) fn pc_header_len(ptr_size: PtrSize) -> usize {
    8 + 8 * ptr_size.bytes()
}

/// Checks that parts of a table do not overlap, by their total length. Each offset is read once.
struct DisjointParts {
    known: HashSet<u32>,
    remaining: usize,
}

impl DisjointParts {
    fn new(table_len: usize) -> Self {
        Self { known: HashSet::new(), remaining: table_len }
    }

    fn add(&mut self, offset: u32, length: impl FnOnce(u32) -> Result<usize, Refused>) -> Result<(), Refused> {
        if self.known.insert(offset) {
            let remaining = self.remaining.checked_sub(length(offset)?);
            self.remaining = remaining.ok_or(Refused::Damaged("parts of a table overlap"))?;
        }
        Ok(())
    }
}

/// The decoded pclntab.
#[derive(Debug, Clone)]
pub(crate) struct Pclntab<'a> {
    pub(super) ptr_size: PtrSize,
    pub(super) layout: Layout,
    pub(super) section: Section,
    pub(super) moduledata: Moduledata,
    /// The first 8 bytes of the `pcHeader`: magic, padding, `minLC` and `ptrSize`.
    pub(super) magic: &'a [u8],
    /// The smallest instruction size, the unit of pc deltas.
    min_lc: u8,
    nfiles: u64,
    funcnametab: &'a [u8],
    cutab: &'a [u8],
    filetab: &'a [u8],
    pctab: &'a [u8],
    /// The bytes from `gofunc` on. If the layout has no `epclntab`, they continue to the end of
    /// `.rodata`.
    pub(super) funcdata: &'a [u8],
    /// `findfunctab`, which maps a pc to an index into `ftab`. It contains indices and not offsets,
    /// so it stays unchanged. Empty if the layout has no `epclntab`.
    pub(super) findfunctab: &'a [u8],
    pub(crate) funcs: Vec<Func>,
    /// The end of the last function.
    pub(crate) text_end: u32,
}

fn damaged<T>(what: &'static str) -> Result<T, Refused> {
    Err(Refused::Damaged(what))
}

impl<'a> Pclntab<'a> {
    /// Decodes the pclntab of an executable.
    pub(crate) fn read(file: &ElfFile<'a>, layout: Layout) -> Result<Self, Refused> {
        let missing = Refused::Unsupported("without the sections that Go's linker writes for the function table");
        let section = file.section(".gopclntab").ok_or(missing)?.clone();
        let (bytes, ptr_size) = (file.content(&section)?, file.ptr_size);
        let moduledata = Moduledata::find(file, &section, layout)?;
        if u32_at(bytes, 0)? != MAGIC
            || bytes.get(4..6) != Some(&[0, 0])
            || bytes.get(7) != Some(&(ptr_size.bytes() as u8))
        {
            return damaged("unknown pcHeader");
        }
        let header = |index: usize| ptr_size.size(bytes, 8 + index * ptr_size.bytes());
        let (nfunc, nfiles, text_start) = (header(0)?, header(1)? as u64, header(2)? as u64);
        // Go 1.26 and later leave `textStart` at 0.
        if text_start != if layout.has_epclntab { 0 } else { moduledata.word(TEXT) } {
            return damaged("pcHeader and moduledata have different text addresses");
        }
        let parts = [header(3)?, header(4)?, header(5)?, header(6)?, header(7)?];
        check_moduledata(&moduledata, &section, parts, nfunc)?;
        let [funcnametab, cutab, filetab, pctab, pclntable] = parts;
        let offset = |index: usize| section.offset_of(moduledata.word(index));
        let (gofunc, findfunctab, end) = if layout.has_epclntab {
            (offset(layout.gofunc)?, offset(FINDFUNCTAB)?, offset(layout.gofunc + 1)?)
        } else {
            (section.sh_size, section.sh_size, section.sh_size)
        };
        let order = [pc_header_len(ptr_size), funcnametab, cutab, filetab, pctab, pclntable, gofunc, findfunctab, end];
        if !order.is_sorted() || end != section.sh_size {
            return damaged("the parts of the pclntab are not in order");
        }
        let between = |start: usize, end: usize| part(bytes, start, end - start);
        let (funcs, text_end) = decode_ftab(between(pclntable, gofunc)?, nfunc)?;
        let pclntab = Self {
            ptr_size,
            layout,
            magic: between(0, 8)?,
            min_lc: bytes[6],
            nfiles,
            funcnametab: between(funcnametab, cutab)?,
            cutab: between(cutab, filetab)?,
            filetab: between(filetab, pctab)?,
            pctab: between(pctab, pclntable)?,
            funcdata: if layout.has_epclntab {
                between(gofunc, findfunctab)?
            } else {
                rodata_from(file, moduledata.word(layout.gofunc))?
            },
            findfunctab: between(findfunctab, end)?,
            funcs,
            text_end,
            moduledata,
            section,
        };
        pclntab.check_funcs()?;
        Ok(pclntab)
    }

    /// Whether the pclntab was rewritten. A rewritten one has no files.
    pub(crate) fn is_rewritten(&self) -> bool {
        self.nfiles == 0 && self.filetab.is_empty()
    }

    /// Checks that functions are in order, and that their names and pc-value tables can be read and
    /// do not overlap. Each of many overlapping tables could be as long as all of them together.
    fn check_funcs(&self) -> Result<(), Refused> {
        let mut previous = None;
        let mut names = DisjointParts::new(self.funcnametab.len());
        let mut tables = DisjointParts::new(self.pctab.len());
        for func in &self.funcs {
            if previous.is_some_and(|previous| previous >= func.entry_off) || func.entry_off >= self.text_end {
                return damaged("the functions are not in order");
            }
            previous = Some(func.entry_off);
            names.add(func.name_off, |offset| Ok(self.name(offset)?.len()))?;
            for offset in [func.pcsp, func.pcfile, func.pcln].iter().chain(&func.pcdata) {
                tables.add(*offset, |offset| Ok(self.pc_values(offset)?.map_or(0, |table| table.bytes.len())))?;
            }
        }
        Ok(())
    }

    /// Returns the name at an offset. Offset 0 is the empty name.
    pub(crate) fn name(&self, offset: u32) -> Result<&'a [u8], Refused> {
        let rest = self.funcnametab.get(offset as usize..).ok_or(Refused::Damaged("a name is out of range"))?;
        let end = rest.iter().position(|byte| *byte == 0).ok_or(Refused::Damaged("a name is not terminated"))?;
        Ok(&rest[..end])
    }

    /// Returns a pc-value table, or `None` for offset 0.
    pub(crate) fn pc_values(&self, offset: u32) -> Result<Option<PcValues<'a>>, Refused> {
        if offset == 0 {
            return Ok(None);
        }
        self.pc_value_steps(offset)?.finish().map(Some)
    }

    /// Returns the value of a pc-value table at an offset into the function. `None` if the table is
    /// absent or does not cover the offset.
    pub(crate) fn value_at(&self, table: u32, pc_offset: u32) -> Result<Option<i32>, Refused> {
        if table == 0 {
            return Ok(None);
        }
        let (mut steps, mut pc) = (self.pc_value_steps(table)?, 0_u32);
        while let Some((value, delta)) = steps.next_step()? {
            pc = pc.saturating_add(delta.saturating_mul(u32::from(self.min_lc)));
            if pc_offset < pc {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn pc_value_steps(&self, offset: u32) -> Result<PcValueSteps<'a>, Refused> {
        let bytes = self.pctab.get(offset as usize..).ok_or(Refused::Damaged("a pc-value table is out of range"))?;
        Ok(PcValueSteps::new(bytes))
    }

    /// Returns the name of a file of a compilation unit.
    pub(crate) fn file_name(&self, cu_offset: u32, number: u32) -> Result<&'a [u8], Refused> {
        let at = (cu_offset as usize).checked_add(number as usize).and_then(|index| index.checked_mul(4));
        let offset = u32_at(self.cutab, at.ok_or(Refused::Damaged("a file number is too large"))?)?;
        let rest = self.filetab.get(offset as usize..).ok_or(Refused::Damaged("a file name is out of range"))?;
        Ok(rest.split(|byte| *byte == 0).next().unwrap_or_default())
    }

    /// Returns an entry of an inline tree by its offset in the funcdata.
    pub(crate) fn inlined_call(&self, at: usize) -> Result<InlinedCall, Refused> {
        InlinedCall::decode(self.funcdata, at)
    }

    /// The address that `entry_off` is relative to.
    pub(crate) fn text_start(&self) -> u64 {
        self.moduledata.word(TEXT)
    }

    /// Returns the number of inlined calls in a function's inline tree.
    pub(super) fn inlined_call_count(&self, func: &Func) -> Result<usize, Refused> {
        if func.funcdata(FUNCDATA_INL_TREE) == NONE {
            return Ok(0);
        }
        let indices = self.pc_values(func.pcdata(PCDATA_INL_TREE_INDEX))?;
        Ok(indices.and_then(|indices| usize::try_from(indices.max.saturating_add(1)).ok()).unwrap_or(0))
    }

    /// Returns all funcdata objects by offset, with their exact length.
    pub(super) fn funcdata_objects(&self) -> Result<BTreeMap<u32, FuncdataObject<'a>>, Refused> {
        let mut indices: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
        let mut calls: BTreeMap<u32, usize> = BTreeMap::new();
        for func in &self.funcs {
            for (index, offset) in func.funcdata.iter().enumerate().filter(|(_, offset)| **offset != NONE) {
                indices.entry(*offset).or_default().insert(index);
            }
            let count = calls.entry(func.funcdata(FUNCDATA_INL_TREE)).or_default();
            *count = self.inlined_call_count(func)?.max(*count);
        }
        let starts: Vec<u32> = indices.keys().copied().collect();
        let mut objects = BTreeMap::new();
        for (number, (offset, indices)) in indices.into_iter().enumerate() {
            let end = starts.get(number + 1).map_or(self.funcdata.len(), |next| *next as usize);
            let available =
                self.funcdata.get(offset as usize..end).ok_or(Refused::Damaged("funcdata is out of range"))?;
            let kind = FuncdataKind::from_indices(&indices)?;
            let align = indices.iter().map(|index| funcdata_alignment(*index, self.ptr_size)).max().unwrap_or(1);
            if !(offset as usize).is_multiple_of(align) {
                return damaged("funcdata is not aligned");
            }
            let length = self.funcdata_len(available, kind, calls.get(&offset).copied().unwrap_or(0))?;
            objects.insert(offset, FuncdataObject { bytes: part(available, 0, length)?, align, kind });
        }
        Ok(objects)
    }

    /// Returns the length of a funcdata object. Pointer maps and stack objects contain a count, and
    /// an inline tree has as many entries as its index table refers to. Any other kind extends to
    /// the next object.
    fn funcdata_len(&self, available: &[u8], kind: FuncdataKind, calls: usize) -> Result<usize, Refused> {
        let count =
            |at: usize| usize::try_from(i32_at(available, at)?).map_err(|_| Refused::Damaged("a negative count"));
        let (count, entry, header) = match kind {
            // stackmap: the number of bitmaps and the number of bits in each.
            FuncdataKind::PointerMaps => (count(0)?, count(4)?.div_ceil(8), 8),
            // A count, and stackObjectRecords of 16 bytes.
            FuncdataKind::StackObjects => (self.ptr_size.size(available, 0)?, 16, self.ptr_size.bytes()),
            FuncdataKind::InlineTree => (calls, INLINED_CALL_LEN, 0),
            FuncdataKind::Other => (available.len(), 1, 0),
        };
        let length = count.checked_mul(entry).and_then(|length| length.checked_add(header));
        length.ok_or(Refused::Damaged("funcdata is too long"))
    }
}

/// Checks the words of `moduledata` against the offsets in the `pcHeader`.
fn check_moduledata(
    moduledata: &Moduledata,
    section: &Section,
    parts: [usize; 5],
    nfunc: usize,
) -> Result<(), Refused> {
    if moduledata.word(PC_HEADER) != section.sh_addr {
        return damaged("moduledata has another pclntab");
    }
    let elements = [(FUNCNAMETAB, 1), (CUTAB, 4), (FILETAB, 1), (PCTAB, 1), (PCLNTABLE, 1)];
    for ((index, element), offset) in elements.into_iter().zip(parts) {
        let (start, length) = (moduledata.word(index), moduledata.word(index + 1));
        let end = length.checked_mul(element).and_then(|length| length.checked_add(start));
        if start != section.sh_addr.saturating_add(offset as u64) || end.is_none_or(|end| end > section.end()) {
            return damaged("moduledata and pcHeader have different offsets");
        }
    }
    let ftab_len = moduledata.word(FTAB + 1).checked_sub(1);
    if moduledata.word(FTAB) != moduledata.word(PCLNTABLE) || ftab_len != Some(nfunc as u64) {
        return damaged("moduledata and pcHeader have different numbers of functions");
    }
    Ok(())
}

/// Returns `.rodata` from an address on.
fn rodata_from<'a>(file: &ElfFile<'a>, address: u64) -> Result<&'a [u8], Refused> {
    let section = file.section(".rodata").ok_or(Refused::Damaged("the section .rodata is missing"))?;
    file.content(section)?.get(section.offset_of(address)?..).ok_or(Refused::Damaged("gofunc is out of range"))
}

/// Decodes `ftab` and its functions. Returns them with the end of the last one.
fn decode_ftab(bytes: &[u8], nfunc: usize) -> Result<(Vec<Func>, u32), Refused> {
    let last = nfunc.checked_mul(8).ok_or(Refused::Damaged("the number of functions is too large"))?;
    let func = |number: usize| {
        let (entry_off, func_off) = (u32_at(bytes, number * 8)?, u32_at(bytes, number * 8 + 4)? as usize);
        let func = Func::decode(bytes.get(func_off..).ok_or(Refused::Damaged("a function is out of range"))?)?;
        if func.entry_off == entry_off { Ok(func) } else { damaged("ftab and a function have different entries") }
    };
    let text_end = u32_at(bytes, last)?;
    Ok(((0..nfunc).map(func).collect::<Result<_, _>>()?, text_end))
}

/// A funcdata object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FuncdataObject<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) align: usize,
    pub(super) kind: FuncdataKind,
}

/// The kind of a funcdata object, which determines its length. Only equal objects of one kind may
/// be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum FuncdataKind {
    PointerMaps,
    StackObjects,
    InlineTree,
    Other,
}

impl FuncdataKind {
    fn from_indices(indices: &BTreeSet<usize>) -> Result<Self, Refused> {
        let are_all_in = |allowed: &[usize]| indices.iter().all(|index| allowed.contains(index));
        if are_all_in(&[FUNCDATA_ARGS_POINTER_MAPS, FUNCDATA_LOCALS_POINTER_MAPS]) {
            Ok(Self::PointerMaps)
        } else if are_all_in(&[FUNCDATA_STACK_OBJECTS]) {
            Ok(Self::StackObjects)
        } else if are_all_in(&[FUNCDATA_INL_TREE]) {
            Ok(Self::InlineTree)
        } else if indices.contains(&FUNCDATA_INL_TREE) || indices.contains(&FUNCDATA_STACK_OBJECTS) {
            damaged("funcdata is used as two kinds")
        } else {
            Ok(Self::Other)
        }
    }
}

/// The alignment of funcdata, which is that of its widest field.
fn funcdata_alignment(index: usize, ptr_size: PtrSize) -> usize {
    match index {
        FUNCDATA_STACK_OBJECTS => ptr_size.bytes(),
        FUNCDATA_OPEN_CODED_DEFER_INFO | FUNCDATA_ARG_INFO | FUNCDATA_ARG_LIVE_INFO => 1,
        _ => 4,
    }
}
