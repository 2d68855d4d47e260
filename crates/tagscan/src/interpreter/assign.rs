//! Assignments: to a variable, an array, or one element.

use super::state::{Elements, Variable};
use super::{Interpreter, State};
use crate::ir::{Assigned, Assignment};
use crate::value::Value;

impl Interpreter<'_> {
    /// Sets a variable from the right side of an assignment.
    pub(crate) fn assign(&mut self, assignment: &Assignment, state: &mut State) {
        let name = assignment.name.as_str();
        let old = state.get(name).cloned();
        let exported = old.as_ref().is_some_and(|old| old.exported);
        match &assignment.value {
            Assigned::Array(elements) => {
                let keyed = elements.iter().any(|(key, _)| key.is_some());
                let mut values = match (&old, assignment.appends) {
                    (Some(old), true) if !keyed => old.elements(),
                    _ => Vec::new(),
                };
                let mut entries = match (&old, assignment.appends) {
                    (Some(Variable { elements: Elements::Keyed(entries), .. }), true) => entries.clone(),
                    _ => Vec::new(),
                };
                for (key, word) in elements {
                    match key {
                        Some(key) => {
                            let key = Self::display_text(&self.single(key, state));
                            entries.push((key, self.single(word, state)));
                        }
                        None => values.extend(self.fields(word, state)),
                    }
                }
                let elements = if keyed { Elements::Keyed(entries) } else { Elements::List(values) };
                state.put(name, Variable { elements, exported });
            }
            Assigned::Word(word) => {
                let value = self.single(word, state);
                self.note_version(name, &value);
                match (&assignment.index, old.map(|old| old.elements)) {
                    (Some(index), old) => {
                        let key = self.single(index, state);
                        self.assign_element(name, old, &key, value, assignment.appends, state);
                    }
                    (None, Some(Elements::List(mut values))) if assignment.appends => {
                        match values.first_mut() {
                            Some(first) => first.push(&value),
                            None => values.push(value),
                        }
                        state.put(name, Variable { elements: Elements::List(values), exported });
                    }
                    (None, Some(Elements::One(mut old))) if assignment.appends => {
                        old.push(&value);
                        let value = self.bounded(old);
                        state.set(name, value);
                    }
                    (None, None) if assignment.appends => {
                        let mut old = self.unset(name, word.span, state);
                        old.push(&value);
                        state.set(name, old);
                    }
                    _ => state.set(name, value),
                }
            }
        }
    }

    fn assign_element(
        &mut self,
        name: &str,
        old: Option<Elements>,
        key: &Value,
        value: Value,
        appends: bool,
        state: &mut State,
    ) {
        let exported = state.get(name).is_some_and(|old| old.exported);
        let Some(key) = key.known().map(str::to_owned) else {
            let hole = self.unknown(format!("an element of `{name}` that is not known is set"), value.span(0..0));
            state.set(name, hole);
            return;
        };
        let elements = match old {
            Some(Elements::List(mut values)) if key.parse::<usize>().is_ok_and(|index| index <= values.len()) => {
                let index = key.parse::<usize>().unwrap_or(values.len());
                match values.get_mut(index) {
                    Some(old) if appends => old.push(&value),
                    Some(old) => *old = value,
                    None => values.push(value),
                }
                Elements::List(values)
            }
            None | Some(Elements::One(_)) if key == "0" => Elements::List(vec![value]),
            Some(Elements::Keyed(mut entries)) => {
                match entries.iter_mut().find(|(other, _)| *other == key) {
                    Some((_, old)) if appends => old.push(&value),
                    Some((_, old)) => *old = value,
                    None => entries.push((key, value)),
                }
                Elements::Keyed(entries)
            }
            _ => Elements::Keyed(vec![(key, value)]),
        };
        state.put(name, Variable { elements, exported });
    }
}
