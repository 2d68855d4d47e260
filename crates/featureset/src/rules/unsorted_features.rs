//! `unsorted-features`: the features are not in alphabetical order.

use std::collections::BTreeMap;

use super::context::Subject;
use crate::name::FeatureName;
use crate::policy::Decision;
use crate::policy::effective::path;
use diagnostics::{Code, Diagnostic, Label, NextStep, Span};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let own = subject.policy.targets.iter().map(|(name, target)| (Some(name.as_str()), &target.features));
    let sections = [(None, &subject.policy.features)].into_iter().chain(own);
    sections.filter_map(|(target, features)| check_section(subject, target, features)).collect()
}

/// Checks the common section, or that of a target, which `check --fix` does not sort.
fn check_section(
    subject: &Subject<'_>,
    target: Option<&str>,
    features: &BTreeMap<FeatureName, Decision>,
) -> Option<Diagnostic> {
    let section = path(target, &["features"]);
    let place = |name: &FeatureName| subject.places.key(&[&section[..], &[name.as_str()]].concat());
    let mut places: Vec<(Span, &str)> = features.keys().map(|name| (place(name), name.as_str())).collect();
    places.sort();
    let pair = places.windows(2).find(|pair| pair[0].1 > pair[1].1)?;
    let message = format!("`{}` is listed after `{}`", pair[1].1, pair[0].1);
    let next = match target {
        Some(name) => format!("Sort the features of the target `{name}`.").into(),
        None => NextStep::run("check --fix"),
    };
    let mut finding = Diagnostic::new(Code::UnsortedFeatures, message, next).at(Label::new(pair[1].0, "out of order"));
    finding.related.push(Label::new(pair[0].0, "comes later in the alphabet"));
    Some(finding)
}
