//! Everything that is known of one feature, as a value that can be printed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::hazard::{Atom, Effect};
use crate::name::{FeatureName, nearest};
use crate::policy::EffectivePolicy;
use crate::registry::Registry;
use crate::release::{Release, ReleaseLine};
use crate::run_time::{self, Disabled};
use crate::selection::Selection;
use crate::upstream_data::UpstreamData;

/// One feature, explained against a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Its name.
    pub feature: FeatureName,
    /// The release that the policy pins.
    pub release: Release,
    /// Whether that release has the feature.
    pub in_release: bool,
    /// The build tag that carries the decision.
    pub build_tag: String,
    /// The constant of upstream's `buildfeatures` package that says whether it is in, without its `Has`.
    pub symbol: Option<String>,
    /// `keep` or `omit`; `None` if the policy does not decide it.
    pub decision: Option<&'static str>,
    /// The policy's reason.
    pub reason: Option<String>,
    /// The policy's references.
    pub refs: Vec<String>,
    /// The effect of `TS_DISABLE_FEATURE` in the device's start command on it, if it is kept and named there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
    /// The decisions of targets that replace the common one. Empty if one target is explained.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// The first release line that has it, of those known.
    pub since: ReleaseLine,
    /// The release line that removed it, if one did.
    pub removed_in: Option<ReleaseLine>,
    /// Whether upstream calls it an implementation detail.
    pub implementation_detail: bool,
    /// Features that it needs, directly or not.
    pub needs: Vec<Relation>,
    /// Features that need it, directly or not.
    pub needed_by: Vec<Relation>,
    /// Needs that upstream does not declare: hazards that keeping the other feature clears.
    pub needs_undeclared: Vec<Undeclared>,
    /// Features that need it although upstream does not declare it.
    pub needed_by_undeclared: Vec<Undeclared>,
    /// Every hazard that its decision concerns, in any release.
    pub hazards: Vec<Danger>,
    /// Decisions that the opposite decision forces.
    pub opposite: OppositeDecision,
}

/// The decision of a target that replaces the common one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Override {
    /// The target.
    pub target: String,
    /// `keep` or `omit`.
    pub decision: &'static str,
    /// The target's reason.
    pub reason: String,
}

/// A need that upstream does not declare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undeclared {
    /// The feature on the other end.
    pub feature: FeatureName,
    /// Whether the policy keeps it.
    pub kept: bool,
    /// The hazard of keeping only one of the two.
    pub hazard: String,
    /// The effect.
    pub title: String,
}

/// A hazard in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Danger {
    /// Its id.
    pub hazard: String,
    /// How bad it is.
    pub effect: Effect,
    /// The effect.
    pub title: String,
    /// When.
    pub when: String,
    /// The releases that have it.
    pub releases: String,
    /// Whether the policy's release has it.
    pub in_release: bool,
}

/// A feature on the other end of a dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Relation {
    /// Its name.
    pub feature: FeatureName,
    /// Whether the dependency is declared between the two, without another feature in between.
    pub direct: bool,
    /// Whether the policy keeps it.
    pub kept: bool,
    /// Whether the policy decides it.
    pub decided: bool,
}

impl Relation {
    /// Returns the decision as a participle.
    #[must_use]
    pub fn decision(&self) -> &'static str {
        match (self.decided, self.kept) {
            (false, _) => "undecided",
            (true, true) => "kept",
            (true, false) => "omitted",
        }
    }
}

/// The opposite decision and the decisions that it forces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OppositeDecision {
    /// The decision after the flip.
    pub to: &'static str,
    /// The features whose decision must be flipped too.
    pub along: Vec<FeatureName>,
}

/// A name that no known release has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    /// The nearest feature or hazard that is known, if one is near.
    pub nearest: Option<String>,
}

/// Explains a feature of the policy's release, or of another known line: as a target has it, or as the common section has it,
/// with the overrides of targets.
///
/// # Errors
/// [`UnknownName`] if no known release has a feature of this name.
pub fn explain(
    name: &str,
    policy: EffectivePolicy<'_>,
    release: Release,
    facts: &UpstreamData,
) -> Result<Explanation, UnknownName> {
    let known = FeatureName::new(name).ok().and_then(|feature| facts.lines_with(&feature).map(|span| (feature, span)));
    let Some((feature, (since, _))) = known else {
        let features = facts.registries().flat_map(|registry| registry.features.keys()).map(FeatureName::as_str);
        let hazards = facts.hazards().map(|hazard| hazard.id.as_str());
        return Err(UnknownName { nearest: nearest(name, features.chain(hazards)).map(str::to_owned) });
    };
    let pinned = facts.registry(release).filter(|registry| registry.features.contains_key(&feature));
    // A feature that the pinned line lacks is shown as the last line that has it declares it.
    let last = || facts.registries().rev().find(|registry| registry.features.contains_key(&feature));
    let Some(registry) = pinned.or_else(last) else { return Err(UnknownName { nearest: None }) };
    let selection = Selection::new(policy, registry);
    let meta = registry.features.get(&feature);
    let decision = policy.decision(&feature);
    Ok(Explanation {
        release,
        in_release: pinned.is_some(),
        build_tag: feature.build_tag(),
        symbol: meta.map(|meta| meta.symbol.clone()),
        decision: decision.map(|decision| decision.verdict.word()),
        reason: decision.map(|decision| decision.reason.clone()),
        refs: decision.map(|decision| decision.refs.clone()).unwrap_or_default(),
        disabled: run_time::disabled(policy, release, &feature),
        overrides: overrides(policy, &feature),
        since,
        removed_in: facts.removed_in(&feature),
        implementation_detail: meta.is_some_and(|meta| meta.implementation_detail),
        needs: relations(registry, policy, &selection, &feature, Direction::Needs),
        needed_by: relations(registry, policy, &selection, &feature, Direction::NeededBy),
        needs_undeclared: undeclared(
            facts,
            release,
            &policy.facts(),
            |keeps, wants| (keeps == &feature).then(|| wants.clone()),
            &selection,
        ),
        needed_by_undeclared: undeclared(
            facts,
            release,
            &policy.facts(),
            |keeps, wants| (wants == &feature).then(|| keeps.clone()),
            &selection,
        ),
        hazards: dangers(facts, release, &feature),
        opposite: OppositeDecision {
            to: if selection.kept.contains(&feature) { "omit" } else { "keep" },
            along: selection.forced_by_inverting(&feature).into_iter().collect(),
        },
        feature,
    })
}

/// Returns the overrides of a feature's common decision; none if the policy is that of one target.
fn overrides(policy: EffectivePolicy<'_>, name: &FeatureName) -> Vec<Override> {
    let targets = policy.policy().targets.iter().filter(|_| policy.name().is_none());
    let own = targets.filter_map(|(target, own)| Some((target, own.features.get(name)?)));
    own.map(|(target, decision)| Override {
        target: target.clone(),
        decision: decision.verdict.word(),
        reason: decision.reason.clone(),
    })
    .collect()
}

/// The needs that hazards of the release show, of which `other` picks one end.
fn undeclared(
    facts: &UpstreamData,
    release: Release,
    device: &BTreeMap<String, String>,
    other: impl Fn(&FeatureName, &FeatureName) -> Option<FeatureName>,
    selection: &Selection<'_>,
) -> Vec<Undeclared> {
    let mut found: Vec<Undeclared> = Vec::new();
    for hazard in facts.hazards().filter(|hazard| hazard.in_release(release)) {
        // A hazard of another device or system is not a need on this one.
        let elsewhere = |atom: &&Atom| match atom {
            Atom::Device(fact, value) => device.get(fact).is_some_and(|stated| stated != value),
            Atom::Os(os) => os != "linux",
            _ => false,
        };
        if hazard.record.when.atoms().iter().any(elsewhere) {
            continue;
        }
        let ends = hazard.record.needs.iter().filter_map(|(user, need)| other(user, need));
        found.extend(ends.map(|feature| Undeclared {
            kept: selection.kept.contains(&feature),
            feature,
            hazard: hazard.id.clone(),
            title: hazard.record.title.clone(),
        }));
    }
    found.sort_by(|a, b| a.feature.cmp(&b.feature));
    found
}

fn dangers(facts: &UpstreamData, release: Release, name: &FeatureName) -> Vec<Danger> {
    let about =
        facts.hazards().filter(|hazard| hazard.record.when.atoms().iter().any(|atom| atom.feature() == Some(name)));
    about
        .map(|hazard| Danger {
            hazard: hazard.id.clone(),
            effect: hazard.record.effect,
            title: hazard.record.title.clone(),
            when: hazard.record.when.to_string(),
            releases: hazard.ranges(),
            in_release: hazard.in_release(release),
        })
        .collect()
}

#[derive(Clone, Copy)]
enum Direction {
    Needs,
    NeededBy,
}

fn relations(
    registry: &Registry,
    policy: EffectivePolicy<'_>,
    selection: &Selection<'_>,
    name: &FeatureName,
    direction: Direction,
) -> Vec<Relation> {
    let declares = |user: &FeatureName, need: &FeatureName| {
        registry.features.get(user).is_some_and(|meta| meta.needs.contains(need))
    };
    let (closure, direct): (_, &dyn Fn(&FeatureName) -> bool) = match direction {
        Direction::Needs => (registry.requires(name), &|other| declares(name, other)),
        Direction::NeededBy => (registry.required_by(name), &|other| declares(other, name)),
    };
    let others = closure.into_iter().filter(|other| other != name);
    others
        .map(|other| Relation {
            direct: direct(&other),
            kept: selection.kept.contains(&other),
            decided: policy.decision(&other).is_some(),
            feature: other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::read;
    use crate::rules::tests::clean_policy;

    fn explained(name: &str) -> Result<Explanation, UnknownName> {
        let policy = read(&clean_policy()).policy.unwrap();
        explain(name, policy.common(), policy.tailscale.unwrap(), UpstreamData::embedded())
    }

    #[test]
    fn dependencies_are_followed_and_the_direct_ones_told_apart() {
        let explanation = explained("advertiseexitnode").unwrap();
        let needs: Vec<(&str, bool)> =
            explanation.needs.iter().map(|need| (need.feature.as_str(), need.direct)).collect();
        assert_eq!(needs, [("advertiseroutes", true), ("c2n", false), ("peerapiserver", true)]);
        assert_eq!((explanation.opposite.to, explanation.opposite.along.len()), ("keep", 3));
    }

    #[test]
    fn undeclared_needs_are_seen_from_both_ends() {
        let ends = |found: &[Undeclared]| found.iter().map(|one| one.feature.to_string()).collect::<Vec<_>>();
        assert_eq!(ends(&explained("dns").unwrap().needs_undeclared), ["netstack"]);
        assert!(ends(&explained("netstack").unwrap().needed_by_undeclared).contains(&"dns".to_owned()));
        let cli = ends(&explained("cli").unwrap().needs_undeclared);
        assert_eq!(ends(&explained("acme").unwrap().needs_undeclared), ["serve"]);
        assert!(ends(&explained("wakeonlan").unwrap().needs_undeclared).is_empty(), "one of two is enough for it");
        assert!(["ipnbus", "unixsocketidentity"].iter().all(|name| cli.contains(&(*name).to_owned())), "{cli:?}");
    }

    #[test]
    fn a_removed_feature_is_still_explained() {
        let explanation = explained("lazywg").unwrap();
        assert!(!explanation.in_release);
        assert_eq!(explanation.removed_in.unwrap().to_string(), "1.98");
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        assert_eq!(explained("cachenetmaps").unwrap_err().nearest.unwrap(), "cachenetmap");
        assert_eq!(explained("quic, please").unwrap_err().nearest, None);
    }
}
