//! The proof that a slimmed file runs as the old one does: both are read, and compared.

use super::file::{ElfFile, LOAD, Section, i32_at, u32_at};
use super::layout::{FILES, FIND, FUNCTIONS, HEADER, INDEX, Layout, NAMES, PCS, UNITS};
use super::select::{self, Kept};
use super::table::{
    ARGUMENT_LIVENESS, ARGUMENTS, Class, Function, INLINE_INDEX, INLINE_TREE, INLINED, LIVE_ARGUMENTS, NONE, Object,
    Table,
};
use super::{Names, Refused};
use crate::build_info;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

/// Shows that one file is the other one slimmed: every function's tables say the same but for what goes, every section holds the
/// same bytes but for the function table and the runtime's record of it, and every section is loaded where it says.
///
/// # Errors
/// [`Refused::Unproved`] with the first difference, or whatever keeps a file from being read.
pub fn prove(before: &[u8], after: &[u8], names: Names) -> Result<(), Refused> {
    let layout = Layout::of(&build_info(before)?.go)?;
    let (old, new) = (ElfFile::read(before)?, ElfFile::read(after)?);
    let (old_table, new_table) = (Table::read(&old, layout)?, Table::read(&new, layout)?);
    same_sections(&old, &new, &old_table)?;
    same_record(&old_table, &new_table, layout)?;
    let kept = select::keep(&old_table, names)?;
    let sides = Sides {
        old_data: old_table.objects()?,
        new_data: new_table.objects()?,
        old: &old_table,
        new: &new_table,
        kept: &kept,
    };
    if (old_table.find, old_table.magic, old_table.end) != (new_table.find, new_table.magic, new_table.end) {
        return differs("the way from program counters to functions");
    }
    if old_table.functions.len() != new_table.functions.len() {
        return differs("the number of functions");
    }
    sides.what_went_in_place_is_zero()?;
    let pairs = old_table.functions.iter().zip(&new_table.functions).zip(&kept.functions);
    pairs.into_iter().try_for_each(|((old, new), kept)| sides.same_function(old, new, kept))
}

fn differs<T>(what: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::Unproved(what.into()))
}

fn same_sections(old: &ElfFile<'_>, new: &ElfFile<'_>, table: &Table<'_>) -> Result<(), Refused> {
    if old.bytes.get(24..24 + old.width.bytes()) != new.bytes.get(24..24 + old.width.bytes()) {
        return differs("the entry point");
    }
    if old.sections.len() != new.sections.len() {
        return differs("the number of sections");
    }
    for (before, after) in old.sections.iter().zip(&new.sections) {
        let name = &before.name;
        let moves = table.layout.links.is_some() && matches!(name.as_str(), ".typelink" | ".itablink");
        let same_place = before.address == after.address || moves;
        if (name, before.kind, before.flags) != (&after.name, after.kind, after.flags) || !same_place {
            return differs(format!("the section {name}"));
        }
        loaded_where_it_says(new, after)?;
        match name.as_str() {
            ".gopclntab" | ".go.module" => {}
            _ if !before.has_bytes() && before.size == after.size => {}
            _ if before.has_bytes()
                && same_bytes(old.content(before)?, new.content(after)?, &owned(table, before)?) => {}
            _ => return differs(format!("the bytes of {name}")),
        }
    }
    Ok(())
}

/// What of a section belongs to the functions, where that stands among other data: trees of inlined calls, and the runtime's
/// record. Both are compared by what they say.
fn owned(table: &Table<'_>, section: &Section) -> Result<Vec<Range<usize>>, Refused> {
    let mut owned = Vec::new();
    if table.layout.whole {
        return Ok(owned);
    }
    if section.name == table.record_in.name {
        owned.push(table.record_at..table.record_at + table.record.len() * table.width.bytes());
    }
    if section.name == ".rodata" {
        let first = table.record.get(table.layout.data).map_or(0, |address| address.saturating_sub(section.address));
        let first = usize::try_from(first).unwrap_or(0);
        let trees = table.objects()?.into_iter().filter(|(_, object)| object.class == Class::InlineTree);
        owned.extend(trees.map(|(at, tree)| first + at as usize..first + at as usize + tree.bytes.len()));
    }
    Ok(owned)
}

/// Whether all is the same but for some ranges, which are in order.
fn same_bytes(before: &[u8], after: &[u8], but: &[Range<usize>]) -> bool {
    let mut at = 0;
    let starts_and_ends = but.iter().map(|range| (range.start, range.end)).chain([(before.len(), before.len())]);
    before.len() == after.len()
        && starts_and_ends.into_iter().all(|(start, end)| {
            let same = before.get(at..start).is_some_and(|part| Some(part) == after.get(at..start));
            at = end;
            same
        })
}

fn loaded_where_it_says(file: &ElfFile<'_>, section: &Section) -> Result<(), Refused> {
    let loads = |segment: &&super::file::Segment| {
        let inside = segment.address <= section.address && section.end() <= segment.address + segment.in_memory as u64;
        let bytes = !section.has_bytes() || section.end() <= segment.address + segment.in_file as u64;
        let here = section.offset.checked_sub(segment.offset).map(|skip| skip as u64)
            == section.address.checked_sub(segment.address);
        segment.kind == LOAD && inside && bytes && (here || !section.has_bytes())
    };
    if !section.is_loaded() || section.size == 0 || file.segments.iter().any(|segment| loads(&segment)) {
        return Ok(());
    }
    differs(format!("where {} is loaded", section.name))
}

/// The record differs only in the words that point into the table, or at a list that moved with its end.
fn same_record(old: &Table<'_>, new: &Table<'_>, layout: Layout) -> Result<(), Refused> {
    let slices = [NAMES, UNITS, FILES, PCS, FUNCTIONS];
    let ours = |index: usize| {
        index == HEADER
            || slices.iter().any(|slice| (*slice..slice + 3).contains(&index))
            || index == INDEX
            || layout.whole && [FIND, layout.data, layout.data + 1].contains(&index)
            || layout.links.is_some_and(|links| links.contains(&index))
    };
    let other = (0..layout.words).find(|index| !ours(*index) && old.record.get(*index) != new.record.get(*index));
    match other {
        Some(index) => differs(format!("word {index} of the runtime's record")),
        None => Ok(()),
    }
}

/// Both tables, and what should have stayed of the old one.
struct Sides<'a> {
    old: &'a Table<'a>,
    new: &'a Table<'a>,
    old_data: BTreeMap<u32, Object<'a>>,
    new_data: BTreeMap<u32, Object<'a>>,
    kept: &'a Kept,
}

impl Sides<'_> {
    /// Where the data can't move, the trees that nothing refers to any more are zeros.
    fn what_went_in_place_is_zero(&self) -> Result<(), Refused> {
        if self.old.layout.whole {
            return Ok(());
        }
        let live: HashSet<u32> = self.kept.functions.iter().flat_map(|function| &function.data).copied().collect();
        let gone = self.old_data.iter().filter(|(at, tree)| tree.class == Class::InlineTree && !live.contains(at));
        for (at, tree) in gone {
            let now = self.new.data.get(*at as usize..*at as usize + tree.bytes.len());
            if now.is_none_or(|now| now.iter().any(|byte| *byte != 0)) {
                return differs("a tree of inlined calls that nothing refers to");
            }
        }
        Ok(())
    }

    fn same_function(&self, old: &Function, new: &Function, kept: &Function) -> Result<(), Refused> {
        let fixed = |function: &Function| {
            (function.entry, function.arguments, function.deferreturn, function.id, function.flags)
        };
        let here =
            |what: &str| format!("{what} of {}", String::from_utf8_lossy(self.old.name(old.name).unwrap_or_default()));
        if fixed(old) != fixed(new) {
            return differs(here("the record"));
        }
        let lines = |function: &Function| (function.files, function.lines, function.unit, function.first_line);
        if lines(new) != lines(kept) {
            return differs(here("files and lines"));
        }
        if !self.same_name(old.name, new.name, old.id)? {
            return differs(here("the name"));
        }
        if self.pc_table(self.old, old.frame_sizes)? != self.pc_table(self.new, new.frame_sizes)? {
            return differs(here("the frame sizes"));
        }
        for number in 0..old.pc_tables.len().max(new.pc_tables.len()) {
            let (before, after) = (at(&old.pc_tables, number, 0), at(&new.pc_tables, number, 0));
            let gone = at(&kept.pc_tables, number, 0) == 0 && after == 0;
            let may_go = number == ARGUMENT_LIVENESS || number == INLINE_INDEX;
            if !(gone && may_go || self.pc_table(self.old, before)? == self.pc_table(self.new, after)?) {
                return differs(here(&format!("table {number}")));
            }
        }
        for number in 0..old.data.len().max(new.data.len()) {
            let (before, after) = (at(&old.data, number, NONE), at(&new.data, number, NONE));
            let gone = at(&kept.data, number, NONE) == NONE && after == NONE;
            let may_go = [ARGUMENTS, LIVE_ARGUMENTS, INLINE_TREE].contains(&number);
            if !(gone && may_go || self.same_data(number, before, after)?) {
                return differs(here(&format!("data {number}")));
            }
        }
        Ok(())
    }

    fn pc_table<'t>(&self, table: &Table<'t>, offset: u32) -> Result<Option<&'t [u8]>, Refused> {
        if offset == 0 { Ok(None) } else { table.pc_table(offset).map(|(bytes, _)| Some(bytes)) }
    }

    fn same_name(&self, before: u32, after: u32, id: u8) -> Result<bool, Refused> {
        Ok(self.new.name(after)? == self.kept.name(self.old.name(before)?, id).as_ref())
    }

    fn same_data(&self, number: usize, before: u32, after: u32) -> Result<bool, Refused> {
        let (before, after) = match (self.old_data.get(&before), self.new_data.get(&after)) {
            (None, None) => return Ok(true),
            (Some(before), Some(after)) => (before, after),
            _ => return Ok(false),
        };
        if number == INLINE_TREE {
            return self.same_tree(before.bytes, after.bytes);
        }
        // Of some kinds only the beginning of the next tells the end, which may be farther now.
        Ok(after.bytes.starts_with(before.bytes))
    }

    fn same_tree(&self, before: &[u8], after: &[u8]) -> Result<bool, Refused> {
        if before.len() != after.len() {
            return Ok(false);
        }
        for at in (0..before.len()).step_by(INLINED) {
            let id = before.get(at).copied().unwrap_or(0);
            let same = before.get(at..at + 4) == after.get(at..at + 4)
                && i32_at(before, at + 8)? == i32_at(after, at + 8)?
                && self.same_name(u32_at(before, at + 4)?, u32_at(after, at + 4)?, id)?;
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The offset at a place of a list that may be shorter.
fn at(list: &[u32], number: usize, none: u32) -> u32 {
    list.get(number).copied().unwrap_or(none)
}
