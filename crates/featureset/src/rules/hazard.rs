//! Hazards: what is known to go wrong with these decisions on this device at this release.
//!
//! The code of a hazard's finding is the hazard's id. The rules `unknown-acceptance`, `unacceptable-hazard` and
//! `unneeded-acceptance` check the acceptances of hazards.

use std::collections::BTreeSet;

use super::context::Subject;
use crate::hazard::{Answer, Atom, Circumstances, Hazard, Remedy, START};
use crate::name::FeatureName;
use crate::policy::edit::Section;
use crate::policy::{Policy, Verdict};
use crate::registry::Registry;
use crate::release::Release;
use crate::selection::Selection;
use diagnostics::{Code, Diagnostic, Edit, Label, Location, Severity, Span};

/// A hazard that applies to a policy, or may apply.
#[derive(Debug, Clone)]
pub struct Applying<'a> {
    /// The hazard.
    pub hazard: &'a Hazard,
    /// The targets that it applies to.
    pub targets: BTreeSet<String>,
    /// The facts of the device that it depends on and that the policy does not state.
    pub unstated: BTreeSet<String>,
    /// The decisions to invert: those of its remedy that concern the part of its condition that is met.
    pub remedy: Vec<&'a Remedy>,
}

impl Applying<'_> {
    /// Returns whether it applies to a target for certain.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Returns the severity in a policy.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.hazard.severity(self.is_certain(), true)
    }
}

/// Returns the hazards that apply to a policy, or may apply, at its pinned release on its device, by id.
pub(crate) fn applying<'a>(subject: &Subject<'a>) -> Vec<Applying<'a>> {
    applying_to(subject, subject.policy)
}

/// Returns whether a hazard would apply if a kept feature were omitted.
pub(super) fn is_needed(subject: &Subject<'_>, name: &FeatureName) -> bool {
    let mut without = subject.policy.clone();
    if let Some(decision) = without.features.get_mut(name) {
        decision.verdict = Verdict::Omit;
    }
    let ids = |found: Vec<Applying<'_>>| found.into_iter().map(|one| one.hazard.id.clone()).collect::<BTreeSet<_>>();
    !ids(applying_to(subject, &without)).is_subset(&ids(applying(subject)))
}

fn applying_to<'a>(subject: &Subject<'a>, policy: &Policy) -> Vec<Applying<'a>> {
    let (Some(release), Some(registry)) = (policy.tailscale, subject.registry()) else { return Vec::new() };
    let selection = Selection::new(policy, registry);
    // An undecided feature is neither kept nor omitted.
    let decided = |name: &FeatureName| policy.features.contains_key(name);
    let omitted = selection.omitted.iter().filter(|name| decided(name)).cloned().collect();
    let mut found = Vec::new();
    for hazard in subject.facts.hazards().filter(|hazard| hazard.in_release(release)) {
        let mut one = Applying { hazard, targets: BTreeSet::new(), unstated: BTreeSet::new(), remedy: Vec::new() };
        for (name, target) in &policy.targets {
            let circumstances = Circumstances {
                release,
                kept: &selection.kept,
                omitted: &omitted,
                device: &policy.device.facts,
                os: "linux",
                goarch: target.platform.goarch,
            };
            match hazard.applies(&circumstances) {
                Answer::Yes => drop(one.targets.insert(name.clone())),
                Answer::Depends(facts) => one.unstated.extend(facts),
                Answer::No => continue,
            }
            for flip in hazard.remedies(&circumstances) {
                if !one.remedy.contains(&flip) {
                    one.remedy.push(flip);
                }
            }
        }
        if !one.targets.is_empty() || !one.unstated.is_empty() {
            found.push(one);
        }
    }
    found
}

/// Returns the findings of the hazards that apply and are not accepted.
pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let accepted =
        |hazard: &Hazard| subject.policy.accepted.contains_key(&hazard.id) && hazard.record.effect.can_be_accepted();
    applying(subject).iter().filter(|one| !accepted(one.hazard)).map(|one| finding(subject, one)).collect()
}

fn finding(subject: &Subject<'_>, one: &Applying<'_>) -> Diagnostic {
    let hazard = one.hazard;
    let mut labels = labels(subject, hazard);
    let place = if labels.is_empty() {
        Label::new(subject.places.key(&["features"]), "these decisions")
    } else {
        labels.remove(0)
    };
    Diagnostic {
        code: Code::Hazard(hazard.id.clone()),
        severity: one.severity(),
        message: message(subject, one),
        location: Location::Text(place),
        related: labels,
        why: why(subject.policy.tailscale, hazard).into(),
        next: next(subject, one).into(),
        effect: Some(hazard.record.effect.label()),
        edits: [remedy_edit(subject, one), acceptance_edit(subject, hazard)].into_iter().flatten().collect(),
    }
}

fn message(subject: &Subject<'_>, one: &Applying<'_>) -> String {
    let mut text = one.hazard.record.title.clone();
    if !one.is_certain() {
        text = format!("{text}, depending on {}", unstated(one));
    } else if let Some(fact) = &one.hazard.record.supposes {
        text = format!("{text}, if {fact}");
    }
    if one.is_certain() && one.targets.len() < subject.policy.targets.len() {
        let names: Vec<&str> = one.targets.iter().map(String::as_str).collect();
        text = format!("{text} (target {})", names.join(", "));
    }
    text
}

/// Returns labels of the decisions and facts that meet the condition, those of the remedy first.
fn labels(subject: &Subject<'_>, hazard: &Hazard) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    let mut atoms = hazard.record.when.atoms();
    atoms.sort_by_key(|atom| !hazard.record.remedy.iter().any(|flip| Some(flip.feature()) == atom.feature()));
    for atom in atoms {
        let (span, text) = match atom {
            Atom::Keep(name) if subject.policy.keeps(name) => {
                (subject.places.key(&["features", name.as_str(), "keep"]), format!("`{name}` is kept"))
            }
            Atom::Omit(name) if !subject.policy.keeps(name) => {
                (subject.places.key(&["features", name.as_str(), "omit"]), format!("`{name}` is omitted"))
            }
            Atom::Start(setting) if subject.places.has(&["device", START]) => {
                (subject.places.key(&["device", START]), format!("starts with `{setting}`"))
            }
            Atom::Device(fact, value) if subject.places.has(&["device", fact]) => {
                (subject.places.key(&["device", fact]), format!("{fact} is {value}"))
            }
            _ => continue,
        };
        if span.end > 0 && labels.iter().all(|label| label.span != span) {
            labels.push(Label::new(span, text));
        }
    }
    labels
}

/// Returns the explanation of a hazard: cause, symptom, releases and evidence.
pub(crate) fn why(release: Option<Release>, hazard: &Hazard) -> String {
    let record = &hazard.record;
    let symptom = record.symptom.as_ref().map(|symptom| format!(" Symptom: {symptom}.")).unwrap_or_default();
    let evidence: Vec<String> = record.evidence.iter().map(ToString::to_string).collect();
    let unchecked = release.filter(|release| hazard.is_unchecked(*release));
    let unchecked =
        unchecked.map(|release| format!(" It is not known whether {release} still has it.")).unwrap_or_default();
    let known = hazard.established().word();
    format!("{}{symptom} In {}; {known}: {}.{unchecked}", record.because.trim(), hazard.ranges(), evidence.join(", "))
}

/// Returns the remedy of a hazard as a sentence without a full stop: the decisions to change, with the dependencies of
/// each feature to keep.
pub(crate) fn remedy(one: &Applying<'_>, registry: Option<&Registry>, keeps: impl Fn(&FeatureName) -> bool) -> String {
    let open = one.remedy.iter().filter(|flip| keeps(flip.feature()) != (flip.verdict() == Verdict::Keep));
    let mut flips: Vec<String> = open.clone().map(ToString::to_string).collect();
    for flip in open.filter(|flip| flip.verdict() == Verdict::Keep) {
        let closure = registry.map(|registry| registry.requires(flip.feature())).unwrap_or_default();
        let along = closure.iter().filter(|name| *name != flip.feature() && !keeps(name));
        flips.extend(along.map(|name| format!("keep `{name}`, which `{}` needs", flip.feature())));
    }
    let flips = flips.join(" and ");
    format!("{}{}", flips[..1].to_uppercase(), &flips[1..])
}

fn next(subject: &Subject<'_>, one: &Applying<'_>) -> String {
    let mut alternatives = vec![remedy(one, subject.registry(), |name| subject.policy.keeps(name))];
    if !one.is_certain() {
        alternatives.push(format!("state {}", unstated(one)));
    }
    if one.severity() == Severity::Note {
        return format!("Nothing, if the reason of the decision covers it; otherwise: {}.", alternatives.join(", or "));
    }
    if !one.hazard.record.effect.can_be_accepted() {
        return format!("{}. It cannot be accepted.", alternatives.join(", or "));
    }
    alternatives.push(format!(
        "accept it under `accepted: {}:` with the reason why it is acceptable on this device",
        one.hazard.id
    ));
    format!("{}.", alternatives.join(", or "))
}

/// Returns the facts that it depends on and that the policy does not state.
fn unstated(one: &Applying<'_>) -> String {
    let facts: Vec<String> = one.unstated.iter().map(|fact| format!("`device.{fact}`")).collect();
    facts.join(" and ")
}

/// Returns the edit of a remedy that inverts one decision: it replaces the word before the reason.
fn remedy_edit(subject: &Subject<'_>, one: &Applying<'_>) -> Option<Edit> {
    let [flip] = &one.remedy[..] else { return None };
    let opposite = match flip.verdict() {
        Verdict::Keep => Verdict::Omit,
        Verdict::Omit => Verdict::Keep,
    };
    let span: Span = subject.places.key(&["features", flip.feature().as_str(), opposite.word()]);
    let title = format!("{flip}, and write why");
    (span.end > 0).then(|| Edit { title, span, replacement: flip.verdict().word().to_owned() })
}

/// Returns the edit that inserts an acceptance without a reason, if the hazard can be accepted.
fn acceptance_edit(subject: &Subject<'_>, hazard: &Hazard) -> Option<Edit> {
    if hazard.is_note() || !hazard.record.effect.can_be_accepted() {
        return None;
    }
    let body = "# Why is this acceptable on this device?";
    let (span, replacement) = if subject.places.has(&["accepted"]) {
        Section::find(subject.text, subject.places, "accepted")?.insertion(&hazard.id, body)
    } else {
        Section::before(subject.text, subject.places, "features", &format!("accepted:\n  {}: {body}\n", hazard.id))?
    };
    Some(Edit { title: format!("accept `{}`, and write why", hazard.id), span, replacement })
}
