//! The step to another release: what upstream added, removed and tied together since, and what that does to a policy.

mod entries;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::change::{Change, HazardChange, HazardChanges, Side, Stated};
use crate::init::reasons::standard_reason;
use crate::name::FeatureName;
use crate::policy::{self, NotEditable, Policy, Verdict};
use crate::registry::Registry;
use crate::release::{GoVersion, Release};
use crate::upstream_data::UpstreamData;

/// Consequences of moving the pin of a policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Upgrade {
    /// The release that was pinned.
    pub from: Release,
    /// The release that is pinned now.
    pub to: Release,
    /// The toolchain that was pinned.
    pub go_from: GoVersion,
    /// The toolchain that is pinned now: the old one, unless the release needs a later one.
    pub go_to: GoVersion,
    /// Features that the new release has and the old one did not, alphabetically. Each must be decided.
    pub added: Vec<Added>,
    /// Features that the new release no longer has, alphabetically.
    pub removed: Vec<Removed>,
    /// Features whose declared dependencies are not what they were, alphabetically.
    pub dependencies: Vec<DependencyChange>,
    /// The effect of the step on the policy; an undecided feature counts as omitted.
    pub change: Change,
    /// The text of the policy with its pin moved, and with an entry for each added feature after [`Upgrade::add_entries`].
    #[serde(skip)]
    pub text: String,
}

/// A feature that is new in the registry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Added {
    /// The feature.
    pub feature: FeatureName,
    /// The suffix of its constant in upstream's `buildfeatures`.
    pub symbol: String,
    /// Whether the policy decides it already.
    pub decided: bool,
    /// The reason for omitting it on every device, if it has no effect on Linux.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_reason: Option<String>,
    /// Everything that it needs, directly or not.
    pub needs: BTreeSet<FeatureName>,
    /// Kept features that need it, directly or not: they ask for it to be kept.
    pub needed_by_kept: BTreeSet<FeatureName>,
    /// Every other feature that needs it, directly or not.
    pub needed_by: BTreeSet<FeatureName>,
    /// Hazards that omitting it brings, if every other added feature is kept.
    pub if_omitted: Vec<HazardChange>,
    /// Hazards that keeping it brings, if every other added feature that it does not need is omitted.
    pub if_kept: Vec<HazardChange>,
    /// Where its code was before, once the two source trees have been compared.
    pub origin: Option<Origin>,
}

/// Where the code of an added feature was in the old release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Code that the build of this policy had: omitting the feature removes it.
    pub in_this_build: Vec<Evidence>,
    /// Code that a build without omissions had.
    pub in_a_whole_build: Vec<Evidence>,
}

/// A part of the old build that an added feature's tag leaves out now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// The file that holds it now, or the import path of a package.
    pub path: String,
    /// Its kind.
    pub kind: Part,
    /// The declaration, or the function that holds the guard; empty for a file and an import.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The file that held it, if it was another.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
}

/// The kind of a part of the old build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// A whole file.
    File,
    /// A declaration that moved.
    Declaration,
    /// Statements of a function that the feature's constant now guards.
    Guard,
    /// A package of another module or of the standard library.
    Import,
}

/// The kind of an added feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Novelty {
    /// Nothing of it was in any build of the old release.
    New,
    /// The old release had it, guarded by tags of features that this policy omits.
    SplitOutOfOmitted,
    /// This policy's build had it: omitting it takes away what was there.
    SplitOut,
}

impl Origin {
    /// The feature's kind.
    #[must_use]
    pub fn novelty(&self) -> Novelty {
        match (self.in_this_build.is_empty(), self.in_a_whole_build.is_empty()) {
            (false, _) => Novelty::SplitOut,
            (true, false) => Novelty::SplitOutOfOmitted,
            (true, true) => Novelty::New,
        }
    }
}

/// A feature that upstream no longer has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The feature.
    pub feature: FeatureName,
    /// The decision on it, which can go.
    pub decision: Option<Stated>,
}

/// A feature whose declared dependencies changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DependencyChange {
    /// The feature.
    pub feature: FeatureName,
    /// Whether the policy keeps it.
    pub kept: bool,
    /// Needs that it did not have before.
    pub gained: BTreeSet<FeatureName>,
    /// Features that it no longer needs.
    pub lost: BTreeSet<FeatureName>,
    /// Features that it needs now, directly or not, and the policy does not keep: for a kept feature, findings.
    pub missing: BTreeSet<FeatureName>,
}

/// Why a step can't be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// The policy's pin can't be moved.
    Policy(NotEditable),
    /// The facts have no registry of this release.
    Registry(Release),
}

impl Upgrade {
    /// The step of a policy to another release, of which the facts must know exactly this release: the registry and
    /// the Go that it needs come from there.
    ///
    /// # Errors
    /// [`Unknown`] where the pin can't be moved, or one of the releases is not known.
    pub fn new(old: Side<'_>, to: Release, facts: &UpstreamData) -> Result<Self, Unknown> {
        let immovable = || Unknown::Policy(NotEditable("the policy does not state `tailscale` and `go`".to_owned()));
        let policy = old.reading.policy.as_ref().ok_or_else(immovable)?;
        let (from, go_from) = policy.tailscale.zip(policy.go).ok_or_else(immovable)?;
        let before = facts.registry(from).ok_or(Unknown::Registry(from))?;
        let after = facts.registry(to).ok_or(Unknown::Registry(to))?;
        let needed = after.releases.get(&to).ok_or(Unknown::Registry(to))?.go;
        let go_to = go_from.max(needed);
        let text = policy::pin(old.text, to, go_to).map_err(Unknown::Policy)?;
        let reading = policy::read(&text);
        let new = Side { text: &text, reading: &reading };
        let change = Change::between(Some(old), new, facts);
        let moved = reading.policy.clone().unwrap_or_default();
        let trial = Trial { policy: moved, facts, added: names_without(after, before), registry: after };
        let mut added: Vec<Added> = trial.added.iter().map(|name| trial.added(policy, name)).collect();
        // A hazard of omitting one feature is not a reason against another.
        let of_omission: BTreeSet<String> =
            added.iter().flat_map(|one| &one.if_omitted).map(|one| one.hazard.clone()).collect();
        for one in &mut added {
            one.if_kept.retain(|one| !of_omission.contains(&one.hazard));
        }
        Ok(Self {
            from,
            to,
            go_from,
            go_to,
            added,
            removed: names_without(before, after).into_iter().map(|name| removed(policy, name)).collect(),
            dependencies: dependencies(policy, before, after),
            change,
            text,
        })
    }

    /// Hazards that begin to apply for another cause than an added feature's omission.
    #[must_use]
    pub fn hazards_begun(&self) -> Vec<&HazardChange> {
        let told: BTreeSet<&str> =
            self.added.iter().flat_map(|added| &added.if_omitted).map(|one| one.hazard.as_str()).collect();
        self.change.hazards_gained.iter().filter(|one| !told.contains(one.hazard.as_str())).collect()
    }

    /// Writes an entry for each added feature into the text: decided if the standard reason holds, else a stub with what is known.
    /// `old` is the policy before the step.
    pub fn add_entries(&mut self, old: Side<'_>, facts: &UpstreamData) {
        self.text = entries::with_entries(&self.text, &self.added);
        let reading = policy::read(&self.text);
        self.change = Change::between(Some(old), Side { text: &self.text, reading: &reading }, facts);
    }

    /// How many features must be decided.
    #[must_use]
    pub fn undecided(&self) -> usize {
        let is_open =
            |added: &&Added| !added.decided && added.standard_reason.is_none() && added.feature.is_omittable();
        self.added.iter().filter(is_open).count()
    }
}

fn names_without(these: &Registry, those: &Registry) -> Vec<FeatureName> {
    these.features.keys().filter(|name| !those.features.contains_key(*name)).cloned().collect()
}

fn removed(policy: &Policy, feature: FeatureName) -> Removed {
    Removed { decision: policy.features.get(&feature).map(Stated::from), feature }
}

fn dependencies(policy: &Policy, before: &Registry, after: &Registry) -> Vec<DependencyChange> {
    let both =
        after.features.iter().filter_map(|(name, new)| Some((name, &before.features.get(name)?.needs, &new.needs)));
    // On some target the feature is kept and the need is not; if none keeps it, no target keeps the need.
    let is_missing = |name: &FeatureName, need: &FeatureName| match policy.keeps_anywhere(name) {
        true if policy.targets.is_empty() => !policy.common().keeps(need),
        true => policy.effective().any(|target| target.keeps(name) && !target.keeps(need)),
        false => !policy.keeps_anywhere(need),
    };
    let one = |(name, old, new): (&FeatureName, &BTreeSet<FeatureName>, &BTreeSet<FeatureName>)| DependencyChange {
        feature: name.clone(),
        kept: policy.keeps_anywhere(name),
        gained: new.difference(old).cloned().collect(),
        lost: old.difference(new).cloned().collect(),
        missing: after.requires(name).into_iter().filter(|need| need != name && is_missing(name, need)).collect(),
    };
    both.filter(|(_, old, new)| old != new).map(one).collect()
}

/// The moved policy, and what it is tried with.
struct Trial<'a> {
    policy: Policy,
    facts: &'a UpstreamData,
    registry: &'a Registry,
    added: Vec<FeatureName>,
}

impl Trial<'_> {
    fn added(&self, policy: &Policy, name: &FeatureName) -> Added {
        let needs: BTreeSet<FeatureName> =
            self.registry.requires(name).into_iter().filter(|need| need != name).collect();
        let users = self.registry.required_by(name).into_iter().filter(|user| user != name);
        let (needed_by_kept, needed_by) = users.partition(|user| policy.keeps_anywhere(user));
        let all: BTreeSet<&FeatureName> = self.added.iter().collect();
        let others = all.iter().copied().filter(|other| *other != name).collect();
        let alone: BTreeSet<&FeatureName> = needs.iter().filter(|need| all.contains(need)).collect();
        let with: BTreeSet<&FeatureName> = alone.iter().copied().chain([name]).collect();
        Added {
            feature: name.clone(),
            symbol: self.registry.features.get(name).map(|feature| feature.symbol.clone()).unwrap_or_default(),
            decided: policy.features.contains_key(name),
            standard_reason: standard_reason(name),
            if_omitted: self.hazards(&others).without(&self.hazards(&all)),
            if_kept: self.hazards(&with).without(&self.hazards(&alone)),
            needs,
            needed_by_kept,
            needed_by,
            origin: None,
        }
    }

    /// The hazards that apply if these of the added features are kept and the others omitted.
    fn hazards(&self, kept: &BTreeSet<&FeatureName>) -> HazardChanges {
        let mut policy = self.policy.clone();
        for name in &self.added {
            let verdict = if kept.contains(name) { Verdict::Keep } else { Verdict::Omit };
            policy.suppose(name.clone(), verdict);
        }
        HazardChanges::from_policy(&policy, self.facts)
    }
}

/// The splits that comparing source trees gave, by feature, laid onto the added features.
pub fn with_origins(upgrade: &mut Upgrade, mut origins: BTreeMap<FeatureName, Origin>) {
    for added in &mut upgrade.added {
        added.origin = Some(origins.remove(&added.feature).unwrap_or_default());
    }
}
