//! `sed`: substitutions, deletions and joins of lines.

use std::ops::Range;

use regex::Regex;

use crate::regular::{Case, Syntax, posix};
use crate::value::Value;

/// A command of a script.
enum Command {
    Substitute {
        on: Option<Address>,
        find: Regex,
        with: Vec<Replacement>,
        all: bool,
        number: usize,
        prints: bool,
    },
    Delete(Option<Address>),
    Print(Option<Address>),
    /// The idiom `:a;N;$!ba`, which makes all lines one.
    JoinLines,
}

/// The lines that a command is for.
struct Address {
    lines: Lines,
    inverted: bool,
}

enum Lines {
    Last,
    Number(usize),
    Matching(Regex),
}

/// A part of a replacement.
enum Replacement {
    Text(String),
    Group(usize),
}

/// The output for an input; `None` for a script that is not understood.
pub(crate) fn sed(arguments: &[&str], input: &Value) -> Option<Value> {
    let (commands, quiet) = commands(arguments)?;
    let mut lines = input.lines();
    if commands.iter().any(|command| matches!(command, Command::JoinLines)) {
        lines = vec![Value::joined(&lines, "\n")];
    }
    let mut output = input.emptied();
    let print = |output: &mut Value, line: &Value| {
        output.push(line);
        output.push_made("\n", line.origin(0));
    };
    let count = lines.len();
    for (index, mut line) in lines.into_iter().enumerate() {
        let mut deleted = false;
        for command in &commands {
            match command {
                Command::Substitute { on, find, with, all, number, prints } => {
                    if selected(on.as_ref(), &line, index, count)? {
                        let before = line.text().to_owned();
                        line = substituted(&line, find, with, *all, *number)?;
                        if *prints && quiet && line.text() != before {
                            print(&mut output, &line);
                        }
                    }
                }
                Command::Delete(on) => {
                    deleted = selected(on.as_ref(), &line, index, count)?;
                    if deleted {
                        break;
                    }
                }
                Command::Print(on) => {
                    if selected(on.as_ref(), &line, index, count)? {
                        print(&mut output, &line);
                    }
                }
                Command::JoinLines => {}
            }
        }
        if !deleted && !quiet {
            print(&mut output, &line);
        }
    }
    Some(output)
}

/// The commands of a call, and whether lines are printed only on command.
fn commands(arguments: &[&str]) -> Option<(Vec<Command>, bool)> {
    let (mut syntax, mut quiet) = (Syntax::Basic, false);
    let mut scripts = Vec::new();
    let mut rest = arguments.iter();
    while let Some(text) = rest.next() {
        match *text {
            "-E" | "-r" | "--regexp-extended" => syntax = Syntax::Extended,
            "-n" | "--quiet" | "--silent" => quiet = true,
            "-e" | "--expression" => scripts.push(*rest.next()?),
            "-ne" | "-Ee" | "-re" => {
                quiet |= *text == "-ne";
                if *text != "-ne" {
                    syntax = Syntax::Extended;
                }
                scripts.push(*rest.next()?);
            }
            text if text.starts_with("--expression=") => scripts.push(text.split_once('=')?.1),
            text if text.starts_with('-') && text.len() > 1 => return None,
            text if scripts.is_empty() => scripts.push(text),
            _ => return None,
        }
    }
    Some((script(&scripts.join("\n"), syntax)?, quiet))
}

fn selected(address: Option<&Address>, line: &Value, index: usize, count: usize) -> Option<bool> {
    let Some(address) = address else { return Some(true) };
    let found = match &address.lines {
        Lines::Last => index + 1 == count,
        Lines::Number(number) => index + 1 == *number,
        Lines::Matching(expression) => expression.is_match(line.known()?),
    };
    Some(found != address.inverted)
}

fn substituted(line: &Value, find: &Regex, with: &[Replacement], all: bool, number: usize) -> Option<Value> {
    let most = if all { usize::MAX } else { 1 };
    let mut edits: Vec<(Range<usize>, Value)> = Vec::new();
    let text = line.text();
    for captures in find.captures_iter(text).skip(number - 1).take(most) {
        let whole = captures.get(0)?;
        // A hole may be matched as one character only; what it is longer than is not known.
        if line.part(whole.range()).has_hole() {
            return None;
        }
        let mut replacement = Value::default();
        for part in with {
            match part {
                Replacement::Text(text) => replacement.push_made(text, line.origin(whole.start())),
                Replacement::Group(index) => {
                    if let Some(group) = captures.get(*index) {
                        replacement.push_part(line, group.range());
                    }
                }
            }
        }
        edits.push((whole.range(), replacement));
    }
    // Anchors and repeated edits next to a hole may come out otherwise.
    Some(line.replaced(&edits))
}

fn script(text: &str, syntax: Syntax) -> Option<Vec<Command>> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace() && *c != ';').collect();
    if compact.starts_with(":aN$!ba") {
        let rest = text.split_once("ba")?.1.trim_start_matches([';', '\n', ' ']);
        return Some(std::iter::once(Command::JoinLines).chain(script(rest, syntax)?).collect());
    }
    let mut commands = Vec::new();
    let mut rest = text.trim_start_matches([' ', ';', '\n', '\t']);
    while !rest.is_empty() {
        let address;
        (address, rest) = read_address(rest, syntax)?;
        rest = rest.trim_start();
        let command = rest.chars().next()?;
        rest = &rest[command.len_utf8()..];
        match command {
            's' => {
                let separator = rest.chars().next()?;
                let (find, after) = until(&rest[separator.len_utf8()..], separator)?;
                let (with, after) = until(after, separator)?;
                let length = after.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(after.len());
                let flags = &after[..length];
                rest = &after[length..];
                if flags.chars().any(|c| !"gIip0123456789".contains(c)) {
                    return None;
                }
                let case = if flags.contains(['i', 'I']) { Case::Insensitive } else { Case::Sensitive };
                let digits: String = flags.chars().filter(char::is_ascii_digit).collect();
                commands.push(Command::Substitute {
                    on: address,
                    find: posix(&find, syntax, case)?,
                    with: replacement(&with)?,
                    all: flags.contains('g'),
                    number: if digits.is_empty() { 1 } else { digits.parse().ok().filter(|number| *number > 0)? },
                    prints: flags.contains('p'),
                });
            }
            'd' => commands.push(Command::Delete(address)),
            'p' => commands.push(Command::Print(address)),
            _ => return None,
        }
        let trimmed = rest.trim_start_matches([' ', '\t']);
        if !trimmed.is_empty() && !trimmed.starts_with([';', '\n', '}']) {
            return None;
        }
        rest = trimmed.trim_start_matches([' ', ';', '\n', '\t']);
    }
    Some(commands)
}

fn read_address(text: &str, syntax: Syntax) -> Option<(Option<Address>, &str)> {
    let (lines, rest) = match text.chars().next()? {
        '$' => (Lines::Last, &text[1..]),
        '/' => {
            let (pattern, rest) = until(&text[1..], '/')?;
            (Lines::Matching(posix(&pattern, syntax, Case::Sensitive)?), rest)
        }
        c if c.is_ascii_digit() => {
            let length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            (Lines::Number(text[..length].parse().ok()?), &text[length..])
        }
        _ => return Some((None, text)),
    };
    if rest.starts_with(',') {
        return None;
    }
    let (inverted, rest) = rest.strip_prefix('!').map_or((false, rest), |rest| (true, rest));
    Some((Some(Address { lines, inverted }), rest))
}

/// The text up to a separator that is not escaped, and what follows it.
fn until(text: &str, separator: char) -> Option<(String, &str)> {
    let mut found = String::new();
    let mut in_class = false;
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => {
                let (_, next) = characters.next()?;
                if next != separator {
                    found.push('\\');
                }
                found.push(next);
            }
            '[' if separator != '[' => {
                in_class = true;
                found.push(c);
            }
            ']' => {
                in_class = false;
                found.push(c);
            }
            c if c == separator && !in_class => return Some((found, &text[at + c.len_utf8()..])),
            c => found.push(c),
        }
    }
    None
}

fn replacement(text: &str) -> Option<Vec<Replacement>> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        let group = match c {
            '&' => 0,
            '\\' => match characters.next()? {
                'n' => {
                    literal.push('\n');
                    continue;
                }
                c if c.is_ascii_digit() => usize::try_from(c.to_digit(10)?).ok()?,
                c if c.is_ascii_alphabetic() => return None,
                c => {
                    literal.push(c);
                    continue;
                }
            },
            c => {
                literal.push(c);
                continue;
            }
        };
        parts.push(Replacement::Text(std::mem::take(&mut literal)));
        parts.push(Replacement::Group(group));
    }
    parts.push(Replacement::Text(literal));
    Some(parts)
}
