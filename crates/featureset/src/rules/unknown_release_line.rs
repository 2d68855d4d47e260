//! `unknown-release-line`: the pinned release line is not in the registry.

use diagnostics::{Code, Diagnostic, Label, NextStep};

use super::context::Subject;
use crate::upstream_data::RegistryMatch;

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let Some(release) = subject.policy.tailscale else { return Vec::new() };
    if !matches!(subject.facts.known(release), RegistryMatch::No) {
        return Vec::new();
    }
    let lines: Vec<String> = subject.facts.registries().map(|registry| registry.line.to_string()).collect();
    let message = format!("the release line {} is not known", release.line());
    let place = Label::new(subject.places.value(&["tailscale"]), "no registry");
    let known = format!("known are {}", lines.join(", "));
    vec![
        Diagnostic::new(
            Code::UnknownReleaseLine,
            message,
            NextStep::new("Run ")
                .command(format!("registry {release}"))
                .text(format!(" if upstream has that release; {known}.")),
        )
        .at(place),
    ]
}
