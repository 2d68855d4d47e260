//! `undecided-feature`: upstream has it, the policy says nothing.

use super::{Example, Rule, Subject};
use crate::finding::{Edit, Finding, Label, Severity};
use crate::name::FeatureName;
use crate::policy::edit::Section;

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
    let section = Section::of(subject.text, subject.places);
    let open = registry.features.iter().filter(|(name, _)| !subject.policy.features.contains_key(*name));
    // What reading refused has its own finding, and the feature is there.
    open.filter(|(name, _)| !broken(subject, name.as_str()))
        .map(|(name, feature)| {
            let path = ["features", name.as_str()];
            let next = format!("Add `keep:` or `omit:` with the reason; `explain {name}` shows what is known.");
            let (place, stub) = if subject.places.has(&path) {
                (Label::new(subject.places.key(&path), "no `keep:` or `omit:`"), None)
            } else {
                let stub = section.as_ref().map(|section| section.stub(registry, name));
                (Label::new(subject.places.key(&["features"]), "decided nowhere in here"), stub)
            };
            let listed = |names: &mut dyn Iterator<Item = &FeatureName>| {
                names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            };
            let needs = listed(&mut feature.needs.iter());
            let needs = if needs.is_empty() { String::new() } else { format!("; it needs {needs}") };
            // Left out, it would take those along that were kept for a reason.
            let users: Vec<FeatureName> =
                registry.required_by(name).into_iter().filter(|user| subject.policy.keeps(user)).collect();
            let kept = listed(&mut users.iter());
            let kept = if kept.is_empty() { String::new() } else { format!("; needed by {kept}, kept here") };
            let mut finding = RULE.finding(format!("`{name}` is not decided{needs}{kept}"), place, next);
            finding.related.extend(users.iter().map(|user| {
                Label::new(subject.places.key(&["features", user.as_str(), "keep"]), format!("needs `{name}`"))
            }));
            finding.edit =
                stub.map(|(span, replacement)| Edit { title: format!("decide `{name}`"), span, replacement });
            finding
        })
        .collect()
}

/// Whether the entry has a `keep` or `omit` that could not be read.
fn broken(subject: &Subject<'_>, name: &str) -> bool {
    ["keep", "omit"].iter().any(|verdict| subject.places.has(&["features", name, verdict]))
}
