//! The input of a rule.

use std::collections::{BTreeMap, BTreeSet};

use diagnostics::Diagnostic;

use crate::policy::{EffectivePolicy, Policy, SourceMap};
use crate::registry::Registry;
use crate::upstream_data::{RegistryMatch, UpstreamData};

/// The input of a rule.
pub struct Subject<'a> {
    /// The policy's text.
    pub text: &'a str,
    /// The policy.
    pub policy: &'a Policy,
    /// The spans of its keys and values.
    pub places: &'a SourceMap,
    /// The knowledge about upstream.
    pub facts: &'a UpstreamData,
}

impl<'a> Subject<'a> {
    /// Returns the registry of the pinned release, or of its line.
    pub(super) fn registry(&self) -> Option<&'a Registry> {
        match self.facts.known(self.policy.tailscale?) {
            RegistryMatch::Release(registry) | RegistryMatch::Line(registry) => Some(registry),
            RegistryMatch::No => None,
        }
    }

    /// Judges the policy of every target, or the common one if the policy has no targets. Equal findings become one.
    pub(super) fn each_target(&self, check: impl Fn(EffectivePolicy<'a>) -> Vec<Diagnostic>) -> Vec<Diagnostic> {
        if self.policy.targets.is_empty() {
            return check(self.policy.common());
        }
        let mut merged: Vec<(Diagnostic, BTreeSet<&str>)> = Vec::new();
        let mut index = BTreeMap::new();
        for target in self.policy.effective() {
            for finding in check(target) {
                let key = (finding.code.clone(), finding.span(), finding.message.clone());
                let place = *index.entry(key).or_insert(merged.len());
                if place == merged.len() {
                    merged.push((finding, BTreeSet::new()));
                }
                merged[place].1.extend(target.name());
            }
        }
        merged.into_iter().map(|(finding, names)| self.name_targets(finding, names.into_iter())).collect()
    }

    /// Names the targets that a finding concerns, unless it concerns all of them.
    pub(super) fn name_targets<'n>(&self, finding: Diagnostic, names: impl Iterator<Item = &'n str>) -> Diagnostic {
        let names: Vec<String> = names.map(str::to_owned).collect();
        if names.len() == self.policy.targets.len() { finding } else { finding.for_targets(names) }
    }
}
