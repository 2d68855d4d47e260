//! Recipes of Yocto: assignments, and functions in shell.

use std::collections::BTreeMap;

use crate::interpreter::{Interpreter, State, Variable};
use crate::model::{List, Program};
use crate::value::Value;

/// The deepest nesting of references.
const DEEPEST: usize = 8;

/// Reads a recipe.
pub(crate) fn read(text: &str, interpreter: &mut Interpreter<'_>) {
    let mut recipe = Recipe::default();
    let source = Value::literal(text, 0);
    let mut body: Option<(String, usize)> = None;
    let mut at = 0;
    let mut functions = Vec::new();
    let mut held: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let (start, bare) = (at, line.trim_end());
        at += line.len();
        if !interpreter.pay(line.len()) {
            return;
        }
        if let Some((name, from)) = &body {
            if bare == "}" {
                functions.push((name.clone(), source.part(*from..start)));
                body = None;
            }
            continue;
        }
        let from = *held.get_or_insert(start);
        if bare.ends_with('\\') {
            continue;
        }
        held = None;
        let whole = source.part(from..start + bare.len());
        if let Some(name) = bare.trim().strip_suffix("() {").filter(|name| !name.contains(['"', '='])) {
            body = Some((name.trim().rsplit(' ').next().unwrap_or_default().to_owned(), at));
        } else {
            recipe.line(&whole, interpreter);
        }
    }
    let confargs = recipe.package_config(interpreter);
    recipe.variables.insert("PACKAGECONFIG_CONFARGS".to_owned(), confargs);
    recipe.finish(functions, interpreter);
}

#[derive(Default)]
struct Recipe {
    variables: BTreeMap<String, Value>,
    /// Parts that are put before or after a variable in the end.
    parts: Vec<(String, bool, Value)>,
    /// The flags of variables: `PACKAGECONFIG[ssh]`.
    flags: Vec<(String, Value)>,
}

impl Recipe {
    fn line(&mut self, line: &Value, interpreter: &mut Interpreter<'_>) {
        let text = line.text();
        let Some(equals) = text.find('=').filter(|_| !text.trim_start().starts_with('#')) else { return };
        let operators = ["??=", "?=", ":=", "+=", ".=", "=+", "=."];
        let before = &text[..equals];
        let operator = operators.iter().find(|operator| text[..=equals].ends_with(**operator));
        let tail = &text[equals + 1..];
        let prepends = tail.starts_with(['+', '.']);
        let name = before.trim_end_matches(['?', ':', '+', '.']).trim().trim_start_matches("export ").to_owned();
        let Some(open) = text[equals..].find(['"', '\'']).map(|at| equals + at + 1) else { return };
        let Some(close) = text.rfind(['"', '\'']).filter(|close| *close >= open) else { return };
        let value = line.part(open..close).mapped(|c| (c == '\\').then(String::new));
        interpreter.note_version(&name, &value);
        if let Some((variable, flag)) = name.strip_suffix(']').and_then(|name| name.split_once('[')) {
            if variable == "PACKAGECONFIG" {
                self.flags.push((flag.to_owned(), value));
            }
            return;
        }
        for (marker, after) in [(":append", true), ("_append", true), (":prepend", false), ("_prepend", false)] {
            if let Some(at) = name.find(marker) {
                return self.parts.push((name[..at].to_owned(), after, value));
            }
        }
        let old = self.variables.get(&name).cloned();
        let joined = |a: &Value, b: &Value| Value::joined(&[a.clone(), b.clone()], " ");
        let value = match (operator.copied(), old) {
            (Some("?=" | "??="), Some(old)) => old,
            (Some("+="), Some(old)) => joined(&old, &value),
            (Some(".="), Some(mut old)) => {
                old.push(&value);
                old
            }
            (_, Some(old)) if prepends => joined(&value, &old),
            _ => value,
        };
        self.variables.insert(name, value);
    }

    /// Returns the parts that `PACKAGECONFIG` selects of its flags: the first part of each that is on, the second of each that is off.
    fn package_config(&self, interpreter: &mut Interpreter<'_>) -> Value {
        let on = self.value("PACKAGECONFIG", 0, interpreter);
        let on: Vec<String> = on.text().split_whitespace().map(str::to_owned).collect();
        let mut chosen = Vec::new();
        for (flag, value) in &self.flags {
            let index = usize::from(!on.contains(flag));
            let ranges = value.ranges(|c| c == ',');
            chosen.extend(ranges.get(index).map(|range| value.part(range.clone())).filter(|part| !part.is_empty()));
        }
        Value::joined(&chosen, " ")
    }

    /// A variable with its references replaced.
    fn value(&self, name: &str, depth: usize, interpreter: &mut Interpreter<'_>) -> Value {
        let mut whole = self.variables.get(name).cloned().unwrap_or_default();
        for (variable, after, part) in &self.parts {
            if variable == name {
                let pair = if *after { [whole, part.clone()] } else { [part.clone(), whole] };
                whole = Value::joined(&pair, "");
            }
        }
        self.expand(&whole, depth, interpreter)
    }

    fn expand(&self, text: &Value, depth: usize, interpreter: &mut Interpreter<'_>) -> Value {
        let source = text.text();
        let mut edits = Vec::new();
        let mut from = 0;
        while let Some(start) = source[from..].find("${").map(|at| from + at) {
            // An expression ends at the first closing bracket.
            let Some(length) = source[start..].find('}') else { break };
            let inside = &source[start + 2..start + length];
            let value = match inside.strip_prefix('@') {
                Some(python) => self.python(python, text.origin(start), depth, interpreter),
                None if depth < DEEPEST && self.variables.contains_key(inside) => {
                    self.value(inside, depth + 1, interpreter)
                }
                None => interpreter.undefined(inside, text.span(start..start + length + 1)),
            };
            if !interpreter.pay(value.len() + 16) {
                break;
            }
            edits.push((start..start + length + 1, value));
            from = start + length + 1;
        }
        let value = text.replaced(&edits);
        interpreter.bounded(value)
    }

    /// `','.join(d.getVar('NAME').split())`, which makes a list of words.
    fn python(&self, code: &str, origin: usize, depth: usize, interpreter: &mut Interpreter<'_>) -> Value {
        let quotes = ['\'', '"'];
        let joined = code.trim().split_once(".join(").and_then(|(separator, rest)| {
            let name = rest.split_once("getVar(")?.1.trim_start_matches(quotes);
            let name = &name[..name.find(quotes)?];
            rest.contains(".split(").then(|| (separator.trim_matches(quotes).to_owned(), name.to_owned()))
        });
        match joined.filter(|_| depth < DEEPEST) {
            Some((separator, name)) => {
                let value = self.value(&name, depth + 1, interpreter);
                Value::joined(&value.fields(char::is_whitespace), &separator)
            }
            None => interpreter.unknown("an expression in Python", spanned_yaml::Span { start: origin, end: origin }),
        }
    }

    fn finish(&self, functions: Vec<(String, Value)>, interpreter: &mut Interpreter<'_>) {
        let mut state = State { errexit: true, ..State::default() };
        let names: Vec<&String> = self.variables.keys().chain(self.parts.iter().map(|(name, ..)| name)).collect();
        for name in names {
            let value = self.value(name, 0, interpreter);
            interpreter.assigns(name);
            state.put(name, Variable { exported: true, ..Variable::with_value(value) });
        }
        let mut built = false;
        for (name, body) in functions {
            if name.starts_with("do_compile") || name.starts_with("do_configure") || name.starts_with("do_install") {
                built |= body.text().contains("build");
                interpreter.run_script(&body, state.clone());
            }
        }
        if built {
            return;
        }
        // The class `go` builds GO_INSTALL with GOBUILDFLAGS.
        let flags = state.value("GOBUILDFLAGS").unwrap_or_default();
        let words = flags.fields(char::is_whitespace);
        let tags = words.iter().enumerate().find_map(|(index, word)| match word.text() {
            "-tags" => words.get(index + 1).cloned(),
            text => text.strip_prefix("-tags=").map(|rest| word.part(word.len() - rest.len()..word.len())),
        });
        let package = state.value("GO_INSTALL").unwrap_or_default();
        if let Some(tags) = tags {
            let place = tags.span(0..tags.len());
            let mut list = List { what: "the variable `GOBUILDFLAGS`".to_owned(), place, ..List::default() };
            if package.text().ends_with("cmd/tailscale") {
                list.program = Program::CommandLine;
            }
            interpreter.add_tags(&mut list, &tags, &state);
            return interpreter.record(list, &state);
        }
        for (name, value) in state.variables.clone().iter() {
            interpreter.variable_list(name, &value.joined(" "), std::slice::from_ref(&package));
        }
    }
}
