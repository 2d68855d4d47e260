//! The loaders, as checked in.
//!
//! `cargo xtask execpack loaders` builds them from `loader/`; `loader/built/README.md` says with which compiler.

use crate::program::{Machine, Program};

/// A loader: code that the payload's table comes right after.
pub(crate) struct Loader {
    machine: Machine,
    /// The address that it runs at; `None` if it runs at any.
    pub(crate) address: Option<u32>,
    pub(crate) bytes: &'static [u8],
}

static LOADERS: &[Loader] = &[
    Loader { machine: Machine::Amd64, address: None, bytes: include_bytes!("../loader/built/amd64.bin") },
    Loader { machine: Machine::Arm64, address: None, bytes: include_bytes!("../loader/built/arm64.bin") },
    Loader { machine: Machine::Arm, address: None, bytes: include_bytes!("../loader/built/arm.bin") },
    Loader { machine: Machine::Mips, address: Some(0x6000_0000), bytes: include_bytes!("../loader/built/mipsle.bin") },
];

/// The loader of a program's processor.
pub(crate) fn find(program: &Program) -> Option<&'static Loader> {
    LOADERS.iter().find(|loader| loader.machine == program.machine)
}

/// The lengths of the loaders of a machine.
pub(crate) fn lengths(machine: Machine) -> impl Iterator<Item = usize> {
    LOADERS.iter().filter(move |loader| loader.machine == machine).map(|loader| loader.bytes.len())
}
