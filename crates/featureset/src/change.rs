//! The change from one policy to another: what a reviewer must know, as values that can be printed.

mod hazards;
mod mentions;
mod model;
mod questions;
mod settings;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use hazards::HazardChanges;
pub use model::{Base, Change, DecisionChange, Edit, HazardChange, Mention, Setting, Stated, TargetEffect};

use model::Settings;

use crate::name::FeatureName;
use crate::policy::{EffectivePolicy, ParsedPolicy, Policy, Verdict};
use crate::recipe::{Recipe, tag_line};
use crate::registry::Registry;
use crate::rules;
use crate::selection::Selection;
use crate::upstream_data::UpstreamData;
use diagnostics::{Diagnostic, Severity};

/// One side of a comparison: a text and what reading it gave.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The text of the featureset.yaml.
    pub text: &'a str,
    /// The parsed policy.
    pub reading: &'a ParsedPolicy,
}

impl Change {
    /// Compares two policies. Neither has to be free of findings; without a base everything is new.
    #[must_use]
    pub fn between(base: Option<Side<'_>>, new: Side<'_>, facts: &UpstreamData) -> Self {
        let old_policy = base.and_then(|side| side.reading.policy.clone()).unwrap_or_default();
        let new_policy = new.reading.policy.clone().unwrap_or_default();
        let (old_findings, new_findings) =
            (base.map(|side| judged(side, facts)).unwrap_or_default(), judged(new, facts));
        let (old_hazards, new_hazards) =
            (HazardChanges::from_policy(&old_policy, facts), HazardChanges::from_policy(&new_policy, facts));
        let mut change = Self {
            base: worth(base, &old_findings),
            decisions: decisions(&old_policy, &new_policy, facts),
            edits: edits(&old_policy, &new_policy),
            mentions: Vec::new(),
            settings: differing(&settings::all_settings(&old_policy), &settings::all_settings(&new_policy)),
            acceptances: differing(&acceptances(&old_policy), &acceptances(&new_policy)),
            targets: targets(&old_policy, &new_policy, facts),
            hazards_gained: new_hazards.without(&old_hazards),
            hazards_cleared: old_hazards.without(&new_hazards),
            findings_gained: fresh(&new_findings, &old_findings),
            findings_cleared: fresh(&old_findings, &new_findings).len(),
            questions: Vec::new(),
        };
        change.mentions = mentions::mentions(&old_policy, &new_policy, &change.decisions);
        change.questions = questions::open_questions(&change, &new.reading.places);
        change
    }
}

/// The findings of one side, without notes, which the hazards cover.
fn judged(side: Side<'_>, facts: &UpstreamData) -> Vec<Diagnostic> {
    let mut findings = rules::judge(side.text, side.reading, facts);
    findings.retain(|finding| finding.severity != Severity::Note);
    findings
}

fn worth(base: Option<Side<'_>>, findings: &[Diagnostic]) -> Base {
    match base {
        None => Base::Missing,
        Some(side) if side.reading.policy.is_none() => Base::Unreadable,
        Some(_) if findings.iter().any(|finding| finding.severity == Severity::Error) => Base::Faulty,
        Some(_) => Base::Sound,
    }
}

fn registry<'a>(policy: &Policy, facts: &'a UpstreamData) -> Option<&'a Registry> {
    facts.registry(policy.tailscale?)
}

/// The two sides of one section: the common one, or that of a target, with the features that it decides.
struct Section<'a> {
    target: Option<&'a str>,
    old: Option<EffectivePolicy<'a>>,
    new: EffectivePolicy<'a>,
    names: BTreeSet<&'a FeatureName>,
}

/// Returns the common section and those of the new policy's targets that decide a feature themselves, before or after.
fn sections<'a>(old: &'a Policy, new: &'a Policy) -> Vec<Section<'a>> {
    let names = old.features.keys().chain(new.features.keys()).collect();
    let common = Section { target: None, old: Some(old.common()), new: new.common(), names };
    let own = new.effective().map(|new| {
        let old = new.name().and_then(|name| old.for_target(name));
        let overrides = [old, Some(new)].into_iter().flatten().filter_map(EffectivePolicy::target);
        Section { target: new.name(), old, new, names: overrides.flat_map(|target| target.features.keys()).collect() }
    });
    [common].into_iter().chain(own).collect()
}

fn decisions(old: &Policy, new: &Policy, facts: &UpstreamData) -> Vec<DecisionChange> {
    let registry = registry(new, facts).or_else(|| registry(old, facts));
    let mut found = Vec::new();
    for Section { target, old, new, names } in sections(old, new) {
        let before = |name: &FeatureName| old.and_then(|old| old.decision(name));
        let is_changed = |name: &FeatureName| {
            before(name).map(|decision| decision.verdict) != new.decision(name).map(|decision| decision.verdict)
        };
        let changed: BTreeSet<FeatureName> = names.into_iter().filter(|name| is_changed(name)).cloned().collect();
        found.extend(changed.iter().map(|name| {
            let (from, to) = (before(name), new.decision(name));
            // A kept feature needs others to be kept; an omitted one requires the omission of those that need it.
            let tied = registry.map(|registry| match new.keeps(name) {
                true => registry.requires(name),
                false => registry.required_by(name),
            });
            let moves_alike = |other: &&FeatureName| *other != name && new.keeps(other) == new.keeps(name);
            DecisionChange {
                feature: name.clone(),
                target: target.map(str::to_owned),
                same_reason: from.zip(to).is_some_and(|(from, to)| from.reason == to.reason),
                from: from.map(Stated::from),
                to: to.map(Stated::from),
                along: tied.unwrap_or_default().intersection(&changed).filter(moves_alike).cloned().collect(),
            }
        }));
    }
    found
}

fn edits(old: &Policy, new: &Policy) -> Vec<Edit> {
    let mut found = Vec::new();
    for Section { target, old, new, names } in sections(old, new) {
        let both = names.into_iter().filter_map(|name| Some((name, old?.decision(name)?, new.decision(name)?)));
        let stand = both.filter(|(_, from, to)| from.verdict == to.verdict && from != to);
        let edits = stand.map(|(name, from, to)| Edit {
            feature: name.clone(),
            target: target.map(str::to_owned),
            verdict: to.verdict.word(),
            reason: (from.reason != to.reason).then(|| (from.reason.clone(), to.reason.clone())),
            refs_added: missing(&to.refs, &from.refs),
            refs_removed: missing(&from.refs, &to.refs),
        });
        // References in another order say the same.
        let says_something =
            |edit: &Edit| edit.reason.is_some() || !edit.refs_added.is_empty() || !edit.refs_removed.is_empty();
        found.extend(edits.filter(says_something));
    }
    found
}

fn acceptances(policy: &Policy) -> Settings {
    let key = |target: Option<&str>, id: &str| (target.map(str::to_owned), id.to_owned());
    policy.stated_acceptances().map(|stated| (key(stated.target, stated.id), stated.reason.to_owned())).collect()
}

fn differing(old: &Settings, new: &Settings) -> Vec<Setting> {
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let setting = |key: &(Option<String>, String)| Setting {
        target: key.0.clone(),
        path: key.1.clone(),
        from: old.get(key).cloned(),
        to: new.get(key).cloned(),
    };
    keys.into_iter().filter(|key| old.get(*key) != new.get(*key)).map(setting).collect()
}

fn targets(old: &Policy, new: &Policy, facts: &UpstreamData) -> BTreeMap<String, TargetEffect> {
    let names: BTreeSet<&String> = old.targets.keys().chain(new.targets.keys()).collect();
    let effect = |name: &str| {
        let (was, is) = match (old.for_target(name), new.for_target(name)) {
            (Some(was), Some(is)) => (was, is),
            (Some(_), None) => return TargetEffect::Removed,
            (None, _) => return TargetEffect::Added,
        };
        let same = match (recipe(was, facts), recipe(is, facts)) {
            // An unknown release or no toolchain: what would decide the binary is compared instead.
            (None, None) => inputs(was) == inputs(is),
            (was, is) => was == is,
        };
        if same {
            return TargetEffect::Same;
        }
        let tags = |target: EffectivePolicy<'_>| {
            let registry = registry(target.policy(), facts);
            registry.map(|registry| tag_line(&Selection::new(target, registry), target.build())).unwrap_or_default()
        };
        let (was, is) = (tags(was), tags(is));
        TargetEffect::Changed { tags_added: missing(&is, &was), tags_removed: missing(&was, &is) }
    };
    names.into_iter().map(|name| (name.clone(), effect(name))).collect()
}

fn recipe(target: EffectivePolicy<'_>, facts: &UpstreamData) -> Option<Recipe> {
    Recipe::new(target, &Selection::new(target, registry(target.policy(), facts)?), None)
}

/// The parts of a policy that decide a target's binary.
fn inputs<'a>(target: EffectivePolicy<'a>) -> impl PartialEq + use<'a> {
    let kept: BTreeSet<&FeatureName> =
        target.decisions().filter(|(_, decision)| decision.verdict == Verdict::Keep).map(|(name, _)| name).collect();
    let platform = target.target().map(|target| target.platform.name);
    (target.policy().tailscale, target.policy().go, kept, platform, target.build())
}

/// The texts of the first list that the second does not have.
fn missing(these: &[String], those: &[String]) -> Vec<String> {
    these.iter().filter(|text| !those.contains(text)).cloned().collect()
}

/// The findings of one side that the other does not have, each as `code: message`; spans are ignored.
fn fresh(these: &[Diagnostic], those: &[Diagnostic]) -> Vec<String> {
    let said = |finding: &Diagnostic| format!("{}: {}", finding.code, finding.message);
    let others: BTreeSet<String> = those.iter().map(said).collect();
    these.iter().map(said).filter(|text| !others.contains(text)).collect()
}
