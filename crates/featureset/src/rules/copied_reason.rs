//! `copied-reason`: two decisions with the same reason.

use std::collections::BTreeMap;

use super::context::Subject;
use crate::registry::TextDigest;
use diagnostics::{Code, Diagnostic, Label};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut first = BTreeMap::new();
    let mut findings = Vec::new();
    for stated in subject.policy.stated_decisions() {
        let (name, decision) = (stated.name, stated.decision);
        // Several features can share "Needed by NAME."
        let pointer = super::stale_dependency_reason::pointed_at(&decision.reason).is_some();
        if super::empty_reason::is_empty(&decision.reason) || pointer {
            continue;
        }
        let place = subject.places.value(&stated.reason_path());
        if let Some((other, verdict, earlier)) = first.get(&TextDigest::new(&decision.reason)) {
            let message = match (*other == name, *verdict == decision.verdict) {
                // Another rule reports an override that equals the common decision; several targets may share one.
                (true, true) => continue,
                (true, false) => format!("`{name}` has the same reason for the opposite decision"),
                (false, _) => format!("`{name}` has the same reason as `{other}`"),
            };
            let next = format!("Write what `{name}` itself changes on this device.");
            let mut finding =
                Diagnostic::new(Code::CopiedReason, message, next).at(Label::new(place, "the same reason"));
            if *other != name {
                let message = format!("features have the same reason as `{other}`");
                finding = finding.grouped(name.as_str(), message, "Write what each of them changes on this device.");
            }
            finding.related.push(Label::new(*earlier, "first used here"));
            findings.push(finding);
        } else {
            first.insert(TextDigest::new(&decision.reason), (name, decision.verdict, place));
        }
    }
    findings
}
