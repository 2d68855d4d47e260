//! A packer for static executables on small flash memories.
//!
//! [`pack`] turns an executable into one with a loader and a compressed payload; started, the loader restores the executable in
//! memory and jumps to it. [`unpack`] returns the executable, byte for byte. Pure: bytes in, bytes out; every offset is checked.
//! `docs/packing.md` describes the file and the loader.

mod code;
mod elf;
mod error;
mod function_table;
mod loader;
mod lzma;
mod pack;
mod payload;
mod program;
#[cfg(test)]
mod tests;
mod unpack;

/// Bump this whenever the output changes for the same input, loaders included; it invalidates cached builds.
pub const REVISION: u32 = 3;

pub use error::{Refused, Unreadable};
pub use loader::Loader;
pub use pack::{Packed, PartSize, pack};
pub use unpack::{is_packed, unpack};
