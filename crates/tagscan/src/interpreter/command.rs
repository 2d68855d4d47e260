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

    /// Writes a file.
    pub(crate) fn write(&mut self, path: &Value, text: Value, appends: bool, state: &mut State) {
        let Some(path) = path.known().map(|path| located(path, &state.folder)) else { return };
        if path == "/dev/null" {
            return;
        }
        if path == "/dev/stderr" || path == "/dev/tty" || path == "/dev/stdout" {
            return;
        }
        let whole = match state.files.get(&path).filter(|_| appends) {
            Some(old) => {
                let mut old = old.clone();
                old.push(&text);
                self.bounded(old)
            }
            None if appends && !path.starts_with("/github/") => {
                let mut before = match self.project_file(&path) {
                    Some(text) => text,
                    None => self.unknown(format!("what `{path}` held before"), text.span(0..0)),
                };
                before.push(&text);
                before
            }
            None => text,
        };
        Rc::make_mut(&mut state.files).insert(path, whole);
    }

    /// The text of a file: one that was written before, or one of the project.
    pub(crate) fn file(&mut self, path: &Value, state: &State, span: Span) -> Value {
        let Some(known) = path.known() else {
            return self.unknown("a file whose name is not known", span);
        };
        let path = located(known, &state.folder);
        if let Some(text) = state.files.get(&path) {
            return text.clone();
        }
        if path == "/dev/null" {
            return Value::default();
        }
        match self.project_file(&path) {
            Some(text) => text,
            None => self.unknown(format!("the file `{known}` is not here"), span),
        }
    }

    /// A file of the project, by its path from the root, from the file that is read, or by the end of its path.
    pub(crate) fn project_file(&mut self, path: &str) -> Option<Value> {
        let path = path.trim_start_matches("./");
        let folder = self.name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let here = located(path, folder);
        let exact = self.others.iter().find(|file| file.name == path || file.name == here);
        let tail = format!("/{}", path.trim_start_matches(['/', '.']));
        let mut ends = self.others.iter().filter(|file| file.name.ends_with(&tail));
        let found = exact.or_else(|| ends.next().filter(|_| ends.next().is_none()))?;
        self.used.insert(found.name.clone());
        let text = crate::readable(&found.text);
        self.pay(text.len());
        Some(Value::made(text, self.place))
    }

    /// The files that an unquoted pattern means, in order; the word itself if there are none.
    pub(crate) fn paths(&mut self, word: Value, state: &State) -> Vec<Value> {
        let Some(text) = word.known().filter(|text| text.contains(['*', '?', '['])) else { return vec![word] };
        let mut pattern = crate::regular::Glob::default();
        pattern.push(&located(text, &state.folder), false);
        let depth = located(text, &state.folder).matches('/').count();
        let names = state.files.keys().chain(self.others.iter().map(|file| &file.name));
        let mut found: Vec<String> = names
            .filter(|name| name.matches('/').count() == depth && pattern.is_match(name) == Some(true))
            .take(512)
            .cloned()
            .collect();
        found.sort();
        found.dedup();
        self.pay((state.files.len() + self.others.len()) * 64);
        match found.is_empty() {
            true => vec![word],
            false => found.into_iter().map(|name| Value::made(name, word.origin(0))).collect(),
        }
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
            _ => match self.builtin(&base, arguments, span, state) {
                Ok(state) => vec![state],
                Err(state) => self.other(&name, arguments, span, state),
            },
        }
    }

    /// A program that is not modelled, or a script of the project.
    fn other(&mut self, name: &str, arguments: &[Value], span: Span, mut state: State) -> Vec<State> {
        let path = located(name, &state.folder);
        let script = match state.files.get(&path) {
            Some(text) => Some(text.clone()),
            None if name.contains('/') || name.ends_with(".sh") => self.project_file(&path),
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
            let mut list =
                crate::List { what: format!("an argument of `{name}`"), place: span, ..crate::List::default() };
            self.add_tags(&mut list, &value, state);
            self.record(list, state);
        }
    }

    /// A command whose name is not known.
    fn unknown_program(&mut self, words: &[Value], span: Span, mut state: State) -> Vec<State> {
        let Some(first) = words.first() else { return vec![state] };
        let output = self.unknown(format!("what `{}` prints", Self::shown(first)), span);
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
                let path = path.known().map(|path| located(path, &state.folder)).unwrap_or_default();
                let text = state.files.get(&path).cloned().or_else(|| self.project_file(&path));
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
        let after = self.one(ended);
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
            // What the file sets is not known; what the text says holds unless the file says otherwise.
            let name = format!("the file `{}`", Self::shown(path));
            let mark = self.mark(super::Mark::Environment(crate::Word::new(name, span)));
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

    fn filter(&mut self, name: &str, arguments: &[Value], span: Span, mut state: State) -> State {
        state.status = Status::Assumed;
        if name == "sed" && arguments.iter().any(|word| word.text().starts_with("-i")) {
            return self.edit_in_place(arguments, span, state);
        }
        arguments.iter().for_each(|value| self.take(value));
        let (mut options, mut files) = (Vec::new(), Vec::new());
        for argument in arguments {
            let is_file = argument.known().is_some_and(|text| {
                let path = located(text, &state.folder);
                !text.starts_with('-')
                    && (state.files.contains_key(&path)
                        || (text.contains(['.', '/']) && self.project_file(&path).is_some()))
            });
            match is_file || (name == "cat" && !argument.text().starts_with('-')) {
                true => files.push(argument.clone()),
                false => options.push(argument.clone()),
            }
        }
        if name == "tee" {
            let input = state.input.clone().unwrap_or_default();
            for path in arguments.iter().filter(|word| !word.text().starts_with('-')) {
                let appends = arguments.iter().any(|word| word.text() == "-a");
                self.write(path, input.clone(), appends, &mut state);
            }
            state.output.push(&input);
            return state;
        }
        let input = match files.as_slice() {
            [] => state.input.take(),
            files => {
                let texts: Vec<Value> = files.iter().map(|path| self.file(path, &state, span)).collect();
                Some(texts.iter().fold(Value::default(), |mut whole, text| {
                    whole.push(text);
                    whole
                }))
            }
        };
        let Some(input) = input else {
            let output = self.unknown(format!("what `{name}` reads"), span);
            state.output.push(&output);
            state.status = Status::Unknown;
            return state;
        };
        self.pay(input.len() * (1 + arguments.len()));
        // A pattern with intervals makes a large program.
        let has_interval = arguments.iter().any(|word| word.text().contains('{'));
        self.pay(arguments.iter().map(Value::len).sum::<usize>() * 16 + if has_interval { 16_384 } else { 1024 });
        if name.ends_with("grep") {
            let texts: Option<Vec<&str>> = options.iter().map(Value::known).collect();
            let found = texts.and_then(|texts| crate::filter::grep(name, &texts, &input));
            state.status = match found.as_ref().and_then(|(_, any)| *any) {
                Some(true) => Status::Success,
                Some(false) => Status::Failure,
                None => Status::Unknown,
            };
        }
        let output = match crate::filter::filter(name, &options, &input) {
            Some(mut output) => {
                output.marks.extend(&input.marks);
                if name == "sed" { self.edited_by_sed(&input, output, &options, span) } else { output }
            }
            None if input.is_empty() && input.marks.is_empty() => Value::default(),
            None => {
                let mut hole = self.unknown(format!("what `{name}` makes of the list"), span);
                hole.marks.extend(&input.marks);
                hole
            }
        };
        let output = self.bounded(output);
        state.output.push(&output);
        state
    }

    /// Notes edits of a list by `sed` that change nothing, one for each tag that a script names.
    fn edited_by_sed(&mut self, before: &Value, mut after: Value, options: &[Value], span: Span) -> Value {
        let list = before.without_final_newlines();
        if list.known().is_none_or(|text| !text.contains("ts_omit_")) {
            return after;
        }
        let extended = options.iter().any(|flag| matches!(flag.text(), "-E" | "-r"));
        for script in options.iter().filter(|script| script.text().contains("ts_omit_")) {
            for range in script.ranges(|c| c == ';' || c == '\n') {
                if !self.pay(before.len() + 1024) {
                    return after;
                }
                let command = script.part(range);
                let Some(at) = command.text().find("ts_omit_") else { continue };
                let tag = tag_in(command.text());
                let place = command.span(at..at + tag.len());
                let words = [Value::made("-E", span.start), command];
                let one = crate::filter::filter("sed", &words[usize::from(!extended)..], before);
                if one.is_some_and(|one| one.without_final_newlines().text() == list.text()) {
                    let mark = self.mark(super::Mark::Idle(crate::Word::new(tag, place)));
                    after.marks.insert(mark);
                }
            }
        }
        if after.without_final_newlines().text() == list.text() {
            return after;
        }
        self.edited(before, after, "ts_omit_", span)
    }

    /// `sed -i`: the file is one that was written, one of the project, or upstream's build script.
    fn edit_in_place(&mut self, arguments: &[Value], span: Span, mut state: State) -> State {
        let Some((path, options)) = arguments.split_last() else { return state };
        let is_build_dist = path.text().rsplit('/').next() == Some("build_dist.sh");
        let before = match is_build_dist {
            true => self.build_dist_script(&state, span),
            false => self.file(path, &state, span),
        };
        let options: Vec<Value> = options.iter().filter(|word| !word.text().starts_with("-i")).cloned().collect();
        let after = match before.has_hole() || (is_build_dist && !self.is_modelled(&options, &before)) {
            true => None,
            false => crate::filter::filter("sed", &options, &before),
        };
        let changed = after.filter(|after| after.text() != before.text());
        let after = match changed {
            Some(after) => after,
            None => self.unknown(format!("`{}` is changed before it is used", Self::shown(path)), span),
        };
        let path = if is_build_dist { Value::made("build_dist.sh", span.start) } else { path.clone() };
        let folder = std::mem::take(&mut state.folder);
        self.write(&path, after, false, &mut state);
        state.folder = folder;
        state
    }

    /// Whether each edit changes the model of upstream's script: one that does not is about what the model leaves out.
    fn is_modelled(&self, options: &[Value], before: &Value) -> bool {
        let extended = options.iter().any(|flag| matches!(flag.text(), "-E" | "-r"));
        let scripts = options.iter().filter(|script| !script.text().starts_with('-'));
        scripts.flat_map(|script| script.fields(|c| c == ';' || c == '\n')).all(|command| {
            let words = [Value::made("-E", 0), command];
            let after = crate::filter::filter("sed", &words[usize::from(!extended)..], before);
            after.is_some_and(|after| after.text() != before.text())
        })
    }

    /// `xargs` in front of a program: its input are further arguments.
    fn xargs(&mut self, arguments: &[Value], span: Span, mut state: State) -> Vec<State> {
        let skipped = options(arguments, "nILPd");
        let input = state.input.take().unwrap_or_default();
        let mut words = arguments.get(skipped..).unwrap_or_default().to_vec();
        let flags: Vec<&str> = arguments.iter().take(skipped).map(Value::text).collect();
        let place = flags.iter().enumerate().find_map(|(index, flag)| {
            let place = flag.strip_prefix("-I")?;
            Some(if place.is_empty() { flags.get(index + 1).copied().unwrap_or("{}") } else { place })
        });
        if let Some(place) = place.map(str::to_owned) {
            let mut states = vec![state];
            for line in input.lines().into_iter().take(512) {
                let replaced = words.iter().map(|word| {
                    let found = word.text().match_indices(&place);
                    let edits: Vec<_> = found.map(|(at, found)| (at..at + found.len(), line.trimmed())).collect();
                    word.replaced(&edits)
                });
                let replaced: Vec<Value> = replaced.collect();
                states = states.into_iter().flat_map(|state| self.program(replaced.clone(), span, state)).collect();
                states = self.merged(states);
            }
            return states;
        }
        if flags.iter().any(|flag| flag.starts_with("-n") && *flag != "-n") || flags.contains(&"-n") {
            let hole = self.unknown("the words that `xargs` appends", span);
            words.push(hole);
        } else {
            words.extend(input.fields(char::is_whitespace));
        }
        if words.is_empty() {
            state.output.push(&input);
            return vec![state];
        }
        self.program(words, span, state)
    }
}

/// The first tag that a text names.
fn tag_in(text: &str) -> String {
    let at = text.find("ts_omit_").unwrap_or(0);
    text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// The number of words that are options; those of a letter in `with_value` take the next word too.
fn options(words: &[Value], with_value: &str) -> usize {
    let mut at = 0;
    while let Some(text) = words.get(at).map(Value::text).filter(|text| text.starts_with('-') && text.len() > 1) {
        let takes = text.len() == 2 && text.chars().nth(1).is_some_and(|c| with_value.contains(c));
        at += 1 + usize::from(takes);
    }
    at
}

/// A path from a folder, without `.` and `..`.
pub(crate) fn located(path: &str, folder: &str) -> String {
    let whole = if path.starts_with('/') || folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "." => {}
            "" if !parts.is_empty() => {}
            ".." if parts.last().is_some_and(|last| !last.is_empty() && *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// What Dockerfiles, Makefiles and workflows need of the interpreter.
impl Interpreter<'_> {
    /// A word in which variables are replaced, and that is not split.
    pub(crate) fn docker_word(&mut self, text: &Value, state: &mut State) -> Value {
        let mut quoted = Value::made("\"", text.origin(0));
        quoted.push(text);
        quoted.push_made("\"", text.origin(text.len()));
        let unquoted = text.text().starts_with(['"', '\'']);
        let node = self.parse(if unquoted { text } else { &quoted });
        match first_call(&node) {
            Some(call) => call.words.first().map(|word| self.single(word, state)).unwrap_or_default(),
            None => text.clone(),
        }
    }

    /// `NAME=value NAME="value" NAME`.
    pub(crate) fn docker_pairs(&mut self, text: &Value, state: &mut State) -> Vec<(String, Option<Value>)> {
        let mut script = Value::made("export ", text.origin(0));
        script.push(text);
        let node = self.parse(&script);
        let Some(call) = first_call(&node) else { return Vec::new() };
        let mut pairs = Vec::new();
        for assignment in &call.assignments {
            if let crate::ir::Assigned::Word(word) = &assignment.value {
                let value = self.single(word, state);
                self.note_version(&assignment.name, &value);
                pairs.push((assignment.name.clone(), Some(value)));
            }
        }
        pairs.extend(call.words.iter().skip(1).filter_map(|word| Some((word.as_text()?.to_owned(), None))));
        pairs
    }

    /// `ARG NAME`: its default, which the build may replace; `None` for one without.
    pub(crate) fn build_argument(&mut self, name: &str, default: Option<Value>, at: usize, state: &mut State) {
        let span = Span { start: at, end: at };
        if state.get(name).is_some() && default.is_none() {
            return;
        }
        let mut value = match default {
            Some(value) => value,
            None => return,
        };
        self.note_version(name, &value);
        if value.text().split([',', ' ']).any(super::is_tag) || name.contains("TAG") || name.contains("FEATURE") {
            let mark = self.mark(super::Mark::Environment(crate::Word::new(name, span)));
            value.marks.insert(mark);
        }
        let variable = super::Variable { exported: true, ..super::Variable::one(value) };
        state.put(name, variable);
    }

    pub(crate) fn run_words(&mut self, words: Vec<Value>, state: State) -> State {
        let span = words.first().map(|word| word.span(0..word.len())).unwrap_or_default();
        let ended = self.program(words, span, state);
        self.one(ended)
    }

    /// A `RUN`, whose here-documents are in the Dockerfile after it.
    pub(crate) fn run_instruction(&mut self, script: &Value, bodies: &[Value], state: State) -> State {
        let head = script.text().trim_start();
        // `RUN <<EOF` runs the here-document itself.
        if let (Some(body), true) = (bodies.first(), head.split_whitespace().count() <= 1) {
            let mut state = state;
            let first = body.text().lines().next().unwrap_or_default();
            if let Some(flags) = first.strip_prefix("#!") {
                state.errexit |=
                    flags.split_whitespace().skip(1).any(|flag| flag.starts_with('-') && flag.contains('e'));
            }
            return self.run_script(body, state);
        }
        let mut whole = script.clone();
        let delimiters = head.split("<<").skip(1).map(|rest| {
            rest.trim_start_matches('-')
                .chars()
                .filter(|c| !"'\"".contains(*c))
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect::<String>()
        });
        for (delimiter, body) in delimiters.zip(bodies) {
            whole.push_made("\n", body.origin(0));
            whole.push(body);
            if !body.text().ends_with('\n') {
                whole.push_made("\n", body.origin(0));
            }
            whole.push_made(&delimiter, body.origin(0));
            whole.push_made("\n", body.origin(0));
        }
        self.run_script(&whole, state)
    }

    /// Runs a script in a state; what it leaves is one state.
    pub(crate) fn run_script(&mut self, script: &Value, mut state: State) -> State {
        state.jump = None;
        // What one shell assigns is nothing to the next.
        let outer = self.take_assigned();
        let node = self.parse(script);
        let ended = self.run(&node, vec![state]);
        self.restore_assigned(outer);
        self.one(ended)
    }

    pub(crate) fn replace_build_dist(&mut self, at: usize, state: &mut State) {
        let hole = self.unknown("`build_dist.sh` is replaced before it is used", Span { start: at, end: at });
        Rc::make_mut(&mut state.files).insert("build_dist.sh".to_owned(), hole);
    }
}

fn first_call(node: &Node) -> Option<&Call> {
    match node {
        Node::Call(call) => Some(call),
        Node::Sequence(nodes) => nodes.first().and_then(first_call),
        _ => None,
    }
}

impl Interpreter<'_> {
    /// Goes one level deeper. Returns false if that is too deep.
    pub(crate) fn enter(&mut self) -> bool {
        let fits = self.depth < super::DEEPEST && self.pay(16);
        if fits {
            self.depth += 1;
        } else {
            self.cut = true;
        }
        fits
    }

    pub(crate) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// A variable of make that is not defined.
    pub(crate) fn undefined(&mut self, name: &str, span: Span) -> Value {
        let reason = format!("`{name}` is not set in this text");
        // Automatic variables are always set.
        let own = Some(name).filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
        self.hole(crate::Unknown { reason, span, is_allowlist: false }, own)
    }

    /// Notes that the environment may replace a value.
    pub(crate) fn note_environment(&mut self, value: &mut Value, name: &str) {
        let mark = self.mark(super::Mark::Environment(crate::Word::new(name, value.span(0..0))));
        value.marks.insert(mark);
    }

    /// A list for a variable with tags that nothing in the text uses. `packages` are texts that name what is built.
    pub(crate) fn variable_list(&mut self, name: &str, value: &Value, packages: &[Value]) {
        let Some(mut list) = self.unused(name, value) else { return };
        let text: String = packages.iter().map(|value| format!("{} ", value.text())).collect();
        let daemon = text.split_whitespace().any(|word| word.ends_with("cmd/tailscaled"));
        if !daemon && text.split_whitespace().any(|word| word.ends_with("cmd/tailscale")) {
            list.program = crate::Program::CommandLine;
        }
        self.add_tags(&mut list, value, &State::default());
        self.record(list, &State::default());
    }
}
