//! `idle-implementation-detail`: kept for nothing.

use super::{Example, Rule, Subject};
use crate::finding::{Finding, Label, Severity};
use crate::name::FeatureName;

pub(super) static RULE: Rule = Rule {
    code: "idle-implementation-detail",
    severity: Severity::Warning,
    summary: "An implementation detail is kept, but no kept feature needs it.",
    why: "Upstream calls it an implementation detail: by itself it gives the user nothing and still takes space.",
    example: Some(Example { from: "  dbus:\n    omit:", to: "  dbus:\n    keep:" }),
    check: Some(check),
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(registry) = subject.registry() else { return Vec::new() };
    let needed =
        |name: &FeatureName| registry.required_by(name).iter().any(|user| user != name && subject.policy.keeps(user));
    let details = registry.features.iter().filter(|(_, feature)| feature.implementation_detail).map(|(name, _)| name);
    details
        // What no declared dependency needs may still clear a hazard.
        .filter(|name| subject.policy.keeps(name) && !needed(name) && !super::hazard::is_needed(subject, name))
        .map(|name| {
            let users: Vec<String> = registry
                .required_by(name)
                .into_iter()
                .filter(|user| user != name)
                .map(|user| format!("`{user}`"))
                .collect();
            let message = format!("nothing that is kept needs `{name}`");
            let next = format!("Omit it, or keep one of {}.", users.join(", "));
            let place = subject.places.key(&["features", name.as_str(), "keep"]);
            RULE.finding(message, Label::new(place, "kept for nothing"), next)
        })
        .collect()
}
