//! The reader's vocabulary: a mapping, a text, a word, a version, each with its finding where it does not fit.

use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;

use super::source_map::SourceMap;
use crate::limits::SUGGESTIONS;
use crate::name::nearest;
use diagnostics::{Code, Diagnostic, Label, NextStep, Span};
use spanned_yaml::{Key, Node, Plain, Value};

/// A policy under reading.
pub(super) struct Reader {
    pub(super) places: SourceMap,
    pub(super) findings: Vec<Diagnostic>,
    /// The keys from the top to where reading is.
    pub(super) path: Vec<String>,
}

impl Reader {
    pub(super) fn report(&mut self, code: Code, message: String, label: Label, next: impl Into<NextStep>) {
        self.findings.push(Diagnostic::new(code, message, next).at(label));
    }

    pub(super) fn missing(&mut self, key: &str, span: Span) {
        let whole = self.whole_path(key);
        let (message, next) = (format!("`{whole}` is missing"), format!("Add `{key}:`."));
        self.report(Code::MissingKey, message, Label::new(span, "expected in here"), next);
    }

    fn whole_path(&self, key: &str) -> String {
        self.path.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join(".")
    }

    pub(super) fn wrong_type(&mut self, node: &Node, wanted: &str) {
        let found = match (&node.value, node.plain()) {
            (Value::Mapping(_), _) => "a mapping",
            (Value::Sequence(_), _) => "a list",
            (_, Some(Plain::Nothing)) => "nothing",
            (_, Some(Plain::Boolean)) => "a boolean",
            (_, Some(Plain::Number)) => "a number",
            _ => "text",
        };
        let message = format!("`{}` is {found}, not {wanted}", self.path.join("."));
        let label = Label::new(node.span, format!("this is {found}"));
        self.report(Code::WrongType, message, label, format!("Write {wanted}."));
    }

    pub(super) fn unknown_value(&mut self, code: Code, node: &Node, word: &str, known: &[&str]) {
        let near = self.near(word, known);
        let next =
            near.map_or_else(|| format!("Use one of {}.", list(known)), |near| format!("Did you mean `{near}`?"));
        let message = format!("`{}` cannot be `{word}`", self.path.join("."));
        self.report(code, message, Label::new(node.span, "not one of the known values"), next);
    }

    /// The entries of a mapping, each read by `each` with the path standing at it. Repeated keys are reported.
    pub(super) fn entries(&mut self, node: &Node, wanted: &str, mut each: impl FnMut(&mut Self, &Key, &Node)) {
        let Value::Mapping(entries) = &node.value else {
            if node.plain() != Some(Plain::Nothing) {
                self.wrong_type(node, wanted);
            }
            return;
        };
        let mut first: HashMap<&str, Span> = HashMap::new();
        for (key, value) in entries {
            self.path.push(key.text.clone());
            if let Some(earlier) = first.get(key.text.as_str()).copied() {
                self.repeated(key, earlier);
            } else {
                first.insert(&key.text, key.span);
                self.places.insert(&self.path, key.span, value.span);
                each(self, key, value);
            }
            self.path.pop();
        }
    }

    fn repeated(&mut self, key: &Key, earlier: Span) {
        let section = self.path.len().checked_sub(2).map(|above| self.path[above].as_str());
        let feature = section == Some("features") && matches!(self.path.len(), 2 | 4);
        let code = if feature { Code::DuplicateFeature } else { Code::DuplicateKey };
        let message = format!("`{}` is listed twice", self.path.join("."));
        let next = "Keep one of the two and delete the other.".to_owned();
        self.report(code, message, Label::new(key.span, "again here"), next);
        if let Some(finding) = self.findings.last_mut() {
            finding.related = vec![Label::new(earlier, "first here")];
        }
    }

    /// The known word nearest to another, as long as not too many were looked for.
    pub(super) fn near<'a>(&self, word: &str, known: &[&'a str]) -> Option<&'a str> {
        if self.findings.len() < SUGGESTIONS { nearest(word, known.iter().copied()) } else { None }
    }

    /// A section with as many entries as are read; reports it if it has more.
    pub(super) fn bounded<'n>(&mut self, node: &'n Node, most: usize) -> Cow<'n, Node> {
        let Value::Mapping(entries) = &node.value else { return Cow::Borrowed(node) };
        let Some((key, _)) = entries.get(most) else { return Cow::Borrowed(node) };
        let message = format!("`{}` has more than {most} entries", self.path.join("."));
        let next = format!("Leave at most {most}.");
        self.report(Code::TooManyEntries, message, Label::new(key.span, "not read from here on"), next);
        Cow::Owned(Node { span: node.span, value: Value::Mapping(entries[..most].to_vec()) })
    }

    pub(super) fn unknown_key(&mut self, key: &Key, known: &[&str]) {
        let near = self.near(&key.text, known);
        let next = near
            .map_or_else(|| format!("The keys here are {}.", list(known)), |near| format!("Did you mean `{near}`?"));
        let message = format!("`{}` is not a key of the format", self.path.join("."));
        self.report(Code::UnknownKey, message, Label::new(key.span, "not known here"), next);
    }

    /// A text that isn't one of YAML's numbers, booleans or nothing.
    pub(super) fn text(&mut self, node: &Node, wanted: &str) -> Option<String> {
        if let (Value::Scalar { text, .. }, Some(Plain::Text)) = (&node.value, node.plain()) {
            return Some(text.clone());
        }
        self.wrong_type(node, wanted);
        None
    }

    pub(super) fn word<T>(&mut self, node: &Node, known: &[&str], from: impl Fn(&str) -> Option<T>) -> Option<T> {
        // A word is compared as it is spelled, so `none` and an unquoted `~` stay apart.
        let word = self.text(node, "one word")?;
        let value = from(&word);
        if value.is_none() {
            self.unknown_value(Code::UnknownValue, node, &word, known);
        }
        value
    }

    pub(super) fn version<T: FromStr<Err: std::fmt::Display>>(&mut self, node: &Node) -> Option<T> {
        let Value::Scalar { text, .. } = &node.value else {
            self.wrong_type(node, "a version of three numbers");
            return None;
        };
        if matches!(node.plain(), Some(Plain::Nothing | Plain::Boolean)) {
            self.wrong_type(node, "a version of three numbers");
            return None;
        }
        if node.plain() == Some(Plain::Number) {
            let message = format!("`{}` is a number to YAML, not a version", self.path.join("."));
            let next = format!("Write all three components, such as {text}.0.");
            self.report(Code::VersionAsNumber, message, Label::new(node.span, "two components read as a number"), next);
            return None;
        }
        match text.parse() {
            Ok(version) => Some(version),
            Err(error) => {
                let place = Label::new(node.span, "not three numbers");
                self.report(
                    Code::InvalidVersion,
                    error.to_string(),
                    place,
                    "Write only the three numbers, without a `v` or `go` before them.".to_owned(),
                );
                None
            }
        }
    }
}

/// Words in a sentence.
pub(super) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
