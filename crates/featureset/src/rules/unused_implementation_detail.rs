//! `unused-implementation-detail`: an implementation detail is kept, and no kept feature needs it.

use super::context::Subject;
use crate::name::FeatureName;
use diagnostics::{Code, Diagnostic, Label};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let Some(registry) = subject.registry() else { return Vec::new() };
    let needed =
        |name: &FeatureName| registry.required_by(name).iter().any(|user| user != name && subject.policy.keeps(user));
    let details = registry.features.iter().filter(|(_, feature)| feature.implementation_detail).map(|(name, _)| name);
    details
        // A feature that no declared dependency needs can still prevent a hazard.
        .filter(|name| subject.policy.keeps(name) && !needed(name) && !super::hazard::is_needed(subject, name))
        .map(|name| {
            let users: Vec<String> = registry
                .required_by(name)
                .into_iter()
                .filter(|user| user != name)
                .map(|user| format!("`{user}`"))
                .collect();
            let message = format!("no kept feature needs `{name}`");
            let next = format!("Omit it, or keep one of {}.", users.join(", "));
            let place = subject.places.key(&["features", name.as_str(), "keep"]);
            Diagnostic::new(Code::UnusedImplementationDetail, message, next).at(Label::new(place, "kept without need"))
        })
        .collect()
}
