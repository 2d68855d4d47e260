//! Hazards: what is known to go wrong with these decisions on this device at this release.
//!
//! A hazard's finding has the hazard's id as its code. Beside it, three rules keep the policy's acceptances true.

use std::collections::BTreeSet;

use super::{Example, Rule, Subject};
use crate::finding::{Edit, Finding, Label, Severity, Span};
use crate::hazard::{Answer, Atom, Circumstances, Hazard};
use crate::limits::SUGGESTIONS;
use crate::name::{FeatureName, nearest};
use crate::policy::{Policy, Verdict};
use crate::registry::Registry;
use crate::release::Release;
use crate::selection::Selection;

/// What an acceptance must not be: for a binary that can't exist or can't start.
pub(super) static UNACCEPTABLE: Rule = Rule {
    code: "unacceptable-hazard",
    severity: Severity::Error,
    summary: "A hazard is accepted that can't be lived with.",
    why: "A binary that does not compile or does not start is no binary.",
    example: Some(Example { from: "accepted:\n", to: "accepted:\n  osrouter-tun: We start it some other way.\n" }),
    check: Some(unacceptable),
};

/// What an acceptance must name.
pub(super) static UNKNOWN: Rule = Rule {
    code: "unknown-acceptance",
    severity: Severity::Error,
    summary: "An acceptance names no known hazard.",
    why: "It would look as if something were lived with, and accept nothing.",
    example: Some(Example { from: "accepted:\n", to: "accepted:\n  dns-is-slow: We are patient.\n" }),
    check: Some(unknown),
};

/// What an acceptance must still be needed for.
pub(super) static NEEDLESS: Rule = Rule {
    code: "needless-acceptance",
    severity: Severity::Warning,
    summary: "An acceptance is no longer needed: its hazard does not apply.",
    why: "When the hazard comes back, it would be accepted without anyone having decided so.",
    example: Some(Example { from: "accepted:\n", to: "accepted:\n  cachenetmap-flash-wear: The flash is large.\n" }),
    check: Some(needless),
};

/// A hazard that applies to a policy, or may.
#[derive(Debug, Clone)]
pub struct Applying<'a> {
    /// The hazard.
    pub hazard: &'a Hazard,
    /// The targets that it applies to.
    pub targets: BTreeSet<String>,
    /// The facts of the device that it depends on and that the policy does not state.
    pub unstated: BTreeSet<String>,
}

/// The hazards that apply to a policy at its pinned release on its device, by id.
pub(crate) fn applying<'a>(subject: &Subject<'a>) -> Vec<Applying<'a>> {
    applying_to(subject, subject.policy)
}

/// Whether omitting a kept feature would bring a hazard.
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
    let selection = Selection::of(policy, registry);
    // An undecided feature is neither kept nor omitted.
    let decided = |name: &FeatureName| policy.features.contains_key(name);
    let omitted = selection.omitted.iter().filter(|name| decided(name)).cloned().collect();
    let mut found = Vec::new();
    for hazard in subject.facts.hazards().filter(|hazard| hazard.in_release(release)) {
        let mut one = Applying { hazard, targets: BTreeSet::new(), unstated: BTreeSet::new() };
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
                Answer::No => {}
            }
        }
        if !one.targets.is_empty() || !one.unstated.is_empty() {
            found.push(one);
        }
    }
    found
}

/// The findings of the hazards that apply and are not accepted.
pub(super) fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let accepted =
        |hazard: &Hazard| subject.policy.accepted.contains_key(&hazard.id) && hazard.record.effect.can_be_accepted();
    applying(subject).iter().filter(|one| !accepted(one.hazard)).map(|one| finding(subject, one)).collect()
}

fn finding(subject: &Subject<'_>, one: &Applying<'_>) -> Finding {
    let hazard = one.hazard;
    let severity = match (one.targets.is_empty(), hazard.is_note()) {
        (_, true) => Severity::Note,
        (true, false) => Severity::Warning,
        (false, false) => Severity::Error,
    };
    let mut labels = labels(subject, hazard);
    let place = if labels.is_empty() {
        Label::new(subject.places.key(&["features"]), "these decisions")
    } else {
        labels.remove(0)
    };
    Finding {
        code: hazard.id.clone().into(),
        severity,
        message: message(subject, one),
        place,
        related: labels,
        why: why(subject.policy.tailscale, hazard),
        next: next(subject, one),
        edit: edit(subject, hazard),
    }
}

fn message(subject: &Subject<'_>, one: &Applying<'_>) -> String {
    let mut text = one.hazard.record.title.clone();
    if one.targets.is_empty() {
        let facts: Vec<String> = one.unstated.iter().map(|fact| format!("`device.{fact}`")).collect();
        text = format!("{text}, depending on {}", facts.join(" and "));
    } else if one.targets.len() < subject.policy.targets.len() {
        let names: Vec<&str> = one.targets.iter().map(String::as_str).collect();
        text = format!("{text} (target {})", names.join(", "));
    }
    text
}

/// The places of the decisions and facts that meet the condition, those of the remedy first.
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

/// Why a hazard goes wrong, how that is seen, in which releases, and how it is known.
pub(crate) fn why(release: Option<Release>, hazard: &Hazard) -> String {
    let record = &hazard.record;
    let symptom = record.symptom.as_ref().map(|symptom| format!(" Seen as: {symptom}.")).unwrap_or_default();
    let evidence: Vec<String> = record.evidence.iter().map(ToString::to_string).collect();
    let unchecked = release.filter(|release| hazard.is_unchecked(*release));
    let unchecked =
        unchecked.map(|release| format!(" Whether {release} still has it was not looked at.")).unwrap_or_default();
    let known = hazard.established().word();
    format!("{}{symptom} In {}; {known}: {}.{unchecked}", record.because.trim(), hazard.ranges(), evidence.join(", "))
}

/// What clears a hazard, as a sentence without its end: only what changes something, and with a feature what it needs.
pub(crate) fn remedy(hazard: &Hazard, registry: Option<&Registry>, keeps: impl Fn(&FeatureName) -> bool) -> String {
    let open = hazard.record.remedy.iter().filter(|flip| keeps(flip.feature()) != (flip.verdict() == Verdict::Keep));
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
    let mut ways = vec![remedy(one.hazard, subject.registry(), |name| subject.policy.keeps(name))];
    if one.targets.is_empty() {
        let facts: Vec<String> = one.unstated.iter().map(|fact| format!("`device.{fact}`")).collect();
        ways.push(format!("state {}", facts.join(" and ")));
    }
    if one.hazard.record.effect.can_be_accepted() {
        ways.push(format!(
            "accept it under `accepted: {}:` with the reason why this device lives with it",
            one.hazard.id
        ));
    }
    format!("{}.", ways.join(", or "))
}

/// The edit of a remedy that is one flip: the word before the reason.
fn edit(subject: &Subject<'_>, hazard: &Hazard) -> Option<Edit> {
    let [flip] = &hazard.record.remedy[..] else { return None };
    let opposite = match flip.verdict() {
        Verdict::Keep => Verdict::Omit,
        Verdict::Omit => Verdict::Keep,
    };
    let span: Span = subject.places.key(&["features", flip.feature().as_str(), opposite.word()]);
    let title = format!("{flip}, and say why");
    (span.end > 0).then(|| Edit { title, span, replacement: flip.verdict().word().to_owned() })
}

fn unknown(subject: &Subject<'_>) -> Vec<Finding> {
    let known = |id: &str| subject.facts.hazard(id).is_some();
    let strangers = subject.policy.accepted.keys().filter(|id| !known(id));
    strangers
        .enumerate()
        .map(|(index, id)| {
            let hazards = subject.facts.hazards().map(|hazard| hazard.id.as_str());
            let near = if index < SUGGESTIONS { nearest(id, hazards) } else { None };
            let next = near.map_or_else(
                || "Delete it; docs/hazards.md lists every hazard; `docs` writes it.".to_owned(),
                |near| format!("Did you mean `{near}`?"),
            );
            let place = Label::new(subject.places.key(&["accepted", id]), "no such hazard");
            UNKNOWN.finding(format!("`{id}` is not a known hazard"), place, next)
        })
        .collect()
}

fn unacceptable(subject: &Subject<'_>) -> Vec<Finding> {
    let named = subject.policy.accepted.keys().filter_map(|id| subject.facts.hazard(id));
    named
        .filter(|hazard| !hazard.record.effect.can_be_accepted())
        .map(|hazard| {
            let place = Label::new(subject.places.key(&["accepted", &hazard.id]), hazard.record.effect.word());
            let message = format!("`{}` can't be accepted", hazard.id);
            UNACCEPTABLE.finding(message, place, format!("Delete it; `explain {}` shows the way out.", hazard.id))
        })
        .collect()
}

fn needless(subject: &Subject<'_>) -> Vec<Finding> {
    if subject.registry().is_none() || subject.policy.accepted.is_empty() {
        return Vec::new();
    }
    let applying: BTreeSet<&str> =
        applying(subject).iter().filter(|one| !one.hazard.is_note()).map(|one| one.hazard.id.as_str()).collect();
    let idle = subject.policy.accepted.keys().filter_map(|id| subject.facts.hazard(id));
    // Where a decision is still open, no one can say that its hazard does not apply.
    let decided = |hazard: &&Hazard| {
        let atoms = hazard.record.when.atoms();
        atoms.iter().filter_map(|atom| atom.feature()).all(|name| {
            subject.policy.features.contains_key(name)
                || subject.registry().is_none_or(|registry| !registry.features.contains_key(name))
        })
    };
    idle.filter(|hazard| hazard.record.effect.can_be_accepted() && !applying.contains(hazard.id.as_str()))
        .filter(decided)
        .map(|hazard| {
            let message = if hazard.is_note() {
                format!("`{}` needs no acceptance: the decision's own reason is it", hazard.id)
            } else {
                format!("`{}` does not apply to this policy", hazard.id)
            };
            let place = Label::new(subject.places.key(&["accepted", &hazard.id]), "accepts nothing");
            NEEDLESS.finding(message, place, "Delete the acceptance.".to_owned())
        })
        .collect()
}
