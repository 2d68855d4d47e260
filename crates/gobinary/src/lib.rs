//! What a Go executable says of itself.
//!
//! [`identify`] reads the platform of an ELF file, and [`build_info`] the build information that the Go
//! linker leaves in its `.go.buildinfo` section: the toolchain, the modules with their checksums, and the
//! settings of the build. [`kind`] tells any file: what is not Go, what was packed or cut off, what lost its build
//! information. [`tailscale`] reads which release of Tailscale is in a program. [`slim`] leaves out of a binary what only tracebacks show, and [`symbols`] reads it back from the one as
//! linked. Pure: bytes in, values out; every
//! offset is checked.

mod buildinfo;
mod elf;
mod kind;
mod segments;
pub mod slim;
pub mod symbols;
pub mod tailscale;

pub use buildinfo::{BuildInfo, Module, build_info};
pub use elf::{Identity, build_id, identify};
pub use kind::{Kind, kind};
pub use segments::executable_segments;

use std::fmt;

/// Why a file can't be read as what it was taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// Not an ELF file, or a damaged one; the parser's words.
    NotElf(String),
    /// An ELF file without build information: not made by Go, packed, or stripped of it.
    NoBuildInfo,
    /// Build information that is cut off or in a form that Go 1.18 and later don't write.
    BadBuildInfo(&'static str),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf(why) => write!(f, "not an ELF file: {why}"),
            Self::NoBuildInfo => f.write_str("no Go build information: not made by Go, packed, or stripped of it"),
            Self::BadBuildInfo(why) => write!(f, "damaged Go build information: {why}"),
        }
    }
}

impl std::error::Error for Unreadable {}
