//! The parts of a Makefile.

use std::collections::BTreeMap;

use crate::value::Value;

/// A variable: its text, and whether that is expanded when it is used.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) text: Value,
    pub(super) recursive: bool,
    pub(super) exported: bool,
}

/// The rules and variables of a Makefile.
#[derive(Debug, Default)]
pub(crate) struct Makefile {
    pub(super) variables: BTreeMap<String, Variable>,
    pub(super) rules: Vec<Rule>,
    /// Assignments for single targets, by target.
    pub(super) own: Vec<(String, Assignment)>,
    pub(super) exports_all: bool,
    pub(super) one_shell: bool,
    /// Whether a condition around the current line is not known.
    pub(super) conditions: Vec<Option<bool>>,
    pub(super) included: usize,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Rule {
    pub(super) targets: Vec<String>,
    pub(super) needs: Vec<String>,
    pub(super) recipe: Vec<Value>,
}

#[derive(Debug, Clone)]
pub(super) struct Assignment {
    pub(super) name: Value,
    pub(super) operator: &'static str,
    pub(super) value: Value,
    pub(super) exported: bool,
}
