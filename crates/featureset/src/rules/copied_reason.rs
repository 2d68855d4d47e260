//! `copied-reason`: two decisions with one reason.

use std::collections::BTreeMap;

use super::{Example, Rule, Subject};
use crate::finding::{Finding, Label, Severity};
use crate::registry::TextDigest;

pub(super) static RULE: Rule = Rule {
    code: "copied-reason",
    severity: Severity::Warning,
    summary: "A decision's reason is that of another feature, word for word.",
    why: "A reason says what this feature changes on this device; a copied one was not thought of.",
    example: Some(Example { from: "Only the decision on zz.", to: "People type commands on this device." }),
    check: Some(check),
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut first = BTreeMap::new();
    let mut findings = Vec::new();
    for (name, decision) in &subject.policy.features {
        // Pointing at one kept feature is a reason that several may share.
        let pointer = super::stale_dependency_reason::pointed_at(&decision.reason).is_some();
        if super::empty_reason::is_empty(&decision.reason) || pointer {
            continue;
        }
        let place = subject.places.value(&["features", name.as_str(), decision.verdict.word()]);
        if let Some((other, earlier)) = first.get(&TextDigest::of(&decision.reason)) {
            let message = format!("`{name}` has the reason of `{other}`");
            let next = format!("Say what `{name}` itself changes on this device.");
            let mut finding = RULE.finding(message, Label::new(place, "the same words"), next);
            finding.related.push(Label::new(*earlier, "first said here"));
            findings.push(finding);
        } else {
            first.insert(TextDigest::of(&decision.reason), (name, place));
        }
    }
    findings
}
