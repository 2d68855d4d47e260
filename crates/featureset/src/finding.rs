//! Findings: what is wrong with a policy, where, why, and what to do next.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Holds back the commands that ship a binary.
    Error,
    /// Shown; a failure only under `--deny warnings`.
    Warning,
    /// Told by `explain` and `review` alone.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

pub use spanned_yaml::Span;

/// A place in the policy and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What stands there, in a few words.
    pub text: String,
}

impl Label {
    /// A label at a place.
    #[must_use]
    pub fn new(span: Span, text: impl Into<String>) -> Self {
        Self { span, text: text.into() }
    }
}

/// A change of the text that clears a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// What it does, as a title.
    pub title: String,
    /// What is replaced; empty where text is inserted.
    pub span: Span,
    /// What stands there instead.
    pub replacement: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule that found it, such as `undecided-feature` (docs/findings.md), or the id of the hazard that applies
    /// (docs/hazards.md).
    pub code: Cow<'static, str>,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The place.
    pub place: Label,
    /// Other places that have to do with it.
    pub related: Vec<Label>,
    /// Why it is wrong.
    pub why: String,
    /// What to do next.
    pub next: String,
    /// A change that clears it, where there is one.
    pub edit: Option<Edit>,
}

/// Line and column of a byte, both counted from 1; columns count characters.
#[must_use]
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let mut end = byte.min(text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let lines = before.bytes().filter(|byte| *byte == b'\n').count();
    (lines + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "a: b\nä: ß\n";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, text.find('ß').unwrap()), (2, 4));
        assert_eq!(line_and_column(text, text.len()), (3, 1));
        assert_eq!(line_and_column(text, 999), (3, 1));
    }
}
