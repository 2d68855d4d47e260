//! The runtime's description of a function (`_func`) and of an inlined call (`inlinedCall`).
//!
//! Source: Go's `src/runtime/runtime2.go`, `src/runtime/symtabinl.go`, `src/internal/abi/symtab.go`.

use super::bytes::{i32_at, part, u32_at};
use crate::error::Refused;

/// Indices of PCDATA, named as in `internal/abi`.
pub(crate) const PCDATA_INL_TREE_INDEX: usize = 2;
pub(super) const PCDATA_ARG_LIVE_INDEX: usize = 3;
const MAX_PCDATA: usize = 5;

/// Indices of FUNCDATA, named as in `internal/abi`.
pub(super) const FUNCDATA_ARGS_POINTER_MAPS: usize = 0;
pub(super) const FUNCDATA_LOCALS_POINTER_MAPS: usize = 1;
pub(super) const FUNCDATA_STACK_OBJECTS: usize = 2;
pub(crate) const FUNCDATA_INL_TREE: usize = 3;
pub(super) const FUNCDATA_OPEN_CODED_DEFER_INFO: usize = 4;
pub(super) const FUNCDATA_ARG_INFO: usize = 5;
pub(super) const FUNCDATA_ARG_LIVE_INFO: usize = 6;
const MAX_FUNCDATA: usize = 8;

/// The offset of absent funcdata, and the `cuOffset` of a function without files.
pub(crate) const NONE: u32 = u32::MAX;

/// The size of `_func` without its two lists.
const FUNC_LEN: usize = 44;

/// The size of an `inlinedCall`.
pub(crate) const INLINED_CALL_LEN: usize = 16;

/// A `_func`, with the runtime's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Func {
    pub(crate) entry_off: u32,
    pub(crate) name_off: u32,
    pub(super) args: i32,
    pub(super) deferreturn: u32,
    pub(super) pcsp: u32,
    pub(crate) pcfile: u32,
    pub(crate) pcln: u32,
    pub(crate) cu_offset: u32,
    pub(super) start_line: i32,
    /// `abi.FuncID`; 0 for an ordinary function.
    pub(super) func_id: u8,
    pub(super) flag: u8,
    /// Offsets into `pctab`, 0 if absent.
    pub(crate) pcdata: Vec<u32>,
    /// Offsets into the funcdata, [`NONE`] if absent.
    pub(crate) funcdata: Vec<u32>,
}

impl Func {
    /// The offset of a pc-value table, 0 if absent.
    pub(crate) fn pcdata(&self, index: usize) -> u32 {
        self.pcdata.get(index).copied().unwrap_or(0)
    }

    /// The offset of a funcdata object, [`NONE`] if absent.
    pub(crate) fn funcdata(&self, index: usize) -> u32 {
        self.funcdata.get(index).copied().unwrap_or(NONE)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Refused> {
        let word = |index: usize| u32_at(bytes, index * 4);
        let [func_id, flag, 0, nfuncdata] = *part(bytes, 40, 4)? else {
            return Err(Refused::Damaged("the padding of a function is not zero"));
        };
        let (npcdata, nfuncdata) = (word(7)? as usize, usize::from(nfuncdata));
        if npcdata > MAX_PCDATA || nfuncdata > MAX_FUNCDATA {
            return Err(Refused::Damaged("a function has an unknown kind of PCDATA or FUNCDATA"));
        }
        let list = |at: usize, count: usize| {
            (0..count).map(|index| u32_at(bytes, at + index * 4)).collect::<Result<Vec<u32>, _>>()
        };
        Ok(Self {
            entry_off: word(0)?,
            name_off: word(1)?,
            args: i32_at(bytes, 8)?,
            deferreturn: word(3)?,
            pcsp: word(4)?,
            pcfile: word(5)?,
            pcln: word(6)?,
            cu_offset: word(8)?,
            start_line: i32_at(bytes, 36)?,
            func_id,
            flag,
            pcdata: list(FUNC_LEN, npcdata)?,
            funcdata: list(FUNC_LEN + npcdata * 4, nfuncdata)?,
        })
    }

    /// Appends the encoded function.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), Refused> {
        let count = |length: usize| u8::try_from(length).map_err(|_| Refused::Damaged("a count is too large"));
        let words = [
            self.entry_off,
            self.name_off,
            self.args.cast_unsigned(),
            self.deferreturn,
            self.pcsp,
            self.pcfile,
            self.pcln,
            u32::from(count(self.pcdata.len())?),
            self.cu_offset,
            self.start_line.cast_unsigned(),
        ];
        bytes.extend(words.into_iter().flat_map(u32::to_le_bytes));
        bytes.extend_from_slice(&[self.func_id, self.flag, 0, count(self.funcdata.len())?]);
        bytes.extend(self.pcdata.iter().chain(&self.funcdata).copied().flat_map(u32::to_le_bytes));
        Ok(())
    }
}

/// An `inlinedCall`, with the runtime's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InlinedCall {
    pub(super) func_id: u8,
    pub(crate) name_off: u32,
    /// An offset in the function whose source position is the caller's.
    pub(crate) parent_pc: u32,
}

impl InlinedCall {
    pub(super) fn decode(funcdata: &[u8], at: usize) -> Result<Self, Refused> {
        let entry = part(funcdata, at, INLINED_CALL_LEN)?;
        Ok(Self { func_id: entry[0], name_off: u32_at(entry, 4)?, parent_pc: u32_at(entry, 8)? })
    }
}
