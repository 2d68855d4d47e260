//! Where an instruction of a Go executable comes from: function, file and line, inlined frames included. For a binary as linked,
//! whose tables are whole; what ships may have been [slimmed](crate::slim).

use crate::buildinfo::build_info;
use crate::error::Refused;
use crate::func_name::func_name_for_print;
use crate::pclntab::decode::{FUNCDATA_INL_TREE, Func, INLINED_CALL_LEN, NONE, PCDATA_INL_TREE_INDEX, Pclntab};
use crate::pclntab::elf_file::ElfFile;
use crate::pclntab::moduledata::Layout;

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
    pclntab: Pclntab<'a>,
}

/// An inlined call within an inlined call is no deeper than this; a tree that goes on is damaged.
const DEEPEST: usize = 64;

impl<'a> Symbols<'a> {
    /// Reads the tables of an executable as linked.
    ///
    /// # Errors
    /// [`Refused`] where it is no such file, or one that was slimmed.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Refused> {
        let pclntab = Pclntab::read(&ElfFile::read(bytes)?, Layout::from_toolchain(&build_info(bytes)?.go)?)?;
        if pclntab.is_rewritten() { Err(Refused::AlreadyRewritten) } else { Ok(Self { pclntab }) }
    }

    /// The frames at an offset into a function, the innermost first; several lists where functions share the name, as instances
    /// of a generic one do in a traceback (`F[...]`). Empty where no function of the name is so long.
    ///
    /// # Errors
    /// [`Refused::Damaged`] where the tables contradict themselves.
    pub fn frames_in(&self, function: &str, offset: u32) -> Result<Vec<Vec<Frame>>, Refused> {
        let mut found: Vec<Vec<Frame>> = Vec::new();
        for (index, candidate) in self.pclntab.funcs.iter().enumerate() {
            let name = self.pclntab.name(candidate.name_off)?;
            if printed(&String::from_utf8_lossy(name)) == function && offset < self.length(index, candidate) {
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
        let place = address.checked_sub(self.pclntab.text_start()).and_then(|place| u32::try_from(place).ok());
        let Some(place) = place.filter(|place| *place < self.pclntab.text_end) else { return Ok(Vec::new()) };
        let after = self.pclntab.funcs.partition_point(|function| function.entry_off <= place);
        let Some(function) = after.checked_sub(1).and_then(|index| self.pclntab.funcs.get(index)) else {
            return Ok(Vec::new());
        };
        self.frames(function, place - function.entry_off)
    }

    /// How many bytes of code a function has.
    fn length(&self, index: usize, function: &Func) -> u32 {
        let next = self.pclntab.funcs.get(index + 1).map_or(self.pclntab.text_end, |next| next.entry_off);
        next.saturating_sub(function.entry_off)
    }

    fn frames(&self, function: &Func, offset: u32) -> Result<Vec<Frame>, Refused> {
        let mut frames = Vec::new();
        let mut at = offset;
        let tree = function.funcdata(FUNCDATA_INL_TREE);
        let index = function.pcdata(PCDATA_INL_TREE_INDEX);
        while tree != NONE && frames.len() < DEEPEST {
            let Some(call) = self.pclntab.value_at(index, at)?.and_then(|call| usize::try_from(call).ok()) else {
                break;
            };
            let call = self.pclntab.inlined_call(tree as usize + call * INLINED_CALL_LEN)?;
            frames.push(self.frame(function, call.name_off, at)?);
            at = call.parent_pc;
        }
        frames.push(self.frame(function, function.name_off, at)?);
        Ok(frames)
    }

    fn frame(&self, function: &Func, name: u32, at: u32) -> Result<Frame, Refused> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let line = self.pclntab.value_at(function.pcln, at)?.unwrap_or(0);
        let file = match self.pclntab.value_at(function.pcfile, at)?.and_then(|number| u32::try_from(number).ok()) {
            Some(number) => text(self.pclntab.file_name(function.cu_offset, number)?),
            None => "?".to_owned(),
        };
        Ok(Frame { function: text(self.pclntab.name(name)?), file, line: u32::try_from(line).unwrap_or(0) })
    }
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
