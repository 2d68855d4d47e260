//! `empty-reason`: a decision, an extra tag, a Go experiment or an acceptance without a reason.

use super::context::Subject;
use diagnostics::{Code, Diagnostic, Label, NextStep, Span};

/// Returns whether a text is not a reason: it has no letters, or only a placeholder such as TODO.
pub(crate) fn is_empty(reason: &str) -> bool {
    let words: Vec<String> =
        reason.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    words.is_empty() || (words.len() < 3 && ["todo", "fixme", "tbd", "xxx", "none"].contains(&words[0].as_str()))
}

/// Returns the next step of several findings.
fn each() -> NextStep {
    NextStep::new("Write what each of them changes on this device; ")
        .command("explain NAME")
        .text(" shows what is known.")
}

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let policy = subject.policy;
    let decisions = policy
        .stated_decisions()
        .map(|stated| (stated.reason_path(), stated.name.as_str(), stated.decision.reason.as_str(), "decisions"));
    let accepted = policy.stated_acceptances().map(|stated| (stated.path(), stated.id, stated.reason, "acceptances"));
    let settings = policy.stated_builds().flat_map(|(path, build)| {
        let sections = [("extra_tags", &build.extra_tags), ("go_experiments", &build.go_experiments)];
        let entries = sections.into_iter().flat_map(|(key, section)| section.iter().map(move |entry| (key, entry)));
        entries.map(move |(key, (name, reason))| {
            ([&path[..], &[key, name]].concat(), name.as_str(), reason.as_str(), "build settings")
        })
    });
    // Settings that a target inherits are not in its own section.
    let settings = settings.filter(|(path, ..)| subject.places.has(path));
    decisions
        .chain(accepted)
        .chain(settings)
        .filter(|(_, _, reason, _)| is_empty(reason))
        .map(|(path, name, _, noun)| {
            let (key, value) = (subject.places.key(&path), subject.places.value(&path));
            // An absent value has an empty span.
            let place = if value.start == value.end { key } else { Span { start: key.start, end: value.end } };
            let next = NextStep::new(format!("Write what the decision on `{name}` changes on this device; "))
                .command(format!("explain {name}"))
                .text(" shows what is known.");
            Diagnostic::new(Code::EmptyReason, format!("`{name}` has no reason"), next)
                .at(Label::new(place, "no reason"))
                .grouped(name, format!("{noun} have no reason"), each())
        })
        .collect()
}
