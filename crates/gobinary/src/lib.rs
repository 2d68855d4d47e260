//! Reads and rewrites Go executables.
//!
//! - [`classify`] classifies any file: a Go executable, or the reason it is not one.
//! - [`identify`] reads the platform of an ELF file.
//! - [`build_info`] reads the build information that Go's linker writes: the toolchain, the modules
//!   with their checksums, and the build settings.
//! - [`tailscale`] finds the Tailscale release in a program.
//! - [`pclntab`] removes from the function table what only tracebacks use, and [`symbols`] resolves
//!   such a traceback with the binary as linked.
//!
//! The crate performs no I/O: bytes in, values out. Every offset is checked.

mod buildinfo;
mod classify;
mod elf;
mod error;
mod func_name;
mod limits;
pub mod pclntab;
mod segments;
pub mod symbols;
pub mod tailscale;

pub use buildinfo::{BuildInfo, Module, build_info};
pub use classify::{FileKind, classify};
pub use elf::{Identity, build_id, identify};
pub use error::{Refused, Unreadable};
pub use segments::executable_segments;
