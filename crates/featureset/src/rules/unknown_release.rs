//! `unknown-release-line` and `unknown-release`: the pin points where no registry was read.

use super::{Example, Rule, Subject};
use crate::facts::Known;
use crate::finding::{Finding, Label, Severity};

pub(super) static LINE: Rule = Rule {
    code: "unknown-release-line",
    severity: Severity::Error,
    summary: "No registry of the pinned release line was read.",
    why: "Each line adds and removes features; without its registry no decision can be judged.",
    example: Some(Example { from: "tailscale: 1.102.5", to: "tailscale: 1.88.4" }),
    check: Some(line),
};

pub(super) static PATCH: Rule = Rule {
    code: "unknown-release",
    severity: Severity::Warning,
    summary: "The pinned release itself was not read, but others of its line were.",
    why: "The features of a line have never changed between patches, so they are taken to hold; which Go it needs is not known.",
    example: Some(Example { from: "tailscale: 1.102.5", to: "tailscale: 1.102.99" }),
    check: Some(patch),
};

fn line(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(release) = subject.policy.tailscale else { return Vec::new() };
    if !matches!(subject.facts.known(release), Known::No) {
        return Vec::new();
    }
    let lines: Vec<String> = subject.facts.registries().map(|registry| registry.line.to_string()).collect();
    let message = format!("the release line {} is not known", release.line());
    let place = Label::new(subject.places.value(&["tailscale"]), "no registry");
    let known = format!("known are {}", lines.join(", "));
    vec![LINE.finding(message, place, format!("Run `registry {release}` if upstream has that release; {known}."))]
}

fn patch(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(release) = subject.policy.tailscale else { return Vec::new() };
    let Known::Line(registry) = subject.facts.known(release) else { return Vec::new() };
    let message = format!("Tailscale {release} was not read; the features of {} are taken to hold", registry.line);
    let place = Label::new(subject.places.value(&["tailscale"]), "not among the releases read");
    vec![PATCH.finding(message, place, format!("Run `registry {release}` to read it."))]
}
