//! `unknown-go-experiment`: an experiment that is not known for the pinned Go.

use super::context::Subject;
use crate::go_experiment::{GO_EXPERIMENTS, GoExperiment};
use diagnostics::{Code, Diagnostic, Label};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let named = subject.policy.stated_builds().flat_map(|(path, build)| {
        build.go_experiments.keys().map(move |name| ([&path[..], &["go_experiments", name]].concat(), name))
    });
    // Experiments that a target inherits are not in its own section.
    let named = named.filter(|(path, _)| subject.places.has(path));
    named
        .filter_map(|(path, name)| {
            let key = subject.places.key(&path);
            let Some(known) = GoExperiment::find(name) else {
                let names: Vec<&str> = GO_EXPERIMENTS.iter().map(|experiment| experiment.name).collect();
                let message = format!("`{name}` is not an experiment that a policy may set");
                let next = format!("Delete it, or take one of: {}.", names.join(", "));
                return Some(
                    Diagnostic::new(Code::UnknownGoExperiment, message, next).at(Label::new(key, "not known")),
                );
            };
            let go = subject.policy.go.filter(|go| !known.is_in(*go))?;
            let lines = known.lines.join(", ");
            let message = format!("the experiment `{name}` has no known effect in Go {go}");
            let next = format!("Delete it, or pin a Go of the line {lines}.");
            let mut finding = Diagnostic::new(Code::UnknownGoExperiment, message, next)
                .at(Label::new(key, format!("known for Go {lines}")));
            finding.related.push(Label::new(subject.places.value(&["go"]), "the pinned Go"));
            Some(finding)
        })
        .collect()
}
