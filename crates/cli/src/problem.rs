//! What keeps a command from running: a code, what happened, why, and the next step. Exit status 2.

use std::fmt;

use diagnostics::Code;

/// Something that is not a finding about the policy: usage, a missing tool, the network, files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its kind.
    pub code: Code,
    /// What happened, in one sentence.
    pub message: String,
    /// Why, or what was seen; may be several lines.
    pub why: String,
    /// What to do next.
    pub next: String,
}

impl Problem {
    /// A problem that stops the command.
    pub fn new(code: Code, message: impl Into<String>, why: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code, message: message.into(), why: why.into(), next: next.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// The run was interrupted by a signal. Exit status 130.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; what was there before is untouched")
    }
}

impl std::error::Error for Interrupted {}
