//! `open-dependency`: a feature is kept, but a feature that it needs is omitted.

use super::context::Subject;
use diagnostics::{Code, Diagnostic, Edit, Label};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let Some(registry) = subject.registry() else { return Vec::new() };
    let policy = subject.policy;
    let mut findings = Vec::new();
    for (name, feature) in registry.features.iter().filter(|(name, _)| policy.keeps(name)) {
        let decided = feature.needs.iter().filter(|need| policy.features.contains_key(*need) && !policy.keeps(need));
        for need in decided {
            let omitted = subject.places.key(&["features", need.as_str(), "omit"]);
            let message = format!("`{name}` is kept but needs `{need}`, which is omitted");
            let next = format!("Keep `{need}` with a reason, or omit `{name}`.");
            let kept = Label::new(subject.places.key(&["features", name.as_str(), "keep"]), format!("needs `{need}`"));
            let mut finding =
                Diagnostic::new(Code::OpenDependency, message, next).at(Label::new(omitted, "omitted here"));
            finding.related.push(kept);
            let title = format!("keep `{need}`, and write why");
            finding.edits.push(Edit { title, span: omitted, replacement: "keep".to_owned() });
            findings.push(finding);
        }
    }
    findings
}
