//! `unsorted-features`: the features are not in alphabetical order.

use super::context::Subject;
use diagnostics::{Code, Diagnostic, Label, NextStep, Span};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut places: Vec<(Span, &str)> = subject
        .policy
        .features
        .keys()
        .map(|name| (subject.places.key(&["features", name.as_str()]), name.as_str()))
        .collect();
    places.sort();
    let Some(pair) = places.windows(2).find(|pair| pair[0].1 > pair[1].1) else { return Vec::new() };
    let message = format!("`{}` is listed after `{}`", pair[1].1, pair[0].1);
    let mut finding = Diagnostic::new(Code::UnsortedFeatures, message, NextStep::run("check --fix"))
        .at(Label::new(pair[1].0, "out of order"));
    finding.related.push(Label::new(pair[0].0, "comes later in the alphabet"));
    vec![finding]
}
