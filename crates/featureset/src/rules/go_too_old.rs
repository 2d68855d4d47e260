//! `go-too-old`: the pinned Go cannot build the pinned release.

use super::context::Subject;
use crate::upstream_data::RegistryMatch;
use diagnostics::{Code, Diagnostic, Edit, Label};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let (Some(release), Some(go)) = (subject.policy.tailscale, subject.policy.go) else { return Vec::new() };
    let (RegistryMatch::Release(registry) | RegistryMatch::Line(registry)) = subject.facts.known(release) else {
        return Vec::new();
    };
    // A patch that is not in the registry requires at least the Go version of the patch before it.
    let Some((_, requirement)) = registry.releases.range(..=release).next_back() else { return Vec::new() };
    let needed = requirement.go;
    if go >= needed {
        return Vec::new();
    }
    let place = subject.places.value(&["go"]);
    let message = format!("Go {go} cannot build Tailscale {release}, which requires {needed}");
    let label = Label::new(place, format!("older than {needed}"));
    let mut finding =
        Diagnostic::new(Code::GoTooOld, message, format!("Pin Go {needed} or a later patch of it.")).at(label);
    finding.related.push(Label::new(subject.places.value(&["tailscale"]), format!("requires Go {needed}")));
    finding.edits.push(Edit { title: format!("pin Go {needed}"), span: place, replacement: needed.to_string() });
    vec![finding]
}
