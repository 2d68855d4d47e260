//! A recursive-descent parser of POSIX shell and bash.
//!
//! It never fails: a token that fits nowhere is skipped, and an open quote or bracket ends with the text. The nesting is
//! bounded. Why no parser from a registry is used: docs/decisions/0009-reading-recipes.md.

mod compound;
mod parser;
mod redirect;
mod word;

use std::collections::BTreeSet;

use compound::Compound;
use parser::{DEEPEST, Parser};

use crate::ir::{Assigned, Assignment, Call, Condition, Node, Word};
use crate::value::Value;

/// Builtins that take assignments as arguments.
const DECLARATIONS: [&str; 5] = ["export", "local", "declare", "typeset", "readonly"];

/// Parses a script. Returns false with it if something is nested deeper than is parsed.
pub(crate) fn parse(source: &Value) -> (Node, bool) {
    let mut parser = Parser {
        source,
        text: source.text(),
        at: 0,
        depth: 0,
        is_whole: true,
        after_here: None,
        endless: BTreeSet::new(),
    };
    let mut nodes = Vec::new();
    while parser.at < parser.text.len() {
        let before = parser.at;
        nodes.extend(parser.commands(&[]));
        // A token that fits nowhere.
        if parser.at == before {
            parser.advance();
        }
    }
    (Node::Sequence(nodes), parser.is_whole)
}

impl<'a> Parser<'a> {
    /// Skips what may be between commands.
    fn separators(&mut self) {
        loop {
            self.blanks();
            if self.eat("\n") {
                if let Some(after) = self.after_here.take() {
                    self.at = after.max(self.at);
                }
            } else if [";", "&"]
                .iter()
                .any(|one| self.rest().starts_with(one) && !self.rest().starts_with(&one.repeat(2)))
                && !self.rest().starts_with(";&")
            {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    /// Line breaks after an operator that needs another command.
    fn line_breaks(&mut self) {
        loop {
            self.blanks();
            if !self.eat("\n") {
                return;
            }
            if let Some(after) = self.after_here.take() {
                self.at = after.max(self.at);
            }
        }
    }

    /// Commands up to one of the reserved words, a closing bracket or the end.
    fn commands(&mut self, ends: &[&str]) -> Vec<Node> {
        let mut nodes = Vec::new();
        loop {
            self.separators();
            let rest = self.rest();
            if rest.is_empty()
                || rest.starts_with(')')
                || rest.starts_with(";;")
                || rest.starts_with(";&")
                || ends.contains(&self.reserved())
            {
                return nodes;
            }
            let before = self.at;
            nodes.extend(self.and_or());
            if self.at == before {
                return nodes;
            }
        }
    }

    fn sequence(&mut self, ends: &[&str]) -> Node {
        let mut nodes = self.commands(ends);
        if nodes.len() == 1 { nodes.remove(0) } else { Node::Sequence(nodes) }
    }

    /// The letters that a command begins with, as far as they can be a reserved word.
    fn reserved(&self) -> &'a str {
        let rest = self.rest();
        let within = &rest.as_bytes()[..rest.len().min(16)];
        let is_letter = |byte: &u8| byte.is_ascii_lowercase() || b"{}![]".contains(byte);
        let length = within.iter().position(|byte| !is_letter(byte)).unwrap_or(within.len());
        let ends = rest
            .get(length..)
            .unwrap_or_default()
            .chars()
            .next()
            .is_none_or(|c| c.is_whitespace() || ";&|()<>".contains(c));
        if ends { rest.get(..length).unwrap_or_default() } else { "" }
    }

    fn keyword(&mut self, word: &str) -> bool {
        self.separators();
        let found = self.reserved() == word;
        if found {
            self.at += word.len();
        }
        found
    }

    fn and_or(&mut self) -> Option<Node> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.blanks();
            let condition = if self.eat("&&") {
                Condition::Success
            } else if self.eat("||") {
                Condition::Failure
            } else {
                break;
            };
            self.line_breaks();
            match self.pipeline() {
                Some(node) => rest.push((condition, node)),
                None => break,
            }
        }
        Some(if rest.is_empty() { first } else { Node::AndOr(Box::new(first), rest) })
    }

    fn pipeline(&mut self) -> Option<Node> {
        let mut inverted = false;
        loop {
            self.blanks();
            match self.reserved() {
                "!" => inverted = !inverted,
                "time" => {}
                _ => break,
            }
            self.at += self.reserved().len();
        }
        let mut parts = vec![self.command()?];
        loop {
            self.blanks();
            if !self.rest().starts_with('|') || self.rest().starts_with("||") {
                break;
            }
            self.at += 1;
            self.eat("&");
            self.line_breaks();
            match self.command() {
                Some(node) => parts.push(node),
                None => break,
            }
        }
        let node = if parts.len() == 1 { parts.remove(0) } else { Node::Pipeline(parts) };
        Some(if inverted { Node::Not(Box::new(node)) } else { node })
    }

    fn command(&mut self) -> Option<Node> {
        self.blanks();
        if self.depth >= DEEPEST {
            // Nothing that is meant to be read is nested this deep.
            self.give_up();
            return None;
        }
        self.depth += 1;
        let node = self.compound();
        self.depth -= 1;
        let node = match node {
            Compound::Not => return self.simple(),
            Compound::Broken => return None,
            Compound::Node(node) => node,
        };
        let mut redirects = Vec::new();
        loop {
            self.blanks();
            match self.redirect() {
                Some(found) => redirects.extend(found),
                None => break,
            }
        }
        Some(if redirects.is_empty() { node } else { Node::Redirected(Box::new(node), redirects) })
    }

    fn simple(&mut self) -> Option<Node> {
        let start = self.at;
        let mut call = Call::default();
        let mut declares = false;
        let mut end = start;
        loop {
            self.blanks();
            let before = self.at;
            if let Some(found) = self.redirect() {
                call.redirects.extend(found);
            } else if let Some(assignment) = (call.words.is_empty() || declares).then(|| self.assignment()).flatten() {
                call.assignments.push(assignment);
            } else if let Some(word) = self.word() {
                if call.words.is_empty() {
                    declares = word.as_text().is_some_and(|text| DECLARATIONS.contains(&text));
                }
                call.words.push(word);
            } else {
                self.at = before;
                break;
            }
            end = self.at;
        }
        if end == start {
            return None;
        }
        call.span = self.source.span(start..end);
        Some(Node::Call(call))
    }

    /// `NAME=word`, `NAME+=word`, `NAME[key]=word` or `NAME=( … )`.
    fn assignment(&mut self) -> Option<Assignment> {
        let start = self.at;
        let found = self.assignment_here();
        if found.is_none() {
            self.at = start;
        }
        found
    }

    fn assignment_here(&mut self) -> Option<Assignment> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let name = rest[..length].to_owned();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.at += length;
        let index = if self.eat("[") {
            let index = self.word_until("]");
            self.eat("]").then_some(())?;
            Some(index)
        } else {
            None
        };
        let appends = self.eat("+=");
        if !appends && !self.eat("=") {
            return None;
        }
        let value = if self.rest().starts_with('(') && index.is_none() {
            Assigned::Array(self.array()?)
        } else {
            Assigned::Word(self.word().unwrap_or_else(|| Word { span: self.span_from(self.at), pieces: Vec::new() }))
        };
        Some(Assignment { name, index, appends, value })
    }

    fn array(&mut self) -> Option<Vec<(Option<Word>, Word)>> {
        if self.depth >= DEEPEST {
            self.give_up();
            return None;
        }
        self.depth += 1;
        self.eat("(");
        let mut elements = Vec::new();
        loop {
            self.line_breaks();
            let key = self.rest().starts_with('[').then(|| self.key()).flatten();
            match self.word() {
                Some(word) => elements.push((key, word)),
                None if key.is_some() => elements.push((key, Word::default())),
                None => break,
            }
        }
        self.eat(")");
        self.depth -= 1;
        Some(elements)
    }

    /// `[key]=` before an element.
    fn key(&mut self) -> Option<Word> {
        let start = self.at;
        self.eat("[");
        let key = self.word_until("]");
        if self.eat("]=") {
            return Some(key);
        }
        self.at = start;
        None
    }
}
