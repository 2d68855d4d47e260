//! Hazards: what is known to go wrong with these decisions on this device at this release.
//!
//! The code of a hazard's finding is the hazard's id. The rules `unknown-acceptance`, `unacceptable-hazard` and
//! `unneeded-acceptance` check the acceptances of hazards.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Subject;
use crate::hazard::applying::{Applying, applying};
use crate::hazard::{Atom, BuildFacts, Circumstances, Hazard, START};
use crate::name::FeatureName;
use crate::platform::OS;
use crate::policy::edit::Section;
use crate::policy::{EffectivePolicy, Policy, Verdict};
use crate::registry::Registry;
use crate::release::Release;
use crate::selection::Selection;
use crate::upstream_data::UpstreamData;
use diagnostics::{Code, Diagnostic, Edit, Label, Location, Severity, Span};

/// The decided features of one target.
struct Decided<'a> {
    policy: EffectivePolicy<'a>,
    kept: BTreeSet<FeatureName>,
    omitted: BTreeSet<FeatureName>,
    facts: BTreeMap<String, String>,
}

impl<'a> Decided<'a> {
    /// Returns the decisions of a target on the features of a release. An undecided feature is neither kept nor omitted.
    fn new(policy: EffectivePolicy<'a>, registry: &Registry) -> Self {
        let decided = registry.features.keys().filter(|name| policy.decision(name).is_some()).cloned();
        let (kept, omitted) = decided.partition(|name| policy.keeps(name));
        Self { policy, kept, omitted, facts: policy.facts() }
    }

    fn circumstances(&self) -> Option<(&'a str, Circumstances<'_>)> {
        let circumstances = Circumstances {
            release: self.policy.policy().tailscale?,
            kept: &self.kept,
            omitted: &self.omitted,
            device: &self.facts,
            os: OS,
            goarch: self.policy.target()?.platform.goarch,
            build: build_facts(self.policy),
        };
        Some((self.policy.name()?, circumstances))
    }
}

/// Returns the facts of a target's build. `build-tailscale` packs and checks the packed program itself.
pub(crate) fn build_facts(policy: EffectivePolicy<'_>) -> BuildFacts {
    let platform = policy.target().map(|target| target.platform);
    BuildFacts { go: policy.policy().go, platform, ..BuildFacts::default() }
}

/// Returns the hazards that apply to the targets of a policy, or may apply, at its pinned release, by id.
pub(crate) fn policy_hazards<'a>(policy: &Policy, facts: &'a UpstreamData) -> Vec<Applying<'a>> {
    let Some(registry) = policy.tailscale.and_then(|release| facts.registry(release)) else { return Vec::new() };
    let targets: Vec<Decided<'_>> = policy.effective().map(|target| Decided::new(target, registry)).collect();
    let circumstances: Vec<_> = targets.iter().filter_map(Decided::circumstances).collect();
    applying(facts.hazards(), &circumstances)
}

/// Returns the hazards that would apply to a target, or may apply, if it had another selection.
#[must_use]
pub fn selection_hazards<'a>(
    target: EffectivePolicy<'_>,
    selection: &Selection<'_>,
    facts: &'a UpstreamData,
) -> Vec<Applying<'a>> {
    let (kept, omitted) = (selection.kept.clone(), selection.omitted.clone());
    let decided = Decided { policy: target, kept, omitted, facts: target.facts() };
    applying(facts.hazards(), decided.circumstances().as_slice())
}

/// Returns whether a hazard would apply to a target if a kept feature were omitted.
pub(super) fn is_needed(subject: &Subject<'_>, target: EffectivePolicy<'_>, name: &FeatureName) -> bool {
    let Some(registry) = subject.registry() else { return false };
    let ids = |decided: &Decided<'_>| {
        let found = applying(subject.facts.hazards(), decided.circumstances().as_slice());
        found.into_iter().map(|found| found.hazard.id.clone()).collect::<BTreeSet<_>>()
    };
    let mut decided = Decided::new(target, registry);
    let before = ids(&decided);
    if let Some(name) = decided.kept.take(name) {
        decided.omitted.insert(name);
    }
    !ids(&decided).is_subset(&before)
}

/// Returns the reason with which a target accepts a hazard: its own, or the common one if that covers the target.
#[must_use]
pub fn acceptance<'a>(target: EffectivePolicy<'a>, hazard: &Hazard) -> Option<&'a str> {
    if !hazard.record.effect.can_be_accepted() {
        return None;
    }
    let own = target.target().and_then(|target| target.accepted.get(&hazard.id));
    let common = || target.policy().accepted.get(&hazard.id).filter(|_| is_covered(target, hazard));
    own.or_else(common).map(String::as_str)
}

/// Returns whether a common acceptance covers a target. It was written for the common device and the common decisions, so it
/// does not cover a target that overrides any of those in the hazard's condition.
pub(super) fn is_covered(target: EffectivePolicy<'_>, hazard: &Hazard) -> bool {
    hazard.record.when.atoms().into_iter().all(|atom| match atom {
        Atom::Keep(name) | Atom::Omit(name) => !target.overrides(name),
        Atom::Device(..) | Atom::MemoryBelow(_) | Atom::Start(_) => !target.has_own_device(),
        Atom::Go(_) | Atom::Goarch(_) | Atom::Os(_) | Atom::Platform(_) | Atom::Program(_) | Atom::Upx(_) => true,
    })
}

/// Returns the findings of the hazards that apply and are not accepted.
pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = policy_hazards(subject.policy, subject.facts);
    for applying in &mut found {
        let is_open = |name: &String| {
            let target = subject.policy.for_target(name);
            target.is_some_and(|target| acceptance(target, applying.hazard).is_none())
        };
        applying.targets.retain(is_open);
        applying.possible.retain(is_open);
    }
    found.iter().filter_map(|applying| finding(subject, applying)).collect()
}

/// Returns the finding of a hazard; `None` if every target accepts it.
fn finding(subject: &Subject<'_>, applying: &Applying<'_>) -> Option<Diagnostic> {
    let hazard = applying.hazard;
    let names = if applying.targets.is_empty() { &applying.possible } else { &applying.targets };
    let targets: Vec<EffectivePolicy<'_>> = names.iter().filter_map(|name| subject.policy.for_target(name)).collect();
    let first = *targets.first()?;
    let mut labels: Vec<Label> = Vec::new();
    for label in targets.iter().flat_map(|target| labels_of(subject, *target, hazard)) {
        if labels.iter().all(|other| other.span != label.span) {
            labels.push(label);
        }
    }
    let place = if labels.is_empty() { fallback_label(subject, hazard) } else { labels.remove(0) };
    let finding = Diagnostic {
        code: Code::Hazard(hazard.id.clone()),
        severity: applying.severity(),
        message: message(applying),
        location: Location::Text(place),
        related: labels,
        why: why(subject.policy.tailscale, hazard).into(),
        next: next(subject, applying, first).into(),
        effect: Some(hazard.record.effect.label()),
        edits: [remedy_edit(subject, first, applying), acceptance_edit(subject, first, hazard)]
            .into_iter()
            .flatten()
            .collect(),
        targets: Vec::new(),
        grouping: None,
    };
    Some(subject.name_targets(finding, names.iter().map(String::as_str)))
}

fn message(applying: &Applying<'_>) -> String {
    let title = &applying.hazard.record.title;
    match &applying.hazard.record.supposes {
        _ if !applying.is_certain() => format!("{title}, depending on {}", unstated(applying)),
        Some(fact) => format!("{title}, if {fact}"),
        None => title.clone(),
    }
}

/// Returns labels of the decisions and facts that meet the condition, those of the remedy first.
fn labels_of(subject: &Subject<'_>, target: EffectivePolicy<'_>, hazard: &Hazard) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    let mut atoms = hazard.record.when.atoms();
    atoms.sort_by_key(|atom| !hazard.record.remedy.iter().any(|flip| Some(flip.feature()) == atom.feature()));
    for atom in atoms {
        let (span, text) = match atom {
            Atom::Keep(name) if target.keeps(name) => {
                (subject.places.key(&target.decision_path(name)), format!("`{name}` is kept"))
            }
            Atom::Omit(name) if !target.keeps(name) => {
                (subject.places.key(&target.decision_path(name)), format!("`{name}` is omitted"))
            }
            Atom::Start(setting) if subject.places.has(&target.fact_path(START)) => {
                (subject.places.key(&target.fact_path(START)), format!("starts with `{setting}`"))
            }
            Atom::Go(_) => (subject.places.value(&["go"]), "this version of Go".to_owned()),
            Atom::Device(fact, value) if subject.places.has(&target.fact_path(fact)) => {
                (subject.places.key(&target.fact_path(fact)), format!("{fact} is {value}"))
            }
            _ => continue,
        };
        if span.end > 0 && labels.iter().all(|label| label.span != span) {
            labels.push(Label::new(span, text));
        }
    }
    labels
}

/// Returns the label of a hazard whose condition has no span in the policy.
fn fallback_label(subject: &Subject<'_>, hazard: &Hazard) -> Label {
    if hazard.record.when.is_about_decisions() {
        Label::new(subject.places.key(&["features"]), "these decisions")
    } else {
        Label::new(subject.places.value(&["tailscale"]), "this release")
    }
}

/// Returns the explanation of a hazard: cause, symptom, releases and evidence.
pub(crate) fn why(release: Option<Release>, hazard: &Hazard) -> String {
    let record = &hazard.record;
    let symptom = record.symptom.as_ref().map(|symptom| format!(" Symptom: {symptom}.")).unwrap_or_default();
    let evidence: Vec<String> = record.evidence.iter().map(ToString::to_string).collect();
    let unchecked = release.filter(|release| hazard.is_unchecked(*release));
    let unchecked =
        unchecked.map(|release| format!(" It is not known whether {release} still has it.")).unwrap_or_default();
    let known = hazard.known_by();
    format!("{}{symptom} In {}; {known}: {}.{unchecked}", record.because.trim(), hazard.ranges(), evidence.join(", "))
}

/// Returns the changes that clear a hazard, each by itself: the decisions of its remedy, with the dependencies of each
/// feature to keep, and changes of release, toolchain or device.
pub(crate) fn changes(
    one: &Applying<'_>,
    release: Option<Release>,
    registry: Option<&Registry>,
    keeps: impl Fn(&FeatureName) -> bool,
) -> Vec<String> {
    let open = one.remedy.iter().filter(|flip| keeps(flip.feature()) != (flip.verdict() == Verdict::Keep));
    let mut flips: Vec<String> = open.clone().map(ToString::to_string).collect();
    for flip in open.filter(|flip| flip.verdict() == Verdict::Keep) {
        let closure = registry.map(|registry| registry.requires(flip.feature())).unwrap_or_default();
        let along = closure.iter().filter(|name| *name != flip.feature() && !keeps(name));
        flips.extend(along.map(|name| format!("keep `{name}`, which `{}` needs", flip.feature())));
    }
    let decisions = (!flips.is_empty()).then(|| flips.join(" and "));
    let fixes = one.hazard.record.fixes.iter().filter(|fix| release.is_none_or(|release| fix.is_ahead_of(release)));
    decisions.into_iter().chain(fixes.map(ToString::to_string)).collect()
}

/// Returns alternatives as a sentence without a full stop.
pub(crate) fn sentence(alternatives: &[String]) -> String {
    let text = alternatives.join(", or ");
    let first = text.chars().next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", text.chars().skip(1).collect::<String>())
}

fn next(subject: &Subject<'_>, applying: &Applying<'_>, target: EffectivePolicy<'_>) -> String {
    let mut alternatives = changes(applying, subject.policy.tailscale, subject.registry(), |name| target.keeps(name));
    if !applying.is_certain() {
        alternatives.push(format!("state {}", unstated(applying)));
    }
    if applying.severity() == Severity::Note {
        return format!("Nothing, if the reason of the decision covers it; otherwise: {}.", sentence(&alternatives));
    }
    if !applying.hazard.record.effect.can_be_accepted() {
        return format!("{}. It cannot be accepted.", sentence(&alternatives));
    }
    let section = match target.name().filter(|_| !is_covered(target, applying.hazard)) {
        Some(name) => format!("targets: {name}: accepted:"),
        None => "accepted:".to_owned(),
    };
    alternatives.push(format!(
        "accept it under `{section} {}:` with the reason why it is acceptable on this device",
        applying.hazard.id
    ));
    format!("{}.", sentence(&alternatives))
}

/// Returns the facts that it depends on and that the policy does not state.
fn unstated(applying: &Applying<'_>) -> String {
    let facts: Vec<String> = applying.unstated.iter().map(|fact| format!("`device.{fact}`")).collect();
    facts.join(" and ")
}

/// Returns the edit of a remedy that inverts one decision: it replaces the word before the reason.
fn remedy_edit(subject: &Subject<'_>, target: EffectivePolicy<'_>, applying: &Applying<'_>) -> Option<Edit> {
    let [flip] = &applying.remedy[..] else { return None };
    let span: Span = subject.places.key(&target.decision_path(flip.feature()));
    let title = format!("{flip}, and write why");
    let is_open = target.keeps(flip.feature()) != (flip.verdict() == Verdict::Keep);
    (span.end > 0 && is_open).then(|| Edit { title, span, replacement: flip.verdict().word().to_owned() })
}

/// Returns the edit that inserts a common acceptance without a reason, if the hazard can be accepted that way.
fn acceptance_edit(subject: &Subject<'_>, target: EffectivePolicy<'_>, hazard: &Hazard) -> Option<Edit> {
    if hazard.is_note() || !hazard.record.effect.can_be_accepted() || !is_covered(target, hazard) {
        return None;
    }
    let body = "# Why is this acceptable on this device?";
    let (span, replacement) = if subject.places.has(&["accepted"]) {
        Section::find(subject.text, subject.places, &["accepted"])?.insertion(&hazard.id, body)
    } else {
        Section::before(subject.text, subject.places, "features", &format!("accepted:\n  {}: {body}\n", hazard.id))?
    };
    Some(Edit { title: format!("accept `{}`, and write why", hazard.id), span, replacement })
}
