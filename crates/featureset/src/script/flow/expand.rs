//! From words to values: references to variables, in a shell and in a Makefile.

use super::super::filter;
use super::super::sections::Kind;
use super::super::sed;
use super::super::token::{self, Piece, Word};
use super::super::value::{Atom, Value};
use super::Flow;
use crate::limits::{ALTERNATIVES, DEEPEST};
use diagnostics::Span;

impl Flow<'_> {
    /// The values that a word may have.
    pub(super) fn expand(&mut self, word: &Word) -> Vec<Value> {
        let mut values = vec![Value::default()];
        if let Some(words) = &word.array {
            for word in words {
                let several = self.braced(word).map(|several| several.into_iter().map(|one| vec![one]).collect());
                for next in several.unwrap_or_else(|| vec![self.expand(word)]) {
                    values = self.product(values, next, " ");
                }
            }
            return values;
        }
        for piece in &word.pieces {
            let next = match piece {
                Piece::Text(text, at) => vec![Value::text(text.clone(), *at)],
                Piece::Reference(span, _) => self.reference(*span),
                Piece::Commands(span, _) => vec![self.printed(*span)],
            };
            values = self.product(values, next, "");
        }
        values
    }

    /// The arguments that a word may become: one, or several where a reference outside of quotes holds blanks.
    pub(in super::super) fn arguments(&mut self, word: &Word) -> Vec<Vec<Value>> {
        let bare = word.pieces.iter().any(|piece| match piece {
            Piece::Reference(span, quoted) => {
                let inner = &self.text[span.start..span.end];
                !quoted || inner.ends_with("[@]") || inner == "@"
            }
            Piece::Commands(_, quoted) => !quoted,
            Piece::Text(..) => false,
        });
        if let Some(several) = self.braced(word) {
            return vec![several];
        }
        self.expand(word).into_iter().map(|value| if bare { value.fields() } else { vec![value] }).collect()
    }

    /// The words that `ts_omit_{aws,bird}` stands for, where no quote and no reference is in it.
    fn braced(&mut self, word: &Word) -> Option<Vec<Value>> {
        let source = self.text.get(word.span.start..word.span.end)?;
        if self.kind == Kind::Make || word.text()? != source {
            return None;
        }
        let open = source.find('{')?;
        let length = source[open..].find('}')?;
        let inside = &source[open + 1..open + length];
        if !inside.contains(',') || inside.contains('{') || source[open + length + 1..].contains('{') {
            return None;
        }
        // Each has all that is outside of the braces.
        if !self.works(inside.matches(',').count() * (source.len() - inside.len())) {
            return None;
        }
        let start = word.span.start;
        let (before, after) = (&source[..open], &source[open + length + 1..]);
        let mut at = start + open + 1;
        let words = inside.split(',').map(|one| {
            let mut value = Value::text(before, start);
            value.append(Value::text(one, at));
            value.append(Value::text(after, start + open + length + 1));
            at += one.len() + 1;
            value
        });
        Some(words.collect())
    }

    /// Follows what stands inside of something, as deep as is followed.
    pub(super) fn nested(&mut self, span: Span, follow: impl FnOnce(&mut Self) -> Vec<Value>) -> Vec<Value> {
        if self.depth == DEEPEST || !self.works(span.end - span.start) {
            return vec![Value::unknown("what is nested too deep to be followed", span)];
        }
        self.depth += 1;
        let values = follow(self);
        self.depth -= 1;
        values
    }

    /// What a reference stands for. `span` is what stands between its brackets.
    fn reference(&mut self, span: Span) -> Vec<Value> {
        if !self.works((span.end - span.start) / 8) {
            return vec![not_followed(span)];
        }
        let inner = self.text[span.start..span.end].to_owned();
        if let Some(expression) = inner.strip_prefix('{') {
            // `${{ env.NAME }}` of a workflow.
            let path = expression.trim_end_matches('}').trim();
            return self.of_workflow(path).unwrap_or_else(|| vec![Value::unknown(format!("`{path}`"), span)]);
        }
        if self.kind == Kind::Make && inner.contains([' ', '\t']) {
            return self.nested(span, |flow| flow.function(&inner, span));
        }
        let length = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
        let (name, operation) = inner.split_at(length);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            if let Some(given) = self.variable(&inner) {
                return given;
            }
            return vec![Value::unknown(format!("`${inner}`"), span)];
        }
        let rest = Span { start: span.start + length, end: span.end };
        self.nested(span, |flow| flow.operation(name, operation, rest))
    }

    /// What `env.NAME` and its kin stand for, where the text tells. A matrix has a way for each of its values.
    fn of_workflow(&mut self, path: &str) -> Option<Vec<Value>> {
        let (context, name) = (path.split('.').next()?, path.rsplit('.').next()?);
        if context != "matrix" {
            return ["env", "steps", "needs"].contains(&context).then(|| self.variable(name)).flatten();
        }
        if !self.works(self.definitions.len() / 4) {
            return None;
        }
        let set = self.definitions.iter().filter(|definition| definition.name == name);
        let values = set.flat_map(|definition| &definition.values);
        // One more than are followed shows that there are more.
        let mut values: Vec<Value> = values.take(ALTERNATIVES + 1).cloned().collect();
        self.works(values.iter().map(Value::weight).sum());
        self.bounded(&mut values);
        (!values.is_empty()).then_some(values)
    }

    /// What a variable may hold; nothing where the text never sets it.
    pub(in super::super) fn variable(&mut self, name: &str) -> Option<Vec<Value>> {
        let values = self.variables.get(name)?;
        if self.budget == 0 {
            return Some(vec![not_followed(Span::default())]);
        }
        let weight = values.iter().map(Value::weight).sum();
        let values = values.clone();
        self.works(weight);
        Some(values)
    }

    fn unset(&self, name: &str, span: Span) -> Vec<Value> {
        // The one that Makefiles rely on being empty.
        if self.kind == Kind::Make && name == "empty" {
            return vec![Value::default()];
        }
        vec![Value::unknown(format!("`{name}` is not set in this text"), span)]
    }

    /// `${NAME<operation>}`; `span` is the operation's place.
    fn operation(&mut self, name: &str, operation: &str, span: Span) -> Vec<Value> {
        let known = self.variable(name);
        let place = Span { start: span.start.saturating_sub(name.len()), end: span.end };
        let (operator, skipped) = match operation.as_bytes() {
            [] => return known.unwrap_or_else(|| self.unset(name, place)),
            [b':', c, ..] => (*c, 2),
            [c, ..] => (*c, 1),
        };
        let word = token::value(self.text, Span { start: span.start + skipped, end: span.end }, Kind::Shell);
        let from_outside = |mut value: Value| {
            value.environment.insert((name.to_owned(), place));
            value
        };
        match (operator, known) {
            (b'[', Some(values)) if operation == "[*]" && self.joins_by_commas() => {
                values.into_iter().map(|value| value.mapped(|text| text.replace(' ', ","))).collect()
            }
            (b'[', Some(values)) if ["[@]", "[*]"].contains(&operation) => values,
            (b'-' | b'=', Some(values)) if values.iter().all(|value| !value.is_empty()) => values,
            (b'-', Some(_)) => self.expand(&word),
            (b'-', None) => self.expand(&word).into_iter().map(from_outside).collect(),
            (b'=', known) => {
                let mut values = self.expand(&word);
                if known.is_none() {
                    values = values.into_iter().map(from_outside).collect();
                }
                self.variables.insert(name.to_owned(), values.clone());
                values
            }
            (b'+', Some(values)) if values.iter().all(Value::is_empty) => vec![Value::default()],
            (b'+', Some(_)) => self.expand(&word),
            (b'+', None) => vec![from_outside(Value::default())],
            (b'?', Some(values)) => values,
            // Commas at the ends make no difference.
            (b'#' | b'%', Some(values)) if [",", " "].contains(&operation.trim_start_matches(['#', '%'])) => values,
            (b'/', Some(values)) => self.replaced(values, name, operation, place),
            (_, None) => self.unset(name, place),
            (_, Some(_)) => vec![Value::unknown(format!("`${{{name}{operation}}}`"), place)],
        }
    }

    fn joins_by_commas(&self) -> bool {
        self.variables.get("IFS").is_some_and(|values| values.iter().all(|value| value.plain().as_deref() == Some(",")))
    }

    /// `${NAME/pattern/replacement}` and `${NAME//pattern/replacement}`.
    fn replaced(&mut self, values: Vec<Value>, name: &str, operation: &str, place: Span) -> Vec<Value> {
        let body = operation.trim_start_matches('/');
        let (pattern, replacement) = body.split_once('/').unwrap_or((body, ""));
        let at = place.start + name.len() + (operation.len() - body.len());
        match sed::substitution(pattern, replacement.trim_matches(['"', '\'']), at, false) {
            Some(change) => values.into_iter().map(|value| filter::applied(value, change.clone())).collect(),
            None => vec![Value::unknown(format!("`${{{name}{operation}}}`"), place)],
        }
    }

    /// `$(function arguments)` of a Makefile.
    fn function(&mut self, inner: &str, span: Span) -> Vec<Value> {
        let (function, rest) = inner.split_once([' ', '\t']).unwrap_or((inner, ""));
        let at = span.start + function.len() + 1;
        if function == "shell" {
            let mut value = self.printed(Span { start: at, end: span.end });
            // Make does not look at its status.
            if value.is_made() {
                value.unnoticed = Some(span);
            }
            return vec![value];
        }
        let arguments = split(rest, at);
        let mut values: Vec<Vec<Value>> = Vec::new();
        for argument in &arguments {
            let word = token::value(self.text, *argument, Kind::Make);
            values.push(self.expand(&word));
        }
        let plain = |index: usize| values.get(index).and_then(|values| values.first()).and_then(Value::plain);
        let last = || values.last().cloned().unwrap_or_default();
        let change = |pattern: &str, replacement: &str| {
            let change = sed::substitution(pattern, replacement, arguments.first()?.start, false)?;
            Some(last().into_iter().map(|value| filter::applied(value, change.clone())).collect::<Vec<_>>())
        };
        let changed = match (function, values.len()) {
            ("strip" | "sort", 1) => Some(last()),
            ("addprefix", 2) => plain(0).map(|prefix| prefixed(last(), &prefix)),
            ("patsubst", 3) if plain(0).as_deref() == Some("%") => {
                plain(1).and_then(|to| to.strip_suffix('%').map(|prefix| prefixed(last(), prefix)))
            }
            ("subst", 3) => plain(0)
                .zip(plain(1))
                .and_then(|(from, to)| change(if from.trim().is_empty() { " " } else { from.as_str() }, to.trim())),
            ("filter-out", 2) => {
                plain(0).and_then(|tags| change(&tags.split_whitespace().collect::<Vec<_>>().join("\\|"), ""))
            }
            _ => None,
        };
        changed.unwrap_or_else(|| vec![Value::unknown(format!("`$({inner})`"), span)])
    }
}

/// The unknown value of everything that comes after the last step.
pub(super) fn not_followed(place: Span) -> Value {
    Value::unknown("what is too long to be followed", place)
}

/// Each word with something before it. A word may be made of several texts.
fn prefixed(values: Vec<Value>, prefix: &str) -> Vec<Value> {
    let one = |mut value: Value| {
        let mut inside = false;
        for atom in &mut value.atoms {
            let Atom::Text(text, _) = atom else {
                inside = true;
                continue;
            };
            let mut changed = String::new();
            for c in text.chars() {
                if !c.is_whitespace() && !inside {
                    changed += prefix;
                }
                inside = !c.is_whitespace();
                changed.push(c);
            }
            *text = changed;
        }
        value
    };
    values.into_iter().map(one).collect()
}

/// The arguments of a function: what stands between commas that are in no brackets.
fn split(text: &str, at: usize) -> Vec<Span> {
    let (mut depth, mut start) = (0_usize, 0);
    let mut arguments = Vec::new();
    for (index, c) in text.char_indices() {
        match c {
            '(' | '{' => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                arguments.push(Span { start: at + start, end: at + index });
                start = index + 1;
            }
            _ => {}
        }
    }
    arguments.push(Span { start: at + start, end: at + text.len() });
    arguments
}
