//! `unsorted-features`: the entries are out of order.

use super::{Example, Rule, Subject};
use crate::finding::{Finding, Label, Severity, Span};

pub(super) static RULE: Rule = Rule {
    code: "unsorted-features",
    severity: Severity::Warning,
    summary: "The features are not in alphabetical order.",
    why: "In one order everyone finds an entry, and two branches that add the same feature conflict instead of both going in.",
    example: Some(Example { from: "features:\n", to: "features:\n  zz0:\n    omit: Out of order.\n" }),
    check: Some(check),
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut places: Vec<(Span, &str)> = subject
        .policy
        .features
        .keys()
        .map(|name| (subject.places.key(&["features", name.as_str()]), name.as_str()))
        .collect();
    places.sort();
    let Some(pair) = places.windows(2).find(|pair| pair[0].1 > pair[1].1) else { return Vec::new() };
    let message = format!("`{}` stands after `{}`", pair[1].1, pair[0].1);
    let mut finding = RULE.finding(message, Label::new(pair[1].0, "out of order"), "Run `check --fix`.".to_owned());
    finding.related.push(Label::new(pair[0].0, "comes later in the alphabet"));
    vec![finding]
}
