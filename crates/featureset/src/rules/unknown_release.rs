//! `unknown-release`: the pinned release is not in the registry, but others of its line are.

use diagnostics::{Code, Diagnostic, Label, NextStep};

use super::context::Subject;
use crate::upstream_data::RegistryMatch;

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let Some(release) = subject.policy.tailscale else { return Vec::new() };
    let RegistryMatch::Line(registry) = subject.facts.known(release) else { return Vec::new() };
    let message = format!("Tailscale {release} is not in the registry; the features of {} are assumed", registry.line);
    let place = Label::new(subject.places.value(&["tailscale"]), "not in the registry");
    vec![
        Diagnostic::new(
            Code::UnknownRelease,
            message,
            NextStep::new("Run ").command(format!("registry {release}")).text(" to read it."),
        )
        .at(place),
    ]
}
