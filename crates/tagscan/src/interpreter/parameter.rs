//! References to variables, and the operations on their values.

use std::cell::Cell;
use std::collections::BTreeSet;

use spanned_yaml::Span;

use super::arithmetic::calculate;
use super::state::Elements;
use super::{Interpreter, Mark, State, Status, is_tag};
use crate::ir::{End, Extent, Index, Operation, Parameter, Word};
use crate::model::{Unknown, Word as Named};
use crate::regular::{Glob, find};
use crate::value::{Value, hole};

impl Interpreter<'_> {
    /// The elements of `"$@"` or of a whole array, if that is what a reference means; `*` joins them.
    pub(super) fn elements_of(&mut self, parameter: &Parameter, state: &mut State) -> Option<Vec<Value>> {
        let whole = match (&parameter.index, parameter.name.as_str()) {
            (Index::Each, _) | (Index::None, "@") => true,
            (Index::Joined, _) | (Index::None, "*") => false,
            _ => return None,
        };
        if matches!(parameter.operation, Operation::Length | Operation::Default { .. }) {
            return None;
        }
        let elements = match parameter.name.as_str() {
            "@" | "*" => self.all_arguments(state),
            name => match (&parameter.operation, state.get(name).map(|variable| &variable.elements)) {
                (Operation::Keys, Some(Elements::Keyed(entries))) => {
                    entries.iter().map(|(key, _)| Value::made(key.clone(), parameter.span.start)).collect()
                }
                (Operation::Keys, Some(Elements::List(values))) => {
                    (0..values.len()).map(|index| Value::made(index.to_string(), parameter.span.start)).collect()
                }
                _ => match state.get(name) {
                    Some(variable) => variable.elements(),
                    None => vec![self.unset(name, parameter.span, state)],
                },
            },
        };
        let elements: Vec<Value> = match (&parameter.operation, parameter.name.as_str()) {
            (Operation::Slice(from, length), name) => {
                let first = usize::from(matches!(name, "@" | "*"));
                let from = self.number(from, state).map(|from| from.saturating_sub(first));
                let length = length.as_ref().map_or(Some(usize::MAX), |word| self.number(word, state));
                match (from, length) {
                    (Some(from), Some(length)) => elements.into_iter().skip(from).take(length).collect(),
                    _ => vec![self.unknown("a slice of an array", parameter.span)],
                }
            }
            _ => elements.into_iter().map(|value| self.operated(value, parameter, state)).collect(),
        };
        if whole {
            return Some(elements);
        }
        let ifs = state.value("IFS").and_then(|ifs| ifs.known().and_then(|ifs| ifs.chars().next()));
        let separator = ifs.map_or_else(|| " ".to_owned(), |c| c.to_string());
        Some(vec![Value::joined(&elements, &separator)])
    }

    fn number(&mut self, word: &Word, state: &mut State) -> Option<usize> {
        let value = self.single(word, state);
        value.known()?.trim().parse().ok()
    }

    pub(crate) fn all_arguments(&mut self, state: &State) -> Vec<Value> {
        if state.knows_arguments {
            return state.arguments.to_vec();
        }
        vec![self.hole(
            Unknown {
                reason: "the arguments of the script are not known".to_owned(),
                span: Span::default(),
                is_allowlist: false,
            },
            Some("@"),
        )]
    }

    /// Whether a word with a hole may be none, or several: a hole for something that a shell would split.
    pub(crate) fn may_be_several(&self, value: &Value) -> bool {
        let text = value.text();
        text.chars().next().is_some_and(|c| hole(c).is_some()) && text.chars().nth(1).is_none()
    }

    /// A variable that is not set. One that the script sets elsewhere is empty, unless the environment has it.
    pub(super) fn unset(&mut self, name: &str, span: Span, state: &State) -> Value {
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            if state.knows_arguments {
                return Value::default();
            }
            return self.hole(
                Unknown { reason: format!("`${name}` is an argument of the script"), span, is_allowlist: false },
                Some(name),
            );
        }
        if self.is_assigned(name) {
            let mark = self.mark(Mark::Environment(Named::new(name, span)));
            let mut value = Value::default();
            value.marks.insert(mark);
            return value;
        }
        let reason = format!("`{name}` is not set in this text");
        self.hole(Unknown { reason, span, is_allowlist: false }, Some(name))
    }

    /// The value of a reference to one value.
    pub(super) fn parameter(&mut self, parameter: &Parameter, state: &mut State) -> Value {
        let name = parameter.name.as_str();
        if let Operation::Indirect = parameter.operation {
            let target = state.value(name).and_then(|value| value.known().map(str::to_owned));
            return match target {
                Some(target) => state.value(&target).unwrap_or_else(|| self.unset(&target, parameter.span, state)),
                None => self.unknown(format!("what `{name}` names"), parameter.span),
            };
        }
        let set = self.current(parameter, state);
        match &parameter.operation {
            Operation::Default { operator, colon, word } => {
                self.with_default(parameter, set, (*operator, *colon), word, state)
            }
            Operation::Length => {
                let count = match (&parameter.index, state.get(name)) {
                    (Index::Each | Index::Joined, Some(variable)) => Some(variable.elements().len()),
                    (Index::Each | Index::Joined, None) => None,
                    _ => set.as_ref().and_then(|value| value.known()).map(str::len),
                };
                match count {
                    Some(count) => Value::made(count.to_string(), parameter.span.start),
                    None => self.unknown(format!("the length of `{name}`"), parameter.span),
                }
            }
            _ => {
                let value = set.unwrap_or_else(|| self.unset(name, parameter.span, state));
                self.operated(value, parameter, state)
            }
        }
    }

    /// The value that is set, if one is.
    fn current(&mut self, parameter: &Parameter, state: &mut State) -> Option<Value> {
        let name = parameter.name.as_str();
        match name {
            "#" if state.knows_arguments => return Some(Value::made(state.arguments.len().to_string(), 0)),
            "?" => {
                return Some(match state.status {
                    Status::Success => Value::made("0", parameter.span.start),
                    Status::Failure => Value::made("1", parameter.span.start),
                    _ => self.unknown("the status of a command", parameter.span),
                });
            }
            "0" => return Some(Value::made(self.name, parameter.span.start)),
            "@" | "*" if state.knows_arguments => return Some(Value::joined(&state.arguments, " ")),
            "#" | "$" | "!" | "-" | "@" | "*" => return Some(self.unknown(format!("`${name}`"), parameter.span)),
            _ => {}
        }
        if let Some(index) = name.parse::<usize>().ok().filter(|_| state.knows_arguments) {
            return state.arguments.get(index.checked_sub(1)?).cloned();
        }
        let Index::At(key) = &parameter.index else { return state.value(name) };
        let key = self.single(key, state);
        let Some(key) = key.known().map(str::to_owned) else {
            return Some(self.unknown(format!("an element of `{name}`"), parameter.span));
        };
        // An index may be an expression of variables.
        let is_list = matches!(state.get(name)?.elements, Elements::List(_));
        let key = match is_list.then(|| calculate(&key, state)).flatten() {
            Some(index) => index.to_string(),
            None => key,
        };
        let found = match &state.get(name)?.elements {
            Elements::Keyed(entries) => entries.iter().find(|(other, _)| *other == key).map(|(_, value)| value.clone()),
            Elements::List(values) => match key.parse::<i64>() {
                Ok(-1) => values.last().cloned(),
                Ok(index) => usize::try_from(index).ok().and_then(|index| values.get(index).cloned()),
                Err(_) => values.first().cloned(),
            },
            Elements::One(value) => (key == "0").then(|| value.clone()),
            Elements::Reference(_) => None,
        };
        Some(found.unwrap_or_default())
    }

    fn with_default(
        &mut self,
        parameter: &Parameter,
        set: Option<Value>,
        (operator, colon): (char, bool),
        word: &Word,
        state: &mut State,
    ) -> Value {
        let name = parameter.name.as_str();
        // Whether the value counts as set; unknown for a hole, which may be empty.
        let counts = match &set {
            None => Some(false),
            Some(value) if colon && value.is_empty() => Some(false),
            Some(value) if colon && value.text().chars().all(|c| hole(c).is_some()) => None,
            Some(_) => Some(true),
        };
        let is_argument = name.starts_with(|c: char| c.is_ascii_digit() || "@*".contains(c));
        let from_outside = set.is_none() && !(is_argument && state.knows_arguments);
        let note = |this: &mut Self, mut value: Value| {
            if from_outside {
                let name = if is_argument { format!("${name}") } else { name.to_owned() };
                let mark = this.mark(Mark::Environment(Named::new(name, parameter.span)));
                value.marks.insert(mark);
            }
            value
        };
        match (operator, counts) {
            ('+', Some(true)) => self.single(word, state),
            ('+', Some(false)) => note(self, set.unwrap_or_default()).part(0..0),
            ('-' | '=', Some(false)) => {
                let value = self.single(word, state);
                let value = note(self, value);
                if operator == '=' {
                    self.assigns(name);
                    state.set(name, value.clone());
                }
                value
            }
            ('?', Some(false)) | (_, None) => match (operator, set) {
                ('+', _) => self.unknown(format!("whether `{name}` is empty"), parameter.span),
                (_, Some(value)) => value,
                (_, None) => self.unset(name, parameter.span, state),
            },
            _ => set.unwrap_or_default(),
        }
    }

    /// A value after the operation of a reference.
    pub(super) fn operated(&mut self, value: Value, parameter: &Parameter, state: &mut State) -> Value {
        self.pay(value.len());
        match &parameter.operation {
            Operation::Trim { end, extent, pattern } => {
                let pattern = self.pattern(pattern, state);
                match self.trimmed(&value, &pattern, *end, *extent) {
                    Some(value) => value,
                    None => self.unknown(format!("a part of `{}`", parameter.name), parameter.span),
                }
            }
            Operation::Replace { matches, pattern, with } => {
                let pattern = self.pattern(pattern, state);
                let with = self.single(with, state);
                match find(&pattern, &value, *matches) {
                    Some(ranges) => {
                        self.pay(ranges.len() * with.len());
                        let edits: Vec<_> = ranges.into_iter().map(|range| (range, with.clone())).collect();
                        let after = value.replaced(&edits);
                        self.edited(&value, after, pattern.text(), parameter.span)
                    }
                    None => self.unknown(format!("a part of `{}`", parameter.name), parameter.span),
                }
            }
            Operation::Slice(from, length) => {
                let from = self.number(from, state);
                let length = length.as_ref().map_or(Some(usize::MAX), |word| self.number(word, state));
                match (from, length, value.known()) {
                    (Some(from), Some(length), Some(text)) => {
                        let start = from.min(text.len());
                        let end = start.saturating_add(length).min(text.len());
                        value.part(start..end)
                    }
                    _ => self.unknown(format!("a part of `{}`", parameter.name), parameter.span),
                }
            }
            Operation::Case { upper, all } => {
                let mut first = true;
                let change = Cell::new(first);
                first = *upper;
                value.mapped(|c| {
                    if !*all && !change.replace(false) {
                        return None;
                    }
                    Some(if first { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }.to_string())
                })
            }
            _ => value,
        }
    }

    fn trimmed(&mut self, value: &Value, pattern: &Glob, end: End, extent: Extent) -> Option<Value> {
        let text = value.text();
        let mut best = None;
        let boundaries = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        for at in boundaries {
            let part = if end == End::End { at..text.len() } else { 0..at };
            if !self.pay(part.len() / 8) {
                return None;
            }
            if pattern.is_match(&text[part.clone()])? {
                // Parts of the end become shorter, those of the start longer.
                let keeps_last = (end == End::End) == (extent == Extent::Shortest);
                if best.is_none() || keeps_last {
                    best = Some(part);
                }
                if !keeps_last {
                    break;
                }
            }
        }
        Some(match best {
            Some(part) if end == End::End => value.part(0..part.start),
            Some(part) => value.part(part.end..text.len()),
            None => value.clone(),
        })
    }

    /// Notes an edit of a list: one that changes nothing, or that leaves a piece of a tag.
    pub(crate) fn edited(&mut self, before: &Value, mut after: Value, pattern: &str, span: Span) -> Value {
        let Some(at) = pattern.find("ts_omit_") else { return after };
        let is_known = before.known().is_some_and(|text| text.contains("ts_"));
        let name: String = pattern[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if is_known && before.text() == after.text() {
            let mark = self.mark(Mark::Idle(Named::new(name, span)));
            after.marks.insert(mark);
        } else if is_known {
            let is_word = |c: char| c == ',' || c.is_whitespace();
            let old: BTreeSet<&str> = before.text().split(is_word).collect();
            let torn =
                after.text().split(is_word).find(|word| !word.is_empty() && !old.contains(word) && !is_tag(word));
            let torn = torn.filter(|_| !after.has_hole()).map(|word| Named::new(word, span));
            if let Some(word) = torn {
                let mark = self.mark(Mark::Torn(word));
                after.marks.insert(mark);
            }
        }
        after
    }
}
