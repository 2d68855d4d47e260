//! `open-dependency`: a feature is kept, but a feature that it needs is omitted.

use super::context::Subject;
use crate::policy::EffectivePolicy;
use crate::registry::Registry;
use diagnostics::{Code, Diagnostic, Edit, Label};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let Some(registry) = subject.registry() else { return Vec::new() };
    subject.each_target(|target| check_target(subject, registry, target))
}

fn check_target<'a>(subject: &Subject<'a>, registry: &'a Registry, policy: EffectivePolicy<'a>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (name, feature) in registry.features.iter().filter(|(name, _)| policy.keeps(name)) {
        let decided = feature.needs.iter().filter(|need| policy.decision(need).is_some() && !policy.keeps(need));
        for need in decided {
            let omitted = subject.places.key(&policy.decision_path(need));
            let message = format!("`{name}` is kept but needs `{need}`, which is omitted");
            // Inverting the common decision would change the other targets too.
            let is_shared = policy.overrides(name) && !policy.overrides(need);
            let next = match policy.name().filter(|_| is_shared) {
                Some(target) => format!(
                    "Keep `{need}` with a reason, under `targets: {target}: features:` or for all targets, or omit `{name}`."
                ),
                None => format!("Keep `{need}` with a reason, or omit `{name}`."),
            };
            let kept = Label::new(subject.places.key(&policy.decision_path(name)), format!("needs `{need}`"));
            let mut finding =
                Diagnostic::new(Code::OpenDependency, message, next).at(Label::new(omitted, "omitted here")).grouped(
                    name.as_str(),
                    format!("kept features need `{need}`, which is omitted"),
                    format!("Keep `{need}` with a reason, or omit all of them."),
                );
            finding.related.push(kept);
            let title = format!("keep `{need}`, and write why");
            let edit = Edit { title, span: omitted, replacement: "keep".to_owned() };
            finding.edits.extend((!is_shared).then_some(edit));
            findings.push(finding);
        }
    }
    findings
}
