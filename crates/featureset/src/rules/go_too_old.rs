//! `go-too-old`: the pinned Go can't build the pinned release.

use super::{Example, Rule, Subject};
use crate::facts::Known;
use crate::finding::{Edit, Finding, Label, Severity};

pub(super) static RULE: Rule = Rule {
    code: "go-too-old",
    severity: Severity::Error,
    summary: "The pinned Go is older than the pinned release needs.",
    why: "The release's go.mod names the lowest Go that builds it; an older one refuses to.",
    example: Some(Example { from: "go: 1.26.8", to: "go: 1.26.5" }),
    check: Some(check),
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let (Some(release), Some(go)) = (subject.policy.tailscale, subject.policy.go) else { return Vec::new() };
    let (Known::Release(registry) | Known::Line(registry)) = subject.facts.known(release) else { return Vec::new() };
    // A patch that was not read needs at least what the one before it needs.
    let Some((_, requirement)) = registry.releases.range(..=release).next_back() else { return Vec::new() };
    let needed = requirement.go;
    if go >= needed {
        return Vec::new();
    }
    let place = subject.places.value(&["go"]);
    let message = format!("Go {go} can't build Tailscale {release}, which needs {needed}");
    let label = Label::new(place, format!("older than {needed}"));
    let mut finding = RULE.finding(message, label, format!("Pin Go {needed} or a later patch of it."));
    finding.related.push(Label::new(subject.places.value(&["tailscale"]), format!("needs Go {needed}")));
    finding.edit = Some(Edit { title: format!("pin Go {needed}"), span: place, replacement: needed.to_string() });
    vec![finding]
}
