//! `unknown-feature`: a decided feature that the pinned release does not have.

use super::context::Subject;
use crate::limits::SUGGESTIONS;
use crate::name::nearest;
use diagnostics::{Code, Diagnostic, Label, NextStep};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let Some(registry) = subject.registry() else { return Vec::new() };
    let known = || registry.features.keys().map(|name| name.as_str());
    let strangers = subject.policy.stated_decisions().filter(|stated| !registry.features.contains_key(stated.name));
    strangers
        .enumerate()
        .map(|(index, stated)| {
            let name = stated.name;
            let line = registry.line;
            let (message, next) = match (subject.facts.lines_with(name), subject.facts.removed_in(name)) {
                (Some((first, _)), _) if first > line => (
                    format!("`{name}` came with {first}; {line} does not have it"),
                    "Delete the entry until you pin a release that has it.".into(),
                ),
                (_, Some(removed)) => (format!("`{name}` was removed in {removed}"), "Delete the entry.".into()),
                _ => {
                    let near = if index < SUGGESTIONS { nearest(name.as_str(), known()) } else { None };
                    let next = near.map_or_else(
                        || NextStep::new("Delete the entry; ").command("list").text(" shows every feature."),
                        |near| format!("Did you mean `{near}`?").into(),
                    );
                    (format!("`{name}` is not a feature of {line}"), next)
                }
            };
            let place = subject.places.key(&stated.entry_path());
            Diagnostic::new(Code::UnknownFeature, message, next).at(Label::new(place, format!("not in {line}")))
        })
        .collect()
}
