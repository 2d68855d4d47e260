//! `unused-implementation-detail`: an implementation detail is kept, and no kept feature needs it.

use super::context::Subject;
use crate::name::FeatureName;
use crate::policy::EffectivePolicy;
use crate::registry::Registry;
use diagnostics::{Code, Diagnostic, Label, NextStep};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let Some(registry) = subject.registry() else { return Vec::new() };
    subject.each_target(|target| check_target(subject, registry, target))
}

fn check_target<'a>(subject: &Subject<'a>, registry: &'a Registry, policy: EffectivePolicy<'a>) -> Vec<Diagnostic> {
    let needed = |name: &FeatureName| registry.required_by(name).iter().any(|user| user != name && policy.keeps(user));
    let details = registry.features.iter().filter(|(_, feature)| feature.implementation_detail).map(|(name, _)| name);
    details
        // A feature that no declared dependency needs can still prevent a hazard.
        .filter(|name| policy.keeps(name) && !needed(name) && !super::hazard::is_needed(subject, policy, name))
        .map(|name| {
            let users: Vec<String> = registry
                .required_by(name)
                .into_iter()
                .filter(|user| user != name)
                .map(|user| format!("`{user}`"))
                .collect();
            let message = format!("no kept feature needs `{name}`");
            let next = format!("Omit it, or keep one of {}.", users.join(", "));
            let place = subject.places.key(&policy.decision_path(name));
            Diagnostic::new(Code::UnusedImplementationDetail, message, next)
                .at(Label::new(place, "kept without need"))
                .grouped(
                    name.as_str(),
                    "implementation details are kept, and no kept feature needs them",
                    NextStep::new("Omit each of them, or keep a feature that needs it; ")
                        .command("explain NAME")
                        .text(" lists them."),
                )
        })
        .collect()
}
