//! Positions in a text, and replacements of them.

/// A range of bytes in a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The first byte after the range; never smaller than `start`.
    pub end: usize,
}

/// A span and a short text that explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The span.
    pub span: Span,
    /// The explanation, a few words.
    pub text: String,
}

impl Label {
    /// Creates a label.
    #[must_use]
    pub fn new(span: Span, text: impl Into<String>) -> Self {
        Self { span, text: text.into() }
    }
}

/// A replacement in the text that resolves a diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// A title in the imperative, such as "keep `dns`".
    pub title: String,
    /// The replaced span; empty for an insertion.
    pub span: Span,
    /// The new text.
    pub replacement: String,
}

/// Returns the line and the column of a byte offset, both counted from 1; columns count characters.
///
/// An offset past the end, or inside a character, is moved to the next character boundary.
#[must_use]
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let newlines = before.bytes().filter(|byte| *byte == b'\n').count();
    (newlines + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_and_column_counts_characters() {
        let text = "a: b\nä: ß\n";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, text.find('ß').unwrap()), (2, 4));
        assert_eq!(line_and_column(text, text.len()), (3, 1));
        assert_eq!(line_and_column(text, 999), (3, 1));
    }
}
