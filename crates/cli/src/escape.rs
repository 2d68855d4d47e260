//! Text from outside, made fit for a terminal and a log: names, reasons, tags, what other programs print.
//!
//! A character that controls a terminal, is invisible or turns the order of letters round is written out, as `\u{1b}`.
//! Renderers escape each value as it enters a message ([`line`], [`lines`]); what is printed passes once more, so that a
//! value that was forgotten controls nothing either ([`report`], [`json`], [`commands`]).

use std::borrow::Cow;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// A value on one line: line breaks and tabs are escaped too.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// A text of several lines: line breaks and tabs stay.
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let bad = |c: char| is_hidden(c) && !stays(c);
    if !text.contains(bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if bad(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Whether a character is a control (C0, DEL, C1), a format (bidirectional marks, zero-width ones, the byte order mark) or
/// a line or paragraph separator.
fn is_hidden(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    !matches!(c, ' '..='~') && matches!(c.general_category(), Control | Format | LineSeparator | ParagraphSeparator)
}

/// Breaks a mention in the page of a review. It is ours and invisible.
pub const WORD_JOINER: char = '\u{2060}';

/// A whole text as it is printed. Of the hidden characters, only line breaks, tabs, [`WORD_JOINER`] and the styles of this
/// program pass, and no line is a command of GitHub's runner.
///
/// The runner takes a line for a command that begins with `::` after white space, and one that holds `##[` anywhere
/// (`TryParseV2` and `TryParse` in actions/runner, src/Runner.Common/ActionCommand.cs).
#[must_use]
pub fn report(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut guard = Guard::default();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(style) = style(rest) {
            out.push_str(style);
            rest = &rest[style.len()..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if guard.completes_a_command(c) || (is_hidden(c) && !matches!(c, '\n' | '\t' | WORD_JOINER)) {
            write_out(&mut out, c);
        } else {
            out.push(c);
        }
    }
    out
}

/// Writes a character out; one that is visible too.
fn write_out(out: &mut String, c: char) {
    if c.is_control() { out.extend(c.escape_default()) } else { out.extend(c.escape_unicode()) }
}

/// The style that a text begins with, if it is one that this program or its libraries set: bold, dim, underlined, a colour.
/// None of them hides text or moves the cursor.
fn style(text: &str) -> Option<&str> {
    let numbers = text.strip_prefix("\u{1b}[")?;
    let end = numbers.find(|c: char| !matches!(c, '0'..='9' | ';')).filter(|end| numbers[*end..].starts_with('m'))?;
    let known = |number: &str| matches!(number, "" | "0" | "1" | "2" | "4" | "39") || is_colour(number);
    numbers[..end].split(';').all(known).then(|| &text[.."\u{1b}[".len() + end + 1])
}

/// The colours from red to cyan, and their bright forms with white.
fn is_colour(number: &str) -> bool {
    number.parse().is_ok_and(|number: u8| (31..=36).contains(&number) || (91..=97).contains(&number))
}

/// The beginning of a line, as far as it can become a command.
#[derive(Default)]
struct Guard {
    /// Whether anything but white space was in it.
    begun: bool,
    /// Whether all of that is one colon.
    colon: bool,
    /// How many `#` come one after another.
    hashes: u8,
}

impl Guard {
    /// Whether a command would begin with this character. Marks that take no room are passed over, as comparing by the rules
    /// of a language does.
    fn completes_a_command(&mut self, c: char) -> bool {
        use GeneralCategory::{EnclosingMark, NonspacingMark};
        if c == '\n' {
            *self = Self::default();
            return false;
        }
        if matches!(c.general_category(), NonspacingMark | EnclosingMark) {
            return false;
        }
        let by_colons = c == ':' && self.colon;
        self.colon = c == ':' && !self.begun;
        self.begun |= !c.is_whitespace();
        let by_hashes = c == '[' && self.hashes >= 2;
        self.hashes = if c == '#' { self.hashes.saturating_add(1) } else { 0 };
        by_colons || by_hashes
    }
}

/// A JSON document as it is printed: valid and with the same values, but nothing hidden is in it as it is. `serde_json`
/// itself escapes C0 only.
#[must_use]
pub fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    let mut units = [0; 2];
    let mut guard = Guard::default();
    for c in document.chars() {
        // Both are within strings only: white space of the document is not hidden but for line breaks.
        if guard.completes_a_command(c) || (is_hidden(c) && c != '\n') {
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Commands of GitHub's runner as they are printed, one a line: `text` is made of properties and data that were escaped.
#[must_use]
pub fn commands(text: &str) -> Cow<'_, str> {
    lines(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_hidden_is_written_out() {
        assert_eq!(
            line("a\u{1b}[2J\u{9b}\n\t\r\u{202e}\u{feff}\u{2028}\u{e0041}"),
            "a\\u{1b}[2J\\u{9b}\\n\\t\\r\\u{202e}\\u{feff}\\u{2028}\\u{e0041}"
        );
        assert_eq!(lines("a\n\tb\r\n"), "a\n\tb\\r\n");
        for plain in ["ä “x” – ⚠\u{fe0f} e\u{301} 日本 \\ % `a`", ""] {
            assert!(matches!(line(plain), Cow::Borrowed(text) if text == plain));
        }
    }

    #[test]
    fn our_styles_pass_and_no_other() {
        let ours = "\u{1b}[1;31merror\u{1b}[0m\u{1b}[1m\u{1b}[94m|\u{1b}[0m @\u{2060}a";
        assert_eq!(report(ours), ours);
        let conceals = "\u{1b}[8mx\u{1b}[1;30mx\u{1b}[38;5;0mx\u{1b}[1Ax\u{1b}[m\u{1b}[";
        assert_eq!(report(conceals), "\\u{1b}[8mx\\u{1b}[1;30mx\\u{1b}[38;5;0mx\\u{1b}[1Ax\u{1b}[m\\u{1b}[");
    }

    #[test]
    fn no_line_is_a_command() {
        for (text, expected) in [
            ("::error::x", ":\\u{3a}error::x"),
            ("a::b\n \u{a0}::x", "a::b\n \u{a0}:\\u{3a}x"),
            ("\u{1b}[1m:\u{1b}[0m:x", "\u{1b}[1m:\u{1b}[0m\\u{3a}x"),
            ("\u{fe0f}::x\n:\u{34f}:x", "\u{fe0f}:\\u{3a}x\n:\u{34f}\\u{3a}x"),
            ("::::", ":\\u{3a}::"),
            (": :x", ": :x"),
            ("a ###[b] #\u{1b}[1m#[c]", "a ###\\u{5b}b] #\u{1b}[1m#\\u{5b}c]"),
            ("## [x] #[x]", "## [x] #[x]"),
        ] {
            assert_eq!(report(text), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_holds_no_control_and_no_command(text in "(\\PC|\\pC|[:#\\[\n \u{1b}m1;]){0,40}") {
            let text = report(&text);
            let controls = text.contains(|c: char| c.is_control() && !"\n\t\u{1b}".contains(c));
            let plain = anstream::adapter::strip_str(&text).to_string();
            let escapes = plain.contains('\u{1b}');
            prop_assert!(!controls && !escapes && !plain.contains("##["));
            prop_assert!(plain.lines().all(|line| !line.trim_start().starts_with("::")));
        }

        #[test]
        fn a_document_keeps_its_values(text in "(\\PC|\\pC|[:#\\[\n]){0,40}") {
            let printed = json(&format!("{:#}", serde_json::json!({ "a": [&text] })));
            prop_assert!(!printed.contains(|c: char| is_hidden(c) && c != '\n') && !printed.contains("##["));
            let read: serde_json::Value = serde_json::from_str(&printed).unwrap();
            prop_assert_eq!(read["a"][0].as_str(), Some(text.as_str()));
        }
    }
}
