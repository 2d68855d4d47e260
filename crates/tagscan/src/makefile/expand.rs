//! References and functions of make.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::is_target;
use super::model::{Assignment, Makefile, Variable};
use crate::interpreter::{Interpreter, State, Variable as ShellVariable};
use crate::value::Value;

/// Names that Makefiles leave undefined to mean nothing.
const EMPTY: [&str; 6] = ["Q", "V", "AT", "SILENT", "EMPTY", "empty"];

/// Variables as a recipe sees them: those of the Makefile, and others before them.
pub(super) struct Scope<'a> {
    makefile: &'a Makefile,
    own: BTreeMap<String, Variable>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(makefile: &'a Makefile) -> Self {
        Self { makefile, own: BTreeMap::new() }
    }

    pub(super) fn set(&mut self, name: &str, text: Value) {
        self.own.insert(name.to_owned(), Variable { text, recursive: false, exported: false });
    }

    pub(super) fn set_own(&mut self, assignment: &Assignment, interpreter: &mut Interpreter<'_>) {
        let name = self.expand(&assignment.name, interpreter);
        let name = name.text().trim().to_owned();
        let old = self.own.get(&name).or(self.makefile.variables.get(&name)).cloned();
        let variable = self.assigned(&name, assignment, old.as_ref(), interpreter);
        self.own.insert(name, variable);
    }

    /// The variable after an assignment.
    pub(super) fn assigned(
        &self,
        name: &str,
        assignment: &Assignment,
        old: Option<&Variable>,
        interpreter: &mut Interpreter<'_>,
    ) -> Variable {
        let exported = assignment.exported || old.is_some_and(|old| old.exported);
        let variable = |text, recursive| Variable { text, recursive, exported };
        match (assignment.operator, old) {
            ("?=", Some(old)) => old.clone(),
            ("+=", Some(old)) => {
                let added = match old.recursive {
                    true => assignment.value.clone(),
                    false => self.expand(&assignment.value, interpreter),
                };
                let text = Value::joined(&[old.text.clone(), added], " ");
                let text = if old.text.is_empty() { text.trimmed() } else { text };
                variable(interpreter.bounded(text), old.recursive)
            }
            (":=" | "::=", _) => variable(self.expand(&assignment.value, interpreter), false),
            ("!=", _) => {
                let command = self.expand(&assignment.value, interpreter);
                variable(self.shell(&command, interpreter), false)
            }
            ("?=", None) => {
                let mut text = assignment.value.clone();
                if text.text().contains("ts_") || name.contains("TAG") || name.contains("FEATURE") {
                    interpreter.note_environment(&mut text, name);
                }
                variable(text, true)
            }
            _ => variable(assignment.value.clone(), true),
        }
    }

    /// The value of a variable.
    pub(super) fn value(&self, name: &str, interpreter: &mut Interpreter<'_>) -> Value {
        match self.find(name) {
            Some(variable) if variable.recursive => self.expand(&variable.text.clone(), interpreter),
            Some(variable) => variable.text.clone(),
            None => Value::default(),
        }
    }

    fn find(&self, name: &str) -> Option<&Variable> {
        self.own.get(name).or_else(|| self.makefile.variables.get(name))
    }

    /// The variables that recipes have in their environment.
    pub(super) fn exported(&self, interpreter: &mut Interpreter<'_>) -> Vec<(String, Value)> {
        let all = self.makefile.variables.iter().chain(&self.own);
        let names: BTreeSet<&String> =
            all.filter(|(_, variable)| variable.exported || self.makefile.exports_all).map(|(name, _)| name).collect();
        names.into_iter().map(|name| (name.clone(), self.value(name, interpreter))).collect()
    }

    /// A text with its references replaced.
    pub(super) fn expand(&self, text: &Value, interpreter: &mut Interpreter<'_>) -> Value {
        if !interpreter.pay(text.len()) || !text.text().contains('$') {
            return text.clone();
        }
        if !interpreter.enter() {
            return interpreter.unknown("references are nested deeper than is followed", text.span(0..0));
        }
        let value = self.expand_here(text, interpreter);
        interpreter.leave();
        interpreter.bounded(value)
    }

    fn expand_here(&self, text: &Value, interpreter: &mut Interpreter<'_>) -> Value {
        let source = text.text();
        let mut whole = text.emptied();
        let mut from = 0;
        while let Some(dollar) = source[from..].find('$').map(|at| from + at) {
            whole.push_part(text, from..dollar);
            let rest = &source[dollar + 1..];
            match rest.chars().next() {
                Some('$') => {
                    whole.push_part(text, dollar..dollar + 1);
                    from = dollar + 2;
                }
                Some(open @ ('(' | '{')) => {
                    let close = if open == '(' { ')' } else { '}' };
                    let length = closing(rest, open, close).unwrap_or(rest.len());
                    let inside = text.part(dollar + 2..(dollar + 1 + length).max(dollar + 2));
                    let value = self.reference(&inside, interpreter);
                    whole.push(&value);
                    from = (dollar + 2 + length).min(source.len());
                }
                Some(name) => {
                    let value = self.named(&name.to_string(), text, dollar, interpreter);
                    whole.push(&value);
                    from = dollar + 1 + name.len_utf8();
                }
                None => from = source.len(),
            }
            if !interpreter.pay(whole.len() / 16) || whole.len() > crate::value::LONGEST {
                return whole;
            }
        }
        whole.push_part(text, from..source.len());
        whole
    }

    fn named(&self, name: &str, text: &Value, at: usize, interpreter: &mut Interpreter<'_>) -> Value {
        if self.find(name).is_some() {
            return self.value(name, interpreter);
        }
        match name {
            "MAKE" => Value::made("make", text.origin(at)),
            "comma" if self.find(name).is_none() => Value::made(",", text.origin(at)),
            _ if EMPTY.contains(&name) => Value::default(),
            _ => interpreter.undefined(name, text.span(at..at + 1)),
        }
    }

    /// The inside of `$( … )`.
    fn reference(&self, inside: &Value, interpreter: &mut Interpreter<'_>) -> Value {
        let text = inside.text();
        let word = text.split([' ', '\t']).next().unwrap_or_default();
        if word.len() < text.len() && FUNCTIONS.contains(&word) {
            let rest = inside.part(word.len() + 1..text.len());
            return self.function(word, &rest, interpreter);
        }
        let inside = self.expand(inside, interpreter);
        let text = inside.text();
        if inside.has_hole() {
            return interpreter.unknown("a variable whose name is not known", inside.span(0..0));
        }
        if let Some((name, pattern)) = text.split_once(':').filter(|(_, pattern)| pattern.contains('=')) {
            let value = self.named(name, &inside, 0, interpreter);
            let (find, with) = pattern.split_once('=').unwrap_or_default();
            let (find, with) = match find.contains('%') {
                true => (find.to_owned(), with.to_owned()),
                false => (format!("%{find}"), format!("%{with}")),
            };
            return map_words(&value, |word| Some(patsubst(word, &find, &with)));
        }
        self.named(text.trim(), &inside, 0, interpreter)
    }

    fn function(&self, name: &str, rest: &Value, interpreter: &mut Interpreter<'_>) -> Value {
        let mut cuts = top_level_commas(rest.text());
        cuts.truncate(arity(name) - 1);
        let mut raw = Vec::new();
        let mut start = 0;
        for cut in cuts.into_iter().chain([rest.len()]) {
            raw.push(rest.part(start..cut));
            start = cut + 1;
        }
        match name {
            "if" => self.condition(&raw, rest, interpreter),
            "foreach" => self.foreach(&raw, interpreter),
            "call" => self.user_function(&raw, interpreter),
            _ => {
                let arguments: Vec<Value> = raw.iter().map(|value| self.expand(value, interpreter)).collect();
                let value = self.on_text(name, &arguments).or_else(|| self.on_words(name, &arguments));
                match value {
                    Some(value) => value,
                    None if name == "shell" => self.shell(&arguments[0], interpreter),
                    None => interpreter.unknown(format!("what `{name}` of make yields"), rest.span(0..0)),
                }
            }
        }
    }

    /// `$(if …)`: only the branch that is taken is expanded.
    fn condition(&self, raw: &[Value], rest: &Value, interpreter: &mut Interpreter<'_>) -> Value {
        let Some(first) = raw.first() else { return Value::default() };
        let condition = self.expand(first, interpreter).trimmed();
        let condition = interpreter.without_unset(&condition);
        if condition.has_hole() {
            return interpreter.unknown("a condition that is not known", rest.span(0..0));
        }
        let branch = raw.get(if condition.is_empty() { 2 } else { 1 });
        branch.map_or_else(Value::default, |value| self.expand(value, interpreter))
    }

    /// Functions on texts and variables.
    fn on_text(&self, name: &str, arguments: &[Value]) -> Option<Value> {
        let first = arguments.first()?;
        let empty = Value::default();
        let (second, third) = (arguments.get(1).unwrap_or(&empty), arguments.get(2).unwrap_or(&empty));
        Some(match name {
            "subst" if first.is_empty() => third.clone(),
            "subst" => {
                let found = third.text().match_indices(first.text());
                let edits: Vec<_> = found.map(|(at, text)| (at..at + text.len(), second.clone())).collect();
                third.replaced(&edits)
            }
            "findstring" if second.text().contains(first.text()) => first.clone(),
            "or" => arguments.iter().find(|value| !value.is_empty()).cloned().unwrap_or_default(),
            "and" if arguments.iter().all(|value| !value.is_empty()) => arguments.last()?.clone(),
            "value" => self.find(first.text().trim()).map(|variable| variable.text.clone()).unwrap_or_default(),
            "origin" => {
                let is_set = self.find(first.text().trim()).is_some();
                Value::made(if is_set { "file" } else { "undefined" }, first.origin(0))
            }
            "findstring" | "and" | "info" | "warning" | "error" | "eval" => empty,
            _ => return None,
        })
    }

    /// Functions on lists of words.
    fn on_words(&self, name: &str, arguments: &[Value]) -> Option<Value> {
        let first = arguments.first()?;
        let empty = Value::default();
        let (second, third) = (arguments.get(1).unwrap_or(&empty), arguments.get(2).unwrap_or(&empty));
        let all = first.fields(char::is_whitespace);
        let number = |value: &Value| value.text().trim().parse::<usize>().ok();
        Some(match name {
            "patsubst" => {
                let (find, with) = (first.text().trim(), second.text().trim());
                map_words(third, |word| Some(patsubst(word, find, with)))
            }
            "strip" => Value::joined(&all, " "),
            "addprefix" => map_words(second, |word| Some(Value::joined(&[first.trimmed(), word.clone()], ""))),
            "addsuffix" => map_words(second, |word| Some(Value::joined(&[word.clone(), first.trimmed()], ""))),
            "filter" | "filter-out" => {
                let patterns: Vec<&str> = first.text().split_whitespace().collect();
                let keeps = |word: &str| patterns.iter().any(|pattern| is_target(pattern, word));
                map_words(second, |word| {
                    (word.has_hole() || keeps(word.text()) == (name == "filter")).then(|| word.clone())
                })
            }
            "sort" => {
                let mut sorted = all;
                sorted.sort_by(|a, b| a.text().cmp(b.text()));
                sorted.dedup_by(|a, b| a.text() == b.text());
                Value::joined(&sorted, " ")
            }
            "firstword" => all.first().cloned().unwrap_or_default(),
            "lastword" => all.last().cloned().unwrap_or_default(),
            "words" => Value::made(all.len().to_string(), first.origin(0)),
            "word" => {
                second.fields(char::is_whitespace).get(number(first)?.checked_sub(1)?).cloned().unwrap_or_default()
            }
            "wordlist" => {
                let list = third.fields(char::is_whitespace);
                let end = number(second)?.min(list.len());
                Value::joined(list.get(number(first)?.saturating_sub(1)..end).unwrap_or_default(), " ")
            }
            "join" => {
                let others = second.fields(char::is_whitespace);
                let pairs = all.iter().enumerate();
                let pairs = pairs.map(|(index, word)| {
                    Value::joined(&[word.clone(), others.get(index).cloned().unwrap_or_default()], "")
                });
                Value::joined(&pairs.collect::<Vec<_>>(), " ")
            }
            "notdir" => {
                map_words(first, |word| Some(word.part(word.text().rfind('/').map_or(0, |at| at + 1)..word.len())))
            }
            _ => return None,
        })
    }

    fn foreach(&self, raw: &[Value], interpreter: &mut Interpreter<'_>) -> Value {
        let [name, list, body] = raw else { return Value::default() };
        let name = self.expand(name, interpreter).trimmed();
        let list = self.expand(list, interpreter);
        let mut parts = Vec::new();
        for word in list.fields(char::is_whitespace) {
            let mut scope = Scope { makefile: self.makefile, own: self.own.clone() };
            scope.set(name.text(), word);
            parts.push(scope.expand(body, interpreter));
            if !interpreter.pay(64 + self.own.len()) {
                break;
            }
        }
        Value::joined(&parts, " ")
    }

    fn user_function(&self, raw: &[Value], interpreter: &mut Interpreter<'_>) -> Value {
        let Some((name, arguments)) = raw.split_first() else { return Value::default() };
        let name = self.expand(name, interpreter).trimmed();
        let mut scope = Scope { makefile: self.makefile, own: self.own.clone() };
        for (index, argument) in arguments.iter().enumerate() {
            let value = self.expand(argument, interpreter);
            scope.set(&(index + 1).to_string(), value);
        }
        interpreter.pay(64 + self.own.len());
        match scope.find(name.text()).cloned() {
            Some(variable) => scope.expand(&variable.text, interpreter),
            None => interpreter.undefined(name.text(), name.span(0..0)),
        }
    }

    /// `$(shell … )`: make takes no notice of a failure.
    fn shell(&self, command: &Value, interpreter: &mut Interpreter<'_>) -> Value {
        let mut state = State::default();
        for (name, value) in self.exported(interpreter) {
            state.put(&name, ShellVariable { exported: true, ..ShellVariable::with_value(value) });
        }
        let after = interpreter.run_script(command, state);
        let output = after.output.without_final_newlines();
        output.mapped(|c| (c == '\n').then(|| " ".to_owned()))
    }
}

/// The number of arguments of a function: further commas are a part of the last one.
fn arity(name: &str) -> usize {
    match name {
        "shell" | "eval" | "info" | "warning" | "error" | "strip" | "sort" | "words" | "firstword" | "lastword"
        | "dir" | "notdir" | "basename" | "suffix" | "wildcard" | "value" | "origin" => 1,
        "subst" | "patsubst" | "foreach" | "if" | "wordlist" => 3,
        "call" | "or" | "and" => 64,
        _ => 2,
    }
}

/// The functions that are known.
const FUNCTIONS: [&str; 33] = [
    "shell",
    "subst",
    "patsubst",
    "strip",
    "addprefix",
    "addsuffix",
    "filter",
    "filter-out",
    "sort",
    "firstword",
    "lastword",
    "words",
    "word",
    "wordlist",
    "findstring",
    "or",
    "and",
    "join",
    "value",
    "origin",
    "notdir",
    "info",
    "warning",
    "error",
    "eval",
    "if",
    "foreach",
    "call",
    "dir",
    "basename",
    "suffix",
    "wildcard",
    "abspath",
];

/// Each word changed, or left out.
fn map_words(value: &Value, change: impl Fn(&Value) -> Option<Value>) -> Value {
    let changed: Vec<Value> = value.fields(char::is_whitespace).iter().filter_map(change).collect();
    let mut whole = Value::joined(&changed, " ");
    whole.marks.extend(&value.marks);
    whole
}

fn patsubst(word: &Value, find: &str, with: &str) -> Value {
    let Some((before, after)) = find.split_once('%') else {
        return if word.text() == find { Value::made(with, word.origin(0)) } else { word.clone() };
    };
    let text = word.text();
    let fits = text.len() >= before.len() + after.len() && text.starts_with(before) && text.ends_with(after);
    if !fits {
        return word.clone();
    }
    let (head, tail) = with.split_once('%').unwrap_or((with, ""));
    let mut whole = Value::made(head, word.origin(0));
    if with.contains('%') {
        whole.push(&word.part(before.len()..text.len() - after.len()));
    }
    whole.push_made(tail, word.origin(0));
    whole
}

/// The length up to the bracket that closes the first character.
fn closing(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// Where commas are outside brackets.
pub(super) fn top_level_commas(text: &str) -> Vec<usize> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '(' | '{' => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => found.push(at),
            _ => {}
        }
    }
    found
}
