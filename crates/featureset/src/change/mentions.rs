//! Reasons that mention a feature whose decision has changed, so that they may no longer be true.

use std::collections::BTreeSet;

use super::model::{DecisionChange, Mention};
use crate::name::FeatureName;
use crate::policy::Policy;

/// Returns the decisions that are the same in both policies and whose reasons mention an inverted decision.
pub(super) fn mentions(old: &Policy, new: &Policy, changes: &[DecisionChange]) -> Vec<Mention> {
    let inverted: BTreeSet<&FeatureName> =
        changes.iter().filter(|change| change.is_flip()).map(|change| &change.feature).collect();
    if inverted.is_empty() {
        return Vec::new();
    }
    let find = |stated: crate::policy::StatedDecision<'_>| {
        let before = match stated.target {
            Some(target) => old.targets.get(target)?.features.get(stated.name)?,
            None => old.features.get(stated.name)?,
        };
        let mentioned: BTreeSet<FeatureName> = words(&stated.decision.reason)
            .filter_map(|word| inverted.get(&FeatureName::new(word).ok()?).copied())
            .filter(|name| *name != stated.name)
            .cloned()
            .collect();
        (before == stated.decision && !mentioned.is_empty()).then(|| Mention {
            feature: stated.name.clone(),
            target: stated.target.map(str::to_owned),
            mentioned,
        })
    };
    new.stated_decisions().filter_map(find).collect()
}

/// Returns the words of a reason. Parts of flags, paths and host names are not words.
fn words(reason: &str) -> impl Iterator<Item = &str> {
    reason.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
}
