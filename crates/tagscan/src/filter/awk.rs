//! The part of `awk` that recipes use on lists: rules with a condition on a line, `print`, `printf`, variables of text, the
//! loop over the fields of a line, and the idiom that drops repeated lines.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::regular::{Case, Syntax, posix};
use crate::value::Value;

/// When the action of a rule runs.
enum When {
    Begin,
    End,
    Always,
    /// The line matches, or does not.
    Matches(Regex, bool),
    /// A comparison of the number of the line.
    Number(String, usize),
    /// The line has a field.
    HasField,
    /// The line was not there before.
    IsNew,
}

/// A statement of an action.
enum Statement {
    Print(Vec<Vec<Term>>),
    Format(Vec<Vec<Term>>),
    Assign(String, Vec<Term>),
    /// A statement for each field of the line, whose number is in a variable.
    EachField(String, Box<Statement>),
}

/// A part of an expression; parts side by side are joined.
enum Term {
    Text(String),
    Variable(String),
    /// A field by number; 0 is the line.
    Field(usize),
    LastField,
    FieldOf(String),
}

/// A program under execution.
struct Machine<'v> {
    variables: BTreeMap<String, Value>,
    separator: Option<char>,
    line: Value,
    fields: Vec<Value>,
    number: usize,
    output: Value,
    input: &'v Value,
}

/// The output for an input; `None` for a program that is not understood.
pub(super) fn awk(arguments: &[&str], input: &Value) -> Option<Value> {
    let mut machine = Machine {
        variables: BTreeMap::new(),
        separator: None,
        line: Value::default(),
        fields: Vec::new(),
        number: 0,
        output: input.emptied(),
        input,
    };
    let mut program = None;
    let mut rest = arguments.iter();
    while let Some(text) = rest.next() {
        match text.strip_prefix("-F") {
            Some("") => machine.separator = Some(rest.next()?.chars().next()?),
            Some(given) => machine.separator = Some(given.trim_matches(['"', '\'']).chars().next()?),
            None if *text == "-v" => {
                let (name, value) = rest.next()?.split_once('=')?;
                machine.variables.insert(name.to_owned(), Value::made(value, input.origin(0)));
            }
            None if program.is_none() && !text.starts_with('-') => program = Some(text.trim()),
            None => return None,
        }
    }
    machine.run(&rules(program?)?)
}

/// The rules of a program.
fn rules(program: &str) -> Option<Vec<(When, Vec<Statement>)>> {
    let mut rules = Vec::new();
    let mut rest = program.trim();
    while !rest.is_empty() {
        let open = unquoted(rest, '{');
        let (condition, action, after) = match open {
            None => (rest, None, ""),
            Some(open) => {
                let length = closing(&rest[open..])?;
                (&rest[..open], Some(&rest[open + 1..open + length]), &rest[open + length + 1..])
            }
        };
        let statements = match action {
            None => vec![Statement::Print(vec![vec![Term::Field(0)]])],
            Some(action) => statements(action)?,
        };
        rules.push((when(condition.trim())?, statements));
        rest = after.trim_start_matches([' ', '\n', ';', '\t']);
    }
    Some(rules)
}

fn when(condition: &str) -> Option<When> {
    let expression = |text: &str| posix(text.strip_prefix('/')?.strip_suffix('/')?, Syntax::Extended, Case::Sensitive);
    Some(match condition {
        "" => When::Always,
        "BEGIN" => When::Begin,
        "END" => When::End,
        "NF" => When::HasField,
        "!seen[$0]++" | "!x[$0]++" | "!a[$0]++" | "!_[$0]++" => When::IsNew,
        text if text.starts_with("NR") => {
            let text = text[2..].trim();
            let length = text.find(|c: char| !"<>=!".contains(c))?;
            When::Number(text[..length].to_owned(), text[length..].trim().parse().ok()?)
        }
        text => match text.strip_prefix('!') {
            Some(rest) => When::Matches(expression(rest.trim())?, false),
            None => When::Matches(expression(text)?, true),
        },
    })
}

fn statements(action: &str) -> Option<Vec<Statement>> {
    let mut found = Vec::new();
    let mut rest = action;
    loop {
        rest = rest.trim_start_matches([' ', ';', '\n', '\t']);
        if rest.is_empty() {
            return Some(found);
        }
        let end = separator(rest);
        found.push(statement(rest[..end].trim())?);
        rest = &rest[end..];
    }
}

fn statement(text: &str) -> Option<Statement> {
    if let Some(head) = text.strip_prefix("for") {
        let head = head.trim_start().strip_prefix('(')?;
        let (head, body) = head.split_once(')')?;
        let compact: String = head.chars().filter(|c| !c.is_whitespace()).collect();
        let name = compact.split('=').next()?.to_owned();
        let is_idiom =
            compact == format!("{name}=1;{name}<=NF;{name}++") || compact == format!("{name}=1;{name}<=NF;++{name}");
        let body = body.trim().trim_start_matches('{').trim_end_matches('}').trim().trim_end_matches(';');
        return is_idiom.then(|| Some(Statement::EachField(name, Box::new(statement(body)?))))?;
    }
    if let Some(rest) = text.strip_prefix("printf") {
        return Some(Statement::Format(expressions(rest.trim().trim_start_matches('(').trim_end_matches(')'))?));
    }
    if let Some(rest) = text.strip_prefix("print") {
        let list = expressions(rest.trim())?;
        return Some(Statement::Print(if list.is_empty() { vec![vec![Term::Field(0)]] } else { list }));
    }
    let (name, value) = text.split_once('=')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some(())?;
    Some(Statement::Assign(name.to_owned(), expressions(value.trim())?.into_iter().next().unwrap_or_default()))
}

/// Expressions between commas, each of terms side by side.
fn expressions(text: &str) -> Option<Vec<Vec<Term>>> {
    let mut all = Vec::new();
    let mut terms = Vec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        match first {
            '"' => {
                let length = string_length(&rest[1..])?;
                let text = rest[1..=length].replace("\\n", "\n").replace("\\t", "\t").replace("\\\"", "\"");
                terms.push(Term::Text(text));
                rest = &rest[length + 2..];
            }
            ',' => {
                all.push(std::mem::take(&mut terms));
                rest = &rest[1..];
            }
            '$' => {
                let name = &rest[1..];
                let length = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
                terms.push(match &name[..length] {
                    "NF" => Term::LastField,
                    text => match text.parse::<usize>() {
                        Ok(number) => Term::Field(number),
                        Err(_) if !text.is_empty() => Term::FieldOf(text.to_owned()),
                        Err(_) => return None,
                    },
                });
                rest = &name[length..];
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                // A call, an element and an operator are not understood.
                if rest[length..].starts_with(['(', '[']) {
                    return None;
                }
                terms.push(Term::Variable(rest[..length].to_owned()));
                rest = &rest[length..];
            }
            c if c.is_whitespace() => rest = rest.trim_start(),
            _ => return None,
        }
    }
    if !terms.is_empty() {
        all.push(terms);
    }
    Some(all)
}

impl Machine<'_> {
    fn run(mut self, rules: &[(When, Vec<Statement>)]) -> Option<Value> {
        for (_, statements) in rules.iter().filter(|(when, _)| matches!(when, When::Begin)) {
            self.execute(statements)?;
        }
        let mut seen = BTreeSet::new();
        for line in self.input.lines() {
            self.number += 1;
            if line.has_hole() {
                return None;
            }
            let separator = match self.variables.get("FS") {
                Some(given) => given.text().chars().next(),
                None => self.separator,
            };
            self.fields = match separator.filter(|separator| *separator != ' ') {
                Some(separator) => line.ranges(|c| c == separator).into_iter().map(|range| line.part(range)).collect(),
                None => line.fields(char::is_whitespace),
            };
            self.line = line;
            for (when, statements) in rules {
                let runs = match when {
                    When::Begin | When::End => false,
                    When::Always => true,
                    When::Matches(expression, wanted) => expression.is_match(self.line.text()) == *wanted,
                    When::HasField => !self.fields.is_empty(),
                    When::IsNew => seen.insert(self.line.text().to_owned()),
                    When::Number(operator, number) => match operator.as_str() {
                        "==" => self.number == *number,
                        "!=" => self.number != *number,
                        ">" => self.number > *number,
                        ">=" => self.number >= *number,
                        "<" => self.number < *number,
                        "<=" => self.number <= *number,
                        _ => return None,
                    },
                };
                if runs {
                    self.execute(statements)?;
                }
            }
        }
        for (_, statements) in rules.iter().filter(|(when, _)| matches!(when, When::End)) {
            self.execute(statements)?;
        }
        Some(self.output)
    }

    fn execute(&mut self, statements: &[Statement]) -> Option<()> {
        for statement in statements {
            if self.output.len() > crate::value::LONGEST {
                return None;
            }
            match statement {
                Statement::Print(expressions) => {
                    let values: Vec<Value> =
                        expressions.iter().map(|terms| self.value(terms)).collect::<Option<_>>()?;
                    let separator = self.special("OFS", " ");
                    let end = self.special("ORS", "\n");
                    self.output.push(&Value::joined(&values, &separator));
                    self.output.push_made(&end, self.input.origin(0));
                }
                Statement::Format(expressions) => self.format(expressions)?,
                Statement::Assign(name, terms) => {
                    let value = self.value(terms)?;
                    if value.len() > crate::value::LONGEST {
                        return None;
                    }
                    self.variables.insert(name.clone(), value);
                }
                Statement::EachField(name, body) => {
                    for index in 1..=self.fields.len() {
                        self.variables.insert(name.clone(), Value::made(index.to_string(), self.input.origin(0)));
                        self.execute(std::slice::from_ref(&**body))?;
                    }
                }
            }
        }
        Some(())
    }

    fn special(&self, name: &str, default: &str) -> String {
        self.variables.get(name).map_or_else(|| default.to_owned(), |value| value.text().to_owned())
    }

    fn format(&mut self, expressions: &[Vec<Term>]) -> Option<()> {
        let (format, values) = expressions.split_first()?;
        let format = self.value(format)?;
        let mut values = values.iter();
        let mut parts = format.text().split("%s");
        self.output.push_made(parts.next()?, self.input.origin(0));
        for part in parts {
            let value = self.value(values.next()?)?;
            self.output.push(&value);
            self.output.push_made(part, self.input.origin(0));
        }
        (!format.text().replace("%s", "").contains('%')).then_some(())
    }

    fn value(&self, terms: &[Term]) -> Option<Value> {
        let mut whole = self.line.emptied();
        let field = |number: usize| match number.checked_sub(1) {
            None => self.line.clone(),
            Some(index) => self.fields.get(index).cloned().unwrap_or_default(),
        };
        for term in terms {
            match term {
                Term::Text(text) => whole.push_made(text, self.input.origin(0)),
                Term::Field(number) => whole.push(&field(*number)),
                Term::LastField => whole.push(&field(self.fields.len())),
                Term::FieldOf(name) => whole.push(&field(self.variables.get(name)?.text().parse().ok()?)),
                Term::Variable(name) => match name.as_str() {
                    "NF" => whole.push_made(&self.fields.len().to_string(), self.input.origin(0)),
                    "NR" => whole.push_made(&self.number.to_string(), self.input.origin(0)),
                    name => {
                        if let Some(value) = self.variables.get(name) {
                            whole.push(value);
                        }
                    }
                },
            }
        }
        Some(whole)
    }
}

/// The length of a string up to its quote.
fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at),
            _ => {}
        }
    }
    None
}

/// Where a character is outside strings and regular expressions.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, c) if c == wanted => return Some(at),
            (None, '"' | '/') => quote = Some(c),
            _ => {}
        }
    }
    None
}

/// The length from a brace to the one that closes it.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let (open, close) = (unquoted(&text[at..], '{'), unquoted(&text[at..], '}')?);
        if open.is_some_and(|open| open < close) {
            depth += 1;
            at += open? + 1;
        } else {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(at + close);
            }
            at += close + 1;
        }
    }
}

/// The length of a statement: up to a semicolon or line break outside strings, brackets and braces.
fn separator(text: &str) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '{' => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            ';' | '\n' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}
