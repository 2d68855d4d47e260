//! Compound commands: conditionals, loops, `case`, functions and tests.

use std::ops::Range;
use std::rc::Rc;

use super::parser::Parser;
use crate::ir::{Arm, ArmEnd, Node, Word};

/// The result of looking for a compound command.
pub(super) enum Compound {
    Node(Node),
    Not,
    /// A reserved word that belongs to nothing.
    Broken,
}

impl Parser<'_> {
    pub(super) fn compound(&mut self) -> Compound {
        if self.rest().starts_with("((") {
            let start = self.at + 2;
            let length = self.text[start..].find("))").unwrap_or(self.text.len() - start);
            self.at = (start + length + 2).min(self.text.len());
            return Compound::Node(Node::Arithmetic(self.here_word(start..start + length)));
        }
        if self.eat("(") {
            let body = self.sequence(&[]);
            self.eat(")");
            return Compound::Node(Node::Subshell(Box::new(body)));
        }
        let word = self.reserved();
        self.at += word.len();
        match word {
            "{" => {
                let body = self.sequence(&["}"]);
                self.keyword("}");
                Compound::Node(body)
            }
            "if" => Compound::Node(self.conditional()),
            "while" | "until" => {
                let condition = Box::new(self.sequence(&["do"]));
                let body = Rc::new(self.loop_body());
                Compound::Node(Node::While { until: word == "until", condition, body })
            }
            "for" | "select" => Compound::Node(self.for_loop()),
            "case" => Compound::Node(self.case()),
            "[[" => Compound::Node(Node::Test(self.test_words())),
            "function" => {
                self.blanks();
                let name = self.name_of_function();
                self.blanks();
                let _ = self.eat("()") || self.eat("( )");
                self.function(name)
            }
            "then" | "do" | "done" | "fi" | "esac" | "else" | "elif" | "}" => Compound::Broken,
            _ => {
                self.at -= word.len();
                let start = self.at;
                let name = self.name_of_function();
                self.blanks();
                if !name.is_empty() && self.eat("(") {
                    self.blanks();
                    if self.eat(")") {
                        return self.function(name);
                    }
                }
                self.at = start;
                Compound::Not
            }
        }
    }

    fn name_of_function(&mut self) -> String {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"_-.:+".contains(c)).unwrap_or(rest.len());
        self.at += length;
        rest[..length].to_owned()
    }

    fn function(&mut self, name: String) -> Compound {
        self.line_breaks();
        let body = self.command().unwrap_or(Node::Sequence(Vec::new()));
        Compound::Node(Node::Function(name, Rc::new(body)))
    }

    fn conditional(&mut self) -> Node {
        let mut arms = Vec::new();
        loop {
            let condition = self.sequence(&["then"]);
            self.keyword("then");
            arms.push((condition, self.sequence(&["elif", "else", "fi"])));
            if !self.keyword("elif") {
                break;
            }
        }
        let otherwise = self.keyword("else").then(|| Box::new(self.sequence(&["fi"])));
        self.keyword("fi");
        Node::If(arms, otherwise)
    }

    fn loop_body(&mut self) -> Node {
        self.keyword("do");
        let body = self.sequence(&["done"]);
        self.keyword("done");
        body
    }

    fn for_loop(&mut self) -> Node {
        self.blanks();
        if self.eat("((") {
            let length = self.rest().find("))").unwrap_or(self.rest().len());
            let (from, to) = (self.at, self.at + length);
            self.at = (to + 2).min(self.text.len());
            return self.counter(from..to);
        }
        let name = self.name_of_function();
        self.line_breaks();
        let words = (self.reserved() == "in").then(|| {
            self.at += 2;
            let mut words = Vec::new();
            loop {
                self.blanks();
                match self.word() {
                    Some(word) => words.push(word),
                    None => return words,
                }
            }
        });
        Node::For(name, words, Rc::new(self.loop_body()))
    }

    /// `for ((first; condition; step))` as a loop with a condition, whose step comes last in each round.
    fn counter(&mut self, head: Range<usize>) -> Node {
        let mut parts = Vec::new();
        let mut from = head.start;
        for part in self.text[head].split(';') {
            parts.push(Node::Arithmetic(self.here_word(from..from + part.len())));
            from += part.len() + 1;
        }
        let start = self.at;
        let body = self.loop_body();
        let skips_step = self.text[start..self.at].contains("continue");
        let parts: Result<[Node; 3], _> = parts.try_into();
        let Some([first, condition, step]) = parts.ok().filter(|_| !skips_step) else {
            // How often it runs is not worked out.
            let open = Box::new(Node::Arithmetic(Word::default()));
            return Node::While { until: false, condition: open, body: Rc::new(body) };
        };
        let body = Rc::new(Node::Sequence(vec![body, step]));
        Node::Sequence(vec![first, Node::While { until: false, condition: Box::new(condition), body }])
    }

    fn case(&mut self) -> Node {
        self.blanks();
        let subject = self.word().unwrap_or_default();
        self.line_breaks();
        self.keyword("in");
        let mut arms = Vec::new();
        loop {
            self.separators();
            if self.rest().is_empty() || self.keyword("esac") {
                break;
            }
            let before = self.at;
            self.eat("(");
            let mut patterns = Vec::new();
            loop {
                self.blanks();
                patterns.extend(self.word());
                self.blanks();
                if !self.eat("|") {
                    break;
                }
            }
            self.eat(")");
            let body = self.sequence(&["esac"]);
            let end = match () {
                () if self.eat(";;&") => ArmEnd::NextPattern,
                () if self.eat(";;") => ArmEnd::Stop,
                () if self.eat(";&") => ArmEnd::NextBody,
                () => ArmEnd::Stop,
            };
            arms.push(Arm { patterns, body, end });
            if self.at == before {
                break;
            }
        }
        Node::Case(subject, arms)
    }

    /// The words of `[[ … ]]`, operators included.
    fn test_words(&mut self) -> Vec<Word> {
        let mut words = Vec::new();
        loop {
            self.line_breaks();
            if self.rest().is_empty() || self.eat("]]") {
                return words;
            }
            let start = self.at;
            let operator = ["&&", "||", "(", ")", "<", ">"].into_iter().find(|operator| self.eat(operator));
            // Brackets and bars belong to the regular expression.
            let is_expression = words.last().is_some_and(|word: &Word| word.as_text() == Some("=~"));
            if is_expression {
                self.at = start;
                words.push(self.expression());
            } else if operator.is_some() {
                words.push(self.plain(start..self.at));
            } else if let Some(word) = self.word() {
                words.push(word);
            } else {
                self.advance();
            }
        }
    }

    fn expression(&mut self) -> Word {
        let start = self.at;
        let length = self.rest().find(char::is_whitespace).unwrap_or(self.rest().len());
        self.at += length;
        self.plain(start..self.at)
    }
}
