//! Trials: the selections that put a hazard, or a whole release, to the test.

use std::collections::{BTreeMap, BTreeSet};

use super::{Atom, Hazard};
use crate::name::FeatureName;
use crate::policy::Verdict;
use crate::registry::Registry;

/// A selection that meets a hazard, and one that does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The features of the offending selection, closed under dependencies.
    pub offending: BTreeSet<FeatureName>,
    /// The features of the remedied selection.
    pub remedied: BTreeSet<FeatureName>,
    /// The operating system that the hazard asks for, as Go names it.
    pub goos: String,
}

/// The smallest trial of a hazard on a release line: nothing is kept but what the condition asks for, and then its remedy.
/// `None` if the line lacks a feature of the condition, or if no closed selection satisfies it.
#[must_use]
pub fn for_hazard(hazard: &Hazard, registry: &Registry) -> Option<Trial> {
    let (offending, goos) = offending(hazard, registry, &BTreeSet::new())?;
    let remedied = remedied(hazard, registry, &offending);
    Some(Trial { offending, remedied, goos })
}

/// Returns the trial of a hazard against a selection that people ship. If that selection has the hazard, the other one has
/// its remedy; if not, the offending one differs from it only as far as the hazard requires. `None` as in [`for_hazard`].
#[must_use]
pub fn beside(hazard: &Hazard, registry: &Registry, kept: &BTreeSet<FeatureName>) -> Option<Trial> {
    let (offending, goos) = offending(hazard, registry, kept)?;
    let remedied = if offending == *kept { remedied(hazard, registry, kept) } else { kept.clone() };
    Some(Trial { offending, remedied, goos })
}

/// A selection with the first way of a condition brought about, and the operating system that it asks for.
fn offending(
    hazard: &Hazard,
    registry: &Registry,
    kept: &BTreeSet<FeatureName>,
) -> Option<(BTreeSet<FeatureName>, String)> {
    let way = hazard.record.when.alternatives().into_iter().next()?;
    let mut goos = "linux".to_owned();
    let (mut wanted, mut gone) = (BTreeSet::new(), BTreeSet::new());
    for (atom, holds) in &way {
        if atom.feature().is_some_and(|name| !registry.features.contains_key(name)) {
            return None;
        }
        match (atom, holds) {
            (Atom::Keep(name), true) | (Atom::Omit(name), false) => wanted.extend(registry.requires(name)),
            (Atom::Omit(name), true) | (Atom::Keep(name), false) => gone.extend(registry.required_by(name)),
            (Atom::Os(os), true) => goos.clone_from(os),
            _ => {}
        }
    }
    let possible = wanted.is_disjoint(&gone);
    possible.then(|| (kept.difference(&gone).cloned().chain(wanted).collect(), goos))
}

/// A selection after a hazard's remedy, still closed.
fn remedied(hazard: &Hazard, registry: &Registry, kept: &BTreeSet<FeatureName>) -> BTreeSet<FeatureName> {
    let mut kept = kept.clone();
    for flip in &hazard.record.remedy {
        match flip.verdict() {
            Verdict::Keep => kept.extend(registry.requires(flip.feature())),
            Verdict::Omit => {
                let gone = registry.required_by(flip.feature());
                kept.retain(|name| !gone.contains(name));
            }
        }
    }
    kept
}

/// The selections in which a new hazard would show, by a name for each: every single omission with what needs it,
/// every feature alone with what it needs, and the same for the given pairs.
#[must_use]
pub fn sweep(
    registry: &Registry,
    pairs: &BTreeSet<(FeatureName, FeatureName)>,
) -> BTreeMap<String, BTreeSet<FeatureName>> {
    let all: BTreeSet<FeatureName> = registry.features.keys().cloned().collect();
    let without = |names: &[&FeatureName]| {
        let gone: BTreeSet<FeatureName> = names.iter().flat_map(|name| registry.required_by(name)).collect();
        all.difference(&gone).cloned().collect::<BTreeSet<_>>()
    };
    let only = |names: &[&FeatureName]| names.iter().flat_map(|name| registry.requires(name)).collect::<BTreeSet<_>>();
    let mut found = BTreeMap::from([("all".to_owned(), all.clone()), ("min".to_owned(), BTreeSet::new())]);
    for name in all.iter().filter(|name| name.is_omittable()) {
        found.insert(format!("all - {name}"), without(&[name]));
        found.insert(format!("min + {name}"), only(&[name]));
    }
    for (a, b) in pairs {
        found.insert(format!("all - {a} - {b}"), without(&[a, b]));
        found.insert(format!("min + {a} + {b}"), only(&[a, b]));
    }
    // Two names for one selection are one trial: the first of them stays.
    let mut seen = BTreeSet::new();
    found.retain(|_, kept| seen.insert(kept.clone()));
    found
}

/// The pairs of features that share a gated file: whose tags are in one build constraint.
///
/// `constraints` are the lines `//go:build …` of a release's source.
#[must_use]
pub fn gated_pairs<'a>(
    registry: &Registry,
    constraints: impl Iterator<Item = &'a str>,
) -> BTreeSet<(FeatureName, FeatureName)> {
    let mut pairs = BTreeSet::new();
    for constraint in constraints {
        let words = constraint.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let names: BTreeSet<FeatureName> = words
            .filter_map(|word| FeatureName::new(word.strip_prefix(crate::name::OMIT_PREFIX)?).ok())
            .filter(|name| registry.features.contains_key(name))
            .collect();
        for a in &names {
            pairs.extend(names.iter().filter(|b| a < *b).map(|b| (a.clone(), b.clone())));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream_data::UpstreamData;

    fn registry() -> &'static Registry {
        UpstreamData::embedded().registry("1.102.5".parse().unwrap()).unwrap()
    }

    #[test]
    fn the_trial_of_a_hazard_is_closed_and_its_remedy_clears_it() {
        let hazard = UpstreamData::embedded().hazard("serve-acme").unwrap();
        let trial = for_hazard(hazard, registry()).unwrap();
        let names = |set: &BTreeSet<FeatureName>| set.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!((names(&trial.offending), names(&trial.remedied)), (vec!["acme".to_owned()], vec![]));
        assert_eq!(trial.goos, "linux");
        let windows =
            for_hazard(UpstreamData::embedded().hazard("clientmetrics-desktop_sessions").unwrap(), registry()).unwrap();
        assert_eq!(windows.goos, "windows");
        let old = UpstreamData::embedded().registry("1.96.5".parse().unwrap()).unwrap();
        assert_eq!(
            for_hazard(UpstreamData::embedded().hazard("ipnbus-up").unwrap(), old),
            None,
            "1.96 has no ipnbus to omit"
        );
    }

    proptest::proptest! {
        /// For any shipped selection: both selections are closed if it is, and they differ only by what the hazard is about.
        #[test]
        fn a_trial_beside_a_selection_is_closed(picked in proptest::collection::vec(0usize..100, 0..12), which in 0usize..100) {
            let names: Vec<&FeatureName> = registry().features.keys().collect();
            let kept: BTreeSet<FeatureName> =
                picked.iter().flat_map(|index| registry().requires(names[index % names.len()])).collect();
            let hazards: Vec<_> = UpstreamData::embedded().hazards().collect();
            let hazard = hazards[which % hazards.len()];
            let Some(trial) = beside(hazard, registry(), &kept) else { return Ok(()) };
            for selection in [&trial.offending, &trial.remedied] {
                proptest::prop_assert!(selection.iter().all(|name| registry().requires(name).is_subset(selection)));
            }
            proptest::prop_assert!(trial.offending == kept || trial.remedied == kept);
        }
    }

    #[test]
    fn beside_a_selection_the_hazard_is_brought_about_or_remedied() {
        let of = |id: &str, kept: &[&str]| {
            let kept = kept.iter().map(|name| FeatureName::new(name).unwrap()).collect();
            let trial = beside(UpstreamData::embedded().hazard(id).unwrap(), registry(), &kept).unwrap();
            [trial.offending, trial.remedied]
                .map(|set| set.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(of("dns-netstack-quad100", &["dns", "gro", "netstack"]), ["dns", "dns gro netstack"]);
        assert_eq!(of("dns-netstack-quad100", &["dns"]), ["dns", "dns netstack"]);
        assert_eq!(of("cachenetmap-flash-wear", &["dns"]), ["cachenetmap dns", "dns"]);
    }

    #[test]
    fn a_sweep_holds_every_feature_from_both_sides_and_no_selection_twice() {
        let line = "//go:build linux && !ts_omit_acme && !ts_omit_synology && !ts_omit_no_such";
        let pairs = gated_pairs(registry(), [line].into_iter());
        assert_eq!(pairs.len(), 1);
        let sweep = sweep(registry(), &pairs);
        for name in registry().features.keys().filter(|name| name.is_omittable()) {
            assert!(sweep.values().any(|kept| !kept.contains(name)) && sweep.values().any(|kept| kept.contains(name)));
        }
        assert!(sweep.contains_key("all - acme - synology") && sweep.contains_key("min + acme + synology"));
        let distinct: BTreeSet<_> = sweep.values().collect();
        assert_eq!(distinct.len(), sweep.len());
        for kept in sweep.values() {
            assert!(kept.iter().all(|name| registry().requires(name).is_subset(kept)));
        }
    }
}
