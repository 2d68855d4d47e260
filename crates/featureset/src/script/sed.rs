//! What a substitution does to a list of tags, where that can be told: separators that become others, and tags that go.

use crate::audit::{Strip, Word};
use diagnostics::Span;

/// What one substitution does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// White space becomes this text.
    Separators(String),
    /// These tags go.
    Strips(Vec<Strip>),
    /// Nothing that matters to a list: separators are trimmed or joined.
    Nothing,
}

/// Reads the commands of a sed script that begins at a place; nothing where one is not understood.
pub(super) fn script(text: &str, at: usize, extended: bool) -> Option<Vec<Change>> {
    let mut changes = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', ';', '\n', '\t']);
        if rest.is_empty() {
            return Some(changes);
        }
        let body = rest.strip_prefix('s')?;
        let delimiter = body.chars().next().filter(|c| !c.is_alphanumeric() && !c.is_whitespace())?;
        let body = &body[delimiter.len_utf8()..];
        let (pattern, body) = until(body, delimiter)?;
        let (replacement, body) = until(body, delimiter)?;
        let flags = body.find(|c: char| !"gIip0123456789".contains(c)).unwrap_or(body.len());
        let place = at + (pattern.as_ptr() as usize - text.as_ptr() as usize);
        changes.push(substitution(pattern, replacement, place, extended)?);
        rest = &body[flags..];
    }
}

/// The text up to a delimiter that is not escaped, and what follows it.
fn until(text: &str, delimiter: char) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        if c == delimiter && !escaped {
            return Some((&text[..index], &text[index + c.len_utf8()..]));
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// What replacing a pattern does. `at` is where the pattern stands.
pub(super) fn substitution(pattern: &str, replacement: &str, at: usize, extended: bool) -> Option<Change> {
    let blank = [
        " ",
        "\\n",
        "\\s",
        "\\s+",
        "\\s*",
        "\\s\\+",
        "[[:space:]]",
        "[[:space:]]*",
        "[[:space:]]+",
        "[[:space:]]\\+",
        " *",
        "  *",
    ];
    let only = |text: &str, allowed: &str| text.chars().all(|c| allowed.contains(c));
    if blank.contains(&pattern) && only(replacement, ", ") {
        return Some(Change::Separators(replacement.to_owned()));
    }
    // Commas at the ends, or several at once.
    if !pattern.is_empty() && only(pattern, ",^$+*\\? ") && pattern.contains(',') && only(replacement, ", ") {
        return Some(Change::Nothing);
    }
    let commas = |text: &str| text.chars().filter(|c| *c == ',').count();
    let optional = |text: &str| ["?", "*", "\\?", "\\{0,1\\}", "{0,1}"].iter().any(|mark| text == format!(",{mark}"));
    let first = [pattern.find("ts_"), pattern.find('(')].into_iter().flatten().min()?;
    let (before, body) = pattern.split_at(if pattern[..first].ends_with('\\') { first - 1 } else { first });
    let end = body.rfind(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ')').map_or(0, |last| last + 1);
    // `\b` ends in a letter.
    let end = if body[..end].ends_with("\\b") { end - 2 } else { end };
    let (inner, after) = body.split_at(end);
    let inner = inner.trim_start_matches('\\');
    let bound = |text: &str| text.replace("\\b", "").replace(['^', '$'], "");
    let (before, after) = (bound(before), bound(after));
    let fits = |text: &str| text.is_empty() || text == "," || optional(text);
    if !fits(&before) || !fits(&after) || !only(replacement, ",") || commas(replacement) > 1 {
        return None;
    }
    let inner = inner.trim_start_matches('(').trim_end_matches(')').trim_end_matches('\\');
    let separator = if extended { "|" } else { "\\|" };
    let mut strips = Vec::new();
    for name in inner.split(separator) {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return None;
        }
        let start = at + (name.as_ptr() as usize - pattern.as_ptr() as usize);
        let word = Word::new(name, Span { start, end: start + name.len() });
        strips.push(Strip { word, after_comma: before == ",", before_comma: after == "," });
    }
    Some(Change::Strips(strips))
}
