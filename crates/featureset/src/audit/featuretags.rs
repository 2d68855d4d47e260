//! A call of upstream's `cmd/featuretags`, and what it prints on a release.
//!
//! Source: `cmd/featuretags/featuretags.go` and `feature/featuretags`, which have done the same in every release since
//! 1.90.0; tests/it/upstream.rs holds this to the real program.

use std::collections::BTreeSet;

use tagscan::{Featuretags, Word};

use crate::name::{CLI, FeatureName, OMIT_PREFIX, nearest};
use crate::registry::Registry;
use crate::upstream_data::UpstreamData;
use diagnostics::{Code, Diagnostic, Label, NextStep};

/// The tags that a call prints on a release; `None` if it fails.
pub(super) fn tags(call: &Featuretags, registry: &Registry) -> Option<Vec<String>> {
    if refusal(call, registry).is_some() {
        return None;
    }
    let kept = kept(call, registry);
    let mut tags: BTreeSet<String> = if call.min {
        registry.tags(&kept).into_iter().collect()
    } else {
        kept.iter().filter(|name| !name.is_omittable()).map(FeatureName::build_tag).collect()
    };
    tags.extend(call.remove.iter().map(|word| format!("{OMIT_PREFIX}{}", word.text)));
    Some(tags.into_iter().collect())
}

/// The features that `--add` keeps, with what they need.
pub(super) fn kept(call: &Featuretags, registry: &Registry) -> BTreeSet<FeatureName> {
    let names: BTreeSet<FeatureName> = call.add.iter().filter_map(|word| FeatureName::new(&word.text).ok()).collect();
    names.iter().flat_map(|name| registry.requires(name)).collect()
}

/// Adds the findings of a call.
pub(super) fn findings(call: &Featuretags, registry: &Registry, facts: &UpstreamData, findings: &mut Vec<Diagnostic>) {
    for word in &call.ignored {
        let message = format!("`{}` is not looked at", word.text);
        let next = "Give each flag once, its names between commas, and nothing else.".to_owned();
        findings.push(Diagnostic::new(Code::IgnoredArgument, message, next).at(Label::new(word.span, "ignored")));
    }
    if let Some(refusal) = refusal(call, registry) {
        findings.push(refusal.finding(call, registry, facts));
        return;
    }
    findings.extend(call.add.iter().filter_map(|word| silent(word, registry, facts)));
    if !call.min {
        findings.extend(needless_add(call, &kept(call, registry)));
    }
}

/// The reason why a call ends with an error.
enum Refusal<'a> {
    Flag(&'a Word),
    Unknown(&'a Word),
    CommandLine(&'a Word),
    Needed(&'a Word, Vec<String>),
}

fn refusal<'a>(call: &'a Featuretags, registry: &Registry) -> Option<Refusal<'a>> {
    if let Some(word) = &call.refused {
        return Some(Refusal::Flag(word));
    }
    let removed: BTreeSet<&str> = call.remove.iter().map(|word| word.text.as_str()).collect();
    let mut seen = BTreeSet::new();
    call.remove.iter().filter(|word| seen.insert(&word.text)).find_map(|word| {
        let known = FeatureName::new(&word.text).ok().filter(|name| registry.features.contains_key(name));
        let Some(name) = known else { return Some(Refusal::Unknown(word)) };
        if !name.is_omittable() {
            return Some(Refusal::CommandLine(word));
        }
        let users = registry.required_by(&name).into_iter().filter(|user| !removed.contains(user.as_str()));
        let users: Vec<String> = users.map(|user| user.to_string()).collect();
        (!users.is_empty()).then_some(Refusal::Needed(word, users))
    })
}

impl Refusal<'_> {
    fn finding(&self, call: &Featuretags, registry: &Registry, facts: &UpstreamData) -> Diagnostic {
        let (word, message, label, next) = match self {
            Self::Flag(word) => (
                word,
                format!("`featuretags` fails: it has no flag `{}`", word.text),
                "no such flag",
                "It has `--min`, `--add NAMES`, `--remove NAMES` and `--list`.".into(),
            ),
            Self::Unknown(word) => (
                word,
                format!("`featuretags` fails: {} has no feature `{}` to remove", registry.line, word.text),
                "unknown, which `--remove` refuses",
                instead(&word.text, registry, facts),
            ),
            Self::CommandLine(word) => (
                word,
                format!("`featuretags` fails: `{CLI}` can't be removed"),
                "can't be removed",
                "Delete it: the command line is left out unless it is added.".into(),
            ),
            Self::Needed(word, users) => {
                let quoted = users.iter().map(|user| format!("`{user}`")).collect::<Vec<_>>().join(", ");
                let why_min = if call.min { ", though `--min` leaves them out already" } else { "" };
                (
                    word,
                    format!("`featuretags` fails: `{}` is needed by what is not removed with it", word.text),
                    "still needed",
                    format!("Remove {quoted} as well{why_min}, or leave `{}` in.", word.text).into(),
                )
            }
        };
        Diagnostic::new(Code::FeaturetagsFails, message, next).at(Label::new(word.span, label))
    }
}

/// The finding of `--add` without `--min`: it has no effect, except for the command line.
fn needless_add(call: &Featuretags, kept: &BTreeSet<FeatureName>) -> Option<Diagnostic> {
    let first = call.add.first()?;
    let idle = kept.iter().any(FeatureName::is_omittable);
    let message = "`--add` without `--min` adds nothing: everything is in already".to_owned();
    let next = "Give `--min` too, or delete it.".to_owned();
    idle.then(|| Diagnostic::new(Code::AddWithoutMin, message, next).at(Label::new(first.span, "no effect")))
}

/// A name of `--add` that the program takes in silence and that keeps nothing.
fn silent(word: &Word, registry: &Registry, facts: &UpstreamData) -> Option<Diagnostic> {
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

/// The next step for a name that the release does not have.
fn instead(name: &str, registry: &Registry, facts: &UpstreamData) -> NextStep {
    let bare = name.strip_prefix(OMIT_PREFIX).unwrap_or(name);
    if bare != name && registry.features.contains_key(bare) {
        return format!("Write `{bare}`: the names are written without `{OMIT_PREFIX}`.").into();
    }
    let feature = FeatureName::new(bare).ok();
    let span = feature.as_ref().and_then(|feature| facts.lines_with(feature));
    match (span, feature.as_ref().and_then(|feature| facts.removed_in(feature))) {
        (_, Some(removed)) => format!("Delete it: it was removed in {removed}.").into(),
        (Some((since, _)), None) => format!("Delete it until the release is one of {since} or later.").into(),
        (None, None) => nearest(bare, registry.features.keys().map(FeatureName::as_str)).map_or_else(
            || NextStep::new("Delete it; ").command("list").text(" shows every feature."),
            |near| format!("Did you mean `{near}`?").into(),
        ),
    }
}
