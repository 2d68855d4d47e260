//! Expansion of words: parameters, substitutions, arithmetic, braces and splitting.

use std::rc::Rc;

use spanned_yaml::Span;

use super::state::{Elements, Variable};
use super::{Interpreter, Mark, State};
use crate::Word as Named;
use crate::ir::{Index, Operation, Parameter, Piece, Word};
use crate::regular::{Glob, matches};
use crate::value::{Value, hole};

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
        let (values, quoted) = match piece {
            Piece::Parameter { parameter, quoted } => match self.elements_of(parameter, state) {
                // `"$@"` and `"${A[@]}"`: each element is a word.
                Some(elements) if *quoted => {
                    for (index, element) in elements.into_iter().enumerate() {
                        if index > 0 {
                            done.extend(current.take());
                        }
                        current.get_or_insert_default().push(&element);
                    }
                    return;
                }
                Some(elements) => (elements, false),
                None => (vec![self.parameter(parameter, state)], *quoted),
            },
            Piece::Output { body, quoted, .. } => (vec![self.output_of(body, state)], *quoted),
            Piece::Text { quoted, .. } => {
                let value = self.piece(piece, state);
                if *quoted || !value.is_empty() {
                    current.get_or_insert_default().push(&value);
                }
                return;
            }
            other => (vec![self.piece(other, state)], true),
        };
        if quoted {
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

    /// The elements of `"$@"` or of a whole array, if that is what a reference means; `*` joins them.
    fn elements_of(&mut self, parameter: &Parameter, state: &mut State) -> Option<Vec<Value>> {
        let whole = match (&parameter.index, parameter.name.as_str()) {
            (Index::Each, _) | (Index::None, "@") => true,
            (Index::Joined, _) | (Index::None, "*") => false,
            _ => return None,
        };
        if matches!(parameter.operation, Operation::Length | Operation::Default { .. }) {
            return None;
        }
        let elements = match parameter.name.as_str() {
            "@" | "*" => self.all_arguments(state),
            name => match (&parameter.operation, state.get(name).map(|variable| &variable.elements)) {
                (Operation::Keys, Some(Elements::Keyed(entries))) => {
                    entries.iter().map(|(key, _)| Value::made(key.clone(), parameter.span.start)).collect()
                }
                (Operation::Keys, Some(Elements::List(values))) => {
                    (0..values.len()).map(|index| Value::made(index.to_string(), parameter.span.start)).collect()
                }
                _ => match state.get(name) {
                    Some(variable) => variable.elements(),
                    None => vec![self.unset(name, parameter.span, state)],
                },
            },
        };
        let elements: Vec<Value> = match (&parameter.operation, parameter.name.as_str()) {
            (Operation::Slice(from, length), name) => {
                let first = usize::from(matches!(name, "@" | "*"));
                let from = self.number(from, state).map(|from| from.saturating_sub(first));
                let length = length.as_ref().map_or(Some(usize::MAX), |word| self.number(word, state));
                match (from, length) {
                    (Some(from), Some(length)) => elements.into_iter().skip(from).take(length).collect(),
                    _ => vec![self.unknown("a slice of an array", parameter.span)],
                }
            }
            _ => elements.into_iter().map(|value| self.operated(value, parameter, state)).collect(),
        };
        if whole {
            return Some(elements);
        }
        let ifs = state.value("IFS").and_then(|ifs| ifs.known().and_then(|ifs| ifs.chars().next()));
        let separator = ifs.map_or_else(|| " ".to_owned(), |c| c.to_string());
        Some(vec![Value::joined(&elements, &separator)])
    }

    fn number(&mut self, word: &Word, state: &mut State) -> Option<usize> {
        let value = self.single(word, state);
        value.known()?.trim().parse().ok()
    }

    pub(crate) fn all_arguments(&mut self, state: &State) -> Vec<Value> {
        if state.knows_arguments {
            return state.arguments.to_vec();
        }
        vec![self.hole(
            crate::Unknown {
                reason: "the arguments of the script are not known".to_owned(),
                span: Span::default(),
                is_allowlist: false,
            },
            Some("@"),
        )]
    }

    /// Whether a word with a hole may be none, or several: a hole for something that a shell would split.
    pub(crate) fn may_be_several(&self, value: &Value) -> bool {
        let text = value.text();
        text.chars().next().is_some_and(|c| hole(c).is_some()) && text.chars().nth(1).is_none()
    }

    /// A variable that is not set. One that the script sets elsewhere is empty, unless the environment has it.
    fn unset(&mut self, name: &str, span: Span, state: &State) -> Value {
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            if state.knows_arguments {
                return Value::default();
            }
            return self.hole(
                crate::Unknown { reason: format!("`${name}` is an argument of the script"), span, is_allowlist: false },
                Some(name),
            );
        }
        if self.is_assigned(name) {
            let mark = self.mark(Mark::Environment(Named::new(name, span)));
            let mut value = Value::default();
            value.marks.insert(mark);
            return value;
        }
        let reason = format!("`{name}` is not set in this text");
        self.hole(crate::Unknown { reason, span, is_allowlist: false }, Some(name))
    }

    /// The value of a reference to one value.
    fn parameter(&mut self, parameter: &Parameter, state: &mut State) -> Value {
        let name = parameter.name.as_str();
        if let Operation::Indirect = parameter.operation {
            let target = state.value(name).and_then(|value| value.known().map(str::to_owned));
            return match target {
                Some(target) => state.value(&target).unwrap_or_else(|| self.unset(&target, parameter.span, state)),
                None => self.unknown(format!("what `{name}` names"), parameter.span),
            };
        }
        let set = self.current(parameter, state);
        match &parameter.operation {
            Operation::Default { operator, colon, word } => {
                self.with_default(parameter, set, (*operator, *colon), word, state)
            }
            Operation::Length => {
                let count = match (&parameter.index, state.get(name)) {
                    (Index::Each | Index::Joined, Some(variable)) => Some(variable.elements().len()),
                    (Index::Each | Index::Joined, None) => None,
                    _ => set.as_ref().and_then(|value| value.known()).map(str::len),
                };
                match count {
                    Some(count) => Value::made(count.to_string(), parameter.span.start),
                    None => self.unknown(format!("the length of `{name}`"), parameter.span),
                }
            }
            _ => {
                let value = set.unwrap_or_else(|| self.unset(name, parameter.span, state));
                self.operated(value, parameter, state)
            }
        }
    }

    /// The value that is set, if one is.
    fn current(&mut self, parameter: &Parameter, state: &mut State) -> Option<Value> {
        let name = parameter.name.as_str();
        match name {
            "#" if state.knows_arguments => return Some(Value::made(state.arguments.len().to_string(), 0)),
            "?" => {
                return Some(match state.status {
                    super::Status::Success => Value::made("0", parameter.span.start),
                    super::Status::Failure => Value::made("1", parameter.span.start),
                    _ => self.unknown("the status of a command", parameter.span),
                });
            }
            "0" => return Some(Value::made(self.name, parameter.span.start)),
            "@" | "*" if state.knows_arguments => return Some(Value::joined(&state.arguments, " ")),
            "#" | "$" | "!" | "-" | "@" | "*" => return Some(self.unknown(format!("`${name}`"), parameter.span)),
            _ => {}
        }
        if let Some(index) = name.parse::<usize>().ok().filter(|_| state.knows_arguments) {
            return state.arguments.get(index.checked_sub(1)?).cloned();
        }
        let Index::At(key) = &parameter.index else { return state.value(name) };
        let key = self.single(key, state);
        let Some(key) = key.known().map(str::to_owned) else {
            return Some(self.unknown(format!("an element of `{name}`"), parameter.span));
        };
        // An index may be an expression of variables.
        let is_list = matches!(state.get(name)?.elements, Elements::List(_));
        let key = match is_list.then(|| calculate(&key, state)).flatten() {
            Some(index) => index.to_string(),
            None => key,
        };
        let found = match &state.get(name)?.elements {
            Elements::Keyed(entries) => entries.iter().find(|(other, _)| *other == key).map(|(_, value)| value.clone()),
            Elements::List(values) => match key.parse::<i64>() {
                Ok(-1) => values.last().cloned(),
                Ok(index) => usize::try_from(index).ok().and_then(|index| values.get(index).cloned()),
                Err(_) => values.first().cloned(),
            },
            Elements::One(value) => (key == "0").then(|| value.clone()),
            Elements::Reference(_) => None,
        };
        Some(found.unwrap_or_default())
    }

    fn with_default(
        &mut self,
        parameter: &Parameter,
        set: Option<Value>,
        (operator, colon): (char, bool),
        word: &Word,
        state: &mut State,
    ) -> Value {
        let name = parameter.name.as_str();
        // Whether the value counts as set; unknown for a hole, which may be empty.
        let counts = match &set {
            None => Some(false),
            Some(value) if colon && value.is_empty() => Some(false),
            Some(value) if colon && value.text().chars().all(|c| hole(c).is_some()) => None,
            Some(_) => Some(true),
        };
        let is_argument = name.starts_with(|c: char| c.is_ascii_digit() || "@*".contains(c));
        let from_outside = set.is_none() && !(is_argument && state.knows_arguments);
        let note = |this: &mut Self, mut value: Value| {
            if from_outside {
                let name = if is_argument { format!("${name}") } else { name.to_owned() };
                let mark = this.mark(Mark::Environment(Named::new(name, parameter.span)));
                value.marks.insert(mark);
            }
            value
        };
        match (operator, counts) {
            ('+', Some(true)) => self.single(word, state),
            ('+', Some(false)) => note(self, set.unwrap_or_default()).part(0..0),
            ('-' | '=', Some(false)) => {
                let value = self.single(word, state);
                let value = note(self, value);
                if operator == '=' {
                    self.assigns(name);
                    state.set(name, value.clone());
                }
                value
            }
            ('?', Some(false)) | (_, None) => match (operator, set) {
                ('+', _) => self.unknown(format!("whether `{name}` is empty"), parameter.span),
                (_, Some(value)) => value,
                (_, None) => self.unset(name, parameter.span, state),
            },
            _ => set.unwrap_or_default(),
        }
    }

    /// A value after the operation of a reference.
    fn operated(&mut self, value: Value, parameter: &Parameter, state: &mut State) -> Value {
        self.pay(value.len());
        match &parameter.operation {
            Operation::Trim { suffix, longest, pattern } => {
                let pattern = self.pattern(pattern, state);
                match self.trimmed(&value, &pattern, *suffix, *longest) {
                    Some(value) => value,
                    None => self.unknown(format!("a part of `{}`", parameter.name), parameter.span),
                }
            }
            Operation::Replace { all, anchor, pattern, with } => {
                let pattern = self.pattern(pattern, state);
                let with = self.single(with, state);
                let edits = matches(&pattern, &value, *all, *anchor);
                match edits {
                    Some(ranges) => {
                        self.pay(ranges.len() * with.len());
                        let edits: Vec<_> = ranges.into_iter().map(|range| (range, with.clone())).collect();
                        let after = value.replaced(&edits);
                        self.edited(&value, after, pattern.text(), parameter.span)
                    }
                    None => self.unknown(format!("a part of `{}`", parameter.name), parameter.span),
                }
            }
            Operation::Slice(from, length) => {
                let from = self.number(from, state);
                let length = length.as_ref().map_or(Some(usize::MAX), |word| self.number(word, state));
                match (from, length, value.known()) {
                    (Some(from), Some(length), Some(text)) => {
                        let start = from.min(text.len());
                        let end = start.saturating_add(length).min(text.len());
                        value.part(start..end)
                    }
                    _ => self.unknown(format!("a part of `{}`", parameter.name), parameter.span),
                }
            }
            Operation::Case { upper, all } => {
                let mut first = true;
                let change = std::cell::Cell::new(first);
                first = *upper;
                value.mapped(|c| {
                    if !*all && !change.replace(false) {
                        return None;
                    }
                    Some(if first { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }.to_string())
                })
            }
            _ => value,
        }
    }

    fn trimmed(&mut self, value: &Value, pattern: &Glob, suffix: bool, longest: bool) -> Option<Value> {
        let text = value.text();
        let mut best = None;
        let boundaries = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        for at in boundaries {
            let part = if suffix { at..text.len() } else { 0..at };
            if !self.pay(part.len() / 8) {
                return None;
            }
            if pattern.is_match(&text[part.clone()])? {
                let keeps_last = suffix != longest;
                if best.is_none() || keeps_last {
                    best = Some(part);
                }
                if !keeps_last {
                    break;
                }
            }
        }
        Some(match best {
            Some(part) if suffix => value.part(0..part.start),
            Some(part) => value.part(part.end..text.len()),
            None => value.clone(),
        })
    }

    /// A word as a pattern: what is quoted in it is literal.
    pub(crate) fn pattern(&mut self, word: &Word, state: &mut State) -> Glob {
        let mut glob = Glob::default();
        for piece in &word.pieces {
            let value = self.piece(piece, state);
            let is_literal = match piece {
                Piece::Text { quoted, .. } | Piece::Parameter { quoted, .. } | Piece::Output { quoted, .. } => *quoted,
                _ => true,
            };
            glob.push(value.text(), is_literal);
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

    /// `$(( … ))`: numbers, variables, and `+ - * / %` from left to right.
    pub(crate) fn arithmetic(&mut self, word: &Word, state: &mut State) -> Value {
        let text = self.single(word, state);
        let result = text.known().and_then(|text| calculate(text, state));
        match result {
            Some(number) => Value::made(number.to_string(), word.span.start),
            None => self.unknown("the result of a calculation", word.span),
        }
    }

    /// Applies `let`, `(( … ))` or `declare`: the assignments in an expression. Returns its result.
    pub(crate) fn calculated(&mut self, word: &Word, state: &mut State) -> Option<i64> {
        let text = self.single(word, state);
        let text = text.known()?.trim().to_owned();
        if let Some(name) = text.strip_suffix("++").or_else(|| text.strip_prefix("++")) {
            let number = calculate(name, state)?;
            state.set(name.trim(), Value::made((number + 1).to_string(), word.span.start));
            return Some(number);
        }
        let operators = ["+=", "-=", "="];
        let found = operators.iter().find_map(|operator| text.split_once(operator).map(|split| (*operator, split)));
        if let Some((operator, (name, right))) =
            found.filter(|(_, (name, right))| is_name(name.trim()) && !right.starts_with('='))
        {
            let right = calculate(right, state)?;
            let left = || calculate(name, state);
            let number = match operator {
                "+=" => left()?.checked_add(right)?,
                "-=" => left()?.checked_sub(right)?,
                _ => right,
            };
            state.set(name.trim(), Value::made(number.to_string(), word.span.start));
            return Some(number);
        }
        calculate(&text, state)
    }

    /// Notes an edit of a list: one that changes nothing, or that leaves a piece of a tag.
    pub(crate) fn edited(&mut self, before: &Value, mut after: Value, pattern: &str, span: Span) -> Value {
        let Some(at) = pattern.find("ts_omit_") else { return after };
        let is_known = before.known().is_some_and(|text| text.contains("ts_"));
        let name: String = pattern[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if is_known && before.text() == after.text() {
            let mark = self.mark(Mark::Idle(Named::new(name, span)));
            after.marks.insert(mark);
        } else if is_known {
            let is_word = |c: char| c == ',' || c.is_whitespace();
            let old: std::collections::BTreeSet<&str> = before.text().split(is_word).collect();
            let torn = after
                .text()
                .split(is_word)
                .find(|word| !word.is_empty() && !old.contains(word) && !super::is_tag(word));
            let torn = torn.filter(|_| !after.has_hole()).map(|word| Named::new(word, span));
            if let Some(word) = torn {
                let mark = self.mark(Mark::Torn(word));
                after.marks.insert(mark);
            }
        }
        after
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The result of an expression, if everything in it is known.
fn calculate(text: &str, state: &State) -> Option<i64> {
    for (operators, ..) in [(["<=", ">=", "==", "!="],)] {
        for operator in operators {
            if let Some((left, right)) = text.split_once(operator) {
                let (left, right) = (calculate(left, state)?, calculate(right, state)?);
                return Some(i64::from(match operator {
                    "<=" => left <= right,
                    ">=" => left >= right,
                    "==" => left == right,
                    _ => left != right,
                }));
            }
        }
    }
    for operator in ['<', '>'] {
        if let Some((left, right)) = text.split_once(operator) {
            let (left, right) = (calculate(left, state)?, calculate(right, state)?);
            return Some(i64::from(if operator == '<' { left < right } else { left > right }));
        }
    }
    let mut result: Option<i64> = None;
    let mut operator = '+';
    let mut operand = String::new();
    for c in text.chars().chain(['\0']) {
        match c {
            '+' | '-' | '*' | '/' | '%' | '\0' => {
                let name = operand.trim().trim_start_matches('$');
                let number = match name.parse::<i64>() {
                    Ok(number) => number,
                    Err(_) => state.value(name)?.known()?.trim().parse().ok()?,
                };
                result = Some(match (result, operator) {
                    (None, _) => number,
                    (Some(left), '+') => left.checked_add(number)?,
                    (Some(left), '-') => left.checked_sub(number)?,
                    (Some(left), '*') => left.checked_mul(number)?,
                    (Some(left), '/') => left.checked_div(number)?,
                    (Some(left), _) => left.checked_rem(number)?,
                });
                operator = c;
                operand.clear();
            }
            '(' | ')' => return None,
            c => operand.push(c),
        }
    }
    result
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

impl Interpreter<'_> {
    /// Sets a variable from the right side of an assignment.
    pub(crate) fn assign(&mut self, assignment: &crate::ir::Assignment, state: &mut State) {
        use crate::ir::Assigned;
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
                            let key = Self::shown(&self.single(key, state));
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
                        let mut old = self.unset(name, assignment_span(word), state);
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

fn assignment_span(word: &Word) -> Span {
    word.span
}
