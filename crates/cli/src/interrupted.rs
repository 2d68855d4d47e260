//! The error of a run that a signal ended.

use std::fmt;

/// The run was interrupted by a signal. Exit status 130.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; existing files are unchanged")
    }
}

impl std::error::Error for Interrupted {}
