//! `unneeded-acceptance`: an acceptance of a hazard that does not apply to any target that it covers.

use std::collections::{BTreeMap, BTreeSet};

use diagnostics::{Code, Diagnostic, Edit, Label};

use super::context::Subject;
use super::hazard::{is_covered, policy_hazards};
use crate::hazard::Hazard;
use crate::policy::edit::Section;
use crate::policy::{EffectivePolicy, StatedAcceptance};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    if subject.registry().is_none() || subject.policy.stated_acceptances().next().is_none() {
        return Vec::new();
    }
    let found = policy_hazards(subject.policy, subject.facts);
    let applying: BTreeMap<&str, BTreeSet<&str>> = found
        .iter()
        .filter(|applying| !applying.hazard.is_note())
        .map(|applying| (applying.hazard.id.as_str(), applying.concerned()))
        .collect();
    let stated = subject.policy.stated_acceptances().filter_map(|stated| {
        let hazard = subject.facts.hazard(stated.id).filter(|hazard| hazard.record.effect.can_be_accepted())?;
        Some((stated, hazard))
    });
    stated.filter_map(|(stated, hazard)| finding(subject, &stated, hazard, applying.get(stated.id))).collect()
}

/// Returns the finding about an acceptance; `concerned` are the targets to which the hazard applies.
fn finding(
    subject: &Subject<'_>,
    stated: &StatedAcceptance<'_>,
    hazard: &Hazard,
    concerned: Option<&BTreeSet<&str>>,
) -> Option<Diagnostic> {
    let policy = match stated.target {
        Some(name) => subject.policy.for_target(name)?,
        None => subject.policy.common(),
    };
    let is_used = |name: &&&str| match stated.target {
        Some(own) => **name == own,
        None => subject.policy.for_target(name).is_some_and(|target| is_covered(target, hazard)),
    };
    if concerned.into_iter().flatten().any(|name| is_used(&name)) || !is_decided(subject, policy, hazard) {
        return None;
    }
    let uncovered: Vec<&str> = concerned.into_iter().flatten().copied().filter(|_| stated.target.is_none()).collect();
    let id = &hazard.id;
    let (message, next) = match (hazard.is_note(), stated.target) {
        (true, _) => (
            format!("`{id}` needs no acceptance: the reason of the decision is enough"),
            "Delete the acceptance.".to_owned(),
        ),
        (false, None) if !uncovered.is_empty() => (
            format!("`{id}` applies only to targets that this acceptance does not cover: {}", uncovered.join(", ")),
            format!(
                "Move it into `accepted:` of {}, which decide differently or are other devices.",
                uncovered.join(" and ")
            ),
        ),
        (false, None) => (format!("`{id}` does not apply to this policy"), "Delete the acceptance.".to_owned()),
        (false, Some(name)) => {
            (format!("`{id}` does not apply to the target `{name}`"), "Delete the acceptance.".to_owned())
        }
    };
    let label = Label::new(subject.places.key(&stated.path()), "has no effect");
    let mut finding = Diagnostic::new(Code::UnneededAcceptance, message, next).at(label);
    // An acceptance that belongs to a target is moved, not lost.
    finding.edits.extend(if uncovered.is_empty() { deletion(subject, stated) } else { None });
    Some(finding)
}

/// Returns whether every feature in a hazard's condition is decided. Otherwise it is not known whether the hazard applies.
fn is_decided(subject: &Subject<'_>, policy: EffectivePolicy<'_>, hazard: &Hazard) -> bool {
    hazard.record.when.atoms().iter().filter_map(|atom| atom.feature()).all(|name| {
        policy.decision(name).is_some()
            || subject.registry().is_none_or(|registry| !registry.features.contains_key(name))
    })
}

/// Returns the edit that deletes an acceptance; `None` if its section has another layout than one entry below the other.
pub(super) fn deletion(subject: &Subject<'_>, stated: &StatedAcceptance<'_>) -> Option<Edit> {
    let id = stated.id;
    let path = stated.path();
    let (_, section) = path.split_last()?;
    let span = Section::find(subject.text, subject.places, section)?.entry(subject.places, section, id)?;
    Some(Edit { title: format!("delete the acceptance of `{id}`"), span, replacement: String::new() })
}
