//! The loaders, as checked in.

use crate::program::{Machine, Program};

/// The loader of a program's processor.
pub(crate) fn find(program: &Program) -> Option<&'static [u8]> {
    let _ = program;
    Some(&[0])
}

/// The lengths of the loaders of a machine.
pub(crate) fn lengths(machine: Machine) -> impl Iterator<Item = usize> {
    let _ = machine;
    [1].into_iter()
}
