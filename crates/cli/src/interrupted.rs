//! The error of a run that a signal ended.

use std::fmt;

/// The run was interrupted by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl Interrupted {
    /// The exit status of the program.
    pub const STATUS: u8 = 130;
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; existing files are unchanged")
    }
}

impl std::error::Error for Interrupted {}
