//! Logical lines of a Makefile, and the parts of one.

use super::model::Assignment;
use crate::value::Value;

/// The lines of a text; a backslash at the end of one makes the next a part of it.
pub(super) fn logical_lines(text: &Value) -> Vec<Value> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in text.text().split_inclusive('\n') {
        at += line.len();
        let bare = line.trim_end_matches(['\n', '\r']);
        let slashes = bare.len() - bare.trim_end_matches('\\').len();
        if slashes % 2 == 0 || at == text.len() {
            lines.push(text.part(start..at - (line.len() - bare.len())));
            start = at;
        }
    }
    lines
}

/// A logical line with its continuations as one blank each.
pub(super) fn folded(line: &Value) -> Value {
    let text = line.text();
    let mut edits = Vec::new();
    for (at, _) in text.match_indices("\\\n") {
        let end = at + 2 + (text[at + 2..].len() - text[at + 2..].trim_start_matches([' ', '\t']).len());
        edits.push((at..end, Value::made(" ", line.origin(at))));
    }
    if edits.is_empty() { line.clone() } else { line.replaced(&edits) }
}

pub(super) fn without_comment(line: &Value) -> Value {
    let text = line.text();
    let end = text.char_indices().find(|(at, c)| *c == '#' && !text[..*at].ends_with('\\')).map(|(at, _)| at);
    end.map_or_else(|| line.clone(), |end| line.part(0..end))
}

/// Where a character is outside `$( … )`.
pub(super) fn unbracketed(text: &str, wanted: char) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '{' => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            c if c == wanted && depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// The assignment that a line is, if it is one.
pub(super) fn assignment(line: &Value) -> Option<Assignment> {
    let mut rest = line.clone();
    let mut exported = false;
    loop {
        let text = rest.text();
        let word = ["export ", "override ", "private ", "unexport "].into_iter().find(|word| text.starts_with(word));
        let Some(word) = word else { break };
        exported |= word == "export ";
        rest = rest.part(word.len()..rest.len()).trimmed();
    }
    let text = rest.text();
    let at = unbracketed(text, '=')?;
    let operator =
        ["::=", ":=", "?=", "+=", "!="].into_iter().find(|operator| text[..=at].ends_with(operator)).unwrap_or("=");
    let end = at + 1 - operator.len();
    let name = rest.part(0..end).trimmed();
    let is_name = !name.is_empty() && unbracketed(name.text(), ':').is_none() && !name.text().contains([' ', '\t']);
    is_name.then(|| Assignment { name, operator, value: rest.part(at + 1..rest.len()).trimmed(), exported })
}

pub(super) fn is_target(pattern: &str, target: &str) -> bool {
    pattern == target || stem(pattern, target).is_some()
}

/// Returns the part of a target that `%` of a pattern matches.
pub(super) fn stem(pattern: &str, target: &str) -> Option<String> {
    let (before, after) = pattern.split_once('%')?;
    target.strip_prefix(before)?.strip_suffix(after).map(str::to_owned)
}
