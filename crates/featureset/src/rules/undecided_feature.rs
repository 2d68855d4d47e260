//! `undecided-feature`: upstream has it, the policy says nothing.

use super::{Example, Rule, Subject};
use crate::finding::{Edit, Finding, Label, Severity};
use crate::policy::edit;

pub(super) static RULE: Rule = Rule {
    code: "undecided-feature",
    severity: Severity::Error,
    summary: "The pinned release has a feature that the policy does not decide.",
    why: "An allowlist would leave it out in silence, whether or not this device depended on it.",
    example: Some(Example { from: "  doctor:\n    omit: Only the decision on doctor.\n", to: "" }),
    check: Some(check),
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(registry) = subject.registry() else { return Vec::new() };
    let names = registry.features.iter().filter(|(name, _)| !subject.policy.features.contains_key(*name));
    names
        .filter_map(|(name, feature)| {
            let path = ["features", name.as_str()];
            let message = format!("`{name}` is not decided");
            let next = format!("Add `keep:` or `omit:` with the reason; `explain {name}` shows what is known.");
            let label = if subject.places.has(&path) { "no `keep:` or `omit:`" } else { "decided nowhere in here" };
            let (place, stub) = if subject.places.has(&path) {
                (subject.places.key(&path), None)
            } else {
                (subject.places.key(&["features"]), edit::stub(subject, registry, name))
            };
            // What reading refused has its own finding, and the feature is there.
            if subject.places.has(&path) && broken(subject, name.as_str()) {
                return None;
            }
            let needs: Vec<String> = feature.needs.iter().map(|need| format!("`{need}`")).collect();
            let message = if needs.is_empty() { message } else { format!("{message}; it needs {}", needs.join(", ")) };
            let mut finding = RULE.finding(message, Label::new(place, label), next);
            finding.edit =
                stub.map(|(span, replacement)| Edit { title: format!("decide `{name}`"), span, replacement });
            Some(finding)
        })
        .collect()
}

/// Whether the entry has a `keep` or `omit` that could not be read.
fn broken(subject: &Subject<'_>, name: &str) -> bool {
    ["keep", "omit"].iter().any(|verdict| subject.places.has(&["features", name, verdict]))
}
