//! `repeated-description`: a reason that repeats upstream's description.

use super::context::Subject;
use crate::registry::TextDigest;
use diagnostics::{Code, Diagnostic, Label};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let Some(registry) = subject.registry() else { return Vec::new() };
    let sentences = |reason: &str| reason.split_inclusive(['.', ';']).map(TextDigest::new).collect::<Vec<_>>();
    let mut findings = Vec::new();
    for stated in subject.policy.stated_decisions() {
        let (name, decision) = (stated.name, stated.decision);
        let digests = [sentences(&decision.reason), vec![TextDigest::new(&decision.reason)]].concat();
        let Some((source, _)) = registry.features.iter().find(|(_, feature)| digests.contains(&feature.description))
        else {
            continue;
        };
        let place = subject.places.value(&stated.reason_path());
        let message = format!("the reason of `{name}` repeats upstream's description of `{source}`");
        let next = format!("Write what `{name}` changes on this device.");
        findings.push(
            Diagnostic::new(Code::RepeatedDescription, message, next)
                .at(Label::new(place, "upstream's description"))
                .grouped(
                    name.as_str(),
                    "reasons repeat upstream's descriptions",
                    "Write what each of these features changes on this device.",
                ),
        );
    }
    findings
}
