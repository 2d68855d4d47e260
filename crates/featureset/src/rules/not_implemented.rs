//! `not-implemented`: a setting of the format that nothing acts on yet.

use super::{Example, Rule, Subject};
use crate::finding::{Finding, Label, Severity};
use crate::policy::{Build, Inlining};

pub(super) static RULE: Rule = Rule {
    code: "not-implemented",
    severity: Severity::Error,
    summary: "A setting is part of the format, but not implemented yet.",
    why: "A setting that nothing acts on would look as if it had an effect.",
    example: Some(Example { from: "inlining: none", to: "inlining: hot-paths" }),
    check: Some(check),
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let policy = subject.policy;
    let mut paths: Vec<(Vec<&str>, &str)> = Vec::new();
    let own = subject.policy.targets.iter().map(|(name, target)| (vec!["targets", name.as_str()], &target.build));
    for (path, build) in [(vec!["build"], &policy.build)].into_iter().chain(own) {
        paths.extend(unbuilt(build).into_iter().map(|(key, next)| ([path.clone(), vec![key]].concat(), next)));
    }
    paths
        .into_iter()
        // A target that inherits a setting does not hold it: the finding belongs to the policy's own.
        .filter(|(path, _)| subject.places.has(path))
        .map(|(path, next)| {
            let message = format!("`{}` is not implemented yet", path.join("."));
            RULE.finding(message, Label::new(subject.places.key(&path), "nothing acts on this"), next.to_owned())
        })
        .collect()
}

fn unbuilt(build: &Build) -> Vec<(&'static str, &'static str)> {
    let mut keys = Vec::new();
    if build.inlining == Inlining::HotPaths {
        keys.push(("inlining", "Write `full` or `none`."));
    }
    keys
}
