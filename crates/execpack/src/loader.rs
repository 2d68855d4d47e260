//! The loaders, as checked in.
//!
//! `cargo xtask execpack loaders` builds them from `loader/`; `loader/built/README.md` says with which compiler.

use crate::program::{Machine, Program};

/// A loader: code that runs at any address and that the payload's table comes right after.
struct Loader {
    machine: Machine,
    bytes: &'static [u8],
}

static LOADERS: &[Loader] = &[
    Loader { machine: Machine::Amd64, bytes: include_bytes!("../loader/built/amd64.bin") },
    Loader { machine: Machine::Arm64, bytes: include_bytes!("../loader/built/arm64.bin") },
];

/// The loader of a program's processor.
pub(crate) fn find(program: &Program) -> Option<&'static [u8]> {
    LOADERS.iter().find(|loader| loader.machine == program.machine).map(|loader| loader.bytes)
}

/// The lengths of the loaders of a machine.
pub(crate) fn lengths(machine: Machine) -> impl Iterator<Item = usize> {
    LOADERS.iter().filter(move |loader| loader.machine == machine).map(|loader| loader.bytes.len())
}
