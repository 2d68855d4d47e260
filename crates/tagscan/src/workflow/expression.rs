//! Expressions of workflows: `${{ … }}`.

use std::collections::BTreeMap;

use spanned_yaml::Span;

use crate::interpreter::Interpreter;
use crate::value::Value;

/// The values that expressions of a workflow can name: `matrix.goos`, `env.TAGS`, `steps.tags.outputs.tags`.
pub(super) type Context = BTreeMap<String, Value>;

/// A text with its expressions replaced by their values.
pub(super) fn replace(text: &Value, context: &Context, interpreter: &mut Interpreter<'_>) -> Value {
    let source = text.text();
    if !source.contains("${{") {
        return text.clone();
    }
    let mut edits = Vec::new();
    let mut from = 0;
    while let Some(start) = source[from..].find("${{").map(|at| from + at) {
        let Some(length) = source[start..].find("}}") else { break };
        let inside = &source[start + 3..start + length];
        let value = evaluate(inside, text.origin(start), context, interpreter);
        edits.push((start..start + length + 2, value));
        from = start + length + 2;
    }
    let value = text.replaced(&edits);
    interpreter.bounded(value)
}

/// Whether an expression is true, if that is known.
pub(super) fn truth(
    expression: &str,
    origin: usize,
    context: &Context,
    interpreter: &mut Interpreter<'_>,
) -> Option<bool> {
    let value = evaluate(expression, origin, context, interpreter);
    value.known().map(|text| !matches!(text, "" | "false" | "0"))
}

fn evaluate(expression: &str, origin: usize, context: &Context, interpreter: &mut Interpreter<'_>) -> Value {
    let span = Span { start: origin, end: origin };
    let expression = expression.trim();
    if !interpreter.enter() {
        return interpreter.unknown("an expression that is nested too deeply", span);
    }
    let value = operators(expression, origin, context, interpreter)
        .or_else(|| primary(expression, origin, context))
        .unwrap_or_else(|| interpreter.unknown(format!("`${{{{ {} }}}}`", shortened(expression)), span));
    interpreter.leave();
    value
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

fn operators(text: &str, origin: usize, context: &Context, interpreter: &mut Interpreter<'_>) -> Option<Value> {
    let boolean = |answer: bool| Value::made(answer.to_string(), origin);
    for operator in ["||", "&&", "==", "!="] {
        let Some(at) = outside(text, operator) else { continue };
        let left = evaluate(&text[..at], origin, context, interpreter);
        let right = evaluate(&text[at + 2..], origin, context, interpreter);
        let truth = left.known().map(|text| !matches!(text, "" | "false" | "0"));
        return match operator {
            "||" | "&&" => Some(match truth? == (operator == "||") {
                true => left,
                false => right,
            }),
            _ => Some(boolean((left.known()? == right.known()?) == (operator == "=="))),
        };
    }
    if let Some(rest) = text.strip_prefix('!') {
        let value = evaluate(rest, origin, context, interpreter);
        return Some(boolean(matches!(value.known()?, "" | "false" | "0")));
    }
    if let Some(inside) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return Some(evaluate(inside, origin, context, interpreter));
    }
    None
}

/// Where an operator is outside quotes and brackets.
fn outside(text: &str, operator: &str) -> Option<usize> {
    let (mut quoted, mut depth) = (false, 0_usize);
    for (at, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ if !quoted && depth == 0 && text[at..].starts_with(operator) => return Some(at),
            _ => {}
        }
    }
    None
}

fn primary(text: &str, origin: usize, context: &Context) -> Option<Value> {
    if let Some(quoted) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Some(Value::made(quoted.replace("''", "'"), origin));
    }
    if matches!(text, "true" | "false") || text.parse::<i64>().is_ok() {
        return Some(Value::made(text, origin));
    }
    if matches!(text, "always()" | "success()") {
        return Some(Value::made("true", origin));
    }
    let path = text.replace("['", ".").replace("']", "");
    let path = path.strip_prefix("github.event.").unwrap_or(&path);
    if let Some(value) = context.get(path) {
        return Some(value.clone());
    }
    // A key that a combination of the matrix does not have is empty, if others have it.
    let has_matrix = context.keys().any(|key| key.starts_with("matrix."));
    (path.starts_with("matrix.") && has_matrix).then(Value::default)
}
