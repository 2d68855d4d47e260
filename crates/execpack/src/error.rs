//! Reasons why a file is not packed, and why a packed file is not unpacked.

use std::fmt;

/// The reason why [`pack`](crate::pack) leaves a file as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Not an ELF file, or a damaged one; the parser's message.
    NotElf(String),
    /// An ELF file of a kind that cannot be packed.
    Kind(&'static str),
    /// A processor without a loader, by its number in the ELF header.
    Machine(u16),
    /// A file that is packed already.
    Packed,
    /// The packed file does not unpack to the same bytes; never expected.
    Mismatch(&'static str),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf(why) => write!(f, "not an ELF file: {why}"),
            Self::Kind(why) => write!(f, "an executable that cannot be packed: {why}"),
            Self::Machine(number) => write!(f, "no loader for ELF machine {number}"),
            Self::Packed => f.write_str("the file is packed already"),
            Self::Mismatch(stage) => {
                write!(f, "internal error: the packed file does not unpack to the input ({stage})")
            }
        }
    }
}

impl std::error::Error for Refused {}

/// The reason why [`unpack`](crate::unpack) returns no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// The file was not packed by this crate.
    NotPacked,
    /// The file is cut off or has other bytes than the packer wrote.
    Checksum,
    /// The payload contradicts itself; the field that shows it.
    Damaged(&'static str),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPacked => f.write_str("not a file that execpack wrote"),
            Self::Checksum => f.write_str("packed by execpack, but the checksum is wrong: cut off or changed"),
            Self::Damaged(field) => write!(f, "packed by execpack, but damaged: {field}"),
        }
    }
}

impl std::error::Error for Unreadable {}
