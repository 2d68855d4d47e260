//! Simple commands: assignments, redirections, and which program or function runs.

use std::rc::Rc;

use spanned_yaml::Span;

use super::{Interpreter, Jump, State, Status};
use crate::filter::FILTERS;
use crate::ir::{Call, Node, Redirect};
use crate::value::Value;

/// Programs that run the program that their arguments name, and their options that take a value.
const WRAPPERS: [(&str, &str); 14] = [
    ("sudo", "ugC"),
    ("doas", "u"),
    ("nice", "n"),
    ("ionice", "cn"),
    ("time", "fo"),
    ("exec", "a"),
    ("command", ""),
    ("builtin", ""),
    ("nohup", ""),
    ("timeout", "ks"),
    ("retry", ""),
    ("fakeroot", ""),
    ("chronic", ""),
    ("stdbuf", "ioe"),
];

impl Interpreter<'_> {
    pub(crate) fn call(&mut self, call: &Call, mut state: State) -> Vec<State> {
        state.pending.clear();
        let mut words = Vec::new();
        for word in &call.words {
            words.extend(self.fields(word, &mut state));
        }
        if words.is_empty() {
            state.status = Status::Success;
            // The status is that of the last substitution.
            for assignment in &call.assignments {
                self.assign(assignment, &mut state);
            }
            return self.redirected(&call.redirects, state, |_, state| vec![state]);
        }
        state.pending.clear();
        let name = words.first().map(|word| word.text().to_owned()).unwrap_or_default();
        if ["export", "local", "declare", "typeset", "readonly"].contains(&name.as_str()) {
            return vec![self.declare(&name, &words[1..], call, state)];
        }
        let before: Vec<_> =
            call.assignments.iter().map(|one| (one.name.clone(), state.get(&one.name).cloned())).collect();
        for assignment in &call.assignments {
            self.assign(assignment, &mut state);
            state.export(&assignment.name);
        }
        state.pending.clear();
        let span = call.span;
        let mut states = self.redirected(&call.redirects, state, |this, state| this.program(words, span, state));
        // An assignment before a command holds for that command only.
        for state in &mut states {
            for (name, old) in before.iter().rev() {
                state.restore(name, old.clone());
            }
        }
        states
    }

    /// `export` and its kin. Their status hides that of a substitution.
    fn declare(&mut self, name: &str, words: &[Value], call: &Call, mut state: State) -> State {
        let texts: Vec<&str> = words.iter().map(Value::text).collect();
        let flags: String = texts.iter().filter(|text| text.starts_with('-')).copied().collect();
        let exports = name == "export" || flags.contains('x');
        let is_local = name == "local" || (name != "export" && state.knows_arguments && !flags.contains('g'));
        for assignment in &call.assignments {
            if is_local {
                let old = state.get(&assignment.name).cloned();
                state.locals.push((assignment.name.clone(), old));
            }
            // A new variable is no longer the one that a reference of the same name means.
            if is_local || flags.contains('n') {
                state.drop_reference(&assignment.name);
            }
            self.assign(assignment, &mut state);
            if flags.contains('n') {
                let target = state.value(&assignment.name).and_then(|value| value.known().map(str::to_owned));
                let elements =
                    target.filter(|target| *target != assignment.name).map(super::state::Elements::Reference);
                if let Some(elements) = elements {
                    state.put(&assignment.name, super::Variable { elements, exported: false });
                }
            }
            if exports {
                state.export(&assignment.name);
            }
        }
        for word in words.iter().filter(|word| !word.text().starts_with('-')) {
            let text = word.text();
            if let Some((name, _)) = text.split_once('=') {
                let value = word.part(name.len() + 1..text.len());
                state.set(name, value);
                state.export(name);
                continue;
            }
            if is_local {
                let old = state.get(text).cloned();
                state.locals.push((text.to_owned(), old));
                state.set(text, Value::default());
            }
            if flags.contains('A') {
                state.put(
                    text,
                    super::Variable { elements: super::state::Elements::Keyed(Vec::new()), exported: false },
                );
            }
            if exports {
                state.export(text);
            }
        }
        state.pending.clear();
        state.status = Status::Success;
        state
    }

    /// Runs something with redirections around it.
    pub(crate) fn redirected(
        &mut self,
        redirects: &[Redirect],
        mut state: State,
        body: impl FnOnce(&mut Self, State) -> Vec<State>,
    ) -> Vec<State> {
        if redirects.is_empty() {
            return body(self, state);
        }
        let outer_input = state.input.clone();
        let mut target = None;
        for redirect in redirects {
            match redirect {
                Redirect::From(word) => {
                    let path = self.single(word, &mut state);
                    state.input = Some(self.file(&path, &state, word.span));
                }
                Redirect::Text(word) => state.input = Some(self.single(word, &mut state)),
                Redirect::To { file, appends } => target = Some((self.single(file, &mut state), *appends)),
            }
        }
        let outer = target.is_some().then(|| std::mem::take(&mut state.output));
        let mut states = body(self, state);
        for state in &mut states {
            state.input = outer_input.clone();
            if let (Some((path, appends)), Some(outer)) = (&target, &outer) {
                let written = std::mem::replace(&mut state.output, outer.clone());
                self.write(path, written, *appends, state);
            }
        }
        states
    }

    /// Runs the program, builtin or function that the first word names.
    pub(crate) fn program(&mut self, words: Vec<Value>, span: Span, mut state: State) -> Vec<State> {
        if !self.pay(words.iter().map(Value::len).sum()) {
            return vec![state];
        }
        state.status = Status::Assumed;
        self.place = span.start;
        let Some((first, arguments)) = words.split_first() else { return vec![state] };
        if self.is_go(first) {
            return vec![self.go(arguments, span, state)];
        }
        let Some(name) = first.known().map(str::to_owned) else {
            return self.unknown_program(&words, span, state);
        };
        if let Some(body) = state.functions.get(&name).cloned() {
            return self.function(&name, &body, arguments.to_vec(), state);
        }
        let base = name.rsplit('/').next().unwrap_or_default().to_owned();
        if let Some((_, with_value)) = WRAPPERS.iter().find(|(wrapper, _)| *wrapper == base) {
            if base == "command" && arguments.first().is_some_and(|word| word.text().starts_with("-v")) {
                state.status = Status::Unknown;
                return vec![state];
            }
            let skipped = options(arguments, with_value) + usize::from(base == "timeout");
            return self.program(arguments.get(skipped..).unwrap_or_default().to_vec(), span, state);
        }
        match base.as_str() {
            "env" => self.env(arguments, span, state),
            "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "mksh" => self.shell(&base, arguments, span, state),
            "eval" => {
                let script = Value::joined(arguments, " ");
                let node = self.parse(&script);
                self.run(&node, vec![state])
            }
            "." | "source" => self.source(arguments, span, state),
            "featuretags" => vec![self.featuretags(arguments, None, span, state)],
            "build_dist.sh" => self.build_dist(arguments, span, state),
            "make" | "gmake" => vec![self.make(arguments, span, state)],
            "docker" | "podman" | "buildah" | "nerdctl" => self.container(arguments, span, state),
            "git" | "curl" | "wget" => vec![self.fetch(&base, arguments, span, state)],
            "test" | "[" => self.test_command(arguments, state),
            "xargs" if arguments.iter().any(|word| !matches!(word.text(), "echo")) => {
                self.xargs(arguments, span, state)
            }
            _ if FILTERS.contains(&base.as_str()) || matches!(base.as_str(), "cat" | "tee") => {
                vec![self.filter(&base, arguments, span, state)]
            }
            _ if self.builtin(&base, arguments, span, &mut state) => vec![state],
            _ => self.other(&name, arguments, span, state),
        }
    }

    /// A program that is not modelled, or a script of the project.
    fn other(&mut self, name: &str, arguments: &[Value], span: Span, mut state: State) -> Vec<State> {
        let path = super::files::located(name, &state.folder);
        let is_script = name.contains('/') || name.ends_with(".sh");
        let script = match state.files.get(&path) {
            Some(text) => Some(text.clone()),
            None if is_script => self.known_file(&path, &state),
            None => None,
        };
        if let Some(script) = script.filter(|script| !script.text().contains('\0')) {
            return vec![self.child_script(&script, arguments.to_vec(), state)];
        }
        let base = name.rsplit('/').next().unwrap_or_default();
        let output = self.unknown(format!("what `{base}` prints"), span);
        state.output.push(&output);
        self.note_tags(base, arguments, span, &mut state);
        vec![state]
    }

    /// Tags among the arguments of a program that is not modelled: perhaps it builds with them.
    pub(crate) fn note_tags(&mut self, name: &str, arguments: &[Value], span: Span, state: &mut State) {
        let is_known = ["echo", "printf", "grep", "say", "log", "info", "die", "assert", "strings"].contains(&name);
        for value in arguments {
            let text = value.text();
            let value = match text.split_once('=') {
                Some((name, _)) if !name.contains([',', ' ']) => value.part(name.len() + 1..text.len()),
                _ => value.clone(),
            };
            let tags = value.text().split([',', ' ', '\n']).filter(|word| super::is_tag(word)).count();
            let words = value.text().split([',', ' ', '\n']).filter(|word| !word.is_empty()).count();
            if tags == 0 || is_known || (tags < words && words > 2 && tags * 2 < words) {
                continue;
            }
            let mut list = crate::model::List {
                what: format!("an argument of `{name}`"),
                place: span,
                ..crate::model::List::default()
            };
            self.add_tags(&mut list, &value, state);
            self.record(list, state);
        }
    }

    /// A command whose name is not known.
    fn unknown_program(&mut self, words: &[Value], span: Span, mut state: State) -> Vec<State> {
        let Some(first) = words.first() else { return vec![state] };
        let output = self.unknown(format!("what `{}` prints", Self::display_text(first)), span);
        state.output.push(&output);
        state.status = Status::Unknown;
        let texts: Vec<&str> = words.iter().map(Value::text).collect();
        // A variable that may hold a wrapper, or the flags before a program.
        if let Some(at) = texts.iter().skip(1).position(|text| *text == "go" || text.ends_with("build_dist.sh")) {
            return self.program(words[at + 1..].to_vec(), span, state);
        }
        vec![state]
    }

    fn env(&mut self, arguments: &[Value], span: Span, mut state: State) -> Vec<State> {
        let outer = state.variables.clone();
        let mut at = 0;
        while let Some(word) = arguments.get(at) {
            let text = word.text().to_owned();
            if text == "-u" {
                at += 1;
                let name = arguments.get(at).map(|word| word.text().to_owned()).unwrap_or_default();
                state.unset(&name);
            } else if text == "-i" {
                state.variables = Rc::default();
            } else if let Some((name, _)) = text.split_once('=') {
                state.set(name, word.part(name.len() + 1..text.len()));
                state.export(name);
            } else if !text.starts_with('-') {
                break;
            }
            at += 1;
        }
        let mut states = self.program(arguments.get(at..).unwrap_or_default().to_vec(), span, state);
        states.iter_mut().for_each(|state| state.variables = outer.clone());
        states
    }

    /// `sh -c TEXT`, `sh FILE`, or `sh` with a script as its input.
    fn shell(&mut self, name: &str, arguments: &[Value], span: Span, mut state: State) -> Vec<State> {
        let mut at = 0;
        let (mut errexit, mut pipefail, mut is_text) = (false, false, false);
        while let Some(text) = arguments.get(at).map(|word| word.text().to_owned()).filter(|text| text.starts_with('-'))
        {
            if text.starts_with("--") || text == "-" {
                at += 1;
                continue;
            }
            errexit |= text.contains('e');
            is_text |= text.contains('c');
            if text.ends_with('o') {
                at += 1;
                pipefail |= arguments.get(at).is_some_and(|word| word.text() == "pipefail");
                errexit |= arguments.get(at).is_some_and(|word| word.text() == "errexit");
            }
            at += 1;
        }
        let (script, rest) = match (is_text, arguments.get(at)) {
            (true, Some(text)) => (text.clone(), arguments.get(at + 2..).unwrap_or_default()),
            (false, Some(path)) => {
                let base = path.text().rsplit('/').next().unwrap_or_default().to_owned();
                let rest = arguments.get(at + 1..).unwrap_or_default();
                if base == "build_dist.sh" {
                    return self.build_dist(rest, span, state);
                }
                let path = path.known().map(|path| super::files::located(path, &state.folder)).unwrap_or_default();
                let text = self.known_file(&path, &state);
                match text {
                    Some(text) => (text, rest),
                    None => {
                        let output = self.unknown(format!("what `{name} {base}` prints"), span);
                        state.output.push(&output);
                        self.note_tags(&base, rest, span, &mut state);
                        return vec![state];
                    }
                }
            }
            (_, None) => match state.input.take() {
                Some(text) => (text, &[][..]),
                None => return vec![state],
            },
        };
        let mut child = state.child();
        (child.errexit, child.pipefail) = (errexit, pipefail);
        vec![self.child_from(child, &script, rest.to_vec(), state)]
    }

    pub(crate) fn child_script(&mut self, script: &Value, arguments: Vec<Value>, state: State) -> State {
        let mut child = state.child();
        let first = script.text().lines().next().unwrap_or_default();
        child.errexit = first.starts_with("#!")
            && first.split_whitespace().skip(1).any(|flag| flag.starts_with('-') && flag.contains('e'));
        self.child_from(child, script, arguments, state)
    }

    fn child_from(&mut self, mut child: State, script: &Value, arguments: Vec<Value>, mut state: State) -> State {
        child.arguments = Rc::new(arguments);
        child.knows_arguments = true;
        let node = self.parse(script);
        let ended = self.run(&node, vec![child]);
        let after = self.join_states(ended);
        state.take_effects(&after);
        state.output.push(&after.output);
        state.status = if after.status == Status::Failure { Status::Failure } else { Status::Assumed };
        state.pending = after.pending;
        state
    }

    /// Reads a file into this shell. If it is not here, the environment decides what the script does not set itself.
    fn source(&mut self, arguments: &[Value], span: Span, mut state: State) -> Vec<State> {
        let Some(path) = arguments.first() else { return vec![state] };
        let text = self.file(path, &state, span);
        if text.has_hole() {
            // The file is unknown: it may replace every variable that the text sets.
            let name = format!("the file `{}`", Self::display_text(path));
            let mark = self.mark(super::Mark::Environment(crate::model::Word::new(name, span)));
            for variable in state.variables_mut().values_mut() {
                if let super::state::Elements::One(value) = &mut Rc::make_mut(variable).elements {
                    value.marks.insert(mark);
                }
            }
            return vec![state];
        }
        let node: Node = self.parse(&text);
        let mut states = self.run(&node, vec![state]);
        for state in &mut states {
            if state.jump == Some(Jump::Return) {
                state.jump = None;
            }
        }
        states
    }
}

/// The number of words that are options; those of a letter in `with_value` take the next word too.
pub(super) fn options(words: &[Value], with_value: &str) -> usize {
    let mut at = 0;
    while let Some(text) = words.get(at).map(Value::text).filter(|text| text.starts_with('-') && text.len() > 1) {
        let takes = text.len() == 2 && text.chars().nth(1).is_some_and(|c| with_value.contains(c));
        at += 1 + usize::from(takes);
    }
    at
}
