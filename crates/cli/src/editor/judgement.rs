//! The consequences of decisions: sizes, hazards, forced decisions, findings.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use diagnostics::{Lines, Severity, Span};
use featureset::cost::estimate::{self, target_sizes};
use featureset::group::{Group, grouped};
use featureset::hazard::applying::Applying;
use featureset::hazard::{Atom, Effect};
use featureset::name::FeatureName;
use featureset::platform::Platform;
use featureset::policy::{Build, EffectivePolicy, ParsedPolicy, Policy, Verdict, read};
use featureset::registry::Registry;
use featureset::rules::{self, acceptance};
use featureset::selection::Selection;
use featureset::upstream_data::UpstreamData;

/// The inputs that do not change while the editor runs.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    /// The path of the policy, as it is displayed.
    pub(crate) path: String,
    /// The name of the program in next steps.
    pub(crate) program: String,
    /// The known data of upstream.
    pub(crate) facts: Cow<'static, UpstreamData>,
    /// Upstream's descriptions; `None` if the module is not downloaded.
    pub(crate) descriptions: Option<BTreeMap<FeatureName, String>>,
    /// The revision to compare with, and the policy there.
    pub(crate) base: Option<(String, Policy)>,
}

/// The consequences of the decisions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judgement {
    /// The features of the release and of the policy, in groups.
    pub(crate) groups: Vec<Group>,
    /// The targets with their sizes, by name.
    pub(crate) targets: Vec<TargetSize>,
    /// The hazards that apply or may apply, without notes.
    pub(crate) hazards: Vec<HazardState>,
    /// The findings, without notes.
    pub(crate) findings: Vec<Finding>,
}

/// The estimated size of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetSize {
    pub(crate) name: String,
    /// In bytes; `None` if it can't be estimated.
    pub(crate) size: Option<u64>,
    /// In bytes.
    pub(crate) budget: Option<u64>,
}

/// How bad a hazard is for the targets that it concerns, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Error,
    Warning,
    /// Every target accepts it.
    Accepted,
}

impl Rank {
    /// Returns the sign in lists.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Error => "!",
            Self::Warning => "?",
            Self::Accepted => "ok",
        }
    }

    /// Returns the rank as a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Accepted => "accepted",
        }
    }
}

/// A hazard that applies or may apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HazardState {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) effect: Effect,
    pub(crate) rank: Rank,
    /// The concerned targets.
    pub(crate) targets: BTreeSet<String>,
    /// The facts of the device on which it depends.
    pub(crate) unstated: BTreeSet<String>,
    /// The features whose decisions meet its condition.
    pub(crate) features: BTreeSet<FeatureName>,
}

/// A finding in the words of `check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) code: String,
    pub(crate) line: usize,
    pub(crate) message: String,
    pub(crate) next: String,
    /// The features whose entries it is about.
    pub(crate) features: BTreeSet<FeatureName>,
}

/// One feature in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The decision in the displayed section.
    pub(crate) verdict: Option<Verdict>,
    /// The effect of the feature on the size of the displayed target, in bytes.
    pub(crate) size: Option<i64>,
    /// The worst hazard and the number of hazards that its decision is part of.
    pub(crate) hazards: Option<(Rank, usize)>,
    /// The decisions because of which it can't be decided otherwise.
    pub(crate) forced_by: BTreeSet<FeatureName>,
    /// Whether the decision differs from the revision to compare with.
    pub(crate) is_changed_since_base: bool,
}

impl Sources {
    /// Returns the registry of the pinned release, or of the newest one if the policy pins no known release.
    pub(crate) fn registry(&self, policy: &Policy) -> Option<&Registry> {
        let pinned = policy.tailscale.and_then(|release| self.facts.registry(release));
        pinned.or_else(|| self.facts.registries().next_back())
    }
}

/// Returns the policy of a target, or the common one.
pub(crate) fn effective<'a>(policy: &'a Policy, target: Option<&str>) -> EffectivePolicy<'a> {
    target.and_then(|name| policy.for_target(name)).unwrap_or_else(|| policy.common())
}

impl Judgement {
    /// Judges the text of a policy, with its findings.
    pub(crate) fn new(text: &str, sources: &Sources) -> Self {
        let reading = read(text);
        let mut judgement = reading.policy.as_ref().map(|policy| Self::of_policy(policy, sources)).unwrap_or_default();
        let lines = Lines::new(text);
        let entries = entries(&reading, &judgement);
        let findings = rules::judge(text, &reading, &sources.facts);
        for finding in findings.iter().filter(|finding| finding.severity != Severity::Note) {
            let start = finding.span().start;
            let is_about = |name: &FeatureName, span: Span| {
                (span.start..span.end).contains(&start) || finding.message.contains(&format!("`{name}`"))
            };
            let next = finding.next.render(&sources.program);
            // The label of an unreadable text is the only explanation.
            let label = finding.label().filter(|_| next.is_empty()).map(|label| label.text.clone());
            let features = entries.iter().filter(|(name, span)| is_about(name, *span)).map(|(name, _)| name.clone());
            judgement.findings.push(Finding {
                severity: finding.severity,
                code: finding.code.as_str().to_owned(),
                line: lines.position(start).0,
                message: finding.message.clone(),
                next: label.unwrap_or(next),
                features: features.collect(),
            });
        }
        judgement
    }

    /// Judges decisions that no text contains: without findings.
    pub(crate) fn of_policy(policy: &Policy, sources: &Sources) -> Self {
        let registry = sources.registry(policy);
        let known = registry.into_iter().flat_map(|registry| registry.features.keys());
        let names: BTreeSet<&FeatureName> = known.chain(policy.features.keys()).collect();
        let sizes = registry.map(|registry| target_sizes(policy, registry)).unwrap_or_default();
        let targets = policy.targets.iter().map(|(name, target)| TargetSize {
            name: name.clone(),
            size: sizes.get(name).map(|size| size.bytes),
            budget: target.budget,
        });
        let hazards = rules::hazards(policy, &sources.facts);
        Self {
            groups: grouped(names),
            targets: targets.collect(),
            hazards: hazards.iter().filter_map(|applying| hazard_state(policy, applying)).collect(),
            findings: Vec::new(),
        }
    }

    /// Returns the features of the list in their order.
    pub(crate) fn features(&self) -> impl Iterator<Item = &FeatureName> {
        self.groups.iter().flat_map(|group| &group.features)
    }

    /// Returns the hazards that a decision is part of, of a target or of all, worst first.
    pub(crate) fn hazards_of(&self, name: &FeatureName, target: Option<&str>) -> Vec<&HazardState> {
        let concerns = |hazard: &&HazardState| {
            hazard.features.contains(name) && target.is_none_or(|target| hazard.targets.contains(target))
        };
        let mut found: Vec<&HazardState> = self.hazards.iter().filter(concerns).collect();
        found.sort_by_key(|hazard| hazard.rank);
        found
    }

    /// Returns the rows of the list as a target has them, or the common section.
    pub(crate) fn rows(&self, policy: &Policy, target: Option<&str>, sources: &Sources) -> BTreeMap<FeatureName, Row> {
        let effective_policy = effective(policy, target);
        let selection = sources.registry(policy).map(|registry| Selection::new(effective_policy, registry));
        let place = platform_and_build(policy, target);
        let row = |name: &FeatureName| {
            let hazards = self.hazards_of(name, target);
            let verdict = effective_policy.decision(name).map(|decision| decision.verdict);
            let base = sources.base.as_ref().map(|(_, base)| effective(base, target).decision(name));
            Row {
                verdict,
                size: place.as_ref().and_then(|(platform, build)| estimate::feature(platform, build, name)),
                hazards: hazards.first().map(|worst| (worst.rank, hazards.len())),
                forced_by: selection.as_ref().map(|selection| selection.forced_by_inverting(name)).unwrap_or_default(),
                is_changed_since_base: base.is_some_and(|base| base.map(|decision| decision.verdict) != verdict),
            }
        };
        self.features().map(|name| (name.clone(), row(name))).collect()
    }
}

/// Returns the features of the list, each with the span of its entry in the common section and in those of targets.
fn entries(reading: &ParsedPolicy, judgement: &Judgement) -> Vec<(FeatureName, Span)> {
    let targets = judgement.targets.iter().map(|target| vec!["targets", target.name.as_str(), "features"]);
    let sections: Vec<Vec<&str>> = [vec!["features"]].into_iter().chain(targets).collect();
    let span = |section: &Vec<&str>, name: &FeatureName| {
        let path = [&section[..], &[name.as_str()]].concat();
        let (key, value) = (reading.places.key(&path), reading.places.value(&path));
        Span { start: key.start, end: value.end.max(key.end) }
    };
    let names: Vec<&FeatureName> = judgement.features().collect();
    let spans = names.into_iter().flat_map(|name| sections.iter().map(|section| (name.clone(), span(section, name))));
    spans.collect()
}

/// Returns the platform and the build settings whose sizes are displayed: of the target, else of the first one.
fn platform_and_build(policy: &Policy, target: Option<&str>) -> Option<(&'static Platform, Build)> {
    let target = match target {
        Some(name) => policy.targets.get(name),
        None => policy.targets.values().next(),
    };
    target.map(|target| (target.platform, target.build.clone())).or_else(estimate::usual_target)
}

/// Returns the state of a hazard; `None` for a note.
fn hazard_state(policy: &Policy, applying: &Applying<'_>) -> Option<HazardState> {
    let concerned = applying.concerned();
    let targets: Vec<EffectivePolicy<'_>> = concerned.iter().filter_map(|name| policy.for_target(name)).collect();
    let is_accepted =
        !targets.is_empty() && targets.iter().all(|target| acceptance(*target, applying.hazard).is_some());
    let rank = match applying.severity() {
        Severity::Note => return None,
        _ if is_accepted => Rank::Accepted,
        Severity::Error => Rank::Error,
        Severity::Warning => Rank::Warning,
    };
    let record = &applying.hazard.record;
    let meets = |atom: &&Atom| match atom {
        Atom::Keep(name) => targets.iter().any(|target| target.keeps(name)),
        Atom::Omit(name) => targets.iter().any(|target| !target.keeps(name)),
        _ => false,
    };
    let atoms = record.when.atoms();
    let features = atoms.iter().filter(|atom| meets(atom)).filter_map(|atom| atom.feature().cloned());
    Some(HazardState {
        id: applying.hazard.id.clone(),
        title: record.title.clone(),
        effect: record.effect,
        rank,
        targets: concerned.into_iter().map(str::to_owned).collect(),
        unstated: applying.unstated.clone(),
        features: features.collect(),
    })
}
