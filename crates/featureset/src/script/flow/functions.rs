//! Functions of a shell: what they do is done where they are called, or at the end where nothing in the text calls them.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::sections::Kind;
use super::super::token::{Token, Word};
use super::super::value::Value;
use super::{Flow, Variables};
use crate::limits::DEEPEST;

/// The functions of a text by name.
pub(super) type Functions = BTreeMap<String, Function>;

/// A function.
#[derive(Debug, Clone)]
pub(super) struct Function {
    /// What stands between its braces.
    body: Rc<[Token]>,
    called: bool,
    /// How many were defined before it.
    order: usize,
}

/// What stands for the arguments in a function.
const ARGUMENTS: [&str; 11] = ["@", "*", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

impl Flow<'_> {
    /// Keeps the function whose definition begins at a place; where it ends.
    pub(super) fn defined(&mut self, tokens: &[Token], from: usize) -> Option<usize> {
        if self.kind == Kind::Make {
            return None;
        }
        let word = |index: usize| match tokens.get(index) {
            Some(Token::Word(word)) => word.text(),
            _ => None,
        };
        let parentheses = |index: usize| {
            matches!(tokens.get(index..index + 2), Some([Token::Operator("(", _), Token::Operator(")", _)]))
        };
        let mut at = from;
        let keyword = word(at).as_deref() == Some("function");
        at += usize::from(keyword);
        let name = word(at)?;
        at += 1;
        match parentheses(at) {
            true => at += 2,
            false if keyword => {}
            false => return None,
        }
        at += tokens[at..].iter().take_while(|token| matches!(token, Token::Operator("\n", _))).count();
        if word(at).as_deref() != Some("{") || !self.works((tokens.len() - at) / 8) {
            return None;
        }
        let mut depth = 0_usize;
        let length = tokens[at..].iter().position(|token| {
            match token {
                Token::Word(word) if word.pieces.len() == 1 => match word.head() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => return false,
                },
                _ => return false,
            }
            depth == 0
        })?;
        let body = &tokens[at + 1..at + length];
        if self.works(body.len()) {
            let order = self.functions.len();
            self.functions.insert(name, Function { body: body.into(), called: false, order });
        }
        Some(at + length + 1)
    }

    /// Does what a function does. Whether it did all: where it holds no list, its arguments may still.
    pub(super) fn runs(&mut self, name: &str, words: &[&Word]) -> bool {
        let Some(function) = self.functions.get_mut(name) else { return false };
        function.called = true;
        let body = Rc::clone(&function.body);
        if self.depth == DEEPEST {
            self.stop("its functions call each other deeper than is followed");
            return false;
        }
        if !self.works(body.len() + words.len()) {
            return false;
        }
        let lists = self.lists.len();
        let given = self.arguments_of(words);
        let outside: Vec<(&str, Option<Vec<Value>>)> =
            ARGUMENTS.iter().map(|name| (*name, self.variables.remove(*name))).collect();
        self.variables.extend(given);
        self.depth += 1;
        self.commands(&body);
        self.depth -= 1;
        for (name, values) in outside {
            match values {
                Some(values) => self.variables.insert(name.to_owned(), values),
                None => self.variables.remove(name),
            };
        }
        self.lists.len() > lists
    }

    fn arguments_of(&mut self, words: &[&Word]) -> Variables {
        let mut given = Variables::new();
        let mut all = vec![Value::default()];
        for word in words {
            let ways = self.expand(word);
            all = self.product(all, ways.clone(), " ");
            if let Some(name) = ARGUMENTS.get(given.len() + 2) {
                given.insert((*name).to_owned(), ways);
            }
        }
        given.insert("@".to_owned(), all.clone());
        given.insert("*".to_owned(), all);
        given
    }

    /// Follows the functions that nothing in the text calls: something else does, as of a package's recipe. The last first, for
    /// what one calls mostly stands before it.
    pub(super) fn uncalled(&mut self) {
        let mut names: Vec<(usize, String)> =
            self.functions.iter().map(|(name, function)| (function.order, name.clone())).collect();
        names.sort_unstable();
        for (_, name) in names.into_iter().rev() {
            let left = self.functions.get(&name).filter(|function| !function.called);
            if let Some(body) = left.map(|function| Rc::clone(&function.body))
                && self.works(body.len())
            {
                self.commands(&body);
            }
        }
    }
}
