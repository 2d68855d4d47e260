//! The interpreter's interface for the front ends of Dockerfiles, Makefiles and workflows.

use std::rc::Rc;

use spanned_yaml::Span;

use super::{DEEPEST, Interpreter, Mark, State, Variable};
use crate::ir::{Assigned, Call, Node};
use crate::model::{Program, Unknown, Word};
use crate::value::Value;

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
            if let Assigned::Word(word) = &assignment.value {
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
            let mark = self.mark(Mark::Environment(Word::new(name, span)));
            value.marks.insert(mark);
        }
        let variable = Variable { exported: true, ..Variable::with_value(value) };
        state.put(name, variable);
    }

    pub(crate) fn run_words(&mut self, words: Vec<Value>, state: State) -> State {
        let span = words.first().map(|word| word.span(0..word.len())).unwrap_or_default();
        let ended = self.program(words, span, state);
        self.join_states(ended)
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
        // Names that one shell assigns are unset in the next.
        let outer = self.take_assigned();
        let node = self.parse(script);
        let ended = self.run(&node, vec![state]);
        self.restore_assigned(outer);
        self.join_states(ended)
    }

    pub(crate) fn replace_build_dist(&mut self, at: usize, state: &mut State) {
        let hole = self.unknown("`build_dist.sh` is replaced before it is used", Span { start: at, end: at });
        Rc::make_mut(&mut state.files).insert("build_dist.sh".to_owned(), hole);
    }

    /// Goes one level deeper. Returns false if that is too deep.
    pub(crate) fn enter(&mut self) -> bool {
        let fits = self.depth < DEEPEST && self.pay(16);
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
        self.hole(Unknown { reason, span, is_allowlist: false }, own)
    }

    /// Notes that the environment may replace a value.
    pub(crate) fn note_environment(&mut self, value: &mut Value, name: &str) {
        let mark = self.mark(Mark::Environment(Word::new(name, value.span(0..0))));
        value.marks.insert(mark);
    }

    /// A list for a variable with tags that nothing in the text uses. `packages` are texts that name what is built.
    pub(crate) fn variable_list(&mut self, name: &str, value: &Value, packages: &[Value]) {
        let Some(mut list) = self.unused(name, value) else { return };
        let text: String = packages.iter().map(|value| format!("{} ", value.text())).collect();
        let daemon = text.split_whitespace().any(|word| word.ends_with("cmd/tailscaled"));
        if !daemon && text.split_whitespace().any(|word| word.ends_with("cmd/tailscale")) {
            list.program = Program::CommandLine;
        }
        self.add_tags(&mut list, value, &State::default());
        self.record(list, &State::default());
    }
}

fn first_call(node: &Node) -> Option<&Call> {
    match node {
        Node::Call(call) => Some(call),
        Node::Sequence(nodes) => nodes.first().and_then(first_call),
        _ => None,
    }
}
