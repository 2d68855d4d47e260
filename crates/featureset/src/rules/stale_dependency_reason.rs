//! `stale-dependency-reason`: "Needed by X", and X is not kept.

use super::{Example, Rule, Subject};
use crate::finding::{Finding, Label, Severity};
use crate::name::FeatureName;
use crate::policy::Verdict;

pub(super) static RULE: Rule = Rule {
    code: "stale-dependency-reason",
    severity: Severity::Warning,
    summary: "A feature is kept because another needs it, but that one is not kept.",
    why: "The reason no longer holds, so the feature may be kept for nothing.",
    example: Some(Example { from: "keep: People type commands on this device.", to: "keep: Needed by drive." }),
    check: Some(check),
};

/// The feature that a reason of the form "Needed by NAME." points at.
pub(super) fn pointed_at(reason: &str) -> Option<FeatureName> {
    let name = reason.strip_prefix("Needed by ")?.trim_end_matches('.').trim_matches('`');
    FeatureName::new(name).ok()
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let kept = subject.policy.features.iter().filter(|(_, decision)| decision.verdict == Verdict::Keep);
    kept.filter_map(|(name, decision)| {
        let user = pointed_at(&decision.reason).filter(|user| !subject.policy.keeps(user))?;
        let place = Label::new(subject.places.value(&["features", name.as_str(), "keep"]), "no longer true");
        let message = format!("`{name}` is kept for `{user}`, which is not kept");
        let mut finding = RULE.finding(message, place, format!("Omit `{name}`, or say what else it is kept for."));
        let other = subject.places.key(&["features", user.as_str()]);
        finding.related.extend((other.end > 0).then(|| Label::new(other, "decided here")));
        Some(finding)
    })
    .collect()
}
