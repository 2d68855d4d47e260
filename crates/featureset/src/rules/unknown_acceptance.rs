//! `unknown-acceptance`: an acceptance that names no known hazard.

use diagnostics::{Code, Diagnostic, Label, NextStep};

use super::context::Subject;
use crate::limits::SUGGESTIONS;
use crate::name::nearest;

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let known = |id: &str| subject.facts.hazard(id).is_some();
    let strangers = subject.policy.stated_acceptances().filter(|stated| !known(stated.id));
    strangers
        .enumerate()
        .map(|(index, stated)| {
            let id = stated.id;
            let hazards = subject.facts.hazards().map(|hazard| hazard.id.as_str());
            let near = if index < SUGGESTIONS { nearest(id, hazards) } else { None };
            let next = near.map_or_else(
                || NextStep::new("Delete it; docs/hazards.md lists every hazard; ").command("docs").text(" writes it."),
                |near| format!("Did you mean `{near}`?").into(),
            );
            let place = Label::new(subject.places.key(&stated.path()), "no such hazard");
            Diagnostic::new(Code::UnknownAcceptance, format!("`{id}` is not a known hazard"), next).at(place)
        })
        .collect()
}
