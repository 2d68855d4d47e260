//! Makes states that are equal one, and joins others if there are too many.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use spanned_yaml::Span;

use super::state::{State, Variable};
use super::{Interpreter, MOST_STATES, Mark, is_tag};
use crate::value::Value;

impl Interpreter<'_> {
    /// Makes states that are equal one, and joins the rest if there are too many.
    pub(crate) fn merged(&mut self, mut states: Vec<State>) -> Vec<State> {
        if states.len() <= 1 {
            return states;
        }
        let work: usize = states.iter().map(State::size).sum();
        self.pay(work * states.len().min(8));
        let mut distinct: Vec<State> = Vec::new();
        for state in states.drain(..) {
            match distinct.iter_mut().find(|other| other.is_same(&state)) {
                // A condition that the two decided differently is open again.
                Some(other) => {
                    let decided = Rc::make_mut(&mut other.decided);
                    decided.retain(|condition, answer| state.decided.get(condition) == Some(answer));
                    let checked = Rc::make_mut(&mut other.checked);
                    checked.retain(|risk| state.checked.contains(risk));
                }
                None => distinct.push(state),
            }
        }
        if distinct.len() <= MOST_STATES {
            return distinct;
        }
        // States with the same tags become one first: what else they differ in matters less.
        let mut groups: Vec<State> = Vec::new();
        for state in distinct {
            match groups.iter().position(|other| has_same_tags(other, &state)) {
                Some(index) => groups[index] = self.join(&groups[index].clone(), &state),
                None => groups.push(state),
            }
        }
        let mut open: Vec<State> = Vec::new();
        for state in groups {
            match open.iter().position(|other| other.jump == state.jump) {
                Some(index) if open.len() >= MOST_STATES => open[index] = self.join(&open[index].clone(), &state),
                _ => open.push(state),
            }
        }
        if open.len() > MOST_STATES {
            let first = open.remove(0);
            let rest = std::mem::take(&mut open);
            open = vec![rest.iter().fold(first, |joined, state| self.join(&joined, state))];
        }
        open
    }

    /// A state in which everything that differs between two is unknown.
    pub(crate) fn join(&mut self, a: &State, b: &State) -> State {
        self.pay(a.size() + b.size());
        let mut joined = a.clone();
        if !Rc::ptr_eq(&a.variables, &b.variables) {
            let names: BTreeSet<&String> = a.variables.keys().chain(b.variables.keys()).collect();
            let mut variables = BTreeMap::new();
            for name in names {
                let (one, other) = (a.variables.get(name), b.variables.get(name));
                let variable = match (one, other) {
                    (Some(one), Some(other)) if Rc::ptr_eq(one, other) || one == other => one.clone(),
                    _ => {
                        let value = one.or(other).map(|variable| variable.joined(" ")).unwrap_or_default();
                        let reason = format!("`{name}` depends on conditions that are not known");
                        let hole = self.unknown(reason, value.span(0..0));
                        Rc::new(Variable {
                            exported: one.or(other).is_some_and(|v| v.exported),
                            ..Variable::with_value(hole)
                        })
                    }
                };
                variables.insert(name.clone(), variable);
            }
            joined.variables = Rc::new(variables);
        }
        if a.output != b.output {
            let span = a.output.span(0..0);
            joined.output = self.unknown("the output depends on conditions that are not known", span);
        }
        if !Rc::ptr_eq(&a.files, &b.files) {
            let mut files = BTreeMap::new();
            for name in a.files.keys().chain(b.files.keys()) {
                let value = match (a.files.get(name), b.files.get(name)) {
                    (Some(one), Some(other)) if one == other => one.clone(),
                    _ => self.unknown(format!("`{name}` depends on conditions that are not known"), Span::default()),
                };
                files.insert(name.clone(), value);
            }
            joined.files = Rc::new(files);
        }
        joined.decided = Rc::new(
            a.decided.iter().filter(|(c, x)| b.decided.get(*c) == Some(x)).map(|(c, x)| (c.clone(), *x)).collect(),
        );
        joined.checked = Rc::new(a.checked.intersection(&b.checked).copied().collect());
        joined.releases = Rc::new(a.releases.union(&b.releases).cloned().collect());
        joined.facts = Rc::new(a.facts.intersection(&b.facts).cloned().collect());
        joined.has_upstream |= b.has_upstream;
        joined.excused &= b.excused;
        joined.folder = if a.folder == b.folder { a.folder.clone() } else { String::new() };
        joined
    }

    /// Notes that failures which decide the status of the last command end the shell.
    pub(crate) fn check(state: &mut State) {
        if !state.pending.is_empty() {
            let pending = std::mem::take(&mut state.pending);
            Rc::make_mut(&mut state.checked).extend(pending);
        }
    }

    /// A value of a program that may fail.
    pub(crate) fn risky(&mut self, mut value: Value, span: Span, state: &mut State) -> Value {
        self.risks += 1;
        let mark = self.mark(Mark::Risk(span, self.risks));
        value.marks.insert(mark);
        state.pending = BTreeSet::from([mark]);
        value
    }
}

/// Whether two states have the same variables with tags.
fn has_same_tags(a: &State, b: &State) -> bool {
    fn tagged(state: &State) -> impl Iterator<Item = (&String, &Rc<Variable>)> {
        state.variables.iter().filter(|(_, variable)| {
            variable.elements().iter().any(|value| value.text().split([',', ' ', '\n']).any(is_tag))
        })
    }
    a.jump == b.jump && tagged(a).eq(tagged(b))
}
