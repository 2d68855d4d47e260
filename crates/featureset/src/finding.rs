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

/// The lines of a text, indexed once: a place is found without reading the text again.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
    /// How many characters are before each block of [`BLOCK`] bytes.
    characters: Vec<usize>,
}

/// How far apart the bytes are before which characters are counted.
const BLOCK: usize = 256;

impl<'a> Lines<'a> {
    /// Indexes a text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        let starts = [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut characters = vec![0];
        for block in text.as_bytes().chunks(BLOCK) {
            let before = characters.last().copied().unwrap_or_default();
            characters.push(before + block.iter().filter(|byte| is_first(**byte)).count());
        }
        Self { text, starts, characters }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Line and column of a byte, both counted from 1; columns count characters.
    #[must_use]
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte += 1;
        }
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        (line, self.before(byte) - self.before(self.starts[line - 1]) + 1)
    }

    /// The lines that a stretch touches, as one stretch of the text, and the number of the first.
    #[must_use]
    pub fn around(&self, span: Span) -> (Span, usize) {
        let (first, _) = self.position(span.start);
        let (last, _) = self.position(span.end.max(span.start));
        let end = self.starts.get(last).copied().unwrap_or(self.text.len());
        (Span { start: self.starts[first - 1], end }, first)
    }

    /// How many characters begin before a byte.
    fn before(&self, byte: usize) -> usize {
        let block = byte / BLOCK;
        let rest = &self.text.as_bytes()[block * BLOCK..byte];
        self.characters[block] + rest.iter().filter(|byte| is_first(**byte)).count()
    }
}

/// Whether a byte is the first of a character.
fn is_first(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_count_characters() {
        let text = "a: b\nä: ß\n";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, text.find('ß').unwrap()), (2, 4));
        assert_eq!(line_and_column(text, text.len()), (3, 1));
        assert_eq!(line_and_column(text, 999), (3, 1));
    }

    proptest! {
        #[test]
        fn an_index_says_what_reading_the_text_says(text in "[aä€\n]{0,700}", byte in 0_usize..2000) {
            prop_assert_eq!(Lines::new(&text).position(byte), line_and_column(&text, byte));
            let (around, line) = Lines::new(&text).around(Span { start: byte, end: byte + 3 });
            prop_assert!(text.is_char_boundary(around.start) && text.is_char_boundary(around.end));
            prop_assert_eq!(line_and_column(&text, around.start), (line, 1));
        }
    }
}
