//! Where an instruction of a Go executable comes from: function, file and line, inlined frames included. For a binary as linked,
//! whose tables are whole; what ships may have been [slimmed](crate::slim).

use std::cell::Cell;
use std::collections::HashMap;

use crate::build_info;
use crate::limits::{ALIKE, DECODED};
use crate::slim::Refused;
use crate::slim::file::ElfFile;
use crate::slim::layout::Layout;
use crate::slim::table::{Function, INLINE_INDEX, INLINE_TREE, INLINED, Inlined, NONE, Table};

/// A frame of a traceback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function, as Go names it.
    pub function: String,
    /// The file, as it was named to the compiler: with `-trimpath` module, version and path.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
}

/// The tables of one executable.
#[derive(Debug, Clone)]
pub struct Symbols<'a> {
    table: Table<'a>,
    /// The functions by the names that tracebacks print, each by its index.
    by_name: HashMap<String, Vec<usize>>,
    /// How many bytes of tables may still be decoded.
    left: Cell<usize>,
}

/// An inlined call within an inlined call is no deeper than this; a tree that goes on is damaged.
const DEEPEST: usize = 64;

impl<'a> Symbols<'a> {
    /// Reads the tables of an executable as linked.
    ///
    /// # Errors
    /// [`Refused`] where it is no such file, or one that was slimmed.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Refused> {
        let table = Table::read(&ElfFile::read(bytes)?, Layout::of(&build_info(bytes)?.go)?)?;
        if table.is_slim() {
            return Err(Refused::Already);
        }
        let by_name = by_name(&table)?;
        Ok(Self { table, by_name, left: Cell::new(DECODED) })
    }

    /// The frames at an offset into a function, the innermost first; several lists where functions share the name, as instances
    /// of a generic one do in a traceback (`F[...]`), at most 64. Empty where no function of the name is so long.
    ///
    /// # Errors
    /// [`Refused::Damaged`] where the tables contradict themselves, or more was asked than any traceback does.
    pub fn frames_in(&self, function: &str, offset: u32) -> Result<Vec<Vec<Frame>>, Refused> {
        let mut found: Vec<Vec<Frame>> = Vec::new();
        for index in self.by_name.get(function).into_iter().flatten() {
            let Some(candidate) = self.table.functions.get(*index) else { continue };
            if found.len() < ALIKE && offset < self.length(*index, candidate) {
                let frames = self.frames(candidate, offset)?;
                if !found.contains(&frames) {
                    found.push(frames);
                }
            }
        }
        Ok(found)
    }

    /// The frames at an address, the innermost first; empty where there is no function.
    ///
    /// # Errors
    /// As [`Symbols::frames_in`].
    pub fn frames_at(&self, address: u64) -> Result<Vec<Frame>, Refused> {
        let place = address.checked_sub(self.table.text_start()).and_then(|place| u32::try_from(place).ok());
        let Some(place) = place.filter(|place| *place < self.table.end) else { return Ok(Vec::new()) };
        let after = self.table.functions.partition_point(|function| function.entry <= place);
        let Some(function) = after.checked_sub(1).and_then(|index| self.table.functions.get(index)) else {
            return Ok(Vec::new());
        };
        self.frames(function, place - function.entry)
    }

    /// How many bytes of code a function has.
    fn length(&self, index: usize, function: &Function) -> u32 {
        let next = self.table.functions.get(index + 1).map_or(self.table.end, |next| next.entry);
        next.saturating_sub(function.entry)
    }

    fn frames(&self, function: &Function, offset: u32) -> Result<Vec<Frame>, Refused> {
        let mut frames = Vec::new();
        let mut at = offset;
        let tree = function.data.get(INLINE_TREE).copied().unwrap_or(NONE);
        let index = function.pc_tables.get(INLINE_INDEX).copied().unwrap_or(0);
        while tree != NONE && frames.len() < DEEPEST {
            let Some(call) = self.value(index, at)?.and_then(|call| usize::try_from(call).ok()) else { break };
            let Inlined { name, parent } = self.table.inlined_call(tree as usize + call * INLINED)?;
            frames.push(self.frame(function, name, at)?);
            at = parent;
        }
        frames.push(self.frame(function, function.name, at)?);
        Ok(frames)
    }

    /// The value of a table by program counter.
    fn value(&self, table: u32, at: u32) -> Result<Option<i32>, Refused> {
        if table != 0 {
            let left = self.left.get().checked_sub(self.table.pc_table(table)?.0.len());
            self.left.set(left.ok_or(Refused::Damaged("its tables are longer than those of any program"))?);
        }
        self.table.value_at(table, at)
    }

    fn frame(&self, function: &Function, name: u32, at: u32) -> Result<Frame, Refused> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let line = self.value(function.lines, at)?.unwrap_or(0);
        let file = match self.value(function.files, at)?.and_then(|number| u32::try_from(number).ok()) {
            Some(number) => text(self.table.file(function.unit, number)?),
            None => "?".to_owned(),
        };
        Ok(Frame { function: text(self.table.name(name)?), file, line: u32::try_from(line).unwrap_or(0) })
    }
}

/// The functions by their printed names. A name that several functions have is read once.
fn by_name(table: &Table<'_>) -> Result<HashMap<String, Vec<usize>>, Refused> {
    let mut by_offset: HashMap<u32, Vec<usize>> = HashMap::new();
    for (index, function) in table.functions.iter().enumerate() {
        by_offset.entry(function.name).or_default().push(index);
    }
    let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
    for (offset, indices) in by_offset {
        let name = table.name(offset)?;
        by_name.entry(printed(&String::from_utf8_lossy(name))).or_default().extend(indices);
    }
    by_name.values_mut().for_each(|indices| indices.sort_unstable());
    Ok(by_name)
}

/// A function's name as a traceback prints it: what stands between the outermost brackets is `...`, and the function behind the
/// built-in panic is called so.
///
/// Source: `funcNameForPrint` in Go's `src/runtime/symtab.go`, `printFuncName` in `traceback.go`.
fn printed(name: &str) -> String {
    if name == "runtime.gopanic" {
        return "panic".to_owned();
    }
    match (name.find('['), name.rfind(']')) {
        (Some(open), Some(close)) if open < close => format!("{}[...]{}", &name[..open], &name[close + 1..]),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_they_are_printed() {
        assert_eq!(printed("main.F[go.shape.int]"), "main.F[...]");
        assert_eq!(printed("main.(*T[go.shape.[]uint8]).M.func1"), "main.(*T[...]).M.func1");
        assert_eq!([printed("main.main"), printed("runtime.gopanic")], ["main.main", "panic"]);
        assert_eq!(printed("a]b["), "a]b[");
    }
}
