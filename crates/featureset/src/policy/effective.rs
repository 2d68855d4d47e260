//! The policy of one target: the common sections with the target's overrides in their place.

use std::collections::BTreeMap;

use super::device::Device;
use super::model::{Build, Decision, Image, Policy, Target, Verdict};
use crate::name::FeatureName;

/// The policy of one target, or the common sections if no target is named.
///
/// It borrows the policy, so it costs nothing to create. Every rule and command that is about a binary reads decisions and
/// settings from here.
#[derive(Debug, Clone, Copy)]
pub struct EffectivePolicy<'a> {
    policy: &'a Policy,
    target: Option<(&'a str, &'a Target)>,
}

/// A decision as the file states it, with the section that contains it.
#[derive(Debug, Clone)]
pub struct StatedDecision<'a> {
    /// The target that states it; `None` for the common section.
    pub target: Option<&'a str>,
    /// The feature.
    pub name: &'a FeatureName,
    /// The decision.
    pub decision: &'a Decision,
}

/// An acceptance as the file states it, with the section that contains it.
#[derive(Debug, Clone)]
pub struct StatedAcceptance<'a> {
    /// The target that states it; `None` for the common section.
    pub target: Option<&'a str>,
    /// The id of the hazard.
    pub id: &'a str,
    /// The reason.
    pub reason: &'a str,
}

/// Returns the path of an entry or a section in the common policy or in a target.
pub(crate) fn path<'a>(target: Option<&'a str>, rest: &[&'a str]) -> Vec<&'a str> {
    target.map(|name| ["targets", name]).into_iter().flatten().chain(rest.iter().copied()).collect()
}

impl<'a> StatedDecision<'a> {
    /// Returns the path of the entry.
    #[must_use]
    pub fn entry_path(&self) -> Vec<&'a str> {
        path(self.target, &["features", self.name.as_str()])
    }

    /// Returns the path of the reason.
    #[must_use]
    pub fn reason_path(&self) -> Vec<&'a str> {
        [self.entry_path(), vec![self.decision.verdict.word()]].concat()
    }
}

impl<'a> StatedAcceptance<'a> {
    /// Returns the path of the entry.
    #[must_use]
    pub fn path(&self) -> Vec<&'a str> {
        path(self.target, &["accepted", self.id])
    }
}

impl Policy {
    /// Returns whether a feature is kept on any target, or in the common section if the policy has no targets.
    #[must_use]
    pub fn keeps_anywhere(&self, name: &FeatureName) -> bool {
        if self.targets.is_empty() {
            self.common().keeps(name)
        } else {
            self.effective().any(|target| target.keeps(name))
        }
    }

    /// Returns the common sections, without the overrides of any target.
    #[must_use]
    pub fn common(&self) -> EffectivePolicy<'_> {
        EffectivePolicy { policy: self, target: None }
    }

    /// Returns the policy of a target; `None` if the policy does not have it.
    #[must_use]
    pub fn for_target(&self, name: &str) -> Option<EffectivePolicy<'_>> {
        let (name, target) = self.targets.get_key_value(name)?;
        Some(EffectivePolicy { policy: self, target: Some((name, target)) })
    }

    /// Returns the policy of every target, by name.
    pub fn effective(&self) -> impl Iterator<Item = EffectivePolicy<'_>> {
        self.targets.iter().map(|(name, target)| EffectivePolicy { policy: self, target: Some((name, target)) })
    }

    /// Returns every decision of the file: the common ones, then the overrides of each target.
    pub fn stated_decisions(&self) -> impl Iterator<Item = StatedDecision<'_>> {
        let common = self.features.iter().map(|(name, decision)| StatedDecision { target: None, name, decision });
        common.chain(self.targets.iter().flat_map(|(target, own)| {
            own.features.iter().map(|(name, decision)| StatedDecision { target: Some(target), name, decision })
        }))
    }

    /// Returns the path of each `build` section that the file may have, with the settings that hold there.
    pub fn stated_builds(&self) -> impl Iterator<Item = (Vec<&str>, &Build)> {
        let common = (path(None, &["build"]), &self.build);
        let own = self.targets.iter().map(|(name, target)| (path(Some(name), &["build"]), &target.build));
        [common].into_iter().chain(own)
    }

    /// Returns every acceptance of the file: the common ones, then those of each target.
    pub fn stated_acceptances(&self) -> impl Iterator<Item = StatedAcceptance<'_>> {
        let common = self.accepted.iter().map(|(id, reason)| StatedAcceptance { target: None, id, reason });
        common.chain(self.targets.iter().flat_map(|(target, own)| {
            own.accepted.iter().map(|(id, reason)| StatedAcceptance { target: Some(target), id, reason })
        }))
    }
}

impl<'a> EffectivePolicy<'a> {
    /// Returns the whole policy.
    #[must_use]
    pub fn policy(self) -> &'a Policy {
        self.policy
    }

    /// Returns the name of the target.
    #[must_use]
    pub fn name(self) -> Option<&'a str> {
        Some(self.target?.0)
    }

    /// Returns the target.
    #[must_use]
    pub fn target(self) -> Option<&'a Target> {
        Some(self.target?.1)
    }

    /// Returns the decision on a feature.
    #[must_use]
    pub fn decision(self, name: &FeatureName) -> Option<&'a Decision> {
        self.target().and_then(|target| target.features.get(name)).or_else(|| self.policy.features.get(name))
    }

    /// Returns every decision, by feature.
    pub fn decisions(self) -> impl Iterator<Item = (&'a FeatureName, &'a Decision)> {
        let own = self.target().map(|target| &target.features);
        let common = self.policy.features.iter();
        let decided = common.map(move |(name, decision)| (name, own.and_then(|own| own.get(name)).unwrap_or(decision)));
        decided.chain(own.into_iter().flatten().filter(|(name, _)| !self.policy.features.contains_key(*name)))
    }

    /// Returns whether a feature is kept.
    #[must_use]
    pub fn keeps(self, name: &FeatureName) -> bool {
        self.decision(name).is_some_and(|decision| decision.verdict == Verdict::Keep)
    }

    /// Returns whether the target decides a feature itself.
    #[must_use]
    pub fn overrides(self, name: &FeatureName) -> bool {
        self.target().is_some_and(|target| target.features.contains_key(name))
    }

    /// Returns whether the target describes its own device.
    #[must_use]
    pub fn has_own_device(self) -> bool {
        self.target().is_some_and(|target| target.device.is_some())
    }

    /// Returns the device.
    #[must_use]
    pub fn device(self) -> &'a Device {
        self.target().and_then(|target| target.device.as_ref()).unwrap_or(&self.policy.device)
    }

    /// Returns the facts of the device: those that the policy states, and those of the target's image.
    #[must_use]
    pub fn facts(self) -> BTreeMap<String, String> {
        let image = self.target().map_or(self.policy.image, |target| target.image);
        let known = image.into_iter().flat_map(Image::facts);
        let known = known.map(|(fact, value)| (fact.to_owned(), value.to_owned()));
        known.chain(self.device().facts.clone()).collect()
    }

    /// Returns the build settings.
    #[must_use]
    pub fn build(self) -> &'a Build {
        self.target().map_or(&self.policy.build, |target| &target.build)
    }

    /// Returns the path of a feature's entry: of the override if the target has one.
    #[must_use]
    pub fn entry_path(self, name: &'a FeatureName) -> Vec<&'a str> {
        path(self.name().filter(|_| self.overrides(name)), &["features", name.as_str()])
    }

    /// Returns the path of a feature's decision: its entry, then `keep` or `omit`.
    #[must_use]
    pub fn decision_path(self, name: &'a FeatureName) -> Vec<&'a str> {
        let verdict = self.decision(name).map(|decision| decision.verdict.word());
        self.entry_path(name).into_iter().chain(verdict).collect()
    }

    /// Returns the path of a fact of the device.
    #[must_use]
    pub fn fact_path(self, fact: &'a str) -> Vec<&'a str> {
        path(self.name().filter(|_| self.has_own_device()), &["device", fact])
    }
}
