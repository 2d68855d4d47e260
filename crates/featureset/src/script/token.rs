//! The words and operators of a shell, with their places. Quotes and continued lines are undone; what a word refers to is
//! left as it is.

use diagnostics::Span;

use super::sections::Kind;

/// A word or an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word of a command.
    Word(Word),
    /// What ends or joins commands, or redirects: `;`, `&&`, `|`, a line's end (`\n`), `(`, `>>` and so on.
    Operator(&'static str, usize),
}

/// A word: text and references, one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) pieces: Vec<Piece>,
    pub(super) span: Span,
    /// For `NAME=( … )`: the words between the parentheses.
    pub(super) array: Option<Vec<Word>>,
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text, and where its first byte stands.
    Text(String, usize),
    /// `$NAME`, `${NAME…}`, `$(NAME)` in a Makefile, `${{ … }}` in a workflow: what stands inside; and whether in quotes.
    Reference(Span, bool),
    /// `$( … )` or backticks: the commands inside; and whether in quotes.
    Commands(Span, bool),
}

impl Word {
    /// The text, if nothing is referred to.
    pub(super) fn text(&self) -> Option<String> {
        let mut whole = String::new();
        for piece in &self.pieces {
            let Piece::Text(text, _) = piece else { return None };
            whole += text;
        }
        Some(whole)
    }

    /// The text before the first reference.
    pub(super) fn head(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text(text, _)) => text,
            _ => "",
        }
    }

    fn push(&mut self, c: char, at: usize) {
        if let Some(Piece::Text(text, start)) = self.pieces.last_mut()
            && *start + text.len() == at
        {
            text.push(c);
            return;
        }
        self.pieces.push(Piece::Text(c.to_string(), at));
    }
}

/// Operators, the longer ones first.
const OPERATORS: &[&str] =
    &["<<<", "<<-", ";;", "&&", "||", ">>", "<<", "&>", ">&", "<&", ";", "&", "|", "(", ")", ">", "<", "\n"];

/// The tokens of a part of a text.
pub(super) fn tokens(text: &str, span: Span, kind: Kind) -> Vec<Token> {
    let mut reader = Reader {
        text,
        at: span.start,
        end: span.end.min(text.len()),
        kind,
        tokens: Vec::new(),
        heredocs: Vec::new(),
        in_array: false,
    };
    reader.read();
    reader.tokens
}

/// The pieces of a value that stands as it is, with references and nothing else undone but continued lines and outer quotes.
pub(super) fn value(text: &str, span: Span, kind: Kind) -> Word {
    let mut reader =
        Reader { text, at: span.start, end: span.end, kind, tokens: Vec::new(), heredocs: Vec::new(), in_array: false };
    let mut word = Word { span, ..Word::default() };
    while let Some(c) = reader.peek() {
        match c {
            '\\' if reader.continues() => word.push(' ', reader.at.saturating_sub(1)),
            '$' | '`' => reader.reference(&mut word, true),
            '#' if kind == Kind::Make || word.pieces.is_empty() => reader.skip_line(),
            '"' | '\'' => drop(reader.next()),
            _ => {
                word.push(c, reader.at);
                reader.next();
            }
        }
    }
    word
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    end: usize,
    kind: Kind,
    tokens: Vec<Token>,
    /// Ends of here-documents whose bodies come with the next line.
    heredocs: Vec<String>,
    in_array: bool,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..self.end).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn skip_line(&mut self) {
        let length = self.rest().find('\n').unwrap_or(self.end - self.at);
        self.at += length;
    }

    /// Steps over a backslash at a line's end.
    fn continues(&mut self) -> bool {
        let bytes = self.rest().as_bytes();
        let length = if bytes.starts_with(b"\\\r\n") { 3 } else { 2 * usize::from(bytes.starts_with(b"\\\n")) };
        self.at += length;
        length > 0
    }

    fn read(&mut self) {
        while let Some(c) = self.peek() {
            if self.continues() {
                // A comment between continued lines of a Dockerfile does not end the command.
                while self.kind == Kind::Docker && self.rest().trim_start().starts_with('#') {
                    self.skip_line();
                    self.next();
                }
            } else if c == '\n' {
                self.operator("\n");
                self.heredoc_bodies();
            } else if c.is_whitespace() {
                self.next();
            } else if c == '#' {
                self.skip_line();
            } else if let Some(operator) = OPERATORS.iter().find(|operator| self.rest().starts_with(**operator)) {
                self.operator(operator);
            } else {
                let word = self.word();
                self.after(word);
            }
        }
    }

    fn operator(&mut self, operator: &'static str) {
        self.tokens.push(Token::Operator(operator, self.at));
        self.at += operator.len();
    }

    /// Keeps a word, unless it names the end of a here-document.
    fn after(&mut self, word: Word) {
        let here = matches!(self.tokens.last(), Some(Token::Operator("<<" | "<<-", _)));
        match word.text().filter(|_| here) {
            Some(end) => self.heredocs.push(end),
            None => self.tokens.push(Token::Word(word)),
        }
    }

    fn heredoc_bodies(&mut self) {
        for end in std::mem::take(&mut self.heredocs) {
            while self.at < self.end {
                let start = self.at;
                self.skip_line();
                let line = self.text[start..self.at].trim().to_owned();
                self.next();
                if line == end {
                    break;
                }
            }
        }
    }

    fn word(&mut self) -> Word {
        let mut word = Word { span: Span { start: self.at, end: self.at }, ..Word::default() };
        while let Some(c) = self.peek() {
            match c {
                '\\' => {
                    if !self.continues() {
                        self.next();
                        if let Some(c) = self.peek() {
                            word.push(c, self.at);
                            self.next();
                        }
                    }
                }
                '\'' => self.single(&mut word),
                '"' => self.double(&mut word),
                '$' | '`' => self.reference(&mut word, false),
                '(' if !self.in_array && word.head().ends_with('=') && word.pieces.len() == 1 => {
                    // No array stands in another.
                    self.in_array = true;
                    word.array = Some(self.array());
                    self.in_array = false;
                    break;
                }
                c if c.is_whitespace() || ";&|()<>".contains(c) => break,
                c => {
                    word.push(c, self.at);
                    self.next();
                }
            }
        }
        word.span.end = self.at;
        word
    }

    fn single(&mut self, word: &mut Word) {
        self.next();
        while let Some(c) = self.peek() {
            // Make puts in what it refers to before a shell sees any quotes.
            if c == '$' && self.kind == Kind::Make {
                self.reference(word, true);
                continue;
            }
            let at = self.at;
            self.next();
            if c == '\'' {
                return;
            }
            word.push(c, at);
        }
    }

    fn double(&mut self, word: &mut Word) {
        self.next();
        // An empty string is a word too.
        if word.pieces.is_empty() {
            word.pieces.push(Piece::Text(String::new(), self.at));
        }
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    self.next();
                    return;
                }
                '\\' if self.continues() => {}
                '\\' if self.rest().chars().nth(1).is_some_and(|c| "\"\\$`".contains(c)) => {
                    self.next();
                    word.push(self.peek().unwrap_or_default(), self.at);
                    self.next();
                }
                '$' | '`' => self.reference(word, true),
                c => {
                    word.push(c, self.at);
                    self.next();
                }
            }
        }
    }

    /// The words between the parentheses of an array; line ends and comments are nothing there.
    fn array(&mut self) -> Vec<Word> {
        self.next();
        let mut words = Vec::new();
        while let Some(c) = self.peek() {
            if c == ')' {
                self.next();
                break;
            }
            if c.is_whitespace() || self.continues() {
                self.next();
            } else if c == '#' {
                self.skip_line();
            } else {
                let before = self.at;
                words.push(self.word());
                if self.at == before {
                    self.next();
                }
            }
        }
        words
    }

    fn reference(&mut self, word: &mut Word, quoted: bool) {
        let start = self.at;
        if self.next() == Some('`') {
            let length = self.rest().find('`').unwrap_or(self.rest().len());
            let inner = Span { start: self.at, end: self.at + length };
            self.at = (inner.end + 1).min(self.end);
            word.pieces.push(Piece::Commands(inner, quoted));
            return;
        }
        // In a recipe of a Makefile, `$$` is the shell's `$`.
        if self.kind == Kind::Make && self.peek() == Some('$') {
            self.next();
        }
        let make = self.kind == Kind::Make && self.at == start + 1;
        match self.peek() {
            Some('{') => {
                let inner = self.enclosed('{', '}');
                word.pieces.push(Piece::Reference(inner, quoted));
            }
            Some('(') => {
                let inner = self.enclosed('(', ')');
                word.pieces.push(match make {
                    true => Piece::Reference(inner, quoted),
                    false => Piece::Commands(inner, quoted),
                });
            }
            Some(c) if c.is_ascii_alphanumeric() || "_@*#?-!".contains(c) => {
                let begin = self.at;
                self.next();
                while c.is_ascii_alphabetic() || c == '_' {
                    match self.peek() {
                        Some(c) if c.is_ascii_alphanumeric() || c == '_' => drop(self.next()),
                        _ => break,
                    }
                }
                word.pieces.push(Piece::Reference(Span { start: begin, end: self.at }, quoted));
            }
            _ => word.push('$', start),
        }
    }

    /// What stands between an opening bracket and the one that closes it, quotes heeded.
    fn enclosed(&mut self, open: char, close: char) -> Span {
        self.next();
        let start = self.at;
        let (mut depth, mut quote) = (1_usize, None);
        while let Some(c) = self.next() {
            match quote {
                Some(end) if c == end => quote = None,
                Some(_) if c == '\\' => drop(self.next()),
                Some('\'') => {}
                _ if c == '\\' => drop(self.next()),
                _ if c == open => depth += 1,
                _ if c == close => depth -= 1,
                None if c == '\'' || c == '"' => quote = Some(c),
                _ => {}
            }
            if depth == 0 {
                return Span { start, end: self.at - close.len_utf8() };
            }
        }
        Span { start, end: self.end }
    }
}
