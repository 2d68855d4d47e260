//! Commands: assignments, branches and loops, and the calls from which lists come.

use super::super::token::{Token, Word};
use super::super::value::{Atom, Value};
use super::printed::words_of;
use super::{FILE, Flow, Simple, Variables, ends};
use crate::audit::Part;
use crate::limits::DEEPEST;
use diagnostics::Span;

/// What stands around a command.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Around {
    /// Whether it is a condition: its failure is looked at.
    pub(in super::super) tested: bool,
    /// Whether what follows runs only where it succeeds, or ends the script where it fails.
    pub(in super::super) guarded: bool,
    /// Whether something else is done where it fails.
    pub(in super::super) replaced: bool,
}

impl Flow<'_> {
    /// Follows commands one after the other.
    pub(super) fn commands(&mut self, tokens: &[Token]) {
        let (mut index, mut previous) = (0, "\n");
        let mut was_test = false;
        let mut groups = Vec::new();
        while index < tokens.len() {
            if !self.works(1) {
                break;
            }
            if let Token::Operator(operator, _) = &tokens[index] {
                let test = *operator == "(" && self.works(LONGEST_TEST / 4);
                if let Some(end) = arithmetic(tokens, index).filter(|_| test) {
                    (index, previous, was_test) = (end, "\n", true);
                    continue;
                }
                previous = self.operator(operator, &mut groups);
                index = if *operator == ";;" { self.pattern(tokens, index + 1) } else { index + 1 };
                continue;
            }
            if let Some(end) = self.defined(tokens, index) {
                index = end;
                continue;
            }
            let end = tokens[index..].iter().position(ends).map_or(tokens.len(), |length| index + length);
            let words = words_of(&tokens[index..end]);
            let Some(first) = words.first() else {
                index = end.max(index + 1);
                continue;
            };
            let place = across(&words);
            if !self.works((place.end - place.start) / 32) {
                break;
            }
            match first.text().unwrap_or_default().as_str() {
                "for" => index = self.repeated(tokens, &words, end),
                "case" => {
                    self.branch();
                    index = self.pattern(tokens, end);
                }
                word => {
                    let conditional = matches!(previous, "||") || (previous == "&&" && was_test);
                    if conditional {
                        self.branch();
                    }
                    match word {
                        "{" => groups.push(Group::Braces { conditional }),
                        "}" => self.closed(&mut groups),
                        _ => {}
                    }
                    was_test = self.keyworded(&words, around(tokens, end, operator_at(tokens, end)));
                    self.redirected(&tokens[index..end], &words);
                    if conditional && word != "{" {
                        self.join();
                    }
                    index = end;
                }
            }
        }
        while !groups.is_empty() {
            self.closed(&mut groups);
        }
    }

    /// Opens and closes a shell of its own, and the ways of a `case`. Gives what stands before the next command.
    fn operator(&mut self, operator: &'static str, groups: &mut Vec<Group>) -> &'static str {
        match operator {
            "(" => {
                let outside = self.copied();
                groups.push(Group::Shell(outside));
                return "\n";
            }
            ")" => {
                if matches!(groups.last(), Some(Group::Shell(_))) {
                    self.closed(groups);
                }
                return "\n";
            }
            ";;" => self.otherwise(false),
            _ => {}
        }
        operator
    }

    fn closed(&mut self, groups: &mut Vec<Group>) {
        match groups.pop() {
            Some(Group::Braces { conditional: true }) => self.join(),
            Some(Group::Shell(outside)) => self.variables = outside,
            Some(Group::Braces { conditional: false }) | None => {}
        }
    }

    /// A command behind keywords; whether it is a test.
    fn keyworded(&mut self, words: &Simple<'_>, around: Around) -> bool {
        let mut rest = &words[..];
        let mut around = around;
        while let Some((first, others)) = rest.split_first() {
            match first.text().unwrap_or_default().as_str() {
                "if" | "while" | "until" => {
                    self.branch();
                    around.tested = true;
                }
                "elif" => {
                    self.otherwise(false);
                    around.tested = true;
                }
                "else" => self.otherwise(true),
                "fi" | "done" | "esac" => self.join(),
                "then" | "do" | "{" | "}" | "!" | "time" | "sudo" | "exec" | "nice" | "eval" => {}
                _ => break,
            }
            rest = others;
        }
        let Some(first) = rest.first() else { return false };
        let test = ["[", "[[", "test", "command", "grep", "which", "type", "true", "false"].contains(&first.head());
        if ["continue", "break"].contains(&first.head()) {
            self.left = self.left.or(Some(first.span));
        }
        self.simple(rest, &around);
        // `$SMALL && …`
        test || (rest.len() == 1 && first.head().is_empty())
    }

    /// A loop: over words that are known it is run. Gives where what follows begins.
    fn repeated(&mut self, tokens: &[Token], words: &Simple<'_>, end: usize) -> usize {
        let name = words.get(1).and_then(|word| word.text()).unwrap_or_default();
        let mut items = Vec::new();
        for word in words.iter().skip(3) {
            let ways = self.arguments(word);
            items.extend(ways.into_iter().next().unwrap_or_default());
        }
        let Some(done) = closing(tokens, end) else { return tokens.len() };
        let body = &tokens[end..done];
        // The keyword `do` stands before the first command of the body.
        let known = !items.is_empty() && items.iter().all(|item| item.plain().is_some());
        if known && self.depth < DEEPEST {
            self.turns(&name, items, body);
        } else {
            let place = words.first().map(|word| word.span).unwrap_or_default();
            self.variables.insert(name.clone(), vec![Value::unknown(format!("`{name}` of a loop"), place)]);
            self.branch();
            self.commands(body);
            self.join();
        }
        done + 1
    }

    /// Runs a loop over words that are known. What it sets is not known where it is left before its end.
    fn turns(&mut self, name: &str, items: Vec<Value>, body: &[Token]) {
        let outer = self.left.take();
        let before = self.copied();
        self.depth += 1;
        for item in items {
            if !self.works(body.len()) {
                break;
            }
            self.variables.insert(name.to_owned(), vec![item]);
            self.commands(body);
        }
        self.depth -= 1;
        if let Some(place) = self.left {
            let changed = self.variables.iter_mut().filter(|(name, values)| before.get(*name) != Some(values));
            for value in changed.flat_map(|(_, values)| values) {
                value.atoms = vec![Atom::Unknown("which turns of the loop are left early".to_owned(), place)];
            }
        }
        self.left = outer;
    }

    /// Steps over the pattern of a case's branch; gives where its commands begin.
    fn pattern(&mut self, tokens: &[Token], from: usize) -> usize {
        for (index, token) in tokens.iter().enumerate().skip(from) {
            match token {
                Token::Operator(")", _) => return index + 1,
                Token::Word(word) if word.text().as_deref() == Some("esac") => {
                    if let Some(branch) = self.branches.last_mut() {
                        branch.ended = true;
                    }
                    return index;
                }
                Token::Word(word) if word.text().as_deref() == Some("*") => {
                    if let Some(branch) = self.branches.last_mut() {
                        branch.exhaustive = true;
                    }
                }
                _ => {}
            }
        }
        tokens.len()
    }

    /// A command without keywords: what it sets, and what it builds.
    pub(super) fn simple(&mut self, words: &[&Word], around: &Around) {
        let assignments = words.iter().take_while(|word| is_assignment(word)).count();
        let (set, rest) = words.split_at(assignments);
        let Some(program) = rest.first() else {
            set.iter().for_each(|word| self.assignment(word, around));
            return;
        };
        match program.text().unwrap_or_default().as_str() {
            "export" | "declare" | "local" | "readonly" | "typeset" => {
                // The status is that of `export`, whatever failed in it.
                let blind = Around { guarded: false, replaced: true, ..*around };
                rest[1..].iter().filter(|word| is_assignment(word)).for_each(|word| self.assignment(word, &blind));
            }
            "unset" => rest[1..].iter().filter_map(|word| word.text()).for_each(|name| {
                self.variables.insert(name, vec![Value::default()]);
            }),
            "env" => self.simple(&rest[1..], around),
            "set" => self.options(&rest[1..]),
            "." | "source" => self.sourced(program.span),
            "read" | "mapfile" | "readarray" => self.taken_in(&rest[1..], program.span),
            "printf" if rest.get(1).is_some_and(|word| word.head() == "-v") => {
                self.taken_in(&rest[2..rest.len().min(3)], program.span);
            }
            name => {
                if !self.runs(name, &rest[1..]) {
                    self.called(set, rest);
                }
            }
        }
    }

    /// Another script that is read in may set anything anew.
    fn sourced(&mut self, place: Span) {
        if !self.works(self.variables.len() * 32) {
            return;
        }
        for (name, values) in &mut self.variables {
            for value in values.iter_mut().filter(|value| value.has_tags()) {
                value.environment.insert((name.clone(), place));
            }
        }
    }

    /// Variables that a command fills with what the text does not tell.
    fn taken_in(&mut self, words: &[&Word], place: Span) {
        for name in words.iter().filter_map(|word| word.text()).filter(|name| !name.starts_with('-')) {
            let unknown = Value::unknown(format!("what is read into `{name}`"), place);
            self.variables.insert(name, vec![unknown]);
        }
    }

    fn options(&mut self, words: &[&Word]) {
        let mut named = false;
        for text in words.iter().filter_map(|word| word.text()) {
            match text.as_str() {
                "errexit" if named => self.stops_on_errors = true,
                "pipefail" if named => self.stops_on_piped_errors = self.stops_on_errors,
                _ if text.starts_with('-') && !text.starts_with("--") => {
                    self.stops_on_errors |= text.contains('e');
                    named = text.ends_with('o');
                    continue;
                }
                _ => {}
            }
            named = false;
        }
    }

    /// What is set for one command alone.
    pub(in super::super) fn assignment_before(&mut self, word: &Word, around: &Around) {
        self.assignment(word, around);
    }

    /// `NAME=value` or `NAME+=value`.
    fn assignment(&mut self, word: &Word, around: &Around) {
        let head = word.head().to_owned();
        let Some((name, _)) = head.split_once('=') else { return };
        let (name, adds) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
        let mut values = self.expand_after_sign(word, head.find('=').map_or(0, |at| at + 1));
        for value in &mut values {
            let safe = around.guarded || around.tested || (self.stops_on_errors && !around.replaced);
            if value.is_made() && !safe {
                value.unnoticed = value.unnoticed.or(Some(word.span));
            }
        }
        let separator = if word.array.is_some() { " " } else { "" };
        self.assign(name, values, word.span, adds.then_some(separator));
    }

    /// The values of what stands behind a word's first `=`.
    pub(in super::super) fn expand_after_sign(&mut self, word: &Word, skipped: usize) -> Vec<Value> {
        if word.array.is_some() {
            return self.expand(word);
        }
        let mut values = self.expand(word);
        for value in &mut values {
            if let Some(Atom::Text(text, at)) = value.atoms.first_mut() {
                let cut = skipped.min(text.len());
                *text = text[cut..].to_owned();
                *at += cut;
            }
        }
        values
    }

    /// Keeps what a command writes to a file, and what it gives to a workflow.
    fn redirected(&mut self, tokens: &[Token], words: &Simple<'_>) {
        let to = tokens.windows(2).find_map(|pair| match pair {
            [Token::Operator(">" | ">>", at), Token::Word(file)] => Some((*at, file)),
            _ => None,
        });
        let Some((_, file)) = to else { return };
        let mut words = &words[..];
        while words.first().is_some_and(|word| ["then", "do", "else", "{"].contains(&word.head())) {
            words = &words[1..];
        }
        let Some((program, rest)) = words.split_first() else { return };
        let place = program.span;
        let name = &self.text[file.span.start..file.span.end];
        if name.contains("GITHUB_ENV") || name.contains("GITHUB_OUTPUT") {
            let [word] = rest else { return };
            if let Some((name, _)) = word.head().to_owned().split_once('=') {
                let values = self.expand_after_sign(word, name.len() + 1);
                self.assign(name, values, word.span, None);
                let known = self.variables.get(name).cloned();
                self.given_on.extend(known.map(|values| (name.to_owned(), values)));
            }
            return;
        }
        let Some(file) = file.text() else { return };
        let value = match program.head() {
            "echo" | "printf" => self.listed(rest, " "),
            _ => match self.featuretags(words) {
                Some(call) => Value::part(Part::Featuretags(call)),
                None => return,
            },
        };
        if value.has_tags() {
            self.kept_in_file(across(words));
            self.assign(&format!("{FILE}{file}"), vec![value], place, None);
        }
    }
}

/// Commands that stand together.
enum Group {
    /// `{ … }`, and whether it is taken only in some cases.
    Braces { conditional: bool },
    /// `( … )`: what is set inside holds inside. The variables outside.
    Shell(Variables),
}

/// How far the end of `(( … ))` is looked for, in tokens.
const LONGEST_TEST: usize = 64;

/// Where `(( … ))` ends that begins at a place, which is a test and sets nothing that matters.
fn arithmetic(tokens: &[Token], from: usize) -> Option<usize> {
    let (Token::Operator("(", first), Some(Token::Operator("(", second))) = (&tokens[from], tokens.get(from + 1))
    else {
        return None;
    };
    let closed =
        |pair: &[Token]| matches!(pair, [Token::Operator(")", one), Token::Operator(")", other)] if one + 1 == *other);
    let length = tokens[from..].windows(2).take(LONGEST_TEST).position(closed).filter(|_| first + 1 == *second)?;
    Some(from + length + 2)
}

/// Whether a word sets a variable.
fn is_assignment(word: &Word) -> bool {
    let Some((name, _)) = word.head().split_once('=') else { return false };
    let name = name.strip_suffix('+').unwrap_or(name);
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn operator_at(tokens: &[Token], index: usize) -> &'static str {
    match tokens.get(index) {
        Some(Token::Operator(operator, _)) => operator,
        _ => "\n",
    }
}

/// What happens where a command fails, by what follows it.
fn around(tokens: &[Token], end: usize, next: &str) -> Around {
    let instead = match tokens.get(end + 1) {
        Some(Token::Word(word)) if next == "||" => word.text().unwrap_or_default(),
        _ => String::new(),
    };
    let group = match tokens.get(end + 2) {
        Some(Token::Word(word)) if instead == "{" => {
            tokens[end..].iter().take(40).any(is_exit) || word.head() == "exit"
        }
        _ => false,
    };
    let ends = ["exit", "return", "die", "fail", "false", "error"].contains(&instead.as_str()) || group;
    Around { tested: false, guarded: next == "&&" || (next == "||" && ends), replaced: next == "||" && !ends }
}

fn is_exit(token: &Token) -> bool {
    matches!(token, Token::Word(word) if ["exit", "return"].contains(&word.head()))
}

/// Where the loop that begins before a place ends: its `done`.
fn closing(tokens: &[Token], from: usize) -> Option<usize> {
    let mut depth = 1_usize;
    for (index, token) in tokens.iter().enumerate().skip(from) {
        let Token::Word(word) = token else { continue };
        match word.head() {
            "for" | "while" | "until" | "select" => depth += 1,
            "done" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

/// A place that covers several words.
pub(in super::super) fn across(words: &[&Word]) -> Span {
    let start = words.first().map_or(0, |word| word.span.start);
    Span { start, end: words.last().map_or(start, |word| word.span.end) }
}
