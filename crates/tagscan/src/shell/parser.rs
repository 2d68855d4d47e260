//! The text of a script and the position of the parser in it.

use std::collections::BTreeSet;

use spanned_yaml::Span;

use crate::ir::{Piece, Quoting, Word};
use crate::value::Value;

/// The deepest nesting that is parsed.
pub(super) const DEEPEST: usize = 32;

/// A script under parsing.
pub(super) struct Parser<'a> {
    pub(super) source: &'a Value,
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) depth: usize,
    /// Whether nothing was nested too deep.
    pub(super) is_whole: bool,
    /// Where parsing goes on after the current line, because here-documents follow it.
    pub(super) after_here: Option<usize>,
    /// Delimiters of here-documents that nothing ends, so that each is looked for once.
    pub(super) endless: BTreeSet<String>,
}

impl<'a> Parser<'a> {
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn advance(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(super) fn span_from(&self, start: usize) -> Span {
        self.source.span(start..self.at.max(start))
    }

    pub(super) fn give_up(&mut self) {
        self.at = self.text.len();
        self.is_whole = false;
    }

    /// Skips blanks, continued lines and comments, but no line break.
    pub(super) fn blanks(&mut self) {
        loop {
            let rest = self.rest();
            if rest.starts_with("\\\n") {
                self.at += 2;
            } else if rest.starts_with("\\\r\n") {
                self.at += 3;
            } else if rest.starts_with([' ', '\t', '\r']) {
                self.at += 1;
            } else if rest.starts_with('#') {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else {
                return;
            }
        }
    }

    /// A range of the text as a word without expansions.
    pub(super) fn plain(&self, range: std::ops::Range<usize>) -> Word {
        let piece = Piece::Text { value: self.source.part(range.clone()), quoting: Quoting::Quoted };
        Word { span: self.source.span(range), pieces: vec![piece] }
    }
}
