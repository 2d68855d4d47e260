//! What programs print in the place where they are called: `$( … )`, and what their output is piped through.

use super::super::filter;
use super::super::token::{self, Piece, Token, Word};
use super::super::value::{Atom, Value};
use super::expand::not_followed;
use super::{FILE, Flow, ends};
use crate::audit::Part;
use diagnostics::Span;

impl Flow<'_> {
    /// What commands print, in the place of `$( … )`.
    pub(super) fn printed(&mut self, span: Span) -> Value {
        let tokens = token::tokens(self.text, span, self.kind);
        let mut values = self.nested(span, |flow| {
            // What is set in there holds in there.
            if !flow.may_copy() {
                return vec![not_followed(span)];
            }
            let outside = flow.variables.clone();
            let value = flow.pipeline(&tokens, span);
            flow.variables = outside;
            vec![value]
        });
        values.pop().unwrap_or_default()
    }

    fn pipeline(&mut self, tokens: &[Token], span: Span) -> Value {
        let mut printed: Option<Value> = None;
        let (mut start, mut previous) = (0, "");
        for index in 0..=tokens.len() {
            let operator = match tokens.get(index) {
                Some(Token::Operator(operator, _)) if tokens.get(index).is_some_and(ends) => *operator,
                Some(_) => continue,
                None => "",
            };
            let words = words_of(&tokens[start..index]);
            match previous {
                // What is printed where the first fails: without it, nothing.
                "||" => {
                    if let Some(value) = printed.as_mut().filter(|value| value.is_made()) {
                        value.unnoticed = value.unnoticed.or(Some(span));
                    }
                }
                "|" => printed = Some(self.piped(printed.take().unwrap_or_default(), &words, span)),
                _ if words.is_empty() => {}
                _ => {
                    let value = self.output(&words, span);
                    printed = match (printed, value) {
                        (Some(_), Some(_)) => Some(Value::unknown("what several programs print", span)),
                        (one, other) => one.or(other),
                    };
                }
            }
            previous = operator;
            start = index + 1;
        }
        printed.unwrap_or_else(|| self.unknown_output(span))
    }

    fn unknown_output(&self, span: Span) -> Value {
        Value::unknown(format!("what `{}` prints", shortened(&self.text[span.start..span.end])), span)
    }

    fn piped(&mut self, value: Value, words: &[&Word], span: Span) -> Value {
        let plain: Vec<(String, Span)> =
            words.iter().map(|word| (word.text().unwrap_or_default(), text_place(word))).collect();
        if !self.works(value.weight()) {
            return Value { atoms: not_followed(span).atoms, ..value };
        }
        self.patterns.extend(plain.iter().map(|(_, span)| span.start));
        let made = value.is_made();
        let mut value = match words.iter().any(|word| word.text().is_none()) {
            true => Value { atoms: vec![Atom::Unknown("what the list is piped through".to_owned(), span)], ..value },
            false => filter::through(value, &plain),
        };
        // The status of a pipe is that of its last program.
        if made && !self.stops_on_piped_errors {
            value.unnoticed = Some(span);
        }
        value
    }

    /// What a command prints; nothing for one that prints nothing.
    fn output(&mut self, words: &[&Word], span: Span) -> Option<Value> {
        let (program, rest) = words.split_first()?;
        let name = program.text().unwrap_or_else(|| program.head().to_owned());
        if name.contains('=') || ["cd", "set", "export", "true", ":", "unset"].contains(&name.as_str()) {
            self.simple(words, &super::command::Around::default());
            return None;
        }
        match name.as_str() {
            "echo" => {
                let flags = rest.iter().take_while(|word| ["-n", "-e", "-E"].contains(&word.head())).count();
                Some(self.listed(&rest[flags..], " "))
            }
            "printf" => {
                let format = rest.first().and_then(|word| word.text()).unwrap_or_default().replace("\\n", "\n");
                Some(match format.split_once("%s") {
                    Some(("", after)) if !after.contains('%') => self.listed(&rest[1..], after),
                    None if rest.len() == 1 => self.listed(rest, " "),
                    _ => self.unknown_output(span),
                })
            }
            "cat" => {
                let file = rest.first().and_then(|word| word.text()).unwrap_or_default();
                let known = self.variable(&format!("{FILE}{file}")).and_then(|mut values| values.pop());
                Some(known.unwrap_or_else(|| self.unknown_output(span)))
            }
            _ => Some(match self.featuretags(words) {
                Some(call) => Value::part(Part::Featuretags(call)),
                None => self.unknown_output(span),
            }),
        }
    }

    /// Words one after the other. Where there are several ways, it is said that it is not known which.
    pub(super) fn listed(&mut self, words: &[&Word], separator: &str) -> Value {
        let mut values = vec![Value::default()];
        for word in words {
            let ways = self.arguments(word);
            if let [_, _, ..] = &ways[..] {
                return Value::unknown("which of several ways is taken", word.span);
            }
            for argument in ways.into_iter().next().unwrap_or_default() {
                values = self.product(values, vec![argument], separator);
            }
        }
        values.pop().unwrap_or_default()
    }
}

/// The words of a command, without what is redirected.
pub(super) fn words_of(tokens: &[Token]) -> Vec<&Word> {
    let mut words: Vec<&Word> = Vec::new();
    let mut skip = false;
    for token in tokens {
        match token {
            Token::Operator(">" | ">>" | "<" | "&>" | ">&" | "<&" | "<<<", at) => {
                // The number right before a redirection belongs to it.
                words.pop_if(|word| word.span.end == *at && ["1", "2"].contains(&word.head()));
                skip = true;
            }
            Token::Operator(..) => {}
            Token::Word(_) if skip => skip = false,
            Token::Word(word) => words.push(word),
        }
    }
    words
}

/// Where the text of a word begins: behind its quote.
fn text_place(word: &Word) -> Span {
    match word.pieces.first() {
        Some(Piece::Text(text, at)) if !text.is_empty() => Span { start: *at, end: at + text.len() },
        _ => word.span,
    }
}

/// The beginning of a text, on one line.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(60).collect();
    if cut.len() < line.len() { format!("{cut}…") } else { line }
}
