//! Following a text: what each variable may hold at a place, and which lists of tags come of it.
//!
//! Branches are all taken: a variable that is set in one of them may hold either. A loop over words that stand there is
//! run. Programs are not.

mod budget;
pub(super) mod command;
mod expand;
mod functions;
mod images;
mod printed;

use std::collections::{BTreeMap, BTreeSet};

use self::functions::Functions;
use self::images::Images;
use super::sections::{Kind, Section};
use super::token::{self, Token, Word};
use super::value::{Atom, Value};
use crate::audit::{List, Part, Program};
use crate::limits::{ALTERNATIVES, COPIES, DEEPEST, LISTS, STEPS};
use crate::release::Release;
use diagnostics::{Code, Diagnostic, Label, Span};

/// What a file is kept as among the variables: this before its name.
const FILE: &str = "> ";

/// Why a text is not followed to its end that has many lists.
pub(super) const TOO_MANY_LISTS: &str = "it has more lists of tags than are judged";

type Variables = BTreeMap<String, Vec<Value>>;

/// A branch that is not at its end.
struct Branch {
    before: Variables,
    results: Vec<Variables>,
    /// Whether one of its ways is always taken.
    exhaustive: bool,
    /// Whether its last way has ended: nothing follows the last `;;`.
    ended: bool,
}

/// A variable that was set.
struct Definition {
    name: String,
    place: Span,
    values: Vec<Value>,
    /// Whether something was made of it.
    used: bool,
}

/// What has been followed so far.
pub(super) struct Flow<'a> {
    text: &'a str,
    kind: Kind,
    pub(super) variables: Variables,
    branches: Vec<Branch>,
    definitions: Vec<Definition>,
    functions: Functions,
    images: Images,
    /// What a step of a workflow gives to the later ones.
    given_on: Variables,
    /// Where the loop that is followed is left before its end, if it is.
    left: Option<Span>,
    lists: Vec<List>,
    /// Where words begin that belong to something else than a list: the patterns of an editor.
    patterns: BTreeSet<usize>,
    /// Steps that are left.
    budget: usize,
    /// Bytes of variables that may still be copied.
    copies: usize,
    /// Why the text is not followed to its end, if it is not.
    stopped: Option<&'static str>,
    depth: usize,
    stops_on_errors: bool,
    stops_on_piped_errors: bool,
    /// Whether the text has to do with the version's stamps, and with a program that has Tailscale inside.
    pub(super) stamps: bool,
    pub(super) embeds: bool,
}

/// A list that was found at a place.
pub(super) struct Found {
    pub(super) what: String,
    pub(super) place: Span,
    pub(super) program: Program,
    pub(super) values: Vec<Value>,
    pub(super) release: Option<(Release, Span)>,
    pub(super) stamp: Option<String>,
    pub(super) findings: Vec<Diagnostic>,
}

impl<'a> Flow<'a> {
    pub(super) fn new(text: &'a str, kind: Kind) -> Self {
        let first = text.lines().next().unwrap_or_default();
        Self {
            text,
            kind,
            variables: Variables::new(),
            branches: Vec::new(),
            definitions: Vec::new(),
            functions: Functions::default(),
            images: Images::default(),
            given_on: Variables::new(),
            left: None,
            lists: Vec::new(),
            patterns: BTreeSet::new(),
            budget: STEPS,
            copies: COPIES,
            stopped: None,
            depth: 0,
            // A workflow's commands run under `bash -e`.
            stops_on_errors: kind == Kind::Yaml || (first.starts_with("#!") && first.contains(" -e")),
            // With `shell: bash` a workflow's commands run under `-o pipefail` too.
            stops_on_piped_errors: kind == Kind::Yaml && text.contains("shell: bash"),
            stamps: ["shortStamp", "longStamp", "mkversion"].iter().any(|word| text.contains(word)),
            embeds: text.contains("tsnet"),
        }
    }

    /// Follows a part of the text.
    pub(super) fn follow(&mut self, section: &Section) {
        match section {
            Section::Commands(span) => self.commands(&token::tokens(self.text, *span, self.kind)),
            Section::Apart(span) => self.apart(*span),
            Section::Step { values, commands } => self.step(values, commands),
            Section::Printed { name, commands } => {
                let value = self.printed(*commands);
                self.assign(name, vec![value], *commands, None);
            }
            Section::Image { from, name } => {
                self.images.begin(from, name.as_deref(), &mut self.variables);
                if !self.may_copy() {
                    self.variables.clear();
                }
            }
            Section::Asked(name) => self.images.ask(name, &mut self.variables),
            Section::Value { name, value, adds, default } => self.section_value(name, *value, *adds, *default),
            Section::If => self.branch(),
            Section::Else => self.otherwise(true),
            Section::EndIf => self.join(),
        }
    }

    /// Each `RUN` and each line of a recipe has a shell of its own. Files stay.
    fn apart(&mut self, span: Span) {
        (self.stops_on_errors, self.stops_on_piped_errors) = (false, false);
        let outside = self.copied();
        self.commands(&token::tokens(self.text, span, self.kind));
        let inside = std::mem::replace(&mut self.variables, outside);
        self.variables.extend(inside.into_iter().filter(|(name, _)| name.starts_with(FILE)));
    }

    /// A step knows its own variables, and leaves behind what it gives to the workflow.
    fn step(&mut self, values: &[Section], commands: &[Section]) {
        let outside = self.copied();
        values.iter().chain(commands).for_each(|section| self.follow(section));
        let inside = std::mem::replace(&mut self.variables, outside);
        self.variables.extend(inside.into_iter().filter(|(name, _)| name.starts_with(FILE)));
        self.variables.extend(std::mem::take(&mut self.given_on));
    }

    fn section_value(&mut self, name: &str, span: Span, adds: bool, default: bool) {
        let word = token::value(self.text, span, self.kind);
        let mut values = self.expand(&word);
        for value in &mut values {
            value.trim();
        }
        if default && self.variables.contains_key(name) {
            return;
        }
        let key = Span { start: span.start, end: span.start + self.text[span.start..span.end].trim_end().len() };
        self.assign(name, values, key, adds.then_some(" "));
    }

    /// The lists that were found, where the words begin that are spoken for, and why the text was not followed to its end, if it
    /// was not.
    pub(super) fn finish(mut self) -> (Vec<List>, BTreeSet<usize>, Option<&'static str>) {
        self.uncalled();
        for index in 0..self.definitions.len() {
            let Definition { name, place, values, used } = &self.definitions[index];
            if *used || !values.iter().any(Value::has_tags) {
                continue;
            }
            let (what, place, values) = (format!("`{name}`"), *place, values.clone());
            let values = values.into_iter().filter(Value::has_tags).collect();
            self.found(Found {
                what,
                place,
                program: Program::Daemon,
                values,
                release: None,
                stamp: None,
                findings: Vec::new(),
            });
        }
        let mut taken = std::mem::take(&mut self.patterns);
        for value in self.definitions.iter().flat_map(|definition| &definition.values) {
            value.parts().iter().for_each(|part| starts(part, &mut taken));
        }
        self.lists.iter().flat_map(|list| &list.parts).for_each(|part| starts(part, &mut taken));
        (self.lists, taken, self.stopped)
    }

    /// The text that is followed.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// What a call prints into a file is a list where the file is used.
    fn kept_in_file(&mut self, place: Span) {
        self.definitions
            .iter_mut()
            .filter(|definition| definition.place == place)
            .for_each(|definition| definition.used = true);
    }

    /// Undoes what was set for one command alone.
    pub(super) fn restore(&mut self, outside: Option<Variables>) {
        if let Some(outside) = outside {
            self.variables = outside;
        }
    }

    /// The variables as they are, to be restored behind a command for which some are set.
    pub(super) fn outside(&mut self, set: &[&Word]) -> Option<Variables> {
        (!set.is_empty()).then(|| self.copied())
    }

    pub(super) fn assign(&mut self, name: &str, values: Vec<Value>, place: Span, adds: Option<&str>) {
        let weight = values.iter().map(Value::weight).sum();
        if !self.works(weight) {
            return;
        }
        let mut values = values;
        if let Some(separator) = adds {
            let old = self.variables.get(name).cloned().unwrap_or_else(|| vec![Value::default()]);
            values = self.product(old, values, separator);
        }
        let id = self.definitions.len();
        for value in &mut values {
            if value.is_too_long() {
                *value = Value::unknown(format!("`{name}` is too long"), place);
            }
            let older = std::mem::replace(&mut value.origins, BTreeSet::from([id]));
            self.used(&older);
        }
        values.dedup();
        self.bounded(&mut values);
        self.definitions.push(Definition { name: name.to_owned(), place, values: values.clone(), used: false });
        self.variables.insert(name.to_owned(), values);
    }

    fn used(&mut self, origins: &BTreeSet<usize>) {
        for origin in origins {
            if let Some(definition) = self.definitions.get_mut(*origin) {
                definition.used = true;
            }
        }
    }

    /// Every value of the one before every value of the other.
    fn product(&mut self, first: Vec<Value>, second: Vec<Value>, separator: &str) -> Vec<Value> {
        let mut joined = Vec::new();
        for one in &first {
            for other in &second {
                if !self.works(one.weight() + other.weight()) {
                    return joined;
                }
                let mut value = one.clone();
                if !separator.is_empty() && !value.atoms.is_empty() {
                    // It stands nowhere.
                    value.atoms.push(Atom::Text(separator.to_owned(), self.text.len() + 1));
                }
                value.append(other.clone());
                joined.push(value);
            }
        }
        self.bounded(&mut joined);
        joined
    }

    /// A variable that the text does not set here, though it does elsewhere: to these values.
    fn of_environment(&self, name: &str, values: &[Value]) -> Value {
        let origin = values.iter().find_map(|value| value.origins.first());
        let place = origin.and_then(|origin| self.definitions.get(*origin)).map(|definition| definition.place);
        let environment = BTreeSet::from([(name.to_owned(), place.unwrap_or_default())]);
        Value { environment, ..Value::default() }
    }

    /// Leaves no more ways than are followed. That there are more is said.
    fn bounded(&self, values: &mut Vec<Value>) {
        if values.len() <= ALTERNATIVES {
            return;
        }
        values.truncate(ALTERNATIVES);
        if let Some(value) = values.last_mut() {
            let place = value.origins.first().and_then(|origin| self.definitions.get(*origin));
            let place = place.map(|definition| definition.place).unwrap_or_default();
            value.atoms.push(Atom::Unknown("it comes about in more ways than are followed".to_owned(), place));
        }
    }

    fn branch(&mut self) {
        if self.branches.len() == DEEPEST {
            self.stop("it nests deeper than is followed");
            self.budget = 0;
            return;
        }
        if self.works(self.variables.len() * 12) {
            let before = self.copied();
            self.branches.push(Branch { before, results: Vec::new(), exhaustive: false, ended: false });
        }
    }

    fn otherwise(&mut self, exhaustive: bool) {
        let may_copy = self.may_copy();
        if let Some(branch) = self.branches.last_mut() {
            let before = if may_copy { branch.before.clone() } else { Variables::new() };
            branch.results.push(std::mem::replace(&mut self.variables, before));
            branch.exhaustive |= exhaustive;
        }
    }

    fn join(&mut self) {
        let Some(mut branch) = self.branches.pop() else { return };
        let last = std::mem::take(&mut self.variables);
        if !branch.ended {
            branch.results.push(last);
        }
        if !branch.exhaustive {
            branch.results.insert(0, branch.before);
        }
        let mut joined = Variables::new();
        let ways = branch.results.len();
        let mut set: BTreeMap<String, usize> = BTreeMap::new();
        for name in branch.results.iter().flat_map(Variables::keys) {
            *set.entry(name.clone()).or_default() += 1;
        }
        for one in branch.results {
            for (name, values) in one {
                let known = joined.entry(name).or_default();
                for value in values {
                    // One more than are followed shows that there are more.
                    if known.len() <= ALTERNATIVES && !known.contains(&value) {
                        known.push(value);
                    }
                }
            }
        }
        for (name, values) in &mut joined {
            // Where it is not set, it is what the environment has.
            if set.get(name).is_some_and(|count| *count < ways) && values.iter().any(Value::has_tags) {
                values.insert(0, self.of_environment(name, values));
            }
            self.bounded(values);
        }
        self.variables = joined;
    }

    /// Keeps a list that was found, once for each way in which it may come about.
    pub(super) fn found(&mut self, found: Found) {
        let ways = found.values.len();
        for (index, value) in found.values.into_iter().enumerate() {
            self.used(&value.origins);
            let what =
                if ways > 1 { format!("{} (way {} of {ways})", found.what, index + 1) } else { found.what.clone() };
            let mut findings = found.findings.clone();
            findings.extend(value.unnoticed.map(unnoticed));
            findings.extend(value.environment.iter().map(|(name, span)| environment(name, *span)));
            let mut parts = value.parts();
            // What was set last may be missing.
            if self.budget == 0 {
                parts.push(Part::Cut("a part of the list may be missing", found.place));
            }
            let list = List {
                what,
                place: found.place,
                program: found.program,
                parts,
                release: found.release,
                stamp: found.stamp.clone(),
                findings,
                ..List::default()
            };
            // A loop comes by many times.
            if self.lists.contains(&list) {
                continue;
            }
            if self.lists.len() == LISTS {
                self.stop(TOO_MANY_LISTS);
                return;
            }
            self.lists.push(list);
        }
    }
}

/// What to say of a program whose failure leaves an empty list.
fn unnoticed(place: Span) -> Diagnostic {
    let message = "where `featuretags` fails, the build goes on with no tags at all".to_owned();
    let next = "Let the script end there: assign the list in a line of its own under `set -e`, without `||` behind it."
        .to_owned();
    Diagnostic::new(Code::SilentFallback, message, next).at(Label::new(place, "its failure goes unnoticed"))
}

fn environment(name: &str, place: Span) -> Diagnostic {
    let message = format!("the environment's `{name}` takes part, where there is one");
    let next = "Audit the line that it comes to, with `--tags`, where it is set.".to_owned();
    Diagnostic::new(Code::EnvironmentDecides, message, next).at(Label::new(place, "from outside"))
}

/// Where the words of a part begin.
fn starts(part: &Part, into: &mut BTreeSet<usize>) {
    match part {
        Part::Tags(words) => into.extend(words.iter().map(|word| word.span.start)),
        Part::Without(parts, gone) => {
            parts.iter().for_each(|part| starts(part, into));
            into.extend(gone.iter().map(|strip| strip.word.span.start));
        }
        Part::Featuretags(call) => {
            into.extend([&call.add, &call.remove].into_iter().flatten().map(|word| word.span.start))
        }
        Part::Unknown(_, span) => drop(into.insert(span.start)),
        _ => {}
    }
}

impl Value {
    /// Takes white space off its ends, as formats do that have a value to a line.
    fn trim(&mut self) {
        if let Some(Atom::Text(text, at)) = self.atoms.first_mut() {
            let trimmed = text.trim_start();
            *at += text.len() - trimmed.len();
            *text = trimmed.to_owned();
        }
        if let Some(Atom::Text(text, _)) = self.atoms.last_mut() {
            *text = text.trim_end().to_owned();
        }
    }
}

/// Words of a command between two operators.
type Simple<'a> = Vec<&'a Word>;

/// Whether a token ends a command.
fn ends(token: &Token) -> bool {
    matches!(token, Token::Operator("\n" | ";" | "&&" | "||" | "|" | "&" | ";;" | "(" | ")", _))
}
