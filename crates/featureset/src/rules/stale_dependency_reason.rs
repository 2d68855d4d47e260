//! `stale-dependency-reason`: "Needed by X", and X is not kept.

use super::context::Subject;
use crate::name::FeatureName;
use crate::policy::{EffectivePolicy, Verdict};
use diagnostics::{Code, Diagnostic, Label};

/// Returns the feature that a reason of the form "Needed by NAME." names.
pub(super) fn pointed_at(reason: &str) -> Option<FeatureName> {
    let name = reason.strip_prefix("Needed by ")?.trim_end_matches('.').trim_matches('`');
    FeatureName::new(name).ok()
}

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    subject.each_target(|target| check_target(subject, target))
}

fn check_target<'a>(subject: &Subject<'a>, policy: EffectivePolicy<'a>) -> Vec<Diagnostic> {
    let kept = policy.decisions().filter(|(_, decision)| decision.verdict == Verdict::Keep);
    kept.filter_map(|(name, decision)| {
        let user = pointed_at(&decision.reason).filter(|user| !policy.keeps(user))?;
        let place = Label::new(subject.places.value(&policy.decision_path(name)), "no longer true");
        let message = format!("`{name}` is kept for `{user}`, which is not kept");
        let mut finding = Diagnostic::new(
            Code::StaleDependencyReason,
            message,
            format!("Omit `{name}`, or write another reason for keeping it."),
        )
        .at(place)
        .grouped(
            name.as_str(),
            format!("features are kept for `{user}`, which is not kept"),
            "Omit each of them, or write another reason for keeping it.",
        );
        let other = subject.places.key(&policy.entry_path(&user));
        finding.related.extend((other.end > 0).then(|| Label::new(other, "decided here")));
        Some(finding)
    })
    .collect()
}
