//! An index of the lines of a text, for many positions in a long text.

use crate::span::Span;

/// The index of a text's lines. Finding a position does not read the text again.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    text: &'a str,
    /// The offset of each line.
    starts: Vec<usize>,
    /// The number of characters before each block of [`BLOCK`] bytes.
    characters: Vec<usize>,
}

/// The number of bytes between two counts of characters.
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

    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Returns the line and the column of a byte offset, both counted from 1; columns count characters.
    #[must_use]
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte += 1;
        }
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        (line, self.before(byte) - self.before(self.starts[line - 1]) + 1)
    }

    /// Returns the span of the whole lines that a span touches, and the number of the first of them.
    #[must_use]
    pub fn around(&self, span: Span) -> (Span, usize) {
        let (first, _) = self.position(span.start);
        let (last, _) = self.position(span.end.max(span.start));
        let end = self.starts.get(last).copied().unwrap_or(self.text.len());
        (Span { start: self.starts[first - 1], end }, first)
    }

    /// Returns the number of characters that begin before a byte.
    fn before(&self, byte: usize) -> usize {
        let block = byte / BLOCK;
        let rest = &self.text.as_bytes()[block * BLOCK..byte];
        self.characters[block] + rest.iter().filter(|byte| is_first(**byte)).count()
    }
}

/// Returns whether a byte is the first of a character.
fn is_first(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::span::line_and_column;

    proptest! {
        #[test]
        fn lines_position_equals_line_and_column(text in "[aä€\n]{0,700}", byte in 0_usize..2000) {
            prop_assert_eq!(Lines::new(&text).position(byte), line_and_column(&text, byte));
            let (around, line) = Lines::new(&text).around(Span { start: byte, end: byte + 3 });
            prop_assert!(text.is_char_boundary(around.start) && text.is_char_boundary(around.end));
            prop_assert_eq!(line_and_column(&text, around.start), (line, 1));
        }
    }
}
