//! The result of a command that could run.

/// The result of a command that could run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Exit status 0.
    Clean,
    /// Exit status 1: there are findings, or upstream's code does not compile.
    Findings,
}
