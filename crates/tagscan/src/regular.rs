//! Patterns: those of a shell, and the basic and extended regular expressions of POSIX, as `regex` has them.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use crate::ir::{End, Matches, Quoting};
use crate::value::{Value, hole};

/// The largest program of a pattern, in bytes.
const LARGEST: usize = 1 << 18;

/// A pattern of a shell.
#[derive(Debug, Default)]
pub(crate) struct Glob {
    /// The text, if nothing in it is special.
    literal: Option<String>,
    expression: String,
    text: String,
    is_special: bool,
}

impl Glob {
    /// Appends text; what is quoted is literal.
    pub(crate) fn push(&mut self, text: &str, quoting: Quoting) {
        self.text += text;
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                _ if quoting == Quoting::Quoted => self.expression += &regex::escape(&c.to_string()),
                '*' => self.special(".*?"),
                '?' => self.special("."),
                '[' => {
                    let set: String = characters.by_ref().take_while(|c| *c != ']').collect();
                    let set = set.strip_prefix('!').map_or(set.clone(), |rest| format!("^{rest}"));
                    self.special(&format!("[{}]", set.replace('[', "\\[")));
                }
                '\\' => {
                    let next = characters.next().unwrap_or('\\');
                    self.expression += &regex::escape(&next.to_string());
                }
                c => self.expression += &regex::escape(&c.to_string()),
            }
        }
        self.literal = (!self.is_special).then(|| self.text.clone());
    }

    fn special(&mut self, expression: &str) {
        self.is_special = true;
        self.expression += expression;
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn has_hole(&self) -> bool {
        self.text.chars().any(|c| hole(c).is_some())
    }

    /// Whether it matches every text.
    pub(crate) fn matches_all(&self) -> bool {
        self.is_special && !self.text.is_empty() && self.text.chars().all(|c| c == '*')
    }

    /// Whether it matches the whole of a text; `None` if the pattern is not known.
    pub(crate) fn is_match(&self, text: &str) -> Option<bool> {
        if self.has_hole() {
            return None;
        }
        match &self.literal {
            Some(literal) => Some(literal == text),
            None if self.text.is_empty() => Some(text.is_empty()),
            None => Some(compile(&format!("^(?:{})$", self.expression))?.is_match(text)),
        }
    }
}

/// The ranges of a value that a pattern of a shell matches, as `${T/pattern/}` finds them.
pub(crate) fn find(pattern: &Glob, value: &Value, wanted: Matches) -> Option<Vec<Range<usize>>> {
    let text = value.text();
    if pattern.has_hole() {
        return None;
    }
    if pattern.text.is_empty() {
        return Some(Vec::new());
    }
    let most = if wanted == Matches::All { usize::MAX } else { 1 };
    if let (Some(literal), Matches::First | Matches::All) = (&pattern.literal, wanted) {
        return Some(text.match_indices(literal.as_str()).take(most).map(|(at, found)| at..at + found.len()).collect());
    }
    // The longest match counts.
    let greedy = pattern.expression.replace(".*?", ".*");
    let expression = match wanted {
        Matches::At(End::Start) => format!("^(?:{greedy})"),
        Matches::At(End::End) => format!("(?:{greedy})$"),
        Matches::First | Matches::All => greedy,
    };
    Some(compile(&expression)?.find_iter(text).take(most).map(|found| found.range()).collect())
}

/// Compiles an expression of the crate `regex`.
pub(crate) fn compile(expression: &str) -> Option<Regex> {
    RegexBuilder::new(expression).dot_matches_new_line(true).size_limit(LARGEST).build().ok()
}

/// The syntax of a regular expression of POSIX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// That of `grep` and `sed`.
    Basic,
    /// That of `grep -E`, `sed -E`, awk and `[[ =~ ]]`.
    Extended,
}

/// Whether a regular expression distinguishes upper and lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Sensitive,
    Insensitive,
}

/// Returns an expression of POSIX as one of the crate `regex`; `None` for one that is not understood.
pub(crate) fn posix(pattern: &str, syntax: Syntax, case: Case) -> Option<Regex> {
    let extended = syntax == Syntax::Extended;
    let mut translated = String::from(if case == Case::Insensitive { "(?i)" } else { "" });
    let mut characters = pattern.chars().peekable();
    let mut at_start = true;
    while let Some(c) = characters.next() {
        let before = translated.len();
        match c {
            '\\' => match characters.next()? {
                c @ ('(' | ')' | '{' | '}' | '|' | '+' | '?') => {
                    // An escape makes it special in a basic expression, and literal in an extended one.
                    if extended {
                        translated.push('\\');
                    }
                    translated.push(c);
                    at_start = matches!(c, '(' | '|') && !extended;
                    if at_start {
                        continue;
                    }
                }
                '<' => translated += r"\b{start}",
                '>' => translated += r"\b{end}",
                'n' => translated.push('\n'),
                't' => translated.push('\t'),
                c @ ('b' | 'B' | 'w' | 'W' | 's' | 'S' | 'd') => {
                    translated.push('\\');
                    translated.push(c);
                }
                c if c.is_ascii_digit() => return None,
                c => translated += &regex::escape(&c.to_string()),
            },
            '[' => {
                translated += &class(&mut characters)?;
            }
            '*' if at_start && !extended => translated += "\\*",
            '^' if !extended && !at_start => translated += "\\^",
            '$' if !extended && !ends_here(&characters) => translated += "\\$",
            '(' | ')' | '{' | '}' | '|' | '+' | '?' if !extended => {
                translated.push('\\');
                translated.push(c);
            }
            '(' | '|' => {
                translated.push(c);
                at_start = true;
                continue;
            }
            '^' | '$' | '.' | '*' | ')' | '{' | '}' | '+' | '?' => translated.push(c),
            c => translated += &regex::escape(&c.to_string()),
        }
        at_start = c == '^' && before == usize::from(case == Case::Insensitive) * 4;
    }
    compile(&longest_first(&translated))
}

fn ends_here(rest: &std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let rest: String = rest.clone().take(2).collect();
    rest.is_empty() || rest == "\\)" || rest == "\\|"
}

/// The inside of a bracket expression.
fn class(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut set = String::from("[");
    if characters.next_if_eq(&'^').is_some() {
        set.push('^');
    }
    let mut first = true;
    loop {
        let c = characters.next()?;
        match c {
            ']' if !first => break,
            '[' if characters.peek() == Some(&':') => {
                let mut name = String::new();
                for c in characters.by_ref() {
                    name.push(c);
                    if name.ends_with(":]") {
                        break;
                    }
                }
                set.push('[');
                set += &name;
            }
            '\\' | '[' | ']' | '&' | '~' => {
                set.push('\\');
                set.push(c);
            }
            c => set.push(c),
        }
        first = false;
    }
    set.push(']');
    Some(set)
}

/// POSIX takes the longest alternative, `regex` the first: plain alternatives are put in that order.
fn longest_first(expression: &str) -> String {
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "_|,".contains(c));
    let mut sorted = String::new();
    let mut rest = expression;
    let order = |alternatives: &str| {
        let mut parts: Vec<&str> = alternatives.split('|').collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        parts.join("|")
    };
    while let Some(start) = rest.find('(') {
        let inside = &rest[start + 1..];
        let Some(end) = inside.find([')', '(']).filter(|end| inside[*end..].starts_with(')')) else {
            sorted += &rest[..=start];
            rest = inside;
            continue;
        };
        sorted += &rest[..=start];
        sorted += &if plain(&inside[..end]) { order(&inside[..end]) } else { inside[..end].to_owned() };
        rest = &inside[end..];
    }
    sorted += rest;
    if plain(&sorted) { order(&sorted) } else { sorted }
}
