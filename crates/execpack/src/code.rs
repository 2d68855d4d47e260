//! Machine code with targets of branches and addresses made absolute, so that two references to one target have the same bytes.
//!
//! Each transform is a bijection on the bytes: opcodes are never changed, an operand is always replaced by a one-to-one function of
//! itself and its position, and the next search begins after it. So [`decode`] finds the same operands as [`encode`].

use crate::program::Machine;

/// Which way operands are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToAbsolute,
    ToRelative,
}

/// Makes operands absolute.
pub(crate) fn encode(machine: Machine, code: &mut [u8], address: u32) {
    apply(machine, code, address, Direction::ToAbsolute);
}

/// Undoes [`encode`].
pub(crate) fn decode(machine: Machine, code: &mut [u8], address: u32) {
    apply(machine, code, address, Direction::ToRelative);
}

fn apply(machine: Machine, code: &mut [u8], address: u32, direction: Direction) {
    match machine {
        Machine::Amd64 => amd64(code, direction),
        Machine::Arm64 => transform_words(code, address, direction, arm64),
        Machine::Arm => transform_words(code, address, direction, arm),
        // Calls are absolute already, and an address is split over two instructions.
        Machine::Mips => transform_words(code, address, direction, |word, _, _| word),
    }
}

/// Changes instructions of four bytes, which are big-endian when absolute: the opcode comes first.
fn transform_words(code: &mut [u8], address: u32, direction: Direction, change: impl Fn(u32, u32, Direction) -> u32) {
    let mut at = address;
    for place in code.chunks_exact_mut(4) {
        let Ok(bytes) = <[u8; 4]>::try_from(&*place) else { continue };
        let changed = match direction {
            Direction::ToAbsolute => change(u32::from_le_bytes(bytes), at, direction).to_be_bytes(),
            Direction::ToRelative => change(u32::from_be_bytes(bytes), at, direction).to_le_bytes(),
        };
        place.copy_from_slice(&changed);
        at = at.wrapping_add(4);
    }
}

/// Adds to or subtracts from the low bits of a number, modulo their count.
fn shift(value: u32, by: u32, bits: u32, direction: Direction) -> u32 {
    let sum = match direction {
        Direction::ToAbsolute => value.wrapping_add(by),
        Direction::ToRelative => value.wrapping_sub(by),
    };
    sum & ((1 << bits) - 1)
}

/// BL, and ADRP. The instruction after ADRP adds the low 12 bits of the address, which are absolute already.
///
/// In an absolute ADRP the register comes before the page, which is in one piece.
fn arm64(word: u32, at: u32, direction: Direction) -> u32 {
    if word >> 26 == 0x25 {
        return word & 0xfc00_0000 | shift(word, at >> 2, 26, direction);
    }
    if word & 0x9f00_0000 != 0x9000_0000 {
        return word;
    }
    match direction {
        Direction::ToAbsolute => {
            let page = word >> 29 & 3 | word >> 3 & 0x001f_fffc;
            0x9000_0000 | (word & 3) << 29 | (word & 0x1c) << 19 | shift(page, at >> 12, 21, direction)
        }
        Direction::ToRelative => {
            let page = shift(word, at >> 12, 21, direction);
            0x9000_0000 | (page & 3) << 29 | page >> 2 << 5 | word >> 19 & 0x1c | word >> 29 & 3
        }
    }
}

/// BL with any condition, but not BLX to an address.
fn arm(word: u32, at: u32, direction: Direction) -> u32 {
    if word & 0x0f00_0000 == 0x0b00_0000 && word >> 28 != 0xf {
        return word & 0xff00_0000 | shift(word, at >> 2, 24, direction);
    }
    word
}

/// The window in which data may lie: targets of instructions that name memory relative to the program counter.
const DATA_WINDOW: i32 = 1 << 26;

/// CALL, and operands in memory relative to the program counter. Absolute operands are big-endian: what is the same in
/// neighbouring targets comes first.
fn amd64(code: &mut [u8], direction: Direction) {
    let window = i32::try_from(code.len()).unwrap_or(i32::MAX);
    let mut at = 0;
    while at + 8 <= code.len() {
        let Some((skip, is_branch)) = code.get(at..at + 4).and_then(operand) else {
            at += 1;
            continue;
        };
        let start = at + skip;
        at = start + 4;
        let Some(Ok(bytes)) = code.get(start..at).map(<[u8; 4]>::try_from) else { break };
        let (position, window) = (i32::try_from(at).unwrap_or(0), if is_branch { window } else { DATA_WINDOW });
        let changed = match direction {
            Direction::ToAbsolute => to_absolute(i32::from_le_bytes(bytes), position, window).to_be_bytes(),
            Direction::ToRelative => to_relative(i32::from_be_bytes(bytes), position, window).to_le_bytes(),
        };
        if let Some(place) = code.get_mut(start..at) {
            place.copy_from_slice(&changed);
        }
    }
}

/// The bytes before the operand of an instruction that begins with these bytes, and whether it is a branch.
fn operand(bytes: &[u8]) -> Option<(usize, bool)> {
    let &[first, second, third, fourth] = bytes else { return None };
    if first == 0xe8 {
        return Some((1, true));
    }
    // REX with W; then an opcode whose ModRM byte says "relative to the program counter".
    let (prefix, opcode, form, long_form) =
        if first & 0xf8 == 0x48 { (1, second, third, fourth) } else { (0, first, second, third) };
    let relative = |form: u8| form & 0xc7 == 5;
    match opcode {
        0x89 | 0x8b | 0x8d if relative(form) => Some((prefix + 2, false)),
        0x03 | 0x2b | 0x39 | 0x3b | 0x63 if prefix == 1 && relative(form) => Some((prefix + 2, false)),
        0x80 | 0x81 | 0x83 | 0xc6 | 0xc7 if form == 0x05 || form == 0x3d => Some((prefix + 2, false)),
        0x0f if relative(long_form) && TWO_BYTES.contains(&form) => Some((prefix + 3, false)),
        _ => None,
    }
}

/// The second bytes of two-byte opcodes that Go uses with memory: moves of vectors, conversions and arithmetic, MOVZX, MOVSX, CMPXCHG
/// and XADD.
const TWO_BYTES: [u8; 18] =
    [0x10, 0x11, 0x28, 0x29, 0x2e, 0x54, 0x57, 0x58, 0x59, 0x5c, 0x5e, 0x6f, 0x7f, 0xb1, 0xb6, 0xb7, 0xbe, 0xc1];

/// Maps relative operands whose target is inside the window to the target, and those that look like such a target to where the
/// former came from: LZX's method, one-to-one on all operands.
fn to_absolute(relative: i32, position: i32, window: i32) -> i32 {
    let target = relative.wrapping_add(position);
    if (-position..window - position).contains(&relative) {
        target
    } else if (window - position..window).contains(&relative) {
        relative - window
    } else {
        relative
    }
}

/// Undoes [`to_absolute`].
fn to_relative(absolute: i32, position: i32, window: i32) -> i32 {
    if (0..window).contains(&absolute) {
        absolute - position
    } else if (-position..0).contains(&absolute) {
        absolute + window
    } else {
        absolute
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MACHINES: [Machine; 4] = [Machine::Amd64, Machine::Arm64, Machine::Arm, Machine::Mips];

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..300), address: u32) {
            for machine in MACHINES {
                let mut code = bytes.clone();
                encode(machine, &mut code, address);
                decode(machine, &mut code, address);
                prop_assert_eq!(&code, &bytes);
            }
        }

        #[test]
        fn opcodes_in_a_row_come_back(
            pieces in proptest::collection::vec((prop_oneof![
                Just(vec![0xe8]), Just(vec![0x48, 0x8d, 0x05]), Just(vec![0x83, 0x3d]), Just(vec![0x0f, 0x10, 0x0d]), Just(vec![0xff]),
            ], -700_i32..700), 0..40),
        ) {
            let bytes: Vec<u8> =
                pieces.into_iter().flat_map(|(opcode, operand)| [opcode, operand.to_le_bytes().to_vec()].concat()).collect();
            let mut code = bytes.clone();
            encode(Machine::Amd64, &mut code, 0);
            decode(Machine::Amd64, &mut code, 0);
            prop_assert_eq!(code, bytes);
        }

        #[test]
        fn operands_map_one_to_one(relative: i32, position in 0..1_i32 << 27, window in 1..1_i32 << 27) {
            prop_assert_eq!(to_relative(to_absolute(relative, position, window), position, window), relative);
        }
    }

    #[test]
    fn two_calls_of_one_function_have_the_same_bytes() {
        let mut code = vec![0x90; 64];
        for (at, relative) in [(0, 40_i32), (20, 20)] {
            code[at] = 0xe8;
            code[at + 1..at + 5].copy_from_slice(&relative.to_le_bytes());
        }
        encode(Machine::Amd64, &mut code, 0x40_1000);
        assert_eq!(code[0..5], [0xe8, 0, 0, 0, 45]);
        assert_eq!(code[0..5], code[20..25]);
    }

    #[test]
    fn arm64_branches_and_pages_are_absolute() {
        let code = |words: [u32; 2]| words.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<_>>();
        // BL to 0x11000 from 0x10000 and from 0x10004.
        let mut branches = code([0x9400_0400, 0x9400_03ff]);
        encode(Machine::Arm64, &mut branches, 0x1_0000);
        assert_eq!(branches, code([0x0044_0094, 0x0044_0094]));
        // ADRP of the page 0x11 from 0x10ffc and from 0x11000.
        let mut pages = code([0xb000_0000, 0x9000_0000]);
        encode(Machine::Arm64, &mut pages, 0x1_0ffc);
        assert_eq!(pages[..4], pages[4..]);
    }
}
