//! Features to drop so that a binary fits a budget, from measured costs.

use std::collections::BTreeSet;

use super::{Cost, Costs};
use crate::name::FeatureName;

/// A way to a smaller binary: features to drop, in the order of what they save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// What is dropped.
    pub drops: Vec<Drop>,
    /// The binary's size in bytes if costs added up: an estimate if more than one feature is dropped.
    pub estimate: u64,
}

/// One feature to drop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drop {
    /// The feature.
    pub feature: FeatureName,
    /// Features that must go with it and are not dropped already.
    pub along: BTreeSet<FeatureName>,
    /// The saving as shipped, in bytes.
    pub saves: u64,
}

/// Ways to fit into a budget of bytes as shipped, fewest drops first: each single drop that suffices, and the fewest
/// that suffice together, largest first. Empty if the binary fits already; `None` if dropping all of them does not suffice.
///
/// `may_go` says which kept features may be dropped at all.
#[must_use]
pub fn drops_within(costs: &Costs, budget: u64, may_go: impl Fn(&FeatureName) -> bool) -> Option<Vec<Way>> {
    if costs.whole.packed <= budget {
        return Some(Vec::new());
    }
    let mut drops: Vec<Drop> =
        costs.features.keys().filter(|name| may_go(name)).filter_map(|name| drop(costs, name)).collect();
    drops.sort_by(|a, b| b.saves.cmp(&a.saves).then_with(|| a.feature.cmp(&b.feature)));
    let mut ways: Vec<Way> = drops
        .iter()
        .rev()
        .filter(|drop| left(costs, drop.saves) <= budget)
        .map(|drop| Way { estimate: left(costs, drop.saves), drops: vec![drop.clone()] })
        .collect();
    if ways.is_empty() {
        ways.push(together(costs, budget, &drops)?);
    }
    Some(ways)
}

fn left(costs: &Costs, saved: u64) -> u64 {
    costs.whole.packed.saturating_sub(saved)
}

fn drop(costs: &Costs, name: &FeatureName) -> Option<Drop> {
    match costs.features.get(name)? {
        Cost::Measured { along, packed, .. } if costs.basis.kept.contains(name) => Some(Drop {
            feature: name.clone(),
            along: along.clone(),
            saves: u64::try_from(*packed).ok().filter(|saves| *saves > 0)?,
        }),
        _ => None,
    }
}

/// The largest drops first, until it fits. A feature that an earlier drop forced is not counted again.
fn together(costs: &Costs, budget: u64, drops: &[Drop]) -> Option<Way> {
    let mut gone: BTreeSet<&FeatureName> = BTreeSet::new();
    let mut way = Way { drops: Vec::new(), estimate: costs.whole.packed };
    for drop in drops {
        let overlaps = drop.along.iter().chain([&drop.feature]).any(|name| gone.contains(name));
        if overlaps || way.estimate <= budget {
            continue;
        }
        gone.extend(drop.along.iter().chain([&drop.feature]));
        way.estimate = way.estimate.saturating_sub(drop.saves);
        way.drops.push(drop.clone());
    }
    (way.estimate <= budget).then_some(way)
}
