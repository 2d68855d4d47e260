//! Lists of tags in data: JSON, Nix, TOML, and any text that another front end does not read.
//!
//! Strings between brackets are a list if all of them can be tags and one is Tailscale's; so is a single string of tags.
//! Tags in running text are none.

use spanned_yaml::Span;

use crate::interpreter::{Interpreter, State, is_tag};
use crate::model::{List, Program};
use crate::value::Value;

/// A string in quotes.
struct Quoted {
    text: Value,
    /// The number of the bracket that it is in.
    bracket: usize,
    /// The name before it: `tags = "…"`, `"tags": […]`.
    key: String,
}

/// Whether a text is a list of tags: several words that can be tags, all of them, and one of Tailscale's.
pub(crate) fn is_list(text: &str) -> bool {
    let words: Vec<&str> = text.split([',', ' ', '\n', '\t']).filter(|word| !word.is_empty()).take(512).collect();
    let tags = words.iter().filter(|word| is_tag(word)).count();
    // Between blanks, most of them: a sentence may name one.
    tags > 0 && words.iter().all(|word| could_be_tag(word)) && (text.contains(',') || tags * 2 >= words.len())
}

/// Whether Go takes a word as a tag.
fn could_be_tag(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
}

/// Reads a text of data.
pub(crate) fn read(text: &str, interpreter: &mut Interpreter<'_>) {
    if !interpreter.pay(text.len()) {
        return;
    }
    let strings = strings(text);
    let key_of = |names: &[&str]| {
        strings.iter().filter(|string| names.contains(&string.key.as_str())).map(|string| string.text.clone()).collect()
    };
    let packages: Vec<Value> = key_of(&["target", "main", "package", "subPackages", "dir", "packages"]);
    for version in key_of(&["version", "rev", "tag"]) as Vec<Value> {
        interpreter.note_version("version", &version);
    }
    let mut index = 0;
    while index < strings.len() {
        let first = &strings[index];
        let group: Vec<&Quoted> =
            strings[index..].iter().take_while(|other| other.bracket == first.bracket && other.bracket > 0).collect();
        let is_group = group.len() > 1
            && group.iter().all(|string| could_be_tag(string.text.text()))
            && group.iter().any(|string| is_tag(string.text.text()));
        if is_group {
            let values: Vec<Value> = group.iter().map(|string| string.text.clone()).collect();
            let whole = Value::joined(&values, ",");
            interpreter.data_list(&whole, first.text.span(0..first.text.len()), &packages);
            index += group.len();
            continue;
        }
        let value = match first.text.text().trim_start_matches('-').strip_prefix("tags=") {
            Some(rest) => first.text.part(first.text.len() - rest.len()..first.text.len()),
            None => first.text.clone(),
        };
        let lone = value.text().split([',', ' ', '\n']).filter(|word| !word.is_empty()).count() == 1;
        let named = ["tags", "buildtags", "build_tags", "flags"].contains(&first.key.to_ascii_lowercase().as_str());
        if is_list(value.text()) && (!lone || first.bracket > 0 || named) {
            interpreter.data_list(&value, value.span(0..value.len()), &packages);
        } else if first.text.text().contains("go build") || first.text.text().contains("featuretags") {
            interpreter.run_script(&first.text, State::default());
        }
        index += 1;
    }
}

/// The strings of a text, outside comments.
fn strings(text: &str) -> Vec<Quoted> {
    let mut scanner = Scanner { text, ..Scanner::default() };
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let byte_at = |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).copied();
        let is_comment =
            c == '#' || (c == '/' && byte_at(Some(at + 1)) == Some(b'/') && byte_at(at.checked_sub(1)) != Some(b':'));
        if is_comment {
            while characters.next_if(|(_, c)| *c != '\n').is_some() {}
        } else if c == '"' || c == '\'' {
            let Some(end) = scanner.string(at, c) else { break };
            while characters.next_if(|(at, _)| *at < end).is_some() {}
        } else {
            scanner.punctuation(at, c);
        }
    }
    scanner.found
}

/// The state of a scan for strings.
#[derive(Default)]
struct Scanner<'t> {
    text: &'t str,
    found: Vec<Quoted>,
    /// The numbers of the open brackets, and the name before each.
    brackets: Vec<(usize, String)>,
    count: usize,
    /// The name before a string, and the word that may become one.
    key: String,
    word: String,
}

impl Scanner<'_> {
    /// A string that begins here. Returns its end, or `None` if it has none.
    fn string(&mut self, at: usize, quote: char) -> Option<usize> {
        // Nix writes longer texts between pairs of single quotes.
        let mark = if quote == '\'' && self.text[at + 1..].starts_with('\'') { 2 } else { 1 };
        let start = at + mark;
        let length = match mark {
            2 => self.text[start..].find("''"),
            _ => end_of_string(&self.text[start..], quote),
        }?;
        let (body, end) = (&self.text[start..start + length], start + length + mark);
        let after = self.text[end..].trim_start();
        if after.starts_with(':') || (after.starts_with('=') && !after.starts_with("==")) {
            self.key = body.to_owned();
        } else {
            let outer = self.brackets.last();
            let key = if self.key.is_empty() { outer.map(|(_, key)| key.clone()) } else { Some(self.key.clone()) };
            let bracket = outer.map_or(0, |(number, _)| *number);
            self.found.push(Quoted { text: Value::literal(body, start), bracket, key: key.unwrap_or_default() });
        }
        self.word.clear();
        Some(end)
    }

    fn punctuation(&mut self, at: usize, c: char) {
        match c {
            '[' => {
                self.count += 1;
                self.brackets.push((self.count, std::mem::take(&mut self.key)));
            }
            ']' => {
                self.brackets.pop();
                self.key.clear();
            }
            '=' | ':' if !self.word.is_empty() => self.key = std::mem::take(&mut self.word),
            '\n' => self.word.clear(),
            ';' | '{' | '}' => {
                self.word.clear();
                self.key.clear();
                // Strings of two objects do not form a list.
                self.count += 1;
                if let Some((number, _)) = self.brackets.last_mut() {
                    *number = self.count;
                }
            }
            ',' if self.brackets.is_empty() => self.key.clear(),
            c if c.is_ascii_alphanumeric() || c == '_' => {
                let before = self.text[..at].bytes().next_back();
                if before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'_') {
                    self.word.clear();
                }
                self.word.push(c);
            }
            _ => {}
        }
    }
}

/// The length of a string up to its quote.
fn end_of_string(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

impl Interpreter<'_> {
    /// A list that is data. `packages` are texts next to it that name what is built.
    pub(crate) fn data_list(&mut self, value: &Value, span: Span, packages: &[Value]) {
        let mut list = List { what: "a list of tags".to_owned(), place: span, ..List::default() };
        self.add_tags(&mut list, value, &State::default());
        if list.tags.iter().all(|word| self.is_taken(word.span)) {
            return;
        }
        if let Some(first) = list.tags.first() {
            list.place =
                Span { start: first.span.start, end: list.tags.last().map_or(first.span.end, |last| last.span.end) };
        }
        let names: Vec<&str> = packages
            .iter()
            .map(Value::text)
            .filter(|name| name.contains("cmd/") || name.contains("tailscale"))
            .collect();
        list.program = match () {
            () if names.iter().any(|name| name.ends_with("cmd/tailscaled")) => Program::Daemon,
            () if names.iter().any(|name| name.ends_with("cmd/tailscale")) => Program::CommandLine,
            () if list.tags.iter().any(|word| word.text.starts_with("with_")) => Program::Library,
            () if names.iter().any(|name| name.contains("cmd/")) => Program::Library,
            () => Program::Daemon,
        };
        self.record(list, &State::default());
    }
}
