//! Anchors: the positions in machine code at which tables by program counter are likely to change, and at which functions are likely to end.

use crate::payload::word;
use crate::program::Machine;

/// How far from a place the code is searched, in bytes.
pub(super) const FARTHEST: u32 = 1 << 16;

/// Kinds of tables by program counter, by slot: frame sizes, then `PCDATA_UnsafePoint`, `PCDATA_StackMapIndex` and
/// `PCDATA_ArgLiveIndex` of Go's `internal/abi`, which come after files and lines.
pub(super) const FRAME_SIZES: usize = 0;
const UNSAFE_POINTS: usize = 3;
const STACK_MAPS: usize = 4;
const LIVE_ARGUMENTS: usize = 6;

/// An instruction's effect on the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StackChange {
    /// It is larger by so many bytes, or smaller.
    By(u32),
    /// After a return, the frame is what it was before the function prepared to return.
    Return,
}

/// The machine code that a function table is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Code<'a> {
    pub(super) machine: Machine,
    pub(super) bytes: &'a [u8],
    /// The alignment of functions.
    pub(super) alignment: u32,
    /// The length of the shortest instruction.
    pub(super) quantum: u32,
}

impl Code<'_> {
    fn byte(&self, at: u32) -> Option<u8> {
        self.bytes.get(at as usize).copied()
    }

    fn word(&self, at: u32) -> Option<u32> {
        word(self.bytes, at as usize)
    }

    fn bytes_before<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        let at = at as usize;
        self.bytes.get(at.checked_sub(N)?..at)?.try_into().ok()
    }

    fn word_before(&self, at: u32) -> Option<u32> {
        self.word(at.checked_sub(4)?)
    }

    /// Whether a table of this kind is likely to change here.
    pub(super) fn is_anchor(&self, slot: usize, at: u32) -> bool {
        match slot {
            FRAME_SIZES => self.stack_change(at).is_some(),
            UNSAFE_POINTS => self.is_sequence(at),
            STACK_MAPS => self.is_call(at) || self.is_after_return(at),
            LIVE_ARGUMENTS => self.is_call(at),
            _ => false,
        }
    }

    /// Whether a call begins here; on amd64, whether a byte looks like one.
    fn is_call(&self, at: u32) -> bool {
        match self.machine {
            // CALL; CALL through a register or memory.
            Machine::Amd64 => match (self.byte(at), self.byte(at.wrapping_add(1))) {
                (Some(0xe8), _) => true,
                (Some(0xff), Some(form)) => form & 0x38 == 0x10,
                _ => false,
            },
            // BL; BLR.
            Machine::Arm64 => self.word(at).is_some_and(|word| word >> 26 == 0x25 || word & 0xffff_fc1f == 0xd63f_0000),
            // BL; BLX to a register.
            Machine::Arm => {
                self.word(at).is_some_and(|word| word & 0x0f00_0000 == 0x0b00_0000 || word & 0x0fff_fff0 == 0x012f_ff30)
            }
            // JAL; JALR.
            Machine::Mips => self.word(at).is_some_and(|word| word >> 26 == 3 || word & 0xfc1f_ffff == 0x0000_f809),
        }
    }

    /// Whether the instruction before returns.
    fn is_after_return(&self, at: u32) -> bool {
        match self.machine {
            Machine::Amd64 => self.bytes_before(at) == Some([0xc3]),
            Machine::Arm64 => self.word_before(at) == Some(0xd65f_03c0),
            // LDR of the program counter from the stack.
            Machine::Arm => self.word_before(at).is_some_and(|word| word >> 12 == 0xe_49df),
            // JR to the return address, and the instruction that is executed with it.
            Machine::Mips => at.checked_sub(4).and_then(|at| self.word_before(at)) == Some(0x03e0_0008),
        }
    }

    /// Whether a sequence begins here that must not be interrupted: its first instruction loads a part of an address into the
    /// register that is the assembler's own.
    fn is_sequence(&self, at: u32) -> bool {
        let Some(word) = self.word(at) else { return false };
        match self.machine {
            Machine::Amd64 => false,
            // ADRP to R27.
            Machine::Arm64 => word & 0x9f00_001f == 0x9000_001b,
            // LDR to R11 relative to the program counter.
            Machine::Arm => word & 0x0f7f_f000 == 0x051f_b000,
            // LUI to R23.
            Machine::Mips => word >> 16 == 0x3c17,
        }
    }

    /// The effect of the instruction before on the stack pointer; `None` if it does not look like one that moves it.
    pub(super) fn stack_change(&self, at: u32) -> Option<StackChange> {
        use StackChange::{By, Return};
        match self.machine {
            Machine::Amd64 => match (self.bytes_before::<4>(at)?, self.byte(at)) {
                // POP or PUSH of the frame pointer, RET.
                ([.., 0x5d, 0xc3], _) => Some(Return),
                ([.., 0x5d], Some(0xc3)) => Some(By(8_u32.wrapping_neg())),
                ([.., 0x55], Some(0x48)) => Some(By(8)),
                // SUB or ADD of a number of 8 bits.
                ([0x48, 0x83, 0xec, by], _) => Some(By(i32::from(by.cast_signed()).cast_unsigned())),
                ([0x48, 0x83, 0xc4, by], _) => Some(By(i32::from(by.cast_signed()).cast_unsigned().wrapping_neg())),
                // The same of 32 bits.
                (by, _) => match self.bytes_before(at.checked_sub(4)?)? {
                    [0x48, 0x81, 0xec] => Some(By(u32::from_le_bytes(by))),
                    [0x48, 0x81, 0xc4] => Some(By(u32::from_le_bytes(by).wrapping_neg())),
                    _ => None,
                },
            },
            Machine::Arm64 => {
                let word = self.word_before(at)?;
                let post = (word << 11).cast_signed() >> 23;
                let (immediate, shift) = (word >> 10 & 0xfff, word >> 22 & 1);
                let immediate = immediate << (12 * shift);
                match word {
                    0xd65f_03c0 => Some(Return),
                    // STR of R30 with the stack pointer moved before, LDR with it moved after.
                    _ if matches!(word & 0xffe0_0fff, 0xf800_0ffe | 0xf840_07fe) => {
                        Some(By(post.cast_unsigned().wrapping_neg()))
                    }
                    // SUB and ADD.
                    _ if word & 0xff80_03ff == 0xd100_03ff => Some(By(immediate)),
                    _ if word & 0xff80_03ff == 0x9100_03ff => Some(By(immediate.wrapping_neg())),
                    _ => None,
                }
            }
            Machine::Arm => {
                let word = self.word_before(at)?;
                match word >> 12 {
                    // LDR of the program counter with the stack pointer moved after, STR of the return address with it moved before.
                    0xe_49df => Some(Return),
                    0xe_52de => Some(By(word & 0xfff)),
                    _ => None,
                }
            }
            Machine::Mips => {
                let word = self.word_before(at)?;
                // ADDIU to the stack pointer.
                let by = (word << 16).cast_signed() >> 16;
                (word >> 16 == 0x27bd).then_some(By(by.cast_unsigned().wrapping_neg()))
            }
        }
    }

    /// The anchors between two places, neither included.
    pub(super) fn anchors_between(&self, slot: usize, from: u32, to: u32) -> u32 {
        let mut count = 0;
        let mut at = from.saturating_add(self.quantum);
        while at < to && (at as usize) < self.bytes.len() {
            count += u32::from(self.is_anchor(slot, at));
            at = at.saturating_add(self.quantum);
        }
        count
    }

    /// Returns the anchor after `from`, without the first `skip` ones; `None` if it is beyond [`FARTHEST`] bytes.
    pub(super) fn anchor_after(&self, slot: usize, from: u32, mut skip: u32) -> Option<u32> {
        let mut at = from;
        loop {
            at = at.checked_add(self.quantum)?;
            if at as usize >= self.bytes.len() || at - from > FARTHEST {
                return None;
            }
            if self.is_anchor(slot, at) {
                skip = match skip.checked_sub(1) {
                    Some(skip) => skip,
                    None => return Some(at),
                };
            }
        }
    }

    /// Whether the unit before a place fills the room between two functions.
    fn is_padding_before(&self, at: u32) -> bool {
        match self.machine {
            Machine::Amd64 => at.checked_sub(1).and_then(|at| self.byte(at)) == Some(0xcc),
            _ => at.checked_sub(4).and_then(|at| self.word(at)) == Some(0),
        }
    }

    /// Whether a function is likely to begin at an aligned place: there is padding before it, or it compares the stack with its limit.
    fn is_start(&self, at: u32) -> bool {
        let prologue = match self.machine {
            Machine::Amd64 => self.word(at) == Some(0x1066_3b49),
            Machine::Arm64 => self.word(at) == Some(0xf940_0b90),
            Machine::Arm => self.word(at) == Some(0xe59a_1008),
            Machine::Mips => self.word(at) == Some(0x8fc1_0008),
        };
        prologue || self.is_padding_before(at)
    }

    /// The likely ends of the function that begins at a place, without the padding after it. The end of the code is the last.
    /// Only so much of the code is searched.
    pub(super) fn ends(&self, start: u32) -> impl Iterator<Item = u32> + '_ {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let step = self.alignment.max(self.quantum) as usize;
        let first = start.saturating_add(step as u32);
        let last = length.min(start.saturating_add(FARTHEST));
        let places = (first..last).step_by(step).filter(|at| self.is_start(*at)).chain([length]);
        places.map(move |place| {
            let mut end = place;
            // Elsewhere the padding is a part of the function.
            while self.machine == Machine::Amd64 && end > start && self.is_padding_before(end) {
                end -= self.quantum;
            }
            end
        })
    }
}
