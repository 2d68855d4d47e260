//! The state of a shell: variables, files that it wrote, options, and what it has printed.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use spanned_yaml::Span;

use crate::ir::Node;
use crate::value::Value;

/// The value of a variable.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Variable {
    pub(crate) elements: Elements,
    pub(crate) exported: bool,
}

/// A text, or the elements of an array.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Elements {
    One(Value),
    List(Vec<Value>),
    Keyed(Vec<(String, Value)>),
    /// Another variable: `declare -n`.
    Reference(String),
}

impl Variable {
    pub(crate) fn with_value(value: Value) -> Self {
        Self { elements: Elements::One(value), exported: false }
    }

    /// All its elements.
    pub(crate) fn elements(&self) -> Vec<Value> {
        match &self.elements {
            Elements::One(value) => vec![value.clone()],
            Elements::List(values) => values.clone(),
            Elements::Keyed(entries) => entries.iter().map(|(_, value)| value.clone()).collect(),
            Elements::Reference(_) => Vec::new(),
        }
    }

    pub(crate) fn joined(&self, separator: &str) -> Value {
        match &self.elements {
            Elements::One(value) => value.clone(),
            _ => Value::joined(&self.elements(), separator),
        }
    }
}

/// The status of the last command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Status {
    #[default]
    Success,
    Failure,
    /// A program that is not modelled: it is taken to succeed if nothing asks.
    Assumed,
    /// A condition on something that is not known.
    Unknown,
}

/// The reason why commands that follow do not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jump {
    Exit,
    Return,
    Break(usize),
    Continue(usize),
}

/// The state of a shell. Copies share their parts.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) variables: Rc<BTreeMap<String, Rc<Variable>>>,
    /// Work of copying it that is still to be paid for.
    pub(crate) debt: usize,
    pub(crate) functions: Rc<BTreeMap<String, Rc<Node>>>,
    pub(crate) called: Rc<BTreeSet<String>>,
    /// Files that were written, by path.
    pub(crate) files: Rc<BTreeMap<String, Value>>,
    /// Paths that hold files of the project: the path, and its source from the root of the project.
    pub(crate) copied: Rc<Vec<(String, String)>>,
    pub(crate) arguments: Rc<Vec<Value>>,
    /// Whether the arguments are known: those of a function are, those of the script are not.
    pub(crate) knows_arguments: bool,
    pub(crate) folder: String,
    pub(crate) errexit: bool,
    pub(crate) pipefail: bool,
    /// Above zero in a condition, in which a failure does not end the shell.
    pub(crate) guarded: usize,
    pub(crate) input: Option<Value>,
    pub(crate) output: Value,
    pub(crate) status: Status,
    /// Whether the status is a failure that does not end the shell under `set -e`: of a command in the middle of `&&` and
    /// `||`, or after `!`.
    pub(crate) excused: bool,
    /// Risks that decide the status of the last command.
    pub(crate) pending: BTreeSet<u32>,
    /// Risks whose failure would have ended the shell before this point.
    pub(crate) checked: Rc<BTreeSet<u32>>,
    /// Conditions that were not known, and the answer that this state goes on with.
    pub(crate) decided: Rc<BTreeMap<String, bool>>,
    pub(crate) jump: Option<Jump>,
    /// Variables that the current function made its own, with the values that come back.
    pub(crate) locals: Vec<(String, Option<Variable>)>,
    /// Releases that were fetched: a known name, or the span of an unknown one.
    pub(crate) releases: Rc<BTreeSet<(String, Span)>>,
    /// Facts of the environment: the image of Go, the version of UPX.
    pub(crate) facts: Rc<BTreeSet<(crate::model::Fact, crate::model::Word)>>,
    /// Whether upstream's sources were fetched, so that a version that is checked out is theirs.
    pub(crate) has_upstream: bool,
}

impl State {
    pub(crate) fn get(&self, name: &str) -> Option<&Variable> {
        self.variables.get(self.target(name)).map(|variable| &**variable)
    }

    /// The variable that a name means: another one for a reference.
    fn target<'n>(&'n self, name: &'n str) -> &'n str {
        match self.variables.get(name).map(|variable| &variable.elements) {
            Some(Elements::Reference(target)) => target,
            _ => name,
        }
    }

    pub(crate) fn drop_reference(&mut self, name: &str) {
        if self.variables.get(name).is_some_and(|variable| matches!(variable.elements, Elements::Reference(_))) {
            self.unset(name);
        }
    }

    /// Puts back the variable that a local one covered.
    pub(crate) fn restore(&mut self, name: &str, variable: Option<Variable>) {
        self.unset(name);
        if let Some(variable) = variable {
            self.variables_mut().insert(name.to_owned(), Rc::new(variable));
        }
    }

    pub(crate) fn variables_mut(&mut self) -> &mut BTreeMap<String, Rc<Variable>> {
        if Rc::strong_count(&self.variables) > 1 {
            self.debt += 16 * self.variables.len();
        }
        Rc::make_mut(&mut self.variables)
    }

    /// The text of a variable, if it is set.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        self.get(name).map(|variable| match &variable.elements {
            Elements::One(value) => value.clone(),
            Elements::List(values) => values.first().cloned().unwrap_or_default(),
            Elements::Keyed(entries) => entries.first().map(|(_, value)| value.clone()).unwrap_or_default(),
            Elements::Reference(_) => Value::default(),
        })
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        let exported = self.get(name).is_some_and(|old| old.exported);
        self.put(name, Variable { elements: Elements::One(value), exported });
    }

    pub(crate) fn put(&mut self, name: &str, variable: Variable) {
        let name = self.target(name).to_owned();
        self.variables_mut().insert(name, Rc::new(variable));
    }

    pub(crate) fn unset(&mut self, name: &str) {
        if self.variables.contains_key(name) {
            self.variables_mut().remove(name);
        }
    }

    pub(crate) fn export(&mut self, name: &str) {
        if let Some(variable) = self.variables_mut().get_mut(name) {
            Rc::make_mut(variable).exported = true;
        }
    }

    /// The state of a program that this shell starts: exported variables and files only.
    pub(crate) fn child(&self) -> Self {
        let exported = self.variables.iter().filter(|(_, variable)| variable.exported);
        Self {
            variables: Rc::new(exported.map(|(name, variable)| (name.clone(), variable.clone())).collect()),
            files: self.files.clone(),
            copied: self.copied.clone(),
            folder: self.folder.clone(),
            input: self.input.clone(),
            checked: self.checked.clone(),
            decided: self.decided.clone(),
            releases: self.releases.clone(),
            facts: self.facts.clone(),
            has_upstream: self.has_upstream,
            ..Self::default()
        }
    }

    /// Takes over what a program that this shell started leaves: files, and what is known of the build.
    pub(crate) fn take_effects(&mut self, child: &Self) {
        self.files = child.files.clone();
        self.releases = child.releases.clone();
        self.facts = child.facts.clone();
        self.has_upstream = child.has_upstream;
    }

    /// Whether another state goes on in the same way.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (Rc::ptr_eq(&self.variables, &other.variables) || self.variables == other.variables)
            && (Rc::ptr_eq(&self.files, &other.files) || self.files == other.files)
            && self.arguments == other.arguments
            && self.output == other.output
            && self.jump == other.jump
            && self.releases == other.releases
            && self.errexit == other.errexit
            && self.folder == other.folder
            && self.excused == other.excused
            && self.functions.len() == other.functions.len()
            && status_class(self.status) == status_class(other.status)
    }

    /// The work of comparing it.
    pub(super) fn size(&self) -> usize {
        self.variables.len() * 8 + self.output.len() + self.files.len()
    }
}

/// Only a known failure leads elsewhere.
fn status_class(status: Status) -> bool {
    status == Status::Failure
}
