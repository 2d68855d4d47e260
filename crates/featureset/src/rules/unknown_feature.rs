//! `unknown-feature`: decided, but the pinned release does not have it.

use super::{Example, Rule, Subject};
use crate::finding::{Finding, Label, Severity};
use crate::limits::SUGGESTIONS;
use crate::name::nearest;

pub(super) static RULE: Rule = Rule {
    code: "unknown-feature",
    severity: Severity::Error,
    summary: "The policy decides a feature that the pinned release does not have.",
    why: "Go ignores a build tag that nothing reads, so the decision would have no effect and no one would notice.",
    example: Some(Example {
        from: "features:\n",
        to: "features:\n  lazywg:\n    omit: Peers are set up at once here.\n",
    }),
    check: Some(check),
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(registry) = subject.registry() else { return Vec::new() };
    let known = || registry.features.keys().map(|name| name.as_str());
    let strangers = subject.policy.features.keys().filter(|name| !registry.features.contains_key(*name));
    strangers
        .enumerate()
        .map(|(index, name)| {
            let line = registry.line;
            let (message, next) = match (subject.facts.span(name), subject.facts.removed_in(name)) {
                (Some((first, _)), _) if first > line => (
                    format!("`{name}` came with {first}; {line} does not have it"),
                    "Delete the entry until the pin moves.".to_owned(),
                ),
                (_, Some(removed)) => (format!("`{name}` was removed in {removed}"), "Delete the entry.".to_owned()),
                _ => {
                    let near = if index < SUGGESTIONS { nearest(name.as_str(), known()) } else { None };
                    let next = near.map_or_else(
                        || "Delete the entry; `list` shows every feature.".to_owned(),
                        |near| format!("Did you mean `{near}`?"),
                    );
                    (format!("`{name}` is not a feature of {line}"), next)
                }
            };
            let place = subject.places.key(&["features", name.as_str()]);
            RULE.finding(message, Label::new(place, format!("not in {line}")), next)
        })
        .collect()
}
