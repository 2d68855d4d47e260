//! A call of upstream's `cmd/featuretags`, and what it prints on a release.
//!
//! Source: `cmd/featuretags/featuretags.go` and `feature/featuretags`, which have done the same in every release since
//! 1.90.0; tests/it/upstream.rs holds this to the real program.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Evaluated, Word};
use crate::facts::Facts;
use crate::name::{CLI, FeatureName, OMIT_PREFIX, nearest};
use crate::registry::Registry;
use diagnostics::{Code, Diagnostic, Label, NextStep, Span};

/// The arguments of a call, as Go's `flag` package takes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Featuretags {
    /// The place of the call.
    pub span: Span,
    /// `--min`: everything goes that is not added.
    pub min: bool,
    /// The names of `--add`: what stands between its commas, blanks included.
    pub add: Vec<Word>,
    /// The names of `--remove`.
    pub remove: Vec<Word>,
    /// Names that the text does not tell, in a few words.
    pub unknown: Vec<(String, Span)>,
    /// Arguments that are not looked at: what follows the first that is no flag, and flags that stand again.
    pub ignored: Vec<Word>,
    /// Why it fails whatever the release: a flag that it does not have, and its place.
    pub refused: Option<Word>,
}

impl Featuretags {
    /// Adds what the call prints on a release.
    pub(super) fn evaluate(&self, registry: &Registry, facts: &Facts, into: &mut Evaluated) {
        for (what, span) in &self.unknown {
            super::unresolved(what, *span, into);
        }
        for word in &self.ignored {
            let message = format!("`{}` is not looked at", word.text);
            let next = "Give each flag once, its names between commas, and nothing else.".to_owned();
            into.findings
                .push(Diagnostic::new(Code::IgnoredArgument, message, next).at(Label::new(word.span, "ignored")));
        }
        if let Some(reason) = self.failure(registry, facts) {
            into.fails = true;
            into.findings.push(reason);
            return;
        }
        into.findings.extend(self.add.iter().filter_map(|word| silent(word, registry, facts)));
        let added: BTreeSet<FeatureName> =
            self.add.iter().filter_map(|word| FeatureName::new(&word.text).ok()).collect();
        let kept: BTreeSet<FeatureName> = added.iter().flat_map(|name| registry.requires(name)).collect();
        let mut tags: BTreeSet<String> = if self.min {
            registry.tags(&kept).into_iter().collect()
        } else {
            into.findings.extend(self.needless_add(&kept));
            kept.iter().filter(|name| !name.is_omittable()).map(FeatureName::build_tag).collect()
        };
        tags.extend(self.remove.iter().map(|word| format!("{OMIT_PREFIX}{}", word.text)));
        let removed: HashMap<&str, Span> = self.remove.iter().rev().map(|word| (&*word.text, word.span)).collect();
        let place = |tag: &String| {
            let named = tag.strip_prefix(OMIT_PREFIX).and_then(|name| removed.get(name));
            named.copied().unwrap_or(self.span)
        };
        into.tags.extend(tags.iter().map(|tag| Word::new(tag.clone(), place(tag))));
    }

    /// Why the program ends with an error: an unknown flag, an unknown name in `--remove`, or one that another needs.
    fn failure(&self, registry: &Registry, facts: &Facts) -> Option<Diagnostic> {
        if let Some(word) = &self.refused {
            let message = format!("`featuretags` fails: it has no flag `{}`", word.text);
            let next = "It has `--min`, `--add NAMES`, `--remove NAMES` and `--list`.".to_owned();
            return Some(
                Diagnostic::new(Code::FeaturetagsFails, message, next).at(Label::new(word.span, "no such flag")),
            );
        }
        let removed: BTreeSet<&str> = self.remove.iter().map(|word| word.text.as_str()).collect();
        let mut seen = HashSet::new();
        for word in self.remove.iter().filter(|word| seen.insert(&word.text)) {
            let known = FeatureName::new(&word.text).ok().filter(|name| registry.features.contains_key(name));
            let Some(name) = known else {
                let message =
                    format!("`featuretags` fails: {} has no feature `{}` to remove", registry.line, word.text);
                let next = instead(&word.text, registry, facts);
                return Some(
                    Diagnostic::new(Code::FeaturetagsFails, message, next)
                        .at(Label::new(word.span, "unknown, which `--remove` refuses")),
                );
            };
            if !name.is_omittable() {
                let message = format!("`featuretags` fails: `{CLI}` can't be removed");
                let next = "Delete it: the command line is left out unless it is added.".to_owned();
                return Some(
                    Diagnostic::new(Code::FeaturetagsFails, message, next)
                        .at(Label::new(word.span, "can't be removed")),
                );
            }
            let users = registry.required_by(&name).into_iter().filter(|user| !removed.contains(user.as_str()));
            let users: Vec<String> = users.map(|user| user.to_string()).collect();
            if !users.is_empty() {
                let message = format!("`featuretags` fails: `{name}` is needed by what is not removed with it");
                let quoted = users.iter().map(|user| format!("`{user}`")).collect::<Vec<_>>().join(", ");
                let why_min = if self.min { ", though `--min` leaves them out already" } else { "" };
                let next = format!("Remove {quoted} as well{why_min}, or leave `{name}` in.");
                return Some(
                    Diagnostic::new(Code::FeaturetagsFails, message, next).at(Label::new(word.span, "still needed")),
                );
            }
        }
        None
    }

    /// What `--add` does without `--min`: nothing, but for the command line.
    fn needless_add(&self, kept: &BTreeSet<FeatureName>) -> Option<Diagnostic> {
        let first = self.add.first()?;
        let idle = kept.iter().any(FeatureName::is_omittable);
        let message = "`--add` without `--min` adds nothing: everything is in already".to_owned();
        let next = "Give `--min` too, or delete it.".to_owned();
        idle.then(|| Diagnostic::new(Code::AddWithoutMin, message, next).at(Label::new(first.span, "no effect")))
    }
}

/// A name of `--add` that the program takes in silence and that keeps nothing.
fn silent(word: &Word, registry: &Registry, facts: &Facts) -> Option<Diagnostic> {
    let known = FeatureName::new(&word.text).is_ok_and(|name| registry.features.contains_key(&name));
    if known || word.text.is_empty() {
        return None;
    }
    let blank = word.text.trim() != word.text;
    let message = format!("`--add` takes `{}` in silence, and keeps nothing by it", word.text);
    let next = if blank {
        "Write the names between commas, without blanks.".into()
    } else {
        instead(&word.text, registry, facts)
    };
    let label = if blank { "a blank is part of the name" } else { "not a feature of this release" };
    Some(Diagnostic::new(Code::UnknownAdd, message, next).at(Label::new(word.span, label)))
}

/// What to do about a name that the release does not have.
fn instead(name: &str, registry: &Registry, facts: &Facts) -> NextStep {
    let bare = name.strip_prefix(OMIT_PREFIX).unwrap_or(name);
    if bare != name && registry.features.contains_key(bare) {
        return format!("Write `{bare}`: the names stand without `{OMIT_PREFIX}`.").into();
    }
    let feature = FeatureName::new(bare).ok();
    let span = feature.as_ref().and_then(|feature| facts.span(feature));
    match (span, feature.as_ref().and_then(|feature| facts.removed_in(feature))) {
        (_, Some(removed)) => format!("Delete it: it was removed in {removed}.").into(),
        (Some((since, _)), None) => format!("Delete it until the release is one of {since} or later.").into(),
        (None, None) => nearest(bare, registry.features.keys().map(FeatureName::as_str)).map_or_else(
            || NextStep::new("Delete it; ").command("list").text(" shows every feature."),
            |near| format!("Did you mean `{near}`?").into(),
        ),
    }
}
