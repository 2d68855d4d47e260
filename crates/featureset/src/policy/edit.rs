//! Edits of the sections of features and acceptances: stubs, deletions, and the order of the entries.

use diagnostics::Span;

use super::parse::read;
use super::source_map::SourceMap;
use crate::name::FeatureName;
use crate::registry::Registry;

/// The start of a comment that the program writes in an entry without a reason. It is deleted when the reason is written.
pub(crate) const NOTE: &str = "#:";

/// The comment in the entry of a feature that nobody has decided.
pub(crate) const STUB: &str = "#: keep: or omit:, and why.";

/// The lines of a section in block style, one entry below the other.
pub(crate) struct Section<'a> {
    text: &'a str,
    /// Name and start of each entry, in the order of the text. The comments right above an entry are part of it.
    entries: Vec<(String, usize)>,
    /// How far the keys are indented.
    indent: usize,
    /// The end of the last entry. Comments and empty lines after it belong to what follows.
    end: usize,
}

impl<'a> Section<'a> {
    /// Returns the lines of the section at a path; `None` if it has no entries or another layout.
    pub(crate) fn find(text: &'a str, places: &SourceMap, section: &[&str]) -> Option<Self> {
        let keys = places.children(section).into_iter().map(|name| {
            let start = places.key(&[section, &[&name]].concat()).start;
            (name, start)
        });
        let mut keys: Vec<(String, usize)> = keys.collect();
        keys.sort_by_key(|(_, start)| *start);
        let (first, last) = (keys.first()?.1, keys.last()?.1);
        let indent = first - line_start(text, first);
        let alone = |key: usize| {
            let start = line_start(text, key);
            key - start == indent && text[start..key].chars().all(|c| c == ' ')
        };
        if indent == 0 || !keys.iter().all(|(_, key)| alone(*key)) {
            return None;
        }
        // A carriage return alone is a line break of YAML, so an entry could end within one of these lines.
        if text.replace("\r\n", "").contains('\r') {
            return None;
        }
        let limit = places.top_level().into_iter().filter(|start| *start > last).min().unwrap_or(text.len());
        let mut end = last;
        let mut at = line_start(text, last);
        for line in text[at..limit].split_inclusive('\n') {
            let depth = line.len() - line.trim_start().len();
            let is_comment = line.trim_start().starts_with('#');
            // A top-level section extends to the next known one, so that a repeated section is not mistaken for its end.
            if section.len() > 1 && depth < indent && !is_comment && !line.trim().is_empty() {
                break;
            }
            at += line.len();
            if depth >= indent && !line.trim().is_empty() {
                end = at;
            }
        }
        let entries = keys.into_iter().map(|(name, key)| (name, entry_start(text, key, indent))).collect();
        Some(Self { text, entries, indent, end })
    }

    /// The end of the last entry.
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// The indentation of the keys.
    pub(crate) fn indent(&self) -> usize {
        self.indent
    }

    /// Each entry's name and lines.
    fn blocks(&self) -> Vec<(&str, &'a str)> {
        let ends = self.entries.iter().skip(1).map(|(_, start)| *start).chain([self.end]);
        self.entries.iter().zip(ends).map(|((name, start), end)| (name.as_str(), &self.text[*start..end])).collect()
    }

    /// The stub of an undecided feature, and where it belongs in the alphabet.
    pub(crate) fn stub(&self, registry: &Registry, name: &FeatureName) -> (Span, String) {
        let say = |label: &str, names: Vec<String>| {
            if names.is_empty() { String::new() } else { format!(" {label} {}.", names.join(", ")) }
        };
        let needs = registry.features.get(name).into_iter().flat_map(|feature| &feature.needs);
        let users = registry.required_by(name).into_iter().filter(|user| user != name);
        let needs = say("Needs", needs.map(ToString::to_string).collect());
        let users = say("Needed by", users.map(|user| user.to_string()).collect());
        let (pad, newline) = (" ".repeat(self.indent), newline(self.text));
        self.insertion(name.as_str(), &format!("{newline}{pad}  {STUB}{needs}{users}"))
    }

    /// Returns the text of a new entry, and the position of that entry in the alphabet.
    pub(crate) fn insertion(&self, name: &str, body: &str) -> (Span, String) {
        let next = self.entries.iter().filter(|(other, _)| other.as_str() > name).min();
        let at = next.map_or(self.end, |(_, start)| *start);
        let (pad, newline) = (" ".repeat(self.indent), newline(self.text));
        let gap = if at == 0 || self.text[..at].ends_with('\n') { "" } else { newline };
        let space = if body.starts_with(newline) { "" } else { " " };
        (Span { start: at, end: at }, format!("{gap}{pad}{name}:{space}{body}{newline}"))
    }

    /// Returns a text that is inserted as lines before a top-level section.
    pub(crate) fn before(text: &str, places: &SourceMap, section: &str, lines: &str) -> Option<(Span, String)> {
        let at = line_start(text, places.has(&[section]).then(|| places.key(&[section]).start)?);
        let at = entry_start(text, at, 0);
        Some((Span { start: at, end: at }, lines.replace('\n', newline(text))))
    }

    /// Returns the span of an entry with the comments above it; of the whole section if it is the only one.
    pub(crate) fn entry(&self, places: &SourceMap, section: &[&str], name: &str) -> Option<Span> {
        let index = self.entries.iter().position(|(other, _)| other == name)?;
        if self.entries.len() == 1 {
            return Some(self.whole(places, section));
        }
        let end = self.entries.get(index + 1).map_or(self.end, |(_, start)| *start);
        Some(Span { start: self.entries[index].1, end })
    }

    /// Returns the span of the whole section, with an empty line after it if one precedes it too.
    pub(crate) fn whole(&self, places: &SourceMap, section: &[&str]) -> Span {
        let start = line_start(self.text, places.key(section).start);
        let (above, below) = (self.text[..start].lines().next_back(), self.text[self.end..].lines().next());
        let is_empty = |line: Option<&str>| line.is_some_and(|line| line.trim().is_empty());
        let gap = match is_empty(above) && is_empty(below) {
            true => self.text[self.end..].find('\n').map_or(0, |at| at + 1),
            false => 0,
        };
        Span { start, end: self.end + gap }
    }
}

/// Returns the text without the notes of one entry, and their number. `key` is the position of the entry's key.
pub(crate) fn without_notes(text: &str, key: usize) -> (String, usize) {
    let body = text[key..].find('\n').map_or(text.len(), |line| key + line + 1);
    let (mut kept, mut end, mut notes) = (text[..body].to_owned(), body, 0);
    // The notes precede the decision, so no line of a reason is mistaken for one.
    for line in text[body..].split_inclusive('\n').take_while(|line| {
        let line = line.trim_start();
        line.is_empty() || line.starts_with('#')
    }) {
        end += line.len();
        match line.trim_start().starts_with(NOTE) {
            true => notes += 1,
            false => kept += line,
        }
    }
    (kept + &text[end..], notes)
}

pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

pub(crate) fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The start of an entry's lines: the comments right above its key, and empty lines between those, come along.
fn entry_start(text: &str, key: usize, indent: usize) -> usize {
    let mut start = line_start(text, key);
    let mut at = start;
    while at > 0 {
        let above = line_start(text, at - 1);
        let line = text[above..at].trim_end();
        let comment = line.trim_start().starts_with('#') && line.len() - line.trim_start().len() <= indent;
        if !comment && !line.is_empty() {
            break;
        }
        at = above;
        if comment {
            start = above;
        }
    }
    start
}

/// Sorts the entries of the features section, each with the comments above it. Returns `None` if its layout is not understood.
pub(crate) fn sort(text: &str) -> Option<String> {
    let reading = read(text);
    let section = Section::find(text, &reading.places, &["features"])?;
    let mut blocks = section.blocks();
    blocks.sort_by_key(|(name, _)| *name);
    let start = section.entries.first()?.1;
    let mut sorted = text[..start].to_owned();
    for (_, block) in blocks {
        if !sorted.is_empty() && !sorted.ends_with('\n') {
            sorted += newline(text);
        }
        sorted += block;
    }
    let rest = &text[section.end..];
    if !rest.is_empty() && !sorted.ends_with('\n') {
        sorted += newline(text);
    }
    Some(sorted + rest)
}
