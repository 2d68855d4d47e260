//! Lists that stand as data: arrays and strings of JSON, YAML, Nix and shells, and whatever else holds tags side by side.

use std::collections::BTreeSet;

use super::sections::Kind;
use crate::audit::{List, Part, Word};
use crate::name::INCLUDE_CLI;
use diagnostics::Span;

/// What may stand between two tags of one list.
const BETWEEN: &str = " \t\r\n\"',[]\\-+;`";

/// The lists in a text whose tags were not taken by what was followed. `taken` holds where those begin.
pub(super) fn of(kind: Kind, text: &str, taken: &BTreeSet<usize>) -> Vec<List> {
    let is_data = matches!(kind, Kind::Data | Kind::Yaml);
    let mut groups: Vec<(Vec<Part>, Span)> = Vec::new();
    let mut end = None;
    for (word, known) in tags(text, kind) {
        if taken.contains(&word.span.start) {
            end = None;
            continue;
        }
        let joins = end.is_some_and(|end| between(text, end, word.span.start, kind));
        if !joins {
            groups.push((Vec::new(), word.span));
        }
        let previous = end.replace(word.span.end);
        let Some((parts, place)) = groups.last_mut() else { continue };
        place.end = word.span.end;
        let foreign = match previous.filter(|_| joins) {
            Some(previous) => inside(text, previous, word.span.start, kind),
            None if is_data => before(text, word.span.start),
            None => Vec::new(),
        };
        let words = foreign.into_iter().chain(known.then(|| word.clone()));
        match parts.last_mut() {
            Some(Part::Tags(tags)) => tags.extend(words),
            _ => parts.push(Part::Tags(words.collect())),
        }
        if !known {
            parts.push(Part::Unknown(format!("`{}…` is completed elsewhere", word.text), word.span));
        }
    }
    // In a script, one tag alone is more likely looked for than listed.
    let least = if is_data { 1 } else { 2 };
    let counted = |parts: &[Part]| {
        parts.iter().map(|part| if let Part::Tags(tags) = part { tags.len() } else { 1 }).sum::<usize>()
    };
    groups
        .into_iter()
        .filter(|(parts, _)| counted(parts) >= least)
        .map(|(parts, place)| {
            let first = text[place.start..].find(|c: char| !is_tag(c)).map_or(place.end, |length| place.start + length);
            let place = Span { start: place.start, end: first };
            List { what: "a list of tags".to_owned(), place, parts, ..List::default() }
        })
        .collect()
}

fn is_tag(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// Every tag of Tailscale's outside of comments, and whether it is whole.
fn tags(text: &str, kind: Kind) -> Vec<(Word, bool)> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let comment = comment(line, kind);
        let code = &line[..comment];
        let mut from = 0;
        while let Some(start) = code[from..].find("ts_").map(|start| from + start) {
            let length = code[start..].find(|c: char| !is_tag(c)).unwrap_or(code.len() - start);
            from = start + length;
            let word = &code[start..start + length];
            let begins = !code[..start].ends_with(|c: char| is_tag(c) || c == '-');
            if begins && (word.starts_with("ts_omit_") || word == INCLUDE_CLI) {
                let cut = code[from..].starts_with(['$', '{', '%', '*']) || word == "ts_omit_";
                let span = Span { start: at + start, end: at + start + length };
                found.push((Word::new(word, span), !cut));
            }
        }
        at += line.len();
    }
    found
}

/// Where a line's comment begins: its length where it has none.
fn comment(line: &str, kind: Kind) -> usize {
    let trimmed = line.trim_start();
    if trimmed.starts_with('#') || trimmed.starts_with("//") || trimmed.starts_with("<!--") {
        return 0;
    }
    let marks: &[&str] = if kind == Kind::Data { &[" # ", "\t# ", " // "] } else { &[" #", "\t#"] };
    marks.iter().filter_map(|mark| line.find(mark)).min().unwrap_or(line.len())
}

/// Whether two tags belong to one list: nothing but separators, other tags and comments between them.
fn between(text: &str, start: usize, end: usize, kind: Kind) -> bool {
    let gap = &text[start..end];
    if gap.len() > 400 {
        return false;
    }
    let mut lines = gap.split_inclusive('\n').peekable();
    let mut first = true;
    lines.all(|line| {
        let code = if first { line } else { &line[..comment(line, kind)] };
        first = false;
        let code = &code[..comment(code, kind)];
        code.chars().all(|c| BETWEEN.contains(c) || c.is_ascii_alphanumeric() || c == '_') && !code.contains("  - name")
    })
}

/// Other tags that stand between two of Tailscale's.
fn inside(text: &str, start: usize, end: usize, kind: Kind) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = start;
    for line in text[start..end].split_inclusive('\n') {
        words.extend(split(&line[..comment(line, kind)], at));
        at += line.len();
    }
    words
}

/// The words of a text that begins at a place.
fn split(text: &str, mut at: usize) -> Vec<Word> {
    let mut words = Vec::new();
    for word in text.split(|c: char| BETWEEN.contains(c)) {
        if !word.is_empty() {
            words.push(Word::new(word, Span { start: at, end: at + word.len() }));
        }
        at += word.len() + 1;
    }
    words
}

/// Other tags that stand before the first of a list, up to what opens it, if that is near.
fn before(text: &str, end: usize) -> Vec<Word> {
    let mut near = end.saturating_sub(200);
    while !text.is_char_boundary(near) {
        near += 1;
    }
    let Some(opened) = text[near..end].rfind(['[', '(', '=', ':', '{']) else { return Vec::new() };
    let begin = near + opened + 1;
    let lead = &text[begin..end];
    if !lead.contains([',', ' ', '"']) || lead.chars().any(|c| !BETWEEN.contains(c) && !is_tag(c)) {
        return Vec::new();
    }
    split(lead, begin)
}
