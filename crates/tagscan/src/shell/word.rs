//! Words of a shell: quotes, parameters, substitutions and braces.

use std::ops::Range;

use super::parser::{DEEPEST, Parser};
use crate::ir::{End, Extent, Index, Matches, Operation, Parameter, Piece, Quoting, Word};
use crate::value::Value;

/// Characters that end a word.
const ENDS: &str = " \t\r\n;&|()<>";

impl Parser<'_> {
    /// The word here, if one begins here.
    pub(super) fn word(&mut self) -> Option<Word> {
        let start = self.at;
        let mut word = self.pieces(&|rest| rest.starts_with(|c: char| ENDS.contains(c)));
        if self.at == start {
            return None;
        }
        word.span = self.span_from(start);
        Some(word)
    }

    /// A word up to one of these characters outside quotes: the inside of `${ … }` or `[ … ]`.
    pub(super) fn word_until(&mut self, ends: &str) -> Word {
        let start = self.at;
        let mut word = self.pieces(&|rest| rest.starts_with(|c: char| ends.contains(c)));
        word.span = self.span_from(start);
        word
    }

    /// The body of a here-document with its expansions.
    pub(super) fn here_word(&mut self, range: Range<usize>) -> Word {
        let mut inner = Parser {
            source: self.source,
            text: &self.text[..range.end],
            at: range.start,
            depth: self.depth + 1,
            is_whole: true,
            after_here: None,
            endless: std::mem::take(&mut self.endless),
        };
        let mut pieces = Vec::new();
        inner.quoted(&mut pieces, None);
        self.is_whole &= inner.is_whole;
        self.endless = inner.endless;
        Word { span: self.source.span(range), pieces }
    }

    fn pieces(&mut self, ends: &dyn Fn(&str) -> bool) -> Word {
        let mut pieces = Vec::new();
        while let Some(next) = self.peek() {
            let rest = self.rest();
            if rest.starts_with("<(") || rest.starts_with(">(") {
                let start = self.at;
                self.at += 2;
                let body = self.nested(")");
                pieces.push(Piece::Process { body: Box::new(body), span: self.span_from(start) });
                continue;
            }
            if ends(rest) {
                break;
            }
            match next {
                '\\' => {
                    self.at += 1;
                    if let Some(character) = self.advance().filter(|character| *character != '\n') {
                        self.text_piece(&mut pieces, self.at - character.len_utf8()..self.at, Quoting::Quoted);
                    }
                }
                '\'' => {
                    self.at += 1;
                    let length = self.rest().find('\'').unwrap_or(self.rest().len());
                    self.text_piece(&mut pieces, self.at..self.at + length, Quoting::Quoted);
                    self.at = (self.at + length + 1).min(self.text.len());
                }
                '"' => {
                    self.at += 1;
                    // Even an empty quotation makes a word.
                    self.text_piece(&mut pieces, self.at..self.at, Quoting::Quoted);
                    self.quoted(&mut pieces, Some('"'));
                }
                '$' => self.dollar(&mut pieces, Quoting::Unquoted),
                '`' => self.backticks(&mut pieces, Quoting::Unquoted),
                '{' => match self.braces() {
                    Some(alternatives) => pieces.push(Piece::Braces(alternatives)),
                    None => self.read_piece(&mut pieces, ends),
                },
                _ => self.read_piece(&mut pieces, ends),
            }
        }
        Word { pieces, ..Word::default() }
    }

    /// Text without a special character, at least one character of it.
    fn read_piece(&mut self, pieces: &mut Vec<Piece>, ends: &dyn Fn(&str) -> bool) {
        let start = self.at;
        self.advance();
        while self.peek().is_some_and(|c| !"\\'\"$`{<>".contains(c)) && !ends(self.rest()) {
            self.advance();
        }
        self.text_piece(pieces, start..self.at, Quoting::Unquoted);
    }

    fn text_piece(&self, pieces: &mut Vec<Piece>, range: Range<usize>, by: Quoting) {
        match pieces.last_mut() {
            Some(Piece::Text { value, quoting }) if *quoting == by => value.push_part(self.source, range),
            _ => pieces.push(Piece::Text { value: self.source.part(range), quoting: by }),
        }
    }

    /// Text with expansions and without splitting, up to the quote that ends it, or to the end.
    fn quoted(&mut self, pieces: &mut Vec<Piece>, end: Option<char>) {
        while let Some(next) = self.peek() {
            if Some(next) == end {
                self.at += next.len_utf8();
                return;
            }
            match next {
                '\\' => {
                    let start = self.at;
                    self.at += 1;
                    match self.advance() {
                        Some('\n') => {}
                        Some(escaped) if "$`\"\\".contains(escaped) => {
                            self.text_piece(pieces, start + 1..self.at, Quoting::Quoted);
                        }
                        _ => self.text_piece(pieces, start..self.at, Quoting::Quoted),
                    }
                }
                '$' => self.dollar(pieces, Quoting::Quoted),
                '`' => self.backticks(pieces, Quoting::Quoted),
                _ => {
                    let start = self.at;
                    let rest = self.rest();
                    let special = |c: char| "\\$`".contains(c) || Some(c) == end;
                    self.at += rest.find(special).unwrap_or(rest.len());
                    self.text_piece(pieces, start..self.at, Quoting::Quoted);
                }
            }
        }
    }

    /// Commands up to a bracket, one level deeper.
    fn nested(&mut self, end: &str) -> crate::ir::Node {
        if self.depth >= DEEPEST {
            self.give_up();
            return crate::ir::Node::Sequence(Vec::new());
        }
        self.depth += 1;
        let outer = self.after_here.take();
        let node = self.sequence(&[]);
        self.eat(end);
        self.after_here = self.after_here.take().or(outer);
        self.depth -= 1;
        node
    }

    fn dollar(&mut self, pieces: &mut Vec<Piece>, quoting: Quoting) {
        let start = self.at;
        self.at += 1;
        if self.eat("((") {
            let length = self.rest().find("))").unwrap_or(self.rest().len());
            let range = self.at..self.at + length;
            self.at = (self.at + length + 2).min(self.text.len());
            let word = if self.depth < DEEPEST { self.here_word(range) } else { self.plain(range) };
            pieces.push(Piece::Arithmetic(word));
        } else if self.eat("(") {
            let body = Box::new(self.nested(")"));
            pieces.push(Piece::Output { body, quoting });
        } else if self.eat("{") {
            match self.braced(start) {
                Some(parameter) => pieces.push(Piece::Parameter { parameter: Box::new(parameter), quoting }),
                None => self.text_piece(pieces, start..self.at, quoting),
            }
        } else if quoting == Quoting::Unquoted && self.eat("'") {
            self.escaped(pieces);
        } else if quoting == Quoting::Unquoted && self.eat("\"") {
            self.quoted(pieces, Some('"'));
        } else {
            let rest = self.rest();
            let special = rest.starts_with(|c: char| "@*#?!$-".contains(c) || c.is_ascii_digit());
            let length = match special {
                true => 1,
                false => rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len()),
            };
            if length == 0 {
                self.text_piece(pieces, start..start + 1, quoting);
                return;
            }
            self.at += length;
            let parameter = Parameter {
                name: rest[..length].to_owned(),
                span: self.span_from(start),
                index: Index::None,
                operation: Operation::None,
            };
            pieces.push(Piece::Parameter { parameter: Box::new(parameter), quoting });
        }
    }

    /// `$'…'`.
    fn escaped(&mut self, pieces: &mut Vec<Piece>) {
        while let Some(next) = self.peek() {
            let start = self.at;
            self.advance();
            match next {
                '\'' => return,
                '\\' => {
                    let origin = self.source.origin(start);
                    let text = match self.advance() {
                        Some('n') => "\n".to_owned(),
                        Some('t') => "\t".to_owned(),
                        Some(other) => other.to_string(),
                        None => String::new(),
                    };
                    pieces.push(Piece::Text { value: Value::made(text, origin), quoting: Quoting::Quoted });
                }
                _ => self.text_piece(pieces, start..self.at, Quoting::Quoted),
            }
        }
    }

    fn backticks(&mut self, pieces: &mut Vec<Piece>, quoting: Quoting) {
        self.at += 1;
        let mut inner = Value::default();
        loop {
            let at = self.at;
            match self.advance() {
                None | Some('`') => break,
                Some('\\') if self.rest().starts_with(['`', '\\', '$']) => {
                    let at = self.at;
                    self.advance();
                    inner.push_part(self.source, at..self.at);
                }
                Some(_) => inner.push_part(self.source, at..self.at),
            }
        }
        let body = if self.depth >= DEEPEST {
            self.is_whole = false;
            crate::ir::Node::Sequence(Vec::new())
        } else {
            let mut parser = Parser {
                source: &inner,
                text: inner.text(),
                at: 0,
                depth: self.depth + 1,
                is_whole: true,
                after_here: None,
                endless: Default::default(),
            };
            let body = parser.sequence(&[]);
            self.is_whole &= parser.is_whole;
            body
        };
        pieces.push(Piece::Output { body: Box::new(body), quoting });
    }

    /// The inside of `${ … }`.
    fn braced(&mut self, start: usize) -> Option<Parameter> {
        if self.depth >= DEEPEST {
            self.give_up();
            return None;
        }
        self.depth += 1;
        let indirect = self.rest().starts_with('!') && !self.rest().starts_with("!}") && self.eat("!");
        let length = self.rest().starts_with('#') && !self.rest().starts_with("#}") && self.eat("#");
        let rest = self.rest();
        let mut name = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        if name == 0 && rest.starts_with(|c: char| "@*#?$!-".contains(c)) {
            name = 1;
        }
        self.at += name;
        let index = match self.eat("[") {
            false => Index::None,
            true if self.eat("@]") => Index::Each,
            true if self.eat("*]") => Index::Joined,
            true => {
                let word = self.word_until("]");
                self.eat("]");
                Index::At(word)
            }
        };
        let operation = match (indirect, length, &index) {
            (true, _, Index::Each | Index::Joined) => Operation::Keys,
            (true, ..) => Operation::Indirect,
            (_, true, _) => Operation::Length,
            _ => self.operation(),
        };
        // The text after an unknown operation is skipped.
        let skipped = self.word_until("}");
        self.eat("}");
        self.depth -= 1;
        let unknown = !skipped.pieces.is_empty();
        (name > 0 && !unknown).then(|| Parameter {
            name: rest[..name].to_owned(),
            span: self.span_from(start),
            index,
            operation,
        })
    }

    fn operation(&mut self) -> Operation {
        let colon = self.rest().starts_with(':') && self.rest()[1..].starts_with(['-', '=', '+', '?']) && self.eat(":");
        let Some(first) = self.peek() else { return Operation::None };
        match first {
            '-' | '=' | '+' | '?' => {
                self.at += 1;
                Operation::Default { operator: first, colon, word: self.word_until("}") }
            }
            '#' | '%' => {
                self.at += 1;
                let end = if first == '%' { End::End } else { End::Start };
                let extent = if self.eat(&first.to_string()) { Extent::Longest } else { Extent::Shortest };
                Operation::Trim { end, extent, pattern: self.word_until("}") }
            }
            '/' => {
                self.at += 1;
                let matches = match self.peek() {
                    Some('/') => Matches::All,
                    Some('#') => Matches::At(End::Start),
                    Some('%') => Matches::At(End::End),
                    _ => Matches::First,
                };
                self.at += usize::from(matches != Matches::First);
                let pattern = self.word_until("/}");
                let with = if self.eat("/") { self.word_until("}") } else { Word::default() };
                Operation::Replace { matches, pattern, with }
            }
            ':' => {
                self.at += 1;
                let from = self.word_until(":}");
                let length = self.eat(":").then(|| self.word_until("}"));
                Operation::Slice(from, length)
            }
            '^' | ',' => {
                self.at += 1;
                Operation::Case { upper: first == '^', all: self.eat(&first.to_string()) }
            }
            '@' => {
                self.at += 2.min(self.rest().len());
                Operation::None
            }
            _ => Operation::None,
        }
    }

    /// `{a,b}` or `{1..3}`, if that is what is here.
    fn braces(&mut self) -> Option<Vec<Word>> {
        let rest = self.rest();
        let inner = rest.get(1..)?;
        let stop = |c: char| c == '{' || c == '}' || ENDS.contains(c);
        let end = 1 + inner.find(stop).filter(|end| inner[*end..].starts_with('}'))?;
        let inside = &rest[1..end];
        if self.depth >= DEEPEST {
            return None;
        }
        if let Some((from, to)) = inside.split_once("..") {
            let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
            let origin = self.source.origin(self.at);
            let span = self.source.span(self.at..self.at + end + 1);
            let numbers = (from..=to.min(from.saturating_add(999))).map(|number| Word {
                span,
                pieces: vec![Piece::Text { value: Value::made(number.to_string(), origin), quoting: Quoting::Quoted }],
            });
            self.at += end + 1;
            return Some(numbers.collect());
        }
        if !inside.contains(',') {
            return None;
        }
        self.at += 1;
        self.depth += 1;
        let mut words = Vec::new();
        loop {
            words.push(self.word_until(",}"));
            if !self.eat(",") {
                break;
            }
        }
        self.eat("}");
        self.depth -= 1;
        Some(words)
    }
}
