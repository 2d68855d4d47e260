//! `unneeded-acceptance`: an accepted hazard that does not apply.

use std::collections::BTreeSet;

use diagnostics::{Code, Diagnostic, Edit, Label};

use super::context::Subject;
use super::hazard::applying;
use crate::hazard::Hazard;
use crate::policy::edit::Section;

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    if subject.registry().is_none() || subject.policy.accepted.is_empty() {
        return Vec::new();
    }
    let applying: BTreeSet<&str> =
        applying(subject).iter().filter(|one| !one.hazard.is_note()).map(|one| one.hazard.id.as_str()).collect();
    let idle = subject.policy.accepted.keys().filter_map(|id| subject.facts.hazard(id));
    // If a decision is missing, it is not known whether its hazard applies.
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
                format!("`{}` needs no acceptance: the reason of the decision is enough", hazard.id)
            } else {
                format!("`{}` does not apply to this policy", hazard.id)
            };
            let place = Label::new(subject.places.key(&["accepted", &hazard.id]), "has no effect");
            let mut finding = Diagnostic::new(Code::UnneededAcceptance, message, "Delete the acceptance.").at(place);
            finding.edits.extend(deletion(subject, &hazard.id));
            finding
        })
        .collect()
}

/// Returns the edit that deletes an acceptance.
pub(super) fn deletion(subject: &Subject<'_>, id: &str) -> Option<Edit> {
    let section = Section::find(subject.text, subject.places, "accepted")?;
    let span = section.entry(subject.places, "accepted", id)?;
    Some(Edit { title: format!("delete the acceptance of `{id}`"), span, replacement: String::new() })
}
