//! The change from one policy to another: what a reviewer must know, as values that can be printed.

mod questions;
mod settings;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::hazard::Effect;
use crate::name::FeatureName;
use crate::policy::{Decision, ParsedPolicy, Policy, Verdict};
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

/// A change of the policy and its consequences.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The state of the base.
    pub base: Base,
    /// Decisions that are not what they were, alphabetically.
    pub decisions: Vec<DecisionChange>,
    /// Unchanged decisions with another reason or other references, alphabetically.
    pub edits: Vec<Edit>,
    /// Everything else that the policy states: pin, device, build, image, targets.
    pub settings: Vec<Setting>,
    /// Acceptances that came, went, or have another reason.
    pub acceptances: Vec<Setting>,
    /// The change of each target, by name.
    pub targets: BTreeMap<String, TargetEffect>,
    /// Hazards that apply to the new policy and did not to the old one, by id.
    pub hazards_gained: Vec<HazardChange>,
    /// Hazards that applied to the old policy and do not to the new one, by id.
    pub hazards_cleared: Vec<HazardChange>,
    /// The new policy's errors and warnings that the old one did not have.
    pub findings_gained: Vec<String>,
    /// How many of the old policy's errors and warnings the new one does not have.
    pub findings_cleared: usize,
    /// Questions that this change must answer, with their spans in the new text.
    #[serde(skip)]
    pub questions: Vec<Diagnostic>,
}

/// The state of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// The base does not have a policy: everything is new.
    Missing,
    /// The base has no policy that can be read: everything counts as new.
    Unreadable,
    /// It has errors; what could be read of it is compared.
    Faulty,
    /// It has none.
    Sound,
}

/// A feature whose decision is not what it was. At least one of `from` and `to` is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecisionChange {
    /// The feature.
    pub feature: FeatureName,
    /// The old decision, if there was one.
    pub from: Option<Stated>,
    /// The new decision, if there is one.
    pub to: Option<Stated>,
    /// Whether the decision flipped and its reason did not.
    pub same_reason: bool,
    /// The features of this change that upstream's declared dependencies tie to it.
    pub along: Vec<FeatureName>,
}

/// A decision and its reason, as the policy states them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stated {
    /// `keep` or `omit`.
    pub verdict: &'static str,
    /// The reason.
    pub reason: String,
}

/// Another reason, or other references, for an unchanged decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// The feature.
    pub feature: FeatureName,
    /// The decision: `keep` or `omit`.
    pub verdict: &'static str,
    /// The old and the new reason, where they differ.
    pub reason: Option<(String, String)>,
    /// References that came.
    pub refs_added: Vec<String>,
    /// References that went.
    pub refs_removed: Vec<String>,
}

/// A setting that is not what it was: its path, such as `targets.arm64.budget`, and both values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The path, its parts joined by dots.
    pub path: String,
    /// The old value.
    pub from: Option<String>,
    /// The new value.
    pub to: Option<String>,
}

/// The change of a target's binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
pub enum TargetEffect {
    /// The same recipe: the same binary.
    Same,
    /// Another recipe.
    Changed {
        /// Build tags that came, in the order of the tag line.
        tags_added: Vec<String>,
        /// Build tags that went.
        tags_removed: Vec<String>,
    },
    /// The base did not have it.
    Added,
    /// The new policy does not have it.
    Removed,
}

/// A hazard that came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HazardChange {
    /// Its id.
    pub hazard: String,
    /// How bad it is.
    pub effect: Effect,
    /// The effect.
    pub title: String,
    /// Whether the decision's own reason is its acceptance, or the policy on that side accepts it.
    pub accepted: bool,
    /// The facts of the device that it depends on and that the policy does not state.
    pub unstated: BTreeSet<String>,
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
            (base.map(|side| hazards(side, &old_policy, facts)).unwrap_or_default(), hazards(new, &new_policy, facts));
        let mut change = Self {
            base: worth(base, &old_findings),
            decisions: decisions(&old_policy, &new_policy, facts),
            edits: edits(&old_policy, &new_policy),
            settings: differing(&settings::build_settings(&old_policy), &settings::build_settings(&new_policy)),
            acceptances: differing(&old_policy.accepted, &new_policy.accepted),
            targets: targets(&old_policy, &new_policy, facts),
            hazards_gained: without(&new_hazards, &old_hazards),
            hazards_cleared: without(&old_hazards, &new_hazards),
            findings_gained: fresh(&new_findings, &old_findings),
            findings_cleared: fresh(&old_findings, &new_findings).len(),
            questions: Vec::new(),
        };
        change.questions = questions::open_questions(&change, &new.reading.places);
        change
    }

    /// Whether any target's binary becomes another one, comes or goes.
    #[must_use]
    pub fn reaches_a_binary(&self) -> bool {
        self.targets.values().any(|effect| *effect != TargetEffect::Same)
    }

    /// Whether nothing but comments, layout and order differ.
    #[must_use]
    pub fn says_nothing_new(&self) -> bool {
        self.decisions.is_empty()
            && self.edits.is_empty()
            && self.settings.is_empty()
            && self.acceptances.is_empty()
            && self.findings_gained.is_empty()
            && self.findings_cleared == 0
            && !self.reaches_a_binary()
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

fn decisions(old: &Policy, new: &Policy, facts: &UpstreamData) -> Vec<DecisionChange> {
    let names: BTreeSet<&FeatureName> = old.features.keys().chain(new.features.keys()).collect();
    let verdict = |policy: &Policy, name: &FeatureName| policy.features.get(name).map(|decision| decision.verdict);
    let changed: BTreeSet<FeatureName> =
        names.into_iter().filter(|name| verdict(old, name) != verdict(new, name)).cloned().collect();
    let registry = registry(new, facts).or_else(|| registry(old, facts));
    let one = |name: &FeatureName| {
        let (from, to) = (old.features.get(name), new.features.get(name));
        // An added feature needs its dependencies; a removed one takes its dependents with it.
        let tied = registry.map(|registry| match new.keeps(name) {
            true => registry.requires(name),
            false => registry.required_by(name),
        });
        let moves_alike = |other: &&FeatureName| *other != name && new.keeps(other) == new.keeps(name);
        DecisionChange {
            feature: name.clone(),
            same_reason: from.zip(to).is_some_and(|(from, to)| from.reason == to.reason),
            from: from.map(Stated::from),
            to: to.map(Stated::from),
            along: tied.unwrap_or_default().intersection(&changed).filter(moves_alike).cloned().collect(),
        }
    };
    changed.iter().map(one).collect()
}

fn edits(old: &Policy, new: &Policy) -> Vec<Edit> {
    let both = new.features.iter().filter_map(|(name, to)| Some((name, old.features.get(name)?, to)));
    let stand = both.filter(|(_, from, to)| from.verdict == to.verdict && from != to);
    let edit = |(name, from, to): (&FeatureName, &Decision, &Decision)| Edit {
        feature: name.clone(),
        verdict: to.verdict.word(),
        reason: (from.reason != to.reason).then(|| (from.reason.clone(), to.reason.clone())),
        refs_added: missing(&to.refs, &from.refs),
        refs_removed: missing(&from.refs, &to.refs),
    };
    // References in another order say the same.
    let says_something =
        |edit: &Edit| edit.reason.is_some() || !edit.refs_added.is_empty() || !edit.refs_removed.is_empty();
    stand.map(edit).filter(says_something).collect()
}

fn differing(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<Setting> {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let setting =
        |path: &String| Setting { path: path.clone(), from: old.get(path).cloned(), to: new.get(path).cloned() };
    paths.into_iter().filter(|path| old.get(*path) != new.get(*path)).map(setting).collect()
}

fn targets(old: &Policy, new: &Policy, facts: &UpstreamData) -> BTreeMap<String, TargetEffect> {
    let names: BTreeSet<&String> = old.targets.keys().chain(new.targets.keys()).collect();
    let selection = |policy: &Policy| registry(policy, facts).map(|registry| Selection::new(policy, registry));
    let (before, after) = (selection(old), selection(new));
    let recipe = |policy: &Policy, selection: &Option<Selection>, name: &str| {
        Recipe::new(policy, selection.as_ref()?, name, None)
    };
    let effect = |name: &str| {
        let (Some(was), Some(is)) = (old.targets.get(name), new.targets.get(name)) else {
            return if old.targets.contains_key(name) { TargetEffect::Removed } else { TargetEffect::Added };
        };
        let same = match (recipe(old, &before, name), recipe(new, &after, name)) {
            // An unknown release or no toolchain: what would decide the binary is compared instead.
            (None, None) => inputs(old, name) == inputs(new, name),
            (was, is) => was == is,
        };
        if same {
            return TargetEffect::Same;
        }
        let tags = |selection: &Option<Selection>, build| {
            selection.as_ref().map(|selection| tag_line(selection, build)).unwrap_or_default()
        };
        let (was, is) = (tags(&before, &was.build), tags(&after, &is.build));
        TargetEffect::Changed { tags_added: missing(&is, &was), tags_removed: missing(&was, &is) }
    };
    names.into_iter().map(|name| (name.clone(), effect(name))).collect()
}

/// The parts of a policy that decide a target's binary.
fn inputs<'a>(policy: &'a Policy, target: &str) -> impl PartialEq + use<'a> {
    let kept: Vec<&FeatureName> = policy.features.keys().filter(|name| policy.keeps(name)).collect();
    let built = policy.targets.get(target).map(|target| (target.platform.name, &target.build));
    (policy.tailscale, policy.go, kept, built)
}

/// The texts of the first list that the second does not have.
fn missing(these: &[String], those: &[String]) -> Vec<String> {
    these.iter().filter(|text| !those.contains(text)).cloned().collect()
}

pub(crate) fn hazards(side: Side<'_>, policy: &Policy, facts: &UpstreamData) -> Vec<HazardChange> {
    let applying = rules::hazards(side.text, side.reading, facts);
    let one = |one: rules::Applying<'_>| HazardChange {
        accepted: one.hazard.is_note() || policy.accepted.contains_key(&one.hazard.id),
        hazard: one.hazard.id.clone(),
        effect: one.hazard.record.effect,
        title: one.hazard.record.title.clone(),
        // Where some target has it for certain, the facts don't matter to the reviewer.
        unstated: if one.targets.is_empty() { one.unstated } else { BTreeSet::new() },
    };
    applying.into_iter().map(one).collect()
}

/// The hazards of the first list that the second does not have.
pub(crate) fn without(these: &[HazardChange], those: &[HazardChange]) -> Vec<HazardChange> {
    these.iter().filter(|one| those.iter().all(|other| other.hazard != one.hazard)).cloned().collect()
}

/// The findings of one side that the other does not have, each as `code: message`, whatever their spans.
fn fresh(these: &[Diagnostic], those: &[Diagnostic]) -> Vec<String> {
    let said = |finding: &Diagnostic| format!("{}: {}", finding.code, finding.message);
    let others: BTreeSet<String> = those.iter().map(said).collect();
    these.iter().map(said).filter(|text| !others.contains(text)).collect()
}

impl From<&Decision> for Stated {
    fn from(decision: &Decision) -> Self {
        Self { verdict: decision.verdict.word(), reason: decision.reason.clone() }
    }
}

impl DecisionChange {
    /// Whether a kept feature becomes an omitted one, or the other way round.
    #[must_use]
    pub fn is_flip(&self) -> bool {
        self.from.is_some() && self.to.is_some()
    }

    /// Whether the binary loses the feature.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        let keeps =
            |stated: &Option<Stated>| stated.as_ref().is_some_and(|stated| stated.verdict == Verdict::Keep.word());
        keeps(&self.from) && !keeps(&self.to)
    }
}
