//! Resolves program counters of a Go executable to function, file and line, with inlined frames.
//!
//! It needs the binary as linked. The shipped binary may have been [rewritten](crate::pclntab).

use std::cell::Cell;
use std::collections::HashMap;

use crate::buildinfo::build_info;
use crate::error::Refused;
use crate::func_name::func_name_for_print;
use crate::limits::{MAX_DECODED_LEN, MAX_FUNCS_PER_NAME, MAX_INLINE_DEPTH};
use crate::pclntab::decode::Pclntab;
use crate::pclntab::elf_file::ElfFile;
use crate::pclntab::func::{FUNCDATA_INL_TREE, Func, INLINED_CALL_LEN, NONE, PCDATA_INL_TREE_INDEX};
use crate::pclntab::moduledata::Layout;

/// A frame of a traceback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function, with Go's name.
    pub function: String,
    /// The file as passed to the compiler. With `-trimpath` it consists of module, version and
    /// path.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
}

/// The symbols of one executable.
#[derive(Debug, Clone)]
pub struct Symbols<'a> {
    pclntab: Pclntab<'a>,
    /// The indices of functions by the names that tracebacks print.
    by_name: HashMap<String, Vec<usize>>,
    /// How many more bytes of pc-value tables may be decoded.
    remaining: Cell<usize>,
}

impl<'a> Symbols<'a> {
    /// Reads the symbols of an executable as linked.
    ///
    /// # Errors
    /// [`Refused`] if the file is not such an executable, or was rewritten.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Refused> {
        let layout = Layout::from_toolchain(&build_info(bytes)?.go)?;
        let pclntab = Pclntab::read(&ElfFile::read(bytes)?, layout)?;
        if pclntab.is_rewritten() {
            return Err(Refused::AlreadyRewritten);
        }
        let by_name = funcs_by_name(&pclntab)?;
        Ok(Self { pclntab, by_name, remaining: Cell::new(MAX_DECODED_LEN) })
    }

    /// Returns the frames at an offset into a function, innermost first. There are several lists,
    /// at most 64, if functions share the name, as instances of a generic function do in a
    /// traceback (`F[...]`). Empty if no function of this name is long enough.
    ///
    /// # Errors
    /// [`Refused::Damaged`] if the tables contradict each other, or if the limit for decoding is
    /// exceeded.
    pub fn frames_in(&self, function: &str, offset: u32) -> Result<Vec<Vec<Frame>>, Refused> {
        let mut found: Vec<Vec<Frame>> = Vec::new();
        for index in self.by_name.get(function).into_iter().flatten() {
            let Some(func) = self.pclntab.funcs.get(*index) else { continue };
            if found.len() < MAX_FUNCS_PER_NAME && offset < self.code_len(*index, func) {
                let frames = self.frames(func, offset)?;
                if !found.contains(&frames) {
                    found.push(frames);
                }
            }
        }
        Ok(found)
    }

    /// Returns the frames at an address, innermost first. Empty if the address is not in a
    /// function.
    ///
    /// # Errors
    /// As [`Symbols::frames_in`].
    pub fn frames_at(&self, address: u64) -> Result<Vec<Frame>, Refused> {
        let offset = address.checked_sub(self.pclntab.text_start()).and_then(|offset| u32::try_from(offset).ok());
        let Some(offset) = offset.filter(|offset| *offset < self.pclntab.text_end) else { return Ok(Vec::new()) };
        let next = self.pclntab.funcs.partition_point(|func| func.entry_off <= offset);
        let Some(func) = next.checked_sub(1).and_then(|index| self.pclntab.funcs.get(index)) else {
            return Ok(Vec::new());
        };
        self.frames(func, offset - func.entry_off)
    }

    /// Returns the length of a function's code.
    fn code_len(&self, index: usize, func: &Func) -> u32 {
        let next = self.pclntab.funcs.get(index + 1).map_or(self.pclntab.text_end, |next| next.entry_off);
        next.saturating_sub(func.entry_off)
    }

    fn frames(&self, func: &Func, offset: u32) -> Result<Vec<Frame>, Refused> {
        let mut frames = Vec::new();
        let mut at = offset;
        let tree = func.funcdata(FUNCDATA_INL_TREE);
        let indices = func.pcdata(PCDATA_INL_TREE_INDEX);
        while tree != NONE && frames.len() < MAX_INLINE_DEPTH {
            let Some(index) = self.value_at(indices, at)?.and_then(|index| usize::try_from(index).ok()) else { break };
            let call = self.pclntab.inlined_call(tree as usize + index * INLINED_CALL_LEN)?;
            frames.push(self.frame(func, call.name_off, at)?);
            at = call.parent_pc;
        }
        frames.push(self.frame(func, func.name_off, at)?);
        Ok(frames)
    }

    /// Returns a value of a pc-value table, within the limit for decoding.
    fn value_at(&self, table: u32, pc_offset: u32) -> Result<Option<i32>, Refused> {
        let length = self.pclntab.pc_values(table)?.map_or(0, |table| table.bytes.len());
        let remaining = self.remaining.get().checked_sub(length);
        self.remaining.set(remaining.ok_or(Refused::Damaged("too many long pc-value tables"))?);
        self.pclntab.value_at(table, pc_offset)
    }

    fn frame(&self, func: &Func, name_off: u32, at: u32) -> Result<Frame, Refused> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let line = self.value_at(func.pcln, at)?.unwrap_or(0);
        let file = match self.value_at(func.pcfile, at)?.and_then(|number| u32::try_from(number).ok()) {
            Some(number) => text(self.pclntab.file_name(func.cu_offset, number)?),
            None => "?".to_owned(),
        };
        Ok(Frame { function: text(self.pclntab.name(name_off)?), file, line: u32::try_from(line).unwrap_or(0) })
    }
}

/// Returns the indices of functions by their printed names. A name that several functions share is
/// read once.
fn funcs_by_name(pclntab: &Pclntab<'_>) -> Result<HashMap<String, Vec<usize>>, Refused> {
    let mut by_offset: HashMap<u32, Vec<usize>> = HashMap::new();
    for (index, func) in pclntab.funcs.iter().enumerate() {
        by_offset.entry(func.name_off).or_default().push(index);
    }
    let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
    for (offset, indices) in by_offset {
        by_name.entry(printed_name(pclntab.name(offset)?)).or_default().extend(indices);
    }
    by_name.values_mut().for_each(|indices| indices.sort_unstable());
    Ok(by_name)
}

/// Returns a function name as a traceback prints it.
///
/// Source: `printFuncName` in Go's `src/runtime/traceback.go`.
fn printed_name(name: &[u8]) -> String {
    match name {
        b"runtime.gopanic" => "panic".to_owned(),
        _ => String::from_utf8_lossy(&func_name_for_print(name)).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_name_is_as_in_a_traceback() {
        for (name, printed) in [("main.F[go.shape.int]", "main.F[...]"), ("runtime.gopanic", "panic")] {
            assert_eq!(printed_name(name.as_bytes()), printed);
        }
    }
}
