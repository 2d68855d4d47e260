//! Arithmetic: numbers, variables, comparisons, and `+ - * / %` from left to right.

use super::{Interpreter, State};
use crate::ir::Word;
use crate::value::Value;

impl Interpreter<'_> {
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
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The result of an expression, if everything in it is known.
pub(super) fn calculate(text: &str, state: &State) -> Option<i64> {
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
