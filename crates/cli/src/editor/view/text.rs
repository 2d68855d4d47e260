//! Text that is cut, filled or wrapped to a width, and text that is being typed.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use featureset::policy::format_size;

use super::super::input::TextInput;
use crate::escape;

/// Returns the number of columns of a text.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// Returns a text that is cut to a width, with `…` at its end if something is missing.
pub(super) fn fitted(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        if width(&cut) + width(c.encode_utf8(&mut [0; 4])) + 1 > columns {
            break;
        }
        cut.push(c);
    }
    if columns > 0 { cut + "…" } else { cut }
}

/// Returns a text of exactly this width.
pub(super) fn padded(text: &str, columns: usize) -> String {
    let text = fitted(text, columns);
    let missing = columns.saturating_sub(width(&text));
    text + &" ".repeat(missing)
}

/// Returns a number with its noun.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Returns a text from outside as escaped lines of a width, each with the same indentation.
pub(super) fn wrapped(text: &str, columns: usize, indent: usize, style: Style) -> Vec<Line<'static>> {
    let text = escape::line(text);
    let lines = textwrap::wrap(&text, columns.saturating_sub(indent).max(10));
    lines.into_iter().map(|line| Line::styled(format!("{}{line}", " ".repeat(indent)), style)).collect()
}

/// Returns a text from outside as escaped lines of a width: the first has one space before it, the others three.
pub(super) fn hanging(text: &str, columns: usize, style: Style) -> Vec<Line<'static>> {
    let text = escape::line(text);
    let options = textwrap::Options::new(columns.max(10)).initial_indent(" ").subsequent_indent("   ");
    textwrap::wrap(&text, options).into_iter().map(|line| Line::styled(line.into_owned(), style)).collect()
}

/// Returns the displayed characters of an input: a space at the end is the position after the last one.
fn characters(input: &TextInput) -> Vec<String> {
    let shown = input.characters().iter().map(|c| escape::line(c.encode_utf8(&mut [0; 4])).into_owned());
    shown.chain([" ".to_owned()]).collect()
}

/// Returns a text that is being typed as one line, which displays the part around the cursor.
pub(super) fn input_line(title: &str, input: &TextInput, columns: usize, cursor: Style) -> Line<'static> {
    let characters = characters(input);
    let room = columns.saturating_sub(width(title) + 1).max(1);
    let first = (0..=input.cursor())
        .find(|first| characters[*first..=input.cursor()].iter().map(|c| width(c)).sum::<usize>() <= room)
        .unwrap_or(input.cursor());
    let mut spans = vec![Span::raw(title.to_owned())];
    spans.extend(spans_of(&characters, first..characters.len(), input.cursor(), cursor));
    Line::from(spans)
}

/// Returns a text that is being typed as lines of a width, broken between words, each with a space before it.
pub(super) fn input_lines(input: &TextInput, columns: usize, cursor: Style) -> Vec<Line<'static>> {
    let characters = characters(input);
    let (mut lines, mut start) = (Vec::new(), 0);
    while start < characters.len() {
        let (mut end, mut used, mut space) = (start, 0, None);
        while end < characters.len() && (end == start || used + width(&characters[end]) < columns) {
            used += width(&characters[end]);
            end += 1;
            space = if characters[end - 1] == " " { Some(end) } else { space };
        }
        if end < characters.len() {
            end = space.unwrap_or(end);
        }
        let mut line = Line::raw(" ");
        line.spans.extend(spans_of(&characters, start..end, input.cursor(), cursor));
        lines.push(line);
        start = end;
    }
    lines
}

/// Returns the spans of some characters. The one of the cursor has its style.
fn spans_of(characters: &[String], range: std::ops::Range<usize>, cursor: usize, style: Style) -> Vec<Span<'static>> {
    let text = |range: std::ops::Range<usize>| characters.get(range).map(<[String]>::concat).unwrap_or_default();
    if !range.contains(&cursor) {
        return vec![Span::raw(text(range))];
    }
    vec![
        Span::raw(text(range.start..cursor)),
        Span::styled(text(cursor..cursor + 1), style),
        Span::raw(text(cursor + 1..range.end)),
    ]
}

/// Describes a size against a budget, and returns whether it is over.
pub(super) fn size_text(size: Option<u64>, budget: Option<u64>) -> (String, bool) {
    match (size, budget) {
        (None, _) => ("size not known".to_owned(), false),
        (Some(size), None) => (format!("about {}, no budget", format_size(size)), false),
        (Some(size), Some(budget)) if size > budget => (
            format!("about {} of {}, {} OVER", format_size(size), format_size(budget), format_size(size - budget)),
            true,
        ),
        (Some(size), Some(budget)) => (
            format!("about {} of {}, {} left", format_size(size), format_size(budget), format_size(budget - size)),
            false,
        ),
    }
}
