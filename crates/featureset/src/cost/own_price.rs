//! The size of a selection that was not built, estimated from the measured one.
//!
//! The measured price of a feature includes the features that moved along. Its *own price* is the rest: prices of
//! features that move together then add up to what was measured, and every selection that differs from the measured
//! one by one inverted decision has exactly its measured size. Any other size is an estimate, because features share
//! code.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cost, Costs};
use crate::name::FeatureName;

/// The size of a selection on the target that was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectionSize {
    /// Bytes as shipped.
    pub packed: u64,
    /// Features whose decision differs from the measured one and that have no price: the estimate leaves them out.
    pub unpriced: BTreeSet<FeatureName>,
}

impl Costs {
    /// Returns the own price of every measured feature, in bytes as shipped.
    #[must_use]
    pub fn own_prices<'a>(&'a self) -> BTreeMap<&'a FeatureName, i64> {
        let measured = |(name, cost): (&'a FeatureName, &'a Cost)| match cost {
            Cost::Measured { along, packed, .. } => Some((along, name, *packed)),
            Cost::DoesNotCompile { .. } | Cost::DoesNotStart { .. } => None,
        };
        let mut open: Vec<_> = self.features.iter().filter_map(measured).collect();
        // A feature that moves along moves fewer features itself.
        open.sort_by_key(|(along, name, _)| (along.len(), *name));
        let mut own: BTreeMap<&FeatureName, i64> = BTreeMap::new();
        for (along, name, packed) in open {
            let others: i64 = along.iter().filter_map(|other| own.get(other)).sum();
            own.insert(name, packed.saturating_sub(others));
        }
        own
    }

    /// Estimates the size of a selection.
    #[must_use]
    pub fn selection_size(&self, kept: &BTreeSet<FeatureName>) -> SelectionSize {
        let own = self.own_prices();
        let mut packed = i64::try_from(self.whole.packed).unwrap_or(i64::MAX);
        let mut unpriced = BTreeSet::new();
        for name in self.basis.kept.symmetric_difference(kept) {
            match own.get(name) {
                Some(price) if kept.contains(name) => packed = packed.saturating_add(*price),
                Some(price) => packed = packed.saturating_sub(*price),
                None => drop(unpriced.insert(name.clone())),
            }
        }
        SelectionSize { packed: u64::try_from(packed).unwrap_or_default(), unpriced }
    }
}
