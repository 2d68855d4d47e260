//! Verifies a rewritten file: reads it and the original, and compares what the runtime sees.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use object::elf::PT_LOAD;

use super::decode::{FuncdataKind, FuncdataObject, Pclntab};
use super::elf_file::{ElfFile, Section, Segment};
use super::func::{
    FUNCDATA_ARG_INFO, FUNCDATA_ARG_LIVE_INFO, FUNCDATA_INL_TREE, Func, INLINED_CALL_LEN, InlinedCall, NONE,
    PCDATA_ARG_LIVE_INDEX, PCDATA_INL_TREE_INDEX,
};
use super::moduledata::{CUTAB, FILETAB, FINDFUNCTAB, FTAB, FUNCNAMETAB, Layout, PC_HEADER, PCLNTABLE, PCTAB};
use super::retain::{Names, Retained};
use crate::buildinfo::build_info;
use crate::error::Refused;

/// Verifies that `after` is `before` with a rewritten pclntab:
///
/// - each function has equal tables, except for the removed parts;
/// - each section has equal bytes, except for the pclntab and `moduledata`;
/// - each section is loaded at its address.
///
/// # Errors
/// [`Refused::VerificationFailed`] with the first difference, or another [`Refused`] if a file
/// can't be read.
pub fn verify(before: &[u8], after: &[u8], names: Names) -> Result<(), Refused> {
    let layout = Layout::from_toolchain(&build_info(before)?.go)?;
    let (old_file, new_file) = (ElfFile::read(before)?, ElfFile::read(after)?);
    let (old, new) = (Pclntab::read(&old_file, layout)?, Pclntab::read(&new_file, layout)?);
    compare_sections(&old_file, &new_file, &old)?;
    compare_moduledata(&old, &new)?;
    if (old.findfunctab, old.magic, old.text_end) != (new.findfunctab, new.magic, new.text_end) {
        return differs("findfunctab");
    }
    if old.funcs.len() != new.funcs.len() {
        return differs("the number of functions");
    }
    let comparison = Comparison {
        old_funcdata: old.funcdata_objects()?,
        new_funcdata: new.funcdata_objects()?,
        retained: &Retained::new(&old, names)?,
        old: &old,
        new: &new,
    };
    comparison.check_unused_inline_trees()?;
    let funcs = old.funcs.iter().zip(&new.funcs).zip(&comparison.retained.funcs);
    funcs.into_iter().try_for_each(|((old, new), retained)| comparison.compare_func(old, new, retained))
}

fn differs<T>(what: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::VerificationFailed(what.into()))
}

fn compare_sections(old: &ElfFile<'_>, new: &ElfFile<'_>, pclntab: &Pclntab<'_>) -> Result<(), Refused> {
    if old.entry != new.entry {
        return differs("the entry point");
    }
    if old.sections.len() != new.sections.len() {
        return differs("the number of sections");
    }
    for (before, after) in old.sections.iter().zip(&new.sections) {
        let name = before.name.as_str();
        let may_move = pclntab.layout.links.is_some() && matches!(name, ".typelink" | ".itablink");
        let is_same_header = (name, before.sh_type, before.sh_flags) == (&after.name, after.sh_type, after.sh_flags);
        if !is_same_header || before.sh_addr != after.sh_addr && !may_move {
            return differs(format!("the header of section {name}"));
        }
        check_is_loaded(new, after)?;
        let is_equal = match name {
            ".gopclntab" | ".go.module" => true,
            _ if before.has_bytes() => {
                let rewritten = rewritten_ranges(pclntab, before)?;
                is_equal_except(old.content(before)?, new.content(after)?, &rewritten)
            }
            _ => before.sh_size == after.sh_size,
        };
        if !is_equal {
            return differs(format!("the content of section {name}"));
        }
    }
    Ok(())
}

/// Returns the ranges of a section that may be rewritten among other data: inline trees and
/// `moduledata`. Their content is compared separately.
fn rewritten_ranges(pclntab: &Pclntab<'_>, section: &Section) -> Result<Vec<Range<usize>>, Refused> {
    let moduledata = &pclntab.moduledata;
    let mut ranges = Vec::new();
    if pclntab.layout.has_epclntab {
        return Ok(ranges);
    }
    if section.name == moduledata.section {
        let length = moduledata.words.len() * pclntab.ptr_size.bytes();
        ranges.push(moduledata.offset..moduledata.offset + length);
    }
    if section.name == ".rodata" {
        let gofunc = section.offset_of(moduledata.word(pclntab.layout.gofunc))?;
        let objects = pclntab.funcdata_objects()?.into_iter();
        let trees = objects.filter(|(_, object)| object.kind == FuncdataKind::InlineTree);
        ranges.extend(trees.map(|(at, tree)| gofunc + at as usize..gofunc + at as usize + tree.bytes.len()));
    }
    Ok(ranges)
}

/// Whether both are equal outside of the ranges, which are sorted.
fn is_equal_except(before: &[u8], after: &[u8], ranges: &[Range<usize>]) -> bool {
    let starts = ranges.iter().map(|range| range.start).chain([before.len()]);
    let ends = [0].into_iter().chain(ranges.iter().map(|range| range.end));
    let is_equal = |(from, to)| before.get(from..to).is_some_and(|part| after.get(from..to) == Some(part));
    before.len() == after.len() && ends.zip(starts).all(is_equal)
}

/// Checks that a segment loads the section at its address.
fn check_is_loaded(file: &ElfFile<'_>, section: &Section) -> Result<(), Refused> {
    let loads = |segment: &Segment| {
        let offset_in_file = section.sh_offset.checked_sub(segment.p_offset).map(|offset| offset as u64);
        let offset_in_memory = section.sh_addr.checked_sub(segment.p_vaddr);
        let has_its_bytes = section.end() <= segment.file_end() && offset_in_file == offset_in_memory;
        segment.p_type == PT_LOAD
            && offset_in_memory.is_some()
            && section.end() <= segment.memory_end()
            && (has_its_bytes || !section.has_bytes())
    };
    if !section.is_loaded() || section.sh_size == 0 || file.segments.iter().any(loads) {
        return Ok(());
    }
    differs(format!("the address at which section {} is loaded", section.name))
}

/// Compares `moduledata`, except for the words that point into the pclntab or at a list that
/// follows it.
fn compare_moduledata(old: &Pclntab<'_>, new: &Pclntab<'_>) -> Result<(), Refused> {
    let layout = old.layout;
    let slices = [FUNCNAMETAB, CUTAB, FILETAB, PCTAB, PCLNTABLE];
    let may_differ = |index: usize| {
        [PC_HEADER, FTAB].contains(&index)
            || slices.iter().any(|slice| (*slice..slice + 3).contains(&index))
            || layout.has_epclntab && [FINDFUNCTAB, layout.gofunc, layout.gofunc + 1].contains(&index)
            || layout.links.is_some_and(|links| links.contains(&index))
    };
    let mut indices = 0..old.moduledata.words.len();
    match indices.find(|index| !may_differ(*index) && old.moduledata.word(*index) != new.moduledata.word(*index)) {
        Some(index) => differs(format!("word {index} of moduledata")),
        None => Ok(()),
    }
}

/// The original and the new pclntab, and the parts of the original that should be retained.
struct Comparison<'a> {
    old: &'a Pclntab<'a>,
    new: &'a Pclntab<'a>,
    old_funcdata: BTreeMap<u32, FuncdataObject<'a>>,
    new_funcdata: BTreeMap<u32, FuncdataObject<'a>>,
    retained: &'a Retained,
}

impl Comparison<'_> {
    /// Checks that unused inline trees are zero if funcdata can't move.
    fn check_unused_inline_trees(&self) -> Result<(), Refused> {
        if self.old.layout.has_epclntab {
            return Ok(());
        }
        let used: HashSet<u32> = self.retained.funcs.iter().flat_map(|func| &func.funcdata).copied().collect();
        let is_unused_tree = |(offset, object): &(&u32, &FuncdataObject<'_>)| {
            object.kind == FuncdataKind::InlineTree && !used.contains(offset)
        };
        for (offset, tree) in self.old_funcdata.iter().filter(is_unused_tree) {
            let start = *offset as usize;
            let now = self.new.funcdata.get(start..start + tree.bytes.len());
            if now.is_none_or(|now| now.iter().any(|byte| *byte != 0)) {
                return differs("an unused inline tree");
            }
        }
        Ok(())
    }

    fn compare_func(&self, old: &Func, new: &Func, retained: &Func) -> Result<(), Refused> {
        let in_func = |what: &str| {
            let name = String::from_utf8_lossy(self.old.name(old.name_off).unwrap_or_default());
            differs(format!("{what} of {name}"))
        };
        let fixed = |func: &Func| (func.entry_off, func.args, func.deferreturn, func.func_id, func.flag);
        if fixed(old) != fixed(new) {
            return in_func("the header");
        }
        let position = |func: &Func| (func.pcfile, func.pcln, func.cu_offset, func.start_line);
        if position(new) != position(retained) {
            return in_func("the source position");
        }
        if !self.is_same_name(old.name_off, new.name_off, old.func_id)? {
            return in_func("the name");
        }
        if !self.has_equal_pc_values(old.pcsp, new.pcsp)? {
            return in_func("the table of frame sizes");
        }
        for index in 0..old.pcdata.len().max(new.pcdata.len()) {
            let may_be_removed = [PCDATA_ARG_LIVE_INDEX, PCDATA_INL_TREE_INDEX].contains(&index);
            let is_removed = may_be_removed && (retained.pcdata(index), new.pcdata(index)) == (0, 0);
            if !is_removed && !self.has_equal_pc_values(old.pcdata(index), new.pcdata(index))? {
                return in_func(&format!("PCDATA {index}"));
            }
        }
        for index in 0..old.funcdata.len().max(new.funcdata.len()) {
            let may_be_removed = [FUNCDATA_ARG_INFO, FUNCDATA_ARG_LIVE_INFO, FUNCDATA_INL_TREE].contains(&index);
            let is_removed = may_be_removed && (retained.funcdata(index), new.funcdata(index)) == (NONE, NONE);
            if !is_removed && !self.has_equal_funcdata(index, old.funcdata(index), new.funcdata(index))? {
                return in_func(&format!("FUNCDATA {index}"));
            }
        }
        Ok(())
    }

    fn has_equal_pc_values(&self, before: u32, after: u32) -> Result<bool, Refused> {
        Ok(self.old.pc_values(before)? == self.new.pc_values(after)?)
    }

    fn is_same_name(&self, before: u32, after: u32, func_id: u8) -> Result<bool, Refused> {
        Ok(self.new.name(after)? == self.retained.name(self.old.name(before)?, func_id).as_ref())
    }

    fn has_equal_funcdata(&self, index: usize, before: u32, after: u32) -> Result<bool, Refused> {
        match (self.old_funcdata.get(&before), self.new_funcdata.get(&after)) {
            (None, None) => Ok(true),
            (Some(before), Some(after)) if index == FUNCDATA_INL_TREE => {
                self.has_equal_inlined_calls(before.bytes, after.bytes)
            }
            // An object without a length extends to the next one, which may be further away now.
            (Some(before), Some(after)) => Ok(after.bytes.starts_with(before.bytes)),
            _ => Ok(false),
        }
    }

    fn has_equal_inlined_calls(&self, before: &[u8], after: &[u8]) -> Result<bool, Refused> {
        if before.len() != after.len() {
            return Ok(false);
        }
        for at in (0..before.len()).step_by(INLINED_CALL_LEN) {
            let (old, new) = (InlinedCall::decode(before, at)?, InlinedCall::decode(after, at)?);
            // The function ID and its padding.
            let is_equal = before.get(at..at + 4) == after.get(at..at + 4)
                && old.parent_pc == new.parent_pc
                && self.is_same_name(old.name_off, new.name_off, old.func_id)?;
            if !is_equal {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
