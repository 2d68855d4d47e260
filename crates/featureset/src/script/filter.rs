//! Programs through which a list of tags is piped.

use super::sed::{self, Change};
use super::value::Value;
use diagnostics::Span;

/// What a program makes of what it is given. `words` are its name and its arguments, with their places.
pub(super) fn through(value: Value, words: &[(String, Span)]) -> Value {
    let Some(((program, span), arguments)) = words.split_first() else { return value };
    let texts: Vec<&str> = arguments.iter().map(|(text, _)| text.as_str()).collect();
    let changed = match program.rsplit('/').next().unwrap_or_default() {
        "sort" | "uniq" | "xargs" | "cat" | "tee" => Some(value.clone()),
        "tr" => translated(&value, &texts),
        "paste" if texts.iter().any(|text| text.contains('s')) => Some(joined(value.clone())),
        "sed" => edited(&value, arguments),
        "grep" => {
            // One tag a line that is not wanted; any other use picks lines in ways that the text does not tell.
            None
        }
        _ => None,
    };
    changed.unwrap_or_else(|| {
        let unknown = Value::unknown(format!("what `{program}` makes of the list"), *span);
        Value { atoms: unknown.atoms, ..value }
    })
}

/// Lines become one. A comma at an end makes no difference.
fn joined(value: Value) -> Value {
    value.mapped(|text| text.replace('\n', ","))
}

fn translated(value: &Value, arguments: &[&str]) -> Option<Value> {
    let plain =
        |set: &str| set.replace("\\n", "\n").replace("\\t", "\t").replace("[:space:]", " \n\t").replace(['[', ']'], "");
    let separators = |set: &str| plain(set).chars().all(|c| c.is_whitespace() || c == ',');
    match arguments {
        ["-s", set] if separators(set) => Some(value.clone()),
        ["-d", set] if separators(set) => {
            let gone = plain(set);
            Some(value.clone().mapped(|text| text.replace(|c| gone.contains(c), "")))
        }
        ["-s", from, to] | [from, to] if separators(from) && separators(to) => {
            let (from, to) = (plain(from), plain(to).chars().next().map(String::from).unwrap_or_default());
            Some(value.clone().mapped(|text| text.replace(|c| from.contains(c), &to)))
        }
        _ => None,
    }
}

fn edited(value: &Value, arguments: &[(String, Span)]) -> Option<Value> {
    let extended = arguments.iter().any(|(text, _)| ["-E", "-r", "-Ee", "-re"].contains(&text.as_str()));
    let mut value = value.clone();
    let scripts = arguments.iter().filter(|(text, _)| !text.starts_with('-'));
    if arguments.iter().any(|(text, _)| text.starts_with("-n") || text.starts_with("-f")) {
        return None;
    }
    for (text, span) in scripts {
        for change in sed::script(text, span.start, extended)? {
            value = applied(value, change);
        }
    }
    Some(value)
}

/// A value after a change.
pub(super) fn applied(value: Value, change: Change) -> Value {
    match change {
        Change::Nothing => value,
        Change::Separators(to) => value.mapped(|text| separated(text, &to)),
        Change::Strips(strips) => value.without(strips),
    }
}

/// A text whose blanks are others; those at its ends too, for more text may stand beside it.
fn separated(text: &str, to: &str) -> String {
    let mut changed = String::new();
    let mut blank = false;
    for c in text.chars() {
        if !c.is_whitespace() {
            changed.push(c);
        } else if !blank {
            changed += to;
        }
        blank = c.is_whitespace();
    }
    changed
}
