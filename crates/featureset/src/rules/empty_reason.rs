//! `empty-reason`: a decision without its reason.

use super::{Example, Rule, Subject};
use crate::finding::{Finding, Label, Severity, Span};

pub(super) static RULE: Rule = Rule {
    code: "empty-reason",
    severity: Severity::Error,
    summary: "A decision, an extra tag or an acceptance has no reason.",
    why: "The reason is what a reviewer reviews, and what tells the next person whether the decision still holds.",
    example: Some(Example { from: "Only the decision on zz.", to: "TODO" }),
    check: Some(check),
};

/// Whether a text says nothing: no letters, or only a word that stands for a reason to come.
pub(super) fn is_empty(reason: &str) -> bool {
    let words: Vec<String> =
        reason.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    words.is_empty() || (words.len() < 3 && ["todo", "fixme", "tbd", "xxx", "none"].contains(&words[0].as_str()))
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let policy = subject.policy;
    let decisions = policy.features.iter().map(|(name, decision)| {
        (vec!["features", name.as_str(), decision.verdict.word()], name.as_str(), &decision.reason)
    });
    let accepted = policy.accepted.iter().map(|(id, reason)| (vec!["accepted", id.as_str()], id.as_str(), reason));
    let builds = policy.targets.iter().map(|(name, target)| (vec!["targets", name.as_str()], &target.build));
    let tags = [(vec!["build"], &policy.build)].into_iter().chain(builds).flat_map(|(path, build)| {
        let path_of = move |tag| [path.clone(), vec!["extra_tags", tag]].concat();
        build.extra_tags.iter().map(move |(tag, reason)| (path_of(tag.as_str()), tag.as_str(), reason))
    });
    // A target that inherits tags does not hold them.
    let tags = tags.filter(|(path, ..)| subject.places.has(path));
    decisions
        .chain(accepted)
        .chain(tags)
        .filter(|(_, _, reason)| is_empty(reason))
        .map(|(path, name, _)| {
            let (key, value) = (subject.places.key(&path), subject.places.value(&path));
            // An absent value has no place of its own.
            let place = if value.start == value.end { key } else { Span { start: key.start, end: value.end } };
            let next = format!(
                "Say what the decision on `{name}` changes on this device; `explain {name}` shows what is known."
            );
            RULE.finding(format!("`{name}` has no reason"), Label::new(place, "no reason"), next)
        })
        .collect()
}
