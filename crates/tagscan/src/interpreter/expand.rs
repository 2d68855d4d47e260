//! Expansion of words: parameters, substitutions, arithmetic, braces and splitting.

use std::rc::Rc;

use super::{Interpreter, State};
use crate::ir::{Index, Piece, Quoting, Word};
use crate::regular::Glob;
use crate::value::Value;

impl Interpreter<'_> {
    /// The words that a word expands to.
    pub(crate) fn fields(&mut self, word: &Word, state: &mut State) -> Vec<Value> {
        let mut done: Vec<Value> = Vec::new();
        for pieces in alternatives(&word.pieces) {
            let mut current: Option<Value> = None;
            for piece in pieces {
                self.piece_fields(piece, state, &mut done, &mut current);
            }
            done.extend(current);
        }
        done.into_iter().map(|value| self.bounded(value)).collect()
    }

    fn piece_fields(&mut self, piece: &Piece, state: &mut State, done: &mut Vec<Value>, current: &mut Option<Value>) {
        let (values, quoting) = match piece {
            Piece::Parameter { parameter, quoting } => match self.elements_of(parameter, state) {
                // `"$@"` and `"${A[@]}"`: each element is a word.
                Some(elements) if *quoting == Quoting::Quoted => {
                    for (index, element) in elements.into_iter().enumerate() {
                        if index > 0 {
                            done.extend(current.take());
                        }
                        current.get_or_insert_default().push(&element);
                    }
                    return;
                }
                Some(elements) => (elements, Quoting::Unquoted),
                None => (vec![self.parameter(parameter, state)], *quoting),
            },
            Piece::Output { body, quoting, .. } => (vec![self.output_of(body, state)], *quoting),
            Piece::Text { quoting, .. } => {
                let value = self.piece(piece, state);
                if *quoting == Quoting::Quoted || !value.is_empty() {
                    current.get_or_insert_default().push(&value);
                }
                return;
            }
            other => (vec![self.piece(other, state)], Quoting::Quoted),
        };
        if quoting == Quoting::Quoted {
            values.iter().for_each(|value| current.get_or_insert_default().push(value));
            return;
        }
        let separators = state.value("IFS").and_then(|value| value.known().map(str::to_owned));
        let separators = separators.unwrap_or_else(|| " \t\n".to_owned());
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                done.extend(current.take());
            }
            self.pay(value.len());
            let ranges = value.ranges(|c| separators.contains(c));
            let last = ranges.len() - 1;
            for (at, range) in ranges.into_iter().enumerate() {
                if at > 0 {
                    done.extend(current.take());
                }
                if !range.is_empty() || (at > 0 && at < last && !separators.contains(' ')) {
                    current.get_or_insert_default().push(&value.part(range));
                }
            }
        }
    }

    /// The value of a word without splitting.
    pub(crate) fn single(&mut self, word: &Word, state: &mut State) -> Value {
        let mut whole = Value::default();
        for piece in &word.pieces {
            let value = match piece {
                Piece::Braces(alternatives) => {
                    let parts: Vec<Value> = alternatives.iter().map(|word| self.single(word, state)).collect();
                    Value::joined(&parts, " ")
                }
                piece => self.piece(piece, state),
            };
            whole.push(&value);
            if !self.pay(whole.len()) {
                break;
            }
        }
        self.bounded(whole)
    }

    fn piece(&mut self, piece: &Piece, state: &mut State) -> Value {
        match piece {
            Piece::Text { value, .. } => value.clone(),
            Piece::Parameter { parameter, .. } => match self.elements_of(parameter, state) {
                Some(elements) => {
                    let separator = state.value("IFS").and_then(|ifs| ifs.known().map(str::to_owned));
                    let each = matches!(parameter.index, Index::Each) || parameter.name == "@";
                    let separator = separator.filter(|_| !each).unwrap_or_else(|| " ".to_owned());
                    Value::joined(&elements, separator.get(..separator.len().min(1)).unwrap_or(" "))
                }
                None => self.parameter(parameter, state),
            },
            Piece::Output { body, .. } => self.output_of(body, state),
            Piece::Process { body, span } => {
                let output = self.output_of(body, state);
                let path = format!("/dev/fd/{}", state.files.len() + 63);
                Rc::make_mut(&mut state.files).insert(path.clone(), output);
                Value::made(path, span.start)
            }
            Piece::Arithmetic(word) => self.arithmetic(word, state),
            Piece::Braces(_) => Value::default(),
        }
    }

    /// A word as a pattern: what is quoted in it is literal.
    pub(crate) fn pattern(&mut self, word: &Word, state: &mut State) -> Glob {
        let mut glob = Glob::default();
        for piece in &word.pieces {
            let value = self.piece(piece, state);
            let quoting = match piece {
                Piece::Text { quoting, .. } | Piece::Parameter { quoting, .. } | Piece::Output { quoting, .. } => {
                    *quoting
                }
                _ => Quoting::Quoted,
            };
            glob.push(value.text(), quoting);
        }
        glob
    }

    /// Whether a value matches a pattern, if that is known.
    pub(crate) fn glob(&mut self, value: &Value, pattern: &Glob) -> Option<bool> {
        self.pay(value.len());
        if pattern.matches_all() {
            return Some(true);
        }
        value.known().and_then(|text| pattern.is_match(text))
    }
}

/// The words that braces make of one word.
fn alternatives(pieces: &[Piece]) -> Vec<Vec<&Piece>> {
    let mut all: Vec<Vec<&Piece>> = vec![Vec::new()];
    for piece in pieces {
        match piece {
            Piece::Braces(words) if all.len() * words.len() <= 1024 => {
                all = all
                    .iter()
                    .flat_map(|before| {
                        words.iter().map(|word| before.iter().copied().chain(&word.pieces).collect::<Vec<_>>())
                    })
                    .collect();
            }
            piece => all.iter_mut().for_each(|pieces| pieces.push(piece)),
        }
    }
    all
}
