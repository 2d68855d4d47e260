//! The severity of a diagnostic.

use std::fmt;

/// The severity of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Stops commands that ship a binary; exit status 1, or 2 if the command could not run.
    Error,
    /// Exit status 1 only with `--deny warnings`, and always in `image lint`.
    Warning,
    /// Shown by `check --notes` and `hazards list`; others only count it.
    Note,
}

impl Severity {
    /// Returns the severity as a lowercase word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
