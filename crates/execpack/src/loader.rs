//! The loaders, as checked in.
//!
//! `cargo xtask execpack loaders` builds them from `loader/`. They are C because Rust's `core` is not available for all of their
//! processors without building it (docs/decisions/0010-execpack.md).

use crate::elf;
use crate::program::{Machine, Program};

/// A loader: code that the payload's table comes right after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loader {
    pub(crate) machine: Machine,
    /// The name of its file, Go's name of the processor: `amd64`.
    pub name: &'static str,
    /// The address of the packed file in memory; `None` if the loader runs at any.
    pub address: Option<u32>,
    /// The code.
    pub bytes: &'static [u8],
}

impl Loader {
    /// Every loader.
    pub const ALL: &[Self] = &[
        Self {
            machine: Machine::Amd64,
            name: "amd64",
            address: None,
            bytes: include_bytes!("../loader/built/amd64.bin"),
        },
        Self {
            machine: Machine::Arm64,
            name: "arm64",
            address: None,
            bytes: include_bytes!("../loader/built/arm64.bin"),
        },
        Self { machine: Machine::Arm, name: "arm", address: None, bytes: include_bytes!("../loader/built/arm.bin") },
        // Without position-independent code, which needs a table of addresses on MIPS: between programs and the stack.
        Self {
            machine: Machine::Mips,
            name: "mipsle",
            address: Some(0x6000_0000),
            bytes: include_bytes!("../loader/built/mipsle.bin"),
        },
    ];

    /// The loader of a program's processor.
    pub(crate) fn find(program: &Program) -> Option<&'static Self> {
        Self::ALL.iter().find(|loader| loader.machine == program.machine)
    }

    /// The offset in a packed file that the loader begins at.
    #[must_use]
    pub fn offset(&self) -> u32 {
        elf::headers_length(self.machine)
    }
}

/// The lengths of the loaders of a machine.
pub(crate) fn lengths(machine: Machine) -> impl Iterator<Item = usize> {
    Loader::ALL.iter().filter(move |loader| loader.machine == machine).map(|loader| loader.bytes.len())
}
