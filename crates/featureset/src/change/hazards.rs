//! The hazards that a change gains and clears.

use std::collections::BTreeSet;

use super::model::HazardChange;
use crate::hazard::Hazard;
use crate::hazard::applying::Applying;
use crate::policy::Policy;
use crate::rules;
use crate::upstream_data::UpstreamData;

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
