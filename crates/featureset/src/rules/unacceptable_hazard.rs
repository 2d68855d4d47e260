//! `unacceptable-hazard`: an accepted hazard with which the binary does not compile or start.

use diagnostics::{Code, Diagnostic, Label, NextStep};

use super::context::Subject;
use super::unneeded_acceptance::deletion;

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let named = subject.policy.stated_acceptances().filter_map(|stated| {
        let hazard = subject.facts.hazard(stated.id)?;
        Some((stated, hazard))
    });
    named
        .filter(|(_, hazard)| !hazard.record.effect.can_be_accepted())
        .map(|(stated, hazard)| {
            let place = Label::new(subject.places.key(&stated.path()), hazard.record.effect.word());
            let message = format!("`{}` cannot be accepted", hazard.id);
            let mut finding = Diagnostic::new(
                Code::UnacceptableHazard,
                message,
                NextStep::new("Delete it; ").command(format!("explain {}", hazard.id)).text(" shows the remedy."),
            )
            .at(place);
            finding.edits.extend(deletion(subject, &stated));
            finding
        })
        .collect()
}
