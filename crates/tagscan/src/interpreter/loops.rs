//! Loops: over words, and with a condition. One that can't be followed makes what it assigns unknown.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::{Interpreter, Jump, State, Status};
use crate::ir::{Node, Piece, Quoting, Word};
use crate::value::Value;

/// The most rounds of one loop.
const MOST_ROUNDS: usize = 512;

impl Interpreter<'_> {
    pub(super) fn for_loop(
        &mut self,
        name: &str,
        words: Option<&[Word]>,
        body: &Rc<Node>,
        mut state: State,
    ) -> Vec<State> {
        let items: Vec<Value> = match words {
            Some(words) => {
                let mut items = Vec::new();
                for word in words {
                    let is_pattern =
                        !word.pieces.iter().any(|piece| matches!(piece, Piece::Text { quoting: Quoting::Quoted, .. }));
                    for item in self.fields(word, &mut state) {
                        items.extend(if is_pattern { self.paths(item, &state) } else { vec![item] });
                    }
                }
                items
            }
            None => self.all_arguments(&state),
        };
        // A word that is not known may be none, or several. A part of a known word is one word.
        let is_open =
            items.len() > MOST_ROUNDS || items.iter().any(|item| item.has_hole() && self.may_be_several(item));
        if is_open {
            let item = items.iter().find(|item| item.has_hole()).cloned().unwrap_or_default();
            let reason = self.reason(&item).map_or_else(String::new, |unknown| unknown.reason.clone());
            return self.open_loop(body, state, &reason, |this, state| {
                this.assigns(name);
                state.set(name, item);
            });
        }
        let mut states = vec![state];
        for item in items {
            states.iter_mut().filter(|state| state.jump.is_none()).for_each(|state| state.set(name, item.clone()));
            states = self.round(body, states);
            if states.iter().all(|state| state.jump.is_some()) || self.stopped {
                break;
            }
        }
        leave(states)
    }

    /// One round of a loop; `continue` ends it.
    fn round(&mut self, body: &Node, states: Vec<State>) -> Vec<State> {
        let mut states = self.run(body, states);
        for state in &mut states {
            state.jump = match state.jump {
                Some(Jump::Continue(0 | 1)) => None,
                Some(Jump::Continue(more)) => Some(Jump::Continue(more - 1)),
                other => other,
            };
        }
        self.merged(states)
    }

    /// A loop that runs an unknown number of times: what it assigns is unknown in it and after it.
    fn open_loop(
        &mut self,
        body: &Rc<Node>,
        before: State,
        reason: &str,
        first: impl FnOnce(&mut Self, &mut State),
    ) -> Vec<State> {
        let mut inside = before.clone();
        let mut names = BTreeSet::new();
        body.assigned_names(&mut |name| {
            names.insert(name.to_owned());
        });
        for name in names {
            let Some(value) = inside.value(&name) else { continue };
            let reason = match reason.is_empty() {
                true => format!("`{name}` is set in a loop that can't be followed"),
                false => format!("`{name}` is set in a loop over something that is not known: {reason}"),
            };
            let hole = self.unknown(reason, value.span(0..0));
            inside.set(&name, hole);
        }
        first(self, &mut inside);
        let after = leave(self.run(body, vec![inside]));
        let mut joined = before;
        for state in after.iter().filter(|state| state.jump.is_none()) {
            joined = self.join(&joined, state);
        }
        vec![joined]
    }

    pub(super) fn while_loop(&mut self, until: bool, condition: &Node, body: &Rc<Node>, state: State) -> Vec<State> {
        let mut done = Vec::new();
        let mut states = vec![state];
        for round in 0..=MOST_ROUNDS {
            let mut going = Vec::new();
            for mut state in states {
                if state.jump.is_some() {
                    done.push(state);
                    continue;
                }
                // An answer that was chosen before may be another one each time.
                state.decided = Rc::default();
                let before = state.clone();
                let tested = self.guarded(condition, state);
                let is_open = tested.len() > 1
                    || round == MOST_ROUNDS
                    || tested.iter().any(|s| matches!(s.status, Status::Unknown | Status::Assumed));
                if is_open || self.stopped {
                    done.extend(self.open_loop(body, before, "", |_, _| ()));
                    continue;
                }
                for state in tested {
                    match (state.status == Status::Success) != until {
                        true => going.push(state),
                        false => done.push(state),
                    }
                }
            }
            states = self.round(body, going);
            if states.is_empty() || self.stopped {
                break;
            }
        }
        done.extend(states);
        let mut after = leave(done);
        after.iter_mut().for_each(|state| state.status = Status::Success);
        self.merged(after)
    }
}

/// The end of a loop: `break` ends it.
fn leave(mut states: Vec<State>) -> Vec<State> {
    for state in &mut states {
        state.jump = match state.jump {
            Some(Jump::Break(0 | 1) | Jump::Continue(0 | 1)) => None,
            Some(Jump::Break(more)) => Some(Jump::Break(more - 1)),
            other => other,
        };
    }
    states
}
