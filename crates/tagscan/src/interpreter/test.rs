//! Conditions: `test`, `[`, `[[ … ]]` and `(( … ))`.

use std::rc::Rc;

use super::{Interpreter, State, Status};
use crate::ir::{Quoting, Word};
use crate::regular::{Case, Glob, Syntax, posix};
use crate::value::{Value, hole};

/// A word of a condition: its value, and its pattern on the right of `==`.
struct Operand {
    value: Value,
    pattern: Glob,
}

/// The words of a condition under evaluation.
struct Condition<'a, 'b> {
    words: &'a [Operand],
    at: usize,
    state: &'a State,
    interpreter: &'a mut Interpreter<'b>,
}

impl Interpreter<'_> {
    /// `test` and `[`.
    pub(crate) fn test_command(&mut self, arguments: &[Value], state: State) -> Vec<State> {
        let words = arguments.iter().filter(|word| word.text() != "]").map(|value| {
            let mut pattern = Glob::default();
            pattern.push(value.text(), Quoting::Quoted);
            Operand { value: value.clone(), pattern }
        });
        self.condition(&words.collect::<Vec<_>>(), state)
    }

    /// `[[ … ]]`.
    pub(crate) fn tested(&mut self, words: &[Word], mut state: State) -> Vec<State> {
        let operands = words
            .iter()
            .map(|word| Operand { value: self.single(word, &mut state), pattern: self.pattern(word, &mut state) })
            .collect::<Vec<_>>();
        self.condition(&operands, state)
    }

    fn condition(&mut self, words: &[Operand], mut state: State) -> Vec<State> {
        words.iter().for_each(|word| self.take(&word.value));
        state.pending.clear();
        self.pay(words.iter().map(|word| word.value.len()).sum());
        let answer = Condition { words, at: 0, state: &state, interpreter: self }.alternatives();
        if let Some(answer) = answer {
            state.status = if answer { Status::Success } else { Status::Failure };
            return vec![state];
        }
        self.open_condition(words.iter().map(|word| word.value.text()).collect::<Vec<_>>().join(" "), state)
    }

    /// A condition that is not known: the answer that was chosen before holds again, else both are followed.
    pub(crate) fn open_condition(&mut self, key: String, mut state: State) -> Vec<State> {
        if let Some(answer) = state.decided.get(&key) {
            state.status = if *answer { Status::Success } else { Status::Failure };
            return vec![state];
        }
        if state.guarded == 0 {
            state.status = Status::Assumed;
            return vec![state];
        }
        let branch = |answer: bool| {
            let mut state = state.clone();
            Rc::make_mut(&mut state.decided).insert(key.clone(), answer);
            state.status = if answer { Status::Success } else { Status::Failure };
            state
        };
        vec![branch(true), branch(false)]
    }

    /// `(( … ))`: it succeeds if the result is not zero.
    pub(crate) fn arithmetic_command(&mut self, word: &Word, mut state: State) -> Vec<State> {
        match self.calculated(word, &mut state) {
            Some(number) => state.status = if number == 0 { Status::Failure } else { Status::Success },
            None => {
                let key = format!("(({}))", self.single(word, &mut state).text());
                return self.open_condition(key, state);
            }
        }
        vec![state]
    }
}

impl Condition<'_, '_> {
    fn text(&self, ahead: usize) -> Option<&str> {
        self.words.get(self.at + ahead).map(|word| word.value.text())
    }

    fn eat(&mut self, texts: &[&str]) -> bool {
        let found = self.text(0).is_some_and(|text| texts.contains(&text));
        self.at += usize::from(found);
        found
    }

    fn alternatives(&mut self) -> Option<bool> {
        let mut answer = self.conjunction();
        while self.eat(&["||", "-o"]) {
            let other = self.conjunction();
            answer = match (answer, other) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        answer
    }

    fn conjunction(&mut self) -> Option<bool> {
        let mut answer = self.primary();
        while self.eat(&["&&", "-a"]) {
            let other = self.primary();
            answer = match (answer, other) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
        }
        answer
    }

    fn primary(&mut self) -> Option<bool> {
        let mut inverted = false;
        while self.text(1).is_some() && self.eat(&["!"]) {
            inverted = !inverted;
        }
        let answer = if self.eat(&["("]) {
            // Brackets nest as deep as there are words; each takes one.
            let answer = if self.words.len() < 64 { self.alternatives() } else { None };
            self.eat(&[")"]);
            answer
        } else {
            self.comparison()
        };
        answer.map(|answer| answer != inverted)
    }

    fn comparison(&mut self) -> Option<bool> {
        let Some(first) = self.words.get(self.at) else { return Some(false) };
        let operator = self.text(1).unwrap_or_default().to_owned();
        if let (true, Some(right)) = (is_binary(&operator), self.words.get(self.at + 2)) {
            self.at += 3;
            return self.binary(&first.value, &operator, right);
        }
        let text = first.value.text();
        let operand = self.words.get(self.at + 1).filter(|_| text.len() == 2 && text.starts_with('-'));
        if let Some(operand) = operand {
            self.at += 2;
            return self.unary(text, &operand.value);
        }
        self.at += 1;
        is_filled(&first.value)
    }

    fn binary(&mut self, left: &Value, operator: &str, right: &Operand) -> Option<bool> {
        match operator {
            "=" | "==" => self.interpreter.glob(left, &right.pattern),
            "!=" => self.interpreter.glob(left, &right.pattern).map(|found| !found),
            "=~" => Some(posix(right.value.known()?, Syntax::Extended, Case::Sensitive)?.is_match(left.known()?)),
            "<" => Some(left.known()? < right.value.known()?),
            ">" => Some(left.known()? > right.value.known()?),
            _ => {
                let number = |value: &Value| value.known()?.trim().parse::<i64>().ok();
                let (left, right) = (number(left)?, number(&right.value)?);
                Some(match operator {
                    "-eq" => left == right,
                    "-ne" => left != right,
                    "-lt" => left < right,
                    "-le" => left <= right,
                    "-gt" => left > right,
                    _ => left >= right,
                })
            }
        }
    }

    fn unary(&mut self, operator: &str, value: &Value) -> Option<bool> {
        match operator {
            "-n" => is_filled(value),
            "-z" => is_filled(value).map(|filled| !filled),
            "-v" => self.state.get(value.known()?).map(|_| true),
            "-f" | "-e" | "-s" | "-r" => {
                let path = super::files::located(value.known()?, &self.state.folder);
                self.state.files.contains_key(&path).then_some(true)
            }
            _ => None,
        }
    }
}

/// Whether a text is not empty. A hole by itself may be; a value that the environment may set is taken as it is.
fn is_filled(value: &Value) -> Option<bool> {
    match value.text().chars().all(|c| hole(c).is_some()) {
        true if value.is_empty() => Some(false),
        true => None,
        false => Some(true),
    }
}

fn is_binary(operator: &str) -> bool {
    ["=", "==", "!=", "=~", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge"].contains(&operator)
}
