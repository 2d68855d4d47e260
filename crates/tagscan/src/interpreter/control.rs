//! Control flow: sequences, conditions, loops, functions and pipelines.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::{DEEPEST, Interpreter, Jump, State, Status};
use crate::ir::{Arm, ArmEnd, Condition, Node, Word};
use crate::value::Value;

impl Interpreter<'_> {
    /// Runs a command in each of the states; those that have jumped stay as they are.
    pub(crate) fn run(&mut self, node: &Node, states: Vec<State>) -> Vec<State> {
        let mut after = Vec::new();
        for mut state in states {
            // Copies of a state share its variables; its output is copied.
            let work = 16 + std::mem::take(&mut state.debt) + state.output.len() / 32 + state.pending.len();
            if state.jump.is_some() || !self.pay(work) {
                after.push(state);
            } else {
                after.extend(self.step(node, state));
            }
        }
        self.merged(after)
    }

    fn step(&mut self, node: &Node, state: State) -> Vec<State> {
        if self.depth >= DEEPEST {
            self.cut = true;
            return vec![state];
        }
        self.depth += 1;
        let states = match node {
            Node::Call(call) => self.call(call, state),
            Node::Sequence(nodes) => self.sequence(nodes, state),
            Node::AndOr(first, rest) => self.and_or(first, rest, state),
            Node::Pipeline(parts) => vec![self.pipeline(parts, state)],
            Node::Not(node) => self.inverted(node, state),
            Node::If(arms, otherwise) => self.conditional(arms, otherwise.as_deref(), state),
            Node::Case(subject, arms) => self.case(subject, arms, state),
            Node::For(name, words, body) => self.for_loop(name, words.as_deref(), body, state),
            Node::While { until, condition, body } => self.while_loop(*until, condition, body, state),
            Node::Function(name, body) => vec![define(name, body, state)],
            Node::Subshell(body) => vec![self.subshell(body, state)],
            Node::Test(words) => self.tested(words, state),
            Node::Arithmetic(word) => self.arithmetic_command(word, state),
            Node::Redirected(node, redirects) => {
                self.redirected(redirects, state, |this, state| this.run(node, vec![state]))
            }
        };
        self.depth -= 1;
        states
    }

    fn sequence(&mut self, nodes: &[Node], state: State) -> Vec<State> {
        let mut states = vec![state];
        for node in nodes {
            for state in &mut states {
                self.settle(state);
                state.pending.clear();
                state.excused = false;
            }
            states = self.run(node, states);
            if states.iter().all(|state| state.jump.is_some()) {
                break;
            }
        }
        for state in &mut states {
            self.settle(state);
        }
        states
    }

    /// The end of a command: under `set -e` a failure ends the shell.
    fn settle(&mut self, state: &mut State) {
        if state.errexit && state.guarded == 0 && state.jump.is_none() {
            Self::check(state);
            if state.status == Status::Failure && !state.excused {
                state.jump = Some(Jump::Exit);
            }
        }
    }

    /// Runs a command as a condition: a failure in it does not end the shell.
    pub(crate) fn guarded(&mut self, node: &Node, mut state: State) -> Vec<State> {
        state.guarded += 1;
        state.pending.clear();
        let mut states = self.run(node, vec![state]);
        states.iter_mut().for_each(|state| state.guarded = state.guarded.saturating_sub(1));
        states
    }

    fn and_or(&mut self, first: &Node, rest: &[(Condition, Node)], state: State) -> Vec<State> {
        let before = state.checked.clone();
        let mut states = self.guarded(first, state);
        for (index, (condition, node)) in rest.iter().enumerate() {
            let is_last = index + 1 == rest.len();
            let mut after = Vec::new();
            for state in states {
                if state.jump.is_some() {
                    after.push(state);
                } else {
                    after.extend(self.chained(*condition, node, is_last, state));
                }
            }
            states = self.merged(after);
        }
        // A failure in the middle skips the rest of the chain, and what follows the chain runs all the same.
        let stops_after_failure = rest.iter().any(|(condition, _)| *condition == Condition::Failure);
        for state in &mut states {
            if !stops_after_failure && state.jump.is_none() {
                state.checked = before.clone();
            }
        }
        states
    }

    fn chained(&mut self, condition: Condition, node: &Node, is_last: bool, mut state: State) -> Vec<State> {
        let go = |this: &mut Self, mut state: State| {
            state.excused = false;
            match is_last {
                true => this.run(node, vec![state]),
                false => this.guarded(node, state),
            }
        };
        match (condition, state.status) {
            (Condition::Success, Status::Success | Status::Assumed) => {
                Self::check(&mut state);
                go(self, state)
            }
            (Condition::Success, Status::Failure) => {
                state.excused = true;
                vec![state]
            }
            (Condition::Success, Status::Unknown) => {
                let mut skipped = state.clone();
                skipped.status = Status::Assumed;
                [go(self, state), vec![skipped]].concat()
            }
            (Condition::Failure, Status::Failure) => go(self, state),
            (Condition::Failure, Status::Success) if state.pending.is_empty() => vec![state],
            (Condition::Failure, _) => {
                let mut failing = state.clone();
                failing.pending.clear();
                let is_risk = !state.pending.is_empty();
                let failed = go(self, failing);
                // If the shell ends there, the failure can not go unnoticed.
                if failed.iter().all(|state| state.jump.is_some()) {
                    Self::check(&mut state);
                    state.status = Status::Success;
                    return vec![state];
                }
                state.pending.clear();
                state.status = Status::Success;
                if is_risk {
                    return vec![state];
                }
                let going = failed.into_iter().filter(|state| state.jump.is_none());
                std::iter::once(state).chain(going).collect()
            }
        }
    }

    fn inverted(&mut self, node: &Node, state: State) -> Vec<State> {
        let mut states = self.guarded(node, state);
        for state in &mut states {
            state.status = match state.status {
                Status::Success => Status::Failure,
                Status::Failure => Status::Success,
                Status::Assumed | Status::Unknown => Status::Unknown,
            };
            state.excused = true;
        }
        states
    }

    fn conditional(&mut self, arms: &[(Node, Node)], otherwise: Option<&Node>, state: State) -> Vec<State> {
        let mut open = vec![state];
        let mut after = Vec::new();
        for (index, (condition, body)) in arms.iter().enumerate() {
            let mut next = Vec::new();
            for state in std::mem::take(&mut open) {
                for mut state in self.guarded(condition, state) {
                    let pending = std::mem::take(&mut state.pending);
                    match state.status {
                        _ if state.jump.is_some() => after.push(state),
                        Status::Success => {
                            if !pending.is_empty() {
                                let falls = self.else_falls(&arms[index + 1..], otherwise, state.clone());
                                self.resolve(&mut state, pending, falls);
                            }
                            after.extend(self.run(body, vec![state]));
                        }
                        Status::Failure => {
                            if !pending.is_empty() {
                                let falls = self.run(body, vec![state.clone()]).iter().any(|s| s.jump.is_none());
                                self.resolve(&mut state, pending, falls);
                            }
                            next.push(state);
                        }
                        Status::Assumed | Status::Unknown => {
                            after.extend(self.run(body, vec![state.clone()]));
                            next.push(state);
                        }
                    }
                }
            }
            open = self.merged(next);
        }
        match otherwise {
            Some(node) => after.extend(self.run(node, open)),
            None => {
                open.iter_mut().for_each(|state| state.status = Status::Success);
                after.extend(open);
            }
        }
        self.merged(after)
    }

    fn else_falls(&mut self, arms: &[(Node, Node)], otherwise: Option<&Node>, state: State) -> bool {
        let Some(node) = otherwise.filter(|_| arms.is_empty()) else { return true };
        self.run(node, vec![state]).iter().any(|state| state.jump.is_none())
    }

    fn resolve(&self, state: &mut State, pending: BTreeSet<u32>, falls_through: bool) {
        if !falls_through {
            Rc::make_mut(&mut state.checked).extend(pending);
        }
    }

    fn case(&mut self, subject: &Word, arms: &[Arm], mut state: State) -> Vec<State> {
        let subject = self.single(subject, &mut state);
        // The status if no pattern matches.
        state.status = Status::Success;
        let mut after = Vec::new();
        let mut open = vec![state];
        let mut falling = Vec::new();
        for Arm { patterns, body, end } in arms {
            let mut next = Vec::new();
            let mut ended = self.run(body, std::mem::take(&mut falling));
            for mut state in open {
                let mut answer = Some(false);
                for pattern in patterns {
                    let pattern = self.pattern(pattern, &mut state);
                    match self.glob(&subject, &pattern) {
                        Some(true) => answer = Some(true),
                        None if answer == Some(false) => answer = None,
                        _ => {}
                    }
                }
                match answer {
                    Some(true) => ended.extend(self.run(body, vec![state])),
                    Some(false) => next.push(state),
                    None => {
                        let key = format!("case {} {:p}", subject.text(), body);
                        if state.decided.get(&key) != Some(&false) {
                            let mut taken = state.clone();
                            Rc::make_mut(&mut taken.decided).insert(key.clone(), true);
                            ended.extend(self.run(body, vec![taken]));
                        }
                        if state.decided.get(&key) != Some(&true) {
                            Rc::make_mut(&mut state.decided).insert(key, false);
                            next.push(state);
                        }
                    }
                }
            }
            open = next;
            match end {
                ArmEnd::Stop => after.extend(ended),
                ArmEnd::NextBody => falling = ended,
                ArmEnd::NextPattern => {
                    let (jumped, going): (Vec<State>, Vec<State>) =
                        ended.into_iter().partition(|state| state.jump.is_some());
                    after.extend(jumped);
                    open.extend(going);
                }
            }
        }
        after.extend(falling);
        after.extend(open);
        self.merged(after)
    }

    /// Runs commands in a copy of the shell; files and what was printed remain.
    pub(crate) fn subshell(&mut self, body: &Node, mut state: State) -> State {
        let inside = state.clone();
        let after = self.run(body, vec![inside]);
        let after = self.join_states(after);
        state.take_effects(&after);
        state.output = after.output;
        state.status = after.status;
        // The copy is a command that failed by itself.
        state.excused = false;
        state.pending = after.pending;
        state.checked = after.checked;
        state
    }

    /// One state for several that a copied shell may end in.
    pub(crate) fn join_states(&mut self, mut states: Vec<State>) -> State {
        let debt = states.iter_mut().map(|state| std::mem::take(&mut state.debt)).sum();
        self.pay(debt);
        // A shell that gave up passes nothing on, if there is another outcome.
        let gave_up = |state: &State| state.jump == Some(Jump::Exit) && state.status == Status::Failure;
        if !states.iter().all(gave_up) {
            states.retain(|state| !gave_up(state));
        }
        states.iter_mut().for_each(|state| state.jump = None);
        let mut states = self.merged(states).into_iter();
        let first = states.next().unwrap_or_default();
        let rest: Vec<State> = states.collect();
        rest.iter().fold(first, |joined, state| self.join(&joined, state))
    }

    fn pipeline(&mut self, parts: &[Node], state: State) -> State {
        let mut whole = state;
        let mut input = whole.input.clone();
        let mut pending = BTreeSet::new();
        let outside = std::mem::take(&mut whole.output);
        for (index, part) in parts.iter().enumerate() {
            let mut inside = whole.clone();
            inside.output = Value::default();
            inside.pending.clear();
            if index > 0 {
                inside.input = input.take();
            }
            let ended = self.run(part, vec![inside]);
            let after = self.join_states(ended);
            whole.take_effects(&after);
            whole.status = after.status;
            match whole.pipefail {
                true => pending.extend(after.pending),
                false => pending = after.pending,
            }
            input = Some(after.output);
        }
        whole.output = outside;
        whole.pending = pending;
        whole.output.push(&input.unwrap_or_default());
        whole
    }

    /// The output of commands in a copy of the shell, without final line breaks.
    pub(crate) fn output_of(&mut self, body: &Node, state: &mut State) -> Value {
        let mut inside = state.clone();
        inside.output = Value::default();
        inside.pending.clear();
        // Failures inside end the copy only; outside, the status of the whole counts.
        inside.guarded = 0;
        let ended = self.run(body, vec![inside]);
        let after = self.join_states(ended);
        state.take_effects(&after);
        state.status = after.status;
        state.excused = false;
        state.pending = after.pending;
        state.checked = after.checked.clone();
        let output = after.output.without_final_newlines();
        self.bounded(output)
    }

    /// Calls a function.
    pub(crate) fn function(&mut self, name: &str, body: &Node, arguments: Vec<Value>, mut state: State) -> Vec<State> {
        Rc::make_mut(&mut state.called).insert(name.to_owned());
        let outer = (state.arguments.clone(), state.knows_arguments, std::mem::take(&mut state.locals));
        state.arguments = Rc::new(arguments);
        state.knows_arguments = true;
        let mut states = self.run(body, vec![state]);
        for state in &mut states {
            for (name, value) in std::mem::take(&mut state.locals).into_iter().rev() {
                state.restore(&name, value);
            }
            (state.arguments, state.knows_arguments, state.locals) = outer.clone();
            state.excused = false;
            if state.jump == Some(Jump::Return) {
                state.jump = None;
            }
        }
        states
    }
}

fn define(name: &str, body: &Rc<Node>, mut state: State) -> State {
    Rc::make_mut(&mut state.functions).insert(name.to_owned(), body.clone());
    state.status = Status::Success;
    state
}
