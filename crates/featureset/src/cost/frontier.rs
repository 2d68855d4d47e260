//! Features to omit so that a binary fits a budget, from estimated sizes, and the other settings that make it smaller.

use std::collections::BTreeSet;

use super::estimate::{Estimate, SizeModel};
use crate::name::FeatureName;
use crate::platform::Platform;
use crate::policy::{Build, Inlining, Pack, Symbols};
use crate::release::GoVersion;
use crate::selection::Selection;

/// The smaller binaries that a selection leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frontier {
    /// The size of the selection itself.
    pub size: Estimate,
    /// Omissions that suffice for the budget, fewest first. Empty if the binary fits already, or if nothing suffices.
    pub ways: Vec<Way>,
    /// Every omission that is possible, one after the other.
    pub lowest: Way,
}

/// A way to a smaller binary: features to omit, in the order of their sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The omissions.
    pub drops: Vec<Drop>,
    /// The estimated size without them, in bytes.
    pub estimate: u64,
}

/// One feature to omit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drop {
    /// The feature.
    pub feature: FeatureName,
    /// Kept features that need it and go with it.
    pub along: BTreeSet<FeatureName>,
    /// The saving as shipped, in bytes.
    pub saves: u64,
}

/// A setting other than the features that makes the binary smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lever {
    /// The setting as the policy states it under `build`, such as `symbols: none`.
    pub setting: String,
    /// The saving, in bytes.
    pub saves: u64,
}

/// Finds the omissions with which a selection fits into a budget of bytes as shipped: each single one that suffices, the
/// smallest first, or else the fewest that suffice together.
///
/// `is_usable` returns whether the binary with these features is one that may be proposed.
#[must_use]
pub fn frontier(
    model: &SizeModel<'_>,
    selection: &Selection<'_>,
    budget: u64,
    is_usable: impl Fn(&BTreeSet<FeatureName>) -> bool,
) -> Frontier {
    let size = model.estimate(&selection.kept);
    let step = |from: &Selection<'_>, name: &FeatureName| {
        let along = from.forced_by_inverting(name);
        let kept: BTreeSet<FeatureName> =
            from.kept.iter().filter(|other| *other != name && !along.contains(*other)).cloned().collect();
        let saves = model.estimate(&from.kept).bytes.saturating_sub(model.estimate(&kept).bytes);
        (saves > 0 && is_usable(&kept)).then(|| Drop { feature: name.clone(), along, saves })
    };
    let mut drops: Vec<Drop> = selection.kept.iter().filter_map(|name| step(selection, name)).collect();
    drops.sort_by(|a, b| b.saves.cmp(&a.saves).then_with(|| a.feature.cmp(&b.feature)));
    let is_over = size.bytes > budget;
    let single = |drop: &Drop| Way { estimate: size.bytes - drop.saves, drops: vec![drop.clone()] };
    let mut ways: Vec<Way> = drops.iter().rev().map(single).filter(|way| is_over && way.estimate <= budget).collect();
    let (mut current, mut lowest) = (selection.clone(), Way { drops: Vec::new(), estimate: size.bytes });
    for name in drops.iter().map(|drop| &drop.feature) {
        // It may have gone with another one, and may be needed after others have gone.
        let Some(drop) = current.kept.contains(name).then(|| step(&current, name)).flatten() else { continue };
        current = current.flipped(name);
        lowest.estimate -= drop.saves;
        lowest.drops.push(drop);
        if is_over && ways.is_empty() && lowest.estimate <= budget {
            ways.push(lowest.clone());
        }
    }
    Frontier { size, ways, lowest }
}

/// Returns the other settings with which the binary of a selection is estimated to be smaller, largest saving first.
#[must_use]
pub fn levers(platform: &Platform, build: &Build, go: Option<GoVersion>, kept: &BTreeSet<FeatureName>) -> Vec<Lever> {
    let size = |build: &Build| Some(SizeModel::new(platform, build, go)?.estimate(kept).bytes);
    let Some(now) = size(build) else { return Vec::new() };
    let packs = [(Pack::Execpack, platform.has_run_execpack()), (Pack::Upx, Pack::Upx.refusal(platform).is_none())];
    let packs = packs.into_iter().filter(|(pack, is_possible)| *is_possible && *pack != build.pack);
    let mut others: Vec<(String, Build)> =
        packs.map(|(pack, _)| (format!("pack: {}", pack.word()), Build { pack, ..build.clone() })).collect();
    if build.symbols != Symbols::None && Symbols::None.refusal(platform).is_none() {
        others.push(("symbols: none".to_owned(), Build { symbols: Symbols::None, ..build.clone() }));
    }
    if build.inlining == Inlining::Full {
        others.push(("inlining: hot-paths".to_owned(), Build { inlining: Inlining::HotPaths, ..build.clone() }));
    }
    let lever = |(setting, build): (String, Build)| {
        let saves = now.checked_sub(size(&build)?).filter(|saves| *saves > 0)?;
        Some(Lever { setting, saves })
    };
    let mut levers: Vec<Lever> = others.into_iter().filter_map(lever).collect();
    levers.sort_by_key(|lever| std::cmp::Reverse(lever.saves));
    levers
}
