//! The selection: which features a binary has, and the tags that say so.

use std::collections::BTreeSet;

use crate::name::FeatureName;
use crate::policy::EffectivePolicy;
use crate::registry::Registry;

/// The features of one release, divided in two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection<'a> {
    registry: &'a Registry,
    /// What is in the binary.
    pub kept: BTreeSet<FeatureName>,
    /// What is left out.
    pub omitted: BTreeSet<FeatureName>,
}

impl<'a> Selection<'a> {
    /// Returns the selection of a target's policy, with or without findings. Features without a decision are omitted.
    #[must_use]
    pub fn new(policy: EffectivePolicy<'_>, registry: &'a Registry) -> Self {
        let (kept, omitted) = registry.features.keys().cloned().partition(|name| policy.keeps(name));
        Self { registry, kept, omitted }
    }

    /// Takes what is kept from elsewhere; what the release does not have is left out.
    #[must_use]
    pub fn keeping(kept: &BTreeSet<FeatureName>, registry: &'a Registry) -> Self {
        let (kept, omitted) = registry.features.keys().cloned().partition(|name| kept.contains(name));
        Self { registry, kept, omitted }
    }

    /// Whether every kept feature has what it needs: then upstream's `featuretags` prints the same tags.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.kept.iter().all(|name| self.registry.requires(name).is_subset(&self.kept))
    }

    /// The build tags, sorted.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        self.registry.tags(&self.kept)
    }

    /// Decisions that inverting a feature's decision forces: the kept features that need an omitted one must go too,
    /// and what a kept one needs must come.
    #[must_use]
    pub fn forced_by_inverting(&self, name: &FeatureName) -> BTreeSet<FeatureName> {
        let (forced, side) = if self.kept.contains(name) {
            (self.registry.required_by(name), &self.kept)
        } else {
            (self.registry.requires(name), &self.omitted)
        };
        forced.into_iter().filter(|other| other != name && side.contains(other)).collect()
    }

    /// The selection with one decision and those that it forces inverted.
    #[must_use]
    pub fn flipped(&self, name: &FeatureName) -> Self {
        let mut flipped = self.clone();
        for moved in self.forced_by_inverting(name).into_iter().chain([name.clone()]) {
            let (from, to) = if self.kept.contains(&moved) {
                (&mut flipped.kept, &mut flipped.omitted)
            } else {
                (&mut flipped.omitted, &mut flipped.kept)
            };
            to.extend(from.take(&moved));
        }
        flipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::read;
    use crate::rules::tests::clean_policy;
    use crate::upstream_data::UpstreamData;

    #[test]
    fn flipping_names_what_must_move_along() {
        let policy = read(&clean_policy()).policy.unwrap();
        let registry = UpstreamData::embedded().registry("1.102.5".parse().unwrap()).unwrap();
        let mut selection = Selection::new(policy.common(), registry);
        assert!(selection.is_closed());
        let name = |text| FeatureName::new(text).unwrap();
        let names = |set: BTreeSet<FeatureName>| set.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            names(selection.forced_by_inverting(&name("advertiseexitnode"))),
            ["advertiseroutes", "c2n", "peerapiserver"]
        );
        selection.omitted.remove("gro");
        selection.kept.insert(name("gro"));
        assert_eq!(names(selection.forced_by_inverting(&name("netstack"))), ["gro"]);
        assert!(selection.is_closed());
        let without = selection.flipped(&name("netstack"));
        assert!(without.is_closed() && !without.kept.contains("gro") && without.omitted.contains("netstack"));
        assert_eq!(without.kept.len() + without.omitted.len(), selection.kept.len() + selection.omitted.len());
        let with = selection.flipped(&name("serve"));
        assert!(with.is_closed() && with.kept.contains("serve"));
        assert_eq!(with.flipped(&name("nonesuch")), with);
        selection.kept.remove("netstack");
        assert!(!selection.is_closed());
    }
}
