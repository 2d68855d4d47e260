//! `open-dependency`: kept, but what it needs is omitted.

use super::{Example, Rule, Subject};
use crate::finding::{Edit, Finding, Label, Severity};

pub(super) static RULE: Rule = Rule {
    code: "open-dependency",
    severity: Severity::Error,
    summary: "A feature is kept, but a feature that it needs is omitted.",
    why: "Upstream declares the dependency: without it the kept feature does nothing, crashes or does not compile.",
    example: Some(Example { from: "  advertiseroutes:\n    omit:", to: "  advertiseroutes:\n    keep:" }),
    check: Some(check),
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
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
            let mut finding = RULE.finding(message, Label::new(omitted, "omitted here"), next);
            finding.related.push(kept);
            let title = format!("keep `{need}`, and say why");
            finding.edit = Some(Edit { title, span: omitted, replacement: "keep".to_owned() });
            findings.push(finding);
        }
    }
    findings
}
