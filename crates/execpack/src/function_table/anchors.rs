//! Places in machine code at which tables by program counter are likely to change, and at which functions are likely to end.

use crate::payload::word;
use crate::program::Machine;

/// How far from a place the code is searched, in bytes.
pub(super) const FARTHEST: u32 = 1 << 16;

/// The machine code that a function table is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Code<'a> {
    pub(super) machine: Machine,
    pub(super) bytes: &'a [u8],
    /// What functions begin at multiples of.
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

    /// Whether an instruction that calls or returns begins here; on amd64, whether a byte looks like one.
    pub(super) fn is_anchor(&self, at: u32) -> bool {
        match self.machine {
            Machine::Amd64 => matches!(self.byte(at), Some(0xe8 | 0xc3)),
            // BL; BLR; RET.
            Machine::Arm64 => self
                .word(at)
                .is_some_and(|word| word >> 26 == 0x25 || word & 0xffff_fc1f == 0xd63f_0000 || word == 0xd65f_03c0),
            // BL; LDR of the program counter from the stack.
            Machine::Arm => {
                self.word(at).is_some_and(|word| word & 0x0f00_0000 == 0x0b00_0000 || word >> 12 == 0xe_49df)
            }
            // JAL; JR to the return address; JALR.
            Machine::Mips => self
                .word(at)
                .is_some_and(|word| word >> 26 == 3 || word == 0x03e0_0008 || word & 0xfc1f_ffff == 0x0000_f809),
        }
    }

    /// The anchors between two places, neither included.
    pub(super) fn anchors_between(&self, from: u32, to: u32) -> u32 {
        let mut count = 0;
        let mut at = from.saturating_add(self.quantum);
        while at < to && (at as usize) < self.bytes.len() {
            count += u32::from(self.is_anchor(at));
            at = at.saturating_add(self.quantum);
        }
        count
    }

    /// The next anchor after a place but so many; `None` if it is far away.
    pub(super) fn anchor_after(&self, from: u32, mut skip: u32) -> Option<u32> {
        let mut at = from;
        loop {
            at =
                at.checked_add(self.quantum).filter(|at| (*at as usize) < self.bytes.len() && at - from <= FARTHEST)?;
            if self.is_anchor(at) {
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
            while end > start && self.is_padding_before(end) {
                end -= self.quantum;
            }
            end
        })
    }
}
