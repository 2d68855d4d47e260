//! The change from one policy to another: what a reviewer must know, as values that can be printed.

mod mentions;
mod questions;
mod settings;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use mentions::Mention;

use crate::hazard::{Applying, Effect, Hazard};
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

/// A change of the policy and its consequences.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The state of the base.
    pub base: Base,
    /// Decisions that are not what they were, alphabetically.
    pub decisions: Vec<DecisionChange>,
    /// Unchanged decisions with another reason or other references, alphabetically.
    pub edits: Vec<Edit>,
    /// Unchanged reasons that mention a feature whose decision was inverted, alphabetically.
    pub mentions: Vec<Mention>,
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
    /// The target, if only its decision changed; `None` for the common decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
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
    /// The target, if it decides the feature itself; `None` for the common decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
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
    /// The target of an acceptance; `None` for a common one and for settings, whose path has the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
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
    /// The targets that come to have it or no longer do; empty if these are all of them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub targets: BTreeSet<String>,
    /// Whether every target on that side accepts it.
    pub accepted: bool,
    /// Whether the reason of the decision is enough, so that it needs no acceptance.
    pub is_note: bool,
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

/// Settings or acceptances by target and path.
type Settings = BTreeMap<(Option<String>, String), String>;

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

/// The hazards of one side of a comparison.
#[derive(Debug, Clone)]
pub(crate) struct HazardChanges {
    /// Every target of that side.
    targets: BTreeSet<String>,
    /// The hazards, each with all of the targets that it applies to.
    found: Vec<HazardChange>,
}

impl HazardChanges {
    /// Collects the hazards that apply to targets, or may. `is_accepted` answers for a hazard on a target.
    pub(crate) fn new(
        applying: Vec<Applying<'_>>,
        targets: BTreeSet<String>,
        is_accepted: impl Fn(&Hazard, &str) -> bool,
    ) -> Self {
        let is_accepted_everywhere = |applying: &Applying<'_>| {
            let mut concerned = applying.concerned().into_iter();
            concerned.all(|target| is_accepted(applying.hazard, target))
        };
        let change = |applying: Applying<'_>| HazardChange {
            targets: applying.concerned().into_iter().map(str::to_owned).collect(),
            accepted: is_accepted_everywhere(&applying),
            is_note: applying.hazard.is_note(),
            hazard: applying.hazard.id.clone(),
            effect: applying.hazard.record.effect,
            title: applying.hazard.record.title.clone(),
            // If some target certainly has it, the facts do not matter to the reviewer.
            unstated: if applying.targets.is_empty() { applying.unstated } else { BTreeSet::new() },
        };
        Self { targets, found: applying.into_iter().map(change).collect() }
    }

    /// Collects the hazards that apply to the targets of a policy, or may.
    pub(crate) fn from_policy(policy: &Policy, facts: &UpstreamData) -> Self {
        let is_accepted = |hazard: &Hazard, target: &str| {
            policy.for_target(target).is_some_and(|target| rules::acceptance(target, hazard).is_some())
        };
        Self::new(rules::hazards(policy, facts), policy.targets.keys().cloned().collect(), is_accepted)
    }

    /// Returns the hazards that the other side does not have, each with the targets that do not have it there. A target that
    /// is not on the other side is compared with all targets there.
    pub(crate) fn without(&self, other: &Self) -> Vec<HazardChange> {
        let rest = |change: &HazardChange| {
            let there = other.found.iter().find(|there| there.hazard == change.hazard);
            let is_there = |target: &&String| {
                there.is_some_and(|there| there.targets.contains(*target) || !other.targets.contains(*target))
            };
            let mut targets: BTreeSet<String> =
                change.targets.iter().filter(|target| !is_there(target)).cloned().collect();
            if targets.is_empty() {
                return None;
            }
            if targets == self.targets {
                targets.clear();
            }
            Some(HazardChange { targets, ..change.clone() })
        };
        self.found.iter().filter_map(rest).collect()
    }
}

/// The findings of one side that the other does not have, each as `code: message`; spans are ignored.
fn fresh(these: &[Diagnostic], those: &[Diagnostic]) -> Vec<String> {
    let said = |finding: &Diagnostic| format!("{}: {}", finding.code, finding.message);
    let others: BTreeSet<String> = those.iter().map(said).collect();
    these.iter().map(said).filter(|text| !others.contains(text)).collect()
}

impl From<&crate::policy::Decision> for Stated {
    fn from(decision: &crate::policy::Decision) -> Self {
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
