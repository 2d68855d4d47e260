//! An abstract value: text in which every byte knows where it was written, with holes for what is not known.
//!
//! A hole is one character of a private plane, so every operation on text (splitting, `tr`, `sed`) carries it along
//! unchanged. A word with a hole in it is unknown. The interpreter's table has the reason of each hole.

use std::collections::BTreeSet;
use std::ops::Range;

use spanned_yaml::Span;

/// The first of the characters that are holes.
const FIRST_HOLE: u32 = 0xF_0000;
/// The number of different holes of a scan.
pub(crate) const MOST_HOLES: usize = 0xFF00;
/// The longest text that a value holds; a longer one becomes a hole.
pub(crate) const LONGEST: usize = 1 << 17;

/// The index of the hole that a character is.
pub(crate) fn hole(character: char) -> Option<usize> {
    let index = u32::from(character).checked_sub(FIRST_HOLE)?;
    usize::try_from(index).ok().filter(|index| *index < MOST_HOLES)
}

/// The character of a hole.
pub(crate) fn hole_character(index: usize) -> char {
    u32::try_from(index).ok().and_then(|index| char::from_u32(FIRST_HOLE + index)).unwrap_or('\u{FFFD}')
}

/// Where a stretch of a value was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// Its first byte in the value.
    at: usize,
    /// Its first byte in the source.
    origin: usize,
    /// Whether the bytes are those of the source, one by one; else the whole stretch is from one place.
    literal: bool,
}

/// Text with its origins, and marks: what else is known of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Value {
    text: String,
    runs: Vec<Run>,
    /// Indices into the interpreter's table of marks.
    pub(crate) marks: BTreeSet<u32>,
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.marks == other.marks
    }
}

impl Value {
    /// Creates a value of text that is in the source, byte for byte.
    pub(crate) fn literal(text: &str, origin: usize) -> Self {
        let mut value = Self::default();
        value.push_literal(text, origin);
        value
    }

    /// Text that something at one place of the source made.
    pub(crate) fn made(text: impl Into<String>, origin: usize) -> Self {
        Self { text: text.into(), runs: vec![Run { at: 0, origin, literal: false }], marks: BTreeSet::new() }
    }

    /// An empty value with the marks of this one.
    pub(crate) fn emptied(&self) -> Self {
        Self { marks: self.marks.clone(), ..Self::default() }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// The memory that it takes, about.
    pub(crate) fn size(&self) -> usize {
        self.text.len() + 8 * self.runs.len() + 16 * self.marks.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text, if no part of it is unknown.
    pub(crate) fn known(&self) -> Option<&str> {
        (!self.has_hole()).then_some(self.text.as_str())
    }

    pub(crate) fn has_hole(&self) -> bool {
        self.text.chars().any(|character| hole(character).is_some())
    }

    /// The indices of the holes in it.
    pub(crate) fn holes(&self) -> impl Iterator<Item = usize> {
        self.text.chars().filter_map(hole)
    }

    pub(crate) fn push_literal(&mut self, text: &str, origin: usize) {
        let at = self.text.len();
        let goes_on = self.runs.last().is_some_and(|run| run.literal && run.origin + (at - run.at) == origin);
        if !goes_on && !text.is_empty() {
            self.runs.push(Run { at, origin, literal: true });
        }
        self.text += text;
    }

    pub(crate) fn push_made(&mut self, text: &str, origin: usize) {
        let same = self.runs.last().is_some_and(|run| !run.literal && run.origin == origin);
        if !same && !text.is_empty() {
            self.runs.push(Run { at: self.text.len(), origin, literal: false });
        }
        self.text += text;
    }

    pub(crate) fn push(&mut self, other: &Self) {
        self.push_part(other, 0..other.len());
        self.marks.extend(&other.marks);
    }

    /// Appends a range of another value, which must be at boundaries of characters.
    pub(crate) fn push_part(&mut self, other: &Self, range: Range<usize>) {
        let Some(text) = other.text.get(range.clone()) else { return };
        if text.is_empty() {
            return;
        }
        let base = self.text.len();
        let first = other.runs.partition_point(|run| run.at <= range.start).saturating_sub(1);
        for run in other.runs.iter().skip(first).take_while(|run| run.at < range.end) {
            let start = run.at.max(range.start);
            let origin = if run.literal { run.origin + (start - run.at) } else { run.origin };
            let at = base + start - range.start;
            let goes_on = self.runs.last().is_some_and(|last| {
                last.literal == run.literal && last.origin + if run.literal { at - last.at } else { 0 } == origin
            });
            if !goes_on {
                self.runs.push(Run { at, origin, literal: run.literal });
            }
        }
        self.text += text;
    }

    /// A range of it, with all its marks.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        let mut part = Self { marks: self.marks.clone(), ..Self::default() };
        part.push_part(self, range);
        part
    }

    /// Where a byte of it was written.
    pub(crate) fn origin(&self, at: usize) -> usize {
        let index = self.runs.partition_point(|run| run.at <= at);
        self.runs.get(index.saturating_sub(1)).map_or(0, |run| match run.literal {
            true => run.origin + at.saturating_sub(run.at),
            false => run.origin,
        })
    }

    /// Where a range of it was written. A range that something made has no length there.
    pub(crate) fn span(&self, range: Range<usize>) -> Span {
        let start = self.origin(range.start);
        let first = self.runs.partition_point(|run| run.at <= range.start).saturating_sub(1);
        let mut end = start;
        for (index, run) in self.runs.iter().enumerate().skip(first).take_while(|(_, run)| run.at < range.end) {
            let until = self.runs.get(index + 1).map_or(self.text.len(), |next| next.at).min(range.end);
            let reached = run.origin + until.saturating_sub(run.at);
            // A range with other text in it still lies between its ends, if they are near.
            if run.literal && reached > end && reached - start <= 4 * range.len() + 256 {
                end = reached;
            } else if index == first {
                break;
            }
        }
        Span { start, end }
    }

    /// The ranges between separators, empty ones included.
    pub(crate) fn ranges(&self, separates: impl Fn(char) -> bool) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let mut start = 0;
        for (at, character) in self.text.char_indices() {
            if separates(character) {
                ranges.push(start..at);
                start = at + character.len_utf8();
            }
        }
        ranges.push(start..self.len());
        ranges
    }

    /// The parts between separators, without empty ones.
    pub(crate) fn fields(&self, separates: impl Fn(char) -> bool) -> Vec<Self> {
        let ranges = self.ranges(separates).into_iter().filter(|range| !range.is_empty());
        ranges.map(|range| self.part(range)).collect()
    }

    /// The lines, the last one whether or not a line break ends it.
    pub(crate) fn lines(&self) -> Vec<Self> {
        let mut ranges = self.ranges(|character| character == '\n');
        if ranges.last().is_some_and(Range::is_empty) {
            ranges.pop();
        }
        ranges.into_iter().map(|range| self.part(range)).collect()
    }

    /// The value without the line breaks at its end, as `$( … )` takes the output of a command.
    pub(crate) fn without_final_newlines(&self) -> Self {
        self.part(0..self.text.trim_end_matches('\n').len())
    }

    pub(crate) fn trimmed(&self) -> Self {
        let start = self.len() - self.text.trim_start().len();
        self.part(start..start.max(self.text.trim_end().len()))
    }

    /// Values with a separator between them.
    pub(crate) fn joined(values: &[Self], separator: &str) -> Self {
        let mut whole = Self::default();
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                whole.push_made(separator, value.origin(0));
            }
            whole.push(value);
        }
        whole
    }

    /// The value with each range replaced; the ranges are in order and do not overlap.
    pub(crate) fn replaced(&self, edits: &[(Range<usize>, Self)]) -> Self {
        let mut whole = Self { marks: self.marks.clone(), ..Self::default() };
        let mut from = 0;
        for (range, with) in edits {
            whole.push_part(self, from..range.start);
            whole.push(with);
            from = range.end;
        }
        whole.push_part(self, from..self.len());
        whole
    }

    /// The value without the holes that are not wanted.
    pub(crate) fn with_holes(&self, wanted: impl Fn(usize) -> bool) -> Self {
        let holes = self.text.char_indices().filter(|(_, c)| hole(*c).is_some_and(|index| !wanted(index)));
        let edits: Vec<_> = holes.map(|(at, c)| (at..at + c.len_utf8(), Self::default())).collect();
        self.replaced(&edits)
    }

    /// The value with each character mapped to a text.
    pub(crate) fn mapped(&self, map: impl Fn(char) -> Option<String>) -> Self {
        let mut edits = Vec::new();
        for (at, character) in self.text.char_indices().filter(|(_, character)| hole(*character).is_none()) {
            if let Some(text) = map(character) {
                edits.push((at..at + character.len_utf8(), Self::made(text, self.origin(at))));
            }
        }
        if edits.is_empty() { self.clone() } else { self.replaced(&edits) }
    }
}
