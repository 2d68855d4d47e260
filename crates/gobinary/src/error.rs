//! The errors of this crate.

use std::fmt;

/// Why a file can't be read as a Go executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// Not an ELF file, or a damaged one, with the parser's error.
    NotElf(String),
    /// An ELF file without build information: not built by Go, packed, or stripped of it.
    NoBuildInfo,
    /// Build information that is truncated, or in a form that Go 1.18 and later don't write.
    BadBuildInfo(&'static str),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf(why) => write!(f, "not an ELF file: {why}"),
            Self::NoBuildInfo => f.write_str("no Go build information: not built by Go, packed, or stripped of it"),
            Self::BadBuildInfo(why) => write!(f, "damaged Go build information: {why}"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// Why a function table is not read or not rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Not a readable Go executable: packed, built by something else, or damaged.
    Unreadable(Unreadable),
    /// The layout of this Go version's `moduledata` is not known.
    Toolchain {
        /// The toolchain in the build information.
        go: String,
        /// The supported versions.
        supported: &'static str,
    },
    /// A kind of executable that is not supported, with its description.
    Unsupported(&'static str),
    /// The function table was already rewritten.
    AlreadyRewritten,
    /// The tables contradict each other or are truncated, with the first contradiction.
    Damaged(&'static str),
    /// The rewritten file failed verification, with the first difference. This is a bug in the
    /// rewriter.
    VerificationFailed(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => why.fmt(f),
            Self::Toolchain { go, supported } => write!(f, "built by {go}; supported are Go {supported}"),
            Self::Unsupported(what) => f.write_str(what),
            Self::AlreadyRewritten => f.write_str("the function table was already rewritten"),
            Self::Damaged(what) => write!(f, "damaged function table: {what}"),
            Self::VerificationFailed(what) => {
                write!(f, "internal error: the rewritten file failed verification: {what} differs")
            }
        }
    }
}

impl std::error::Error for Refused {}

impl From<Unreadable> for Refused {
    fn from(why: Unreadable) -> Self {
        Self::Unreadable(why)
    }
}
