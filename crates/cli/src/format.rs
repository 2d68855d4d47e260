//! The output formats.

use clap::ValueEnum;

/// The output format of a command whose results are not findings in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// For programs: one JSON document on stdout.
    Json,
    /// For GitHub: workflow commands that annotate a pull request.
    Github,
}

/// The output format of a command that reports findings in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FindingsFormat {
    /// For people.
    Human,
    /// For programs: one JSON document on stdout.
    Json,
    /// For GitHub: workflow commands that annotate a pull request.
    Github,
    /// For code scanning: one SARIF 2.1.0 log on stdout.
    Sarif,
}

impl From<Format> for FindingsFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Human => Self::Human,
            Format::Json => Self::Json,
            Format::Github => Self::Github,
        }
    }
}
