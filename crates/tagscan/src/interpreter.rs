//! Runs the intermediate representation on abstract values.
//!
//! A condition that is not known splits the state in two. States that are equal become one again; if there are too many,
//! variables in which they differ become unknown. All work is paid for with fuel.

mod arithmetic;
mod assign;
mod build_dist;
mod builtin;
mod command;
mod container;
mod control;
mod expand;
mod featuretags;
mod files;
mod filtering;
mod frontend;
mod loops;
mod merge;
mod parameter;
mod release;
mod state;
mod test;
mod tool;

use std::collections::BTreeSet;

use spanned_yaml::Span;

use crate::ir::Node;
use crate::model::{Fact, Featuretags, File, List, Note, Scan, Unknown, Upstream, Word};
use crate::value::{LONGEST, MOST_HOLES, Value, hole, hole_character};
pub(crate) use state::{Jump, State, Status, Variable};

/// The fuel of a scan, in bytes handled.
const FUEL: usize = 8_000_000;
/// The deepest nesting of commands, calls of functions included.
const DEEPEST: usize = 48;
/// The most marks of a value.
const MOST_MARKS: usize = 256;
/// The longest reason why a value is not known, in characters.
const LONGEST_REASON: usize = 120;
/// The most lists of one scan.
const MOST_LISTS: usize = 64;
/// The number of states that are followed side by side.
const MOST_STATES: usize = 4;

/// A property of a value in addition to its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// It comes from this call.
    Call(Featuretags),
    /// It is empty if the program at the span fails. Each run has its own number.
    Risk(Span, usize),
    /// The environment may replace it.
    Environment(Word),
    /// An edit of it has no effect.
    Idle(Word),
    /// An edit of it leaves a piece of a tag.
    Torn(Word),
}

/// The state of a scan.
pub(crate) struct Interpreter<'a> {
    pub(crate) name: &'a str,
    pub(crate) others: &'a [File],
    /// The Makefile that is read, for calls of `make` in it.
    pub(crate) makefile: Option<std::rc::Rc<crate::makefile::model::Makefile>>,
    pub(crate) upstream: &'a dyn Upstream,
    fuel: usize,
    stopped: bool,
    /// Whether something was nested deeper than is followed.
    cut: bool,
    depth: usize,
    /// The command that runs: what it includes is at its place.
    place: usize,
    holes: Vec<Unknown>,
    /// Holes that stand for a program that fails.
    failed: BTreeSet<usize>,
    /// Names of the variables that holes stand for.
    names: Vec<Option<String>>,
    marks: Vec<Mark>,
    risks: usize,
    /// Calls of `featuretags` and what they print, in case nothing uses it.
    calls: Vec<(Featuretags, Value)>,
    lists: Vec<List>,
    /// Names that the script assigns anywhere: if one is not set, it is empty rather than unknown.
    assigned: BTreeSet<String>,
    /// Spans of tags that are part of a list, or that only search or print.
    taken: BTreeSet<(usize, usize)>,
    /// Where UPX packs something.
    pub(crate) packs: Option<Span>,
    /// The other files that were read.
    pub(crate) used: BTreeSet<String>,
    /// Versions that variables hold, in case nothing says which one is built.
    pub(crate) versions: Vec<Word>,
}

impl<'a> Interpreter<'a> {
    pub(crate) fn new(name: &'a str, others: &'a [File], upstream: &'a dyn Upstream) -> Self {
        Self {
            name,
            others,
            makefile: None,
            upstream,
            fuel: FUEL,
            stopped: false,
            cut: false,
            depth: 0,
            place: 0,
            holes: Vec::new(),
            failed: BTreeSet::new(),
            names: Vec::new(),
            marks: Vec::new(),
            risks: 0,
            calls: Vec::new(),
            lists: Vec::new(),
            assigned: BTreeSet::new(),
            taken: BTreeSet::new(),
            packs: None,
            used: BTreeSet::new(),
            versions: Vec::new(),
        }
    }

    /// Pays for work. Returns false if the fuel is used up.
    pub(crate) fn pay(&mut self, work: usize) -> bool {
        match self.fuel.checked_sub(work + 1) {
            Some(left) => self.fuel = left,
            None => {
                self.fuel = 0;
                self.stopped = true;
            }
        }
        !self.stopped
    }

    /// A value that is not known, and the reason.
    pub(crate) fn unknown(&mut self, reason: impl Into<String>, span: Span) -> Value {
        self.hole(Unknown { reason: reason.into(), span, is_allowlist: false }, None)
    }

    pub(crate) fn hole(&mut self, mut unknown: Unknown, name: Option<&str>) -> Value {
        if unknown.reason.len() > LONGEST_REASON {
            unknown.reason = unknown.reason.chars().take(LONGEST_REASON).chain(['…']).collect();
        }
        let name = name.filter(|name| name.len() <= LONGEST_REASON);
        let span = unknown.span;
        let known = self.holes.iter().rev().take(64).position(|other| *other == unknown);
        let index = match known {
            Some(back) => self.holes.len() - 1 - back,
            None => {
                // The last one stands for all further ones.
                self.holes.truncate(MOST_HOLES - 1);
                self.names.truncate(MOST_HOLES - 1);
                self.holes.push(unknown);
                self.names.push(name.map(str::to_owned));
                self.holes.len() - 1
            }
        };
        Value::made(hole_character(index).to_string(), span.start)
    }

    /// The name of the variable that a value is, if it is one hole for a variable that is not set.
    pub(crate) fn variable_of(&self, value: &Value) -> Option<&str> {
        let mut characters = value.text().chars();
        let index = characters.next().and_then(hole)?;
        characters.next().is_none().then(|| self.names.get(index)?.as_deref()).flatten()
    }

    /// A value in which variables that are not set are empty, as they are unless the environment sets them.
    pub(crate) fn without_unset(&self, value: &Value) -> Value {
        value.with_holes(|index| self.names.get(index).is_some_and(|name| name.is_none()))
    }

    /// The reason why a value is not known.
    pub(crate) fn reason(&self, value: &Value) -> Option<&Unknown> {
        value.holes().next().and_then(|index| self.holes.get(index))
    }

    /// A text for people: holes as `…`.
    pub(crate) fn display_text(value: &Value) -> String {
        let text: String = value.text().chars().map(|c| if hole(c).is_some() { '…' } else { c }).take(60).collect();
        text.replace('\n', " ")
    }

    pub(crate) fn mark(&mut self, mark: Mark) -> u32 {
        let known = self.marks.iter().rev().take(64).position(|other| *other == mark);
        let index = known.map_or(self.marks.len(), |back| self.marks.len() - 1 - back);
        if known.is_none() {
            self.marks.push(mark);
        }
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// The value, or a hole if it is longer than values may be.
    pub(crate) fn bounded(&mut self, value: Value) -> Value {
        self.pay(value.size());
        if value.len() <= LONGEST && value.marks.len() <= MOST_MARKS {
            return value;
        }
        let span = value.span(0..0);
        self.unknown("it grows longer than is followed", span)
    }

    /// Runs the text of a script from its beginning.
    pub(crate) fn script(&mut self, text: &str) {
        let node = self.parse(&Value::literal(text, 0));
        let states = self.run(&node, vec![State::default()]);
        self.entries(states.clone());
        for state in &states {
            self.leftovers(state);
        }
    }

    /// Parses a script, and notes the names that it assigns.
    pub(crate) fn parse(&mut self, script: &Value) -> Node {
        if !self.pay(script.len()) {
            return Node::Sequence(Vec::new());
        }
        let (node, is_whole) = crate::shell::parse(script);
        self.cut |= !is_whole;
        node.assigned_names(&mut |name| {
            if !self.assigned.contains(name) {
                self.assigned.insert(name.to_owned());
            }
        });
        node
    }

    pub(crate) fn assigns(&mut self, name: &str) {
        self.assigned.insert(name.to_owned());
    }

    pub(crate) fn take_assigned(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.assigned)
    }

    pub(crate) fn restore_assigned(&mut self, names: BTreeSet<String>) {
        self.assigned = names;
    }

    pub(crate) fn is_assigned(&self, name: &str) -> bool {
        self.assigned.contains(name)
    }

    /// Functions that package tools call: they are run with what the text sets, if nothing in the text calls them.
    fn entries(&mut self, states: Vec<State>) {
        for name in ["prepare", "src_prepare", "build", "do_compile", "do_build", "src_compile", "package"] {
            for state in &states {
                let Some(body) = state.functions.get(name).cloned() else { continue };
                let mut state = state.clone();
                state.jump = None;
                state.errexit = true;
                if self.lists.is_empty() || !state.called.contains(name) {
                    self.run(&body, vec![state]);
                }
            }
        }
    }

    /// Records a list.
    pub(crate) fn record(&mut self, mut list: List, state: &State) {
        for word in &list.tags {
            self.taken.insert((word.span.start, word.span.end));
        }
        list.notes.sort();
        list.notes.dedup();
        self.state_release(&mut list, state);
        self.pay(list.tags.len() * 16 + self.lists.len() * 4);
        if self.lists.contains(&list) {
            return;
        }
        // More than are reported, because some of them become one.
        if self.lists.len() < 4 * MOST_LISTS {
            self.lists.push(list);
        } else {
            self.cut = true;
        }
    }

    /// Splits a value into tags and unknown parts, and adds them to a list.
    pub(crate) fn add_tags(&mut self, list: &mut List, value: &Value, state: &State) {
        self.pay(value.len());
        for range in value.ranges(|c| c == ',' || c.is_whitespace()).into_iter().filter(|range| !range.is_empty()) {
            let text = &value.text()[range.clone()];
            let span = value.span(range.clone());
            match text.chars().find_map(hole) {
                None => list.tags.push(Word::new(text, span)),
                Some(index) => {
                    let known: String = text.chars().take_while(|c| hole(*c).is_none()).collect();
                    list.fails |= self.failed.contains(&index);
                    let unknown = self.holes.get(index).cloned();
                    list.unknown.extend(unknown.filter(|_| !self.failed.contains(&index)).map(|mut unknown| {
                        if !known.is_empty() {
                            unknown.reason = format!("`{known}…`: {}", unknown.reason);
                        }
                        unknown
                    }));
                }
            }
        }
        list.unknown.dedup();
        for mark in &value.marks {
            match self.marks.get(usize::try_from(*mark).unwrap_or(usize::MAX)) {
                Some(Mark::Call(call)) if !list.calls.contains(call) => list.calls.push(call.clone()),
                Some(Mark::Risk(span, _)) if !state.checked.contains(mark) => {
                    list.notes.push(Note::SilentFallback(*span));
                }
                Some(Mark::Environment(word)) => list.notes.push(Note::Environment(word.clone())),
                Some(Mark::Idle(word)) => list.notes.push(Note::IdleStrip(word.clone())),
                Some(Mark::Torn(word)) => list.notes.push(Note::Torn(word.clone())),
                _ => {}
            }
        }
    }

    /// Notes that the tags in a value are accounted for: they only search or print.
    pub(crate) fn take(&mut self, value: &Value) {
        for range in value.ranges(|c| !c.is_ascii_alphanumeric() && c != '_') {
            if is_tag(&value.text()[range.clone()]) {
                let span = value.span(range);
                self.taken.insert((span.start, span.end));
            }
        }
    }

    pub(crate) fn is_taken(&self, span: Span) -> bool {
        self.taken.range((span.start, 0)..).next().is_some_and(|(start, _)| *start == span.start)
    }

    /// Variables with tags that no list uses: the script may pass them on in a way that is not followed.
    fn leftovers(&mut self, state: &State) {
        for (name, variable) in state.variables.clone().iter() {
            let value = variable.joined(" ");
            if let Some(mut list) = self.unused(name, &value) {
                self.add_tags(&mut list, &value, state);
                self.record(list, state);
            }
        }
    }

    /// An empty list for a variable with tags none of which is in a list.
    pub(crate) fn unused(&mut self, name: &str, value: &Value) -> Option<List> {
        self.pay(value.len());
        let words = value.ranges(|c| c == ',' || c.is_whitespace()).into_iter();
        let spans: Vec<Span> =
            words.filter(|range| is_tag(&value.text()[range.clone()])).map(|range| value.span(range)).collect();
        let is_free = !spans.is_empty() && !spans.iter().any(|span| self.is_taken(*span));
        is_free.then(|| List { what: format!("the variable `{name}`"), place: spans[0], ..List::default() })
    }

    pub(crate) fn note_call(&mut self, call: Featuretags, value: &Value) {
        if self.calls.len() < MOST_LISTS && !self.calls.iter().any(|(other, _)| *other == call) {
            self.calls.push((call, value.clone()));
        }
    }

    /// Notes that the calls in a value are accounted for, though no list has them.
    pub(crate) fn discard(&mut self, value: &Value) {
        for mark in &value.marks {
            if let Some(Mark::Call(call)) = self.marks.get(usize::try_from(*mark).unwrap_or(usize::MAX)) {
                self.calls.retain(|(other, _)| other != call);
            }
        }
    }

    /// Adds lists for output of `featuretags` that no list uses: another file may.
    fn unused_calls(&mut self) {
        for (call, value) in std::mem::take(&mut self.calls) {
            if !self.lists.iter().any(|list| list.calls.contains(&call)) {
                let what = "what `featuretags` prints".to_owned();
                let mut list = List { what, place: call.span, ..List::default() };
                self.add_tags(&mut list, &value, &State::default());
                list.notes.retain(|note| !matches!(note, Note::SilentFallback(_)));
                self.record(list, &State::default());
            }
        }
    }

    /// The lists in order.
    pub(crate) fn finish(mut self) -> Scan {
        self.unused_calls();
        let mut lists = std::mem::take(&mut self.lists);
        self.settle_releases(&mut lists);
        for list in &mut lists {
            let is_known = list.facts.iter().any(|(fact, _)| *fact == Fact::Upx);
            list.facts.extend(self.packs.filter(|_| !is_known).map(|span| (Fact::Upx, Word::new("", span))));
        }
        lists.sort_by(|a, b| (a.place, &a.what, a.tags.len()).cmp(&(b.place, &b.what, b.tags.len())));
        let mut merged: Vec<List> = Vec::new();
        for mut list in lists {
            // The same build for several processors is one list.
            let facts = std::mem::take(&mut list.facts);
            let same = |other: &&mut List| {
                let other = List { facts: Vec::new(), ..(**other).clone() };
                other == list
            };
            match merged.iter_mut().rev().take(64).find(same) {
                Some(other) => other.facts.extend(facts),
                None => merged.push(List { facts, ..list }),
            }
        }
        lists = merged;
        for list in &mut lists {
            list.facts.sort();
            list.facts.dedup();
        }
        self.cut |= lists.len() > MOST_LISTS;
        lists.truncate(MOST_LISTS);
        let versions = self.versions.iter().filter(|word| !word.text.starts_with('?')).cloned().collect();
        let used = self.used.into_iter().collect();
        Scan { lists, used, versions, stopped_early: self.stopped || self.cut, work: FUEL - self.fuel }
    }
}

/// Whether a word is one of Tailscale's tags about features.
pub(crate) fn is_tag(word: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    word == "ts_include_cli" || word.strip_prefix("ts_omit_").is_some_and(is_name)
}
