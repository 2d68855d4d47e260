//! `repeated-description`: a reason that only says what upstream says.

use super::{Example, Rule, Subject};
use crate::finding::{Finding, Label, Severity};
use crate::registry::TextDigest;

pub(super) static RULE: Rule = Rule {
    code: "repeated-description",
    severity: Severity::Warning,
    summary: "A reason repeats upstream's description of the feature.",
    why: "The description says what the feature is, which `explain` shows anyway; a reason says why this device has it or not.",
    example: Some(Example { from: "Only the decision on zz.", to: "ACME TLS certificate management." }),
    check: Some(check),
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(registry) = subject.registry() else { return Vec::new() };
    let sentences = |reason: &str| reason.split_inclusive(['.', ';']).map(TextDigest::of).collect::<Vec<_>>();
    let mut findings = Vec::new();
    for (name, decision) in &subject.policy.features {
        let said = [sentences(&decision.reason), vec![TextDigest::of(&decision.reason)]].concat();
        let Some((source, _)) = registry.features.iter().find(|(_, feature)| said.contains(&feature.description))
        else {
            continue;
        };
        let place = subject.places.value(&["features", name.as_str(), decision.verdict.word()]);
        let message = format!("the reason of `{name}` repeats upstream's description of `{source}`");
        let next = format!("Say what `{name}` changes on this device.");
        findings.push(RULE.finding(message, Label::new(place, "upstream's words"), next));
    }
    findings
}
