//! `redundant-override`: a target repeats a common setting, acceptance or decision.

use diagnostics::{Code, Diagnostic, Label};

use super::context::Subject;
use super::hazard::is_covered;
use crate::policy::{EffectivePolicy, Target};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    subject
        .policy
        .effective()
        .filter_map(|policy| Some((policy, policy.name()?, policy.target()?)))
        .flat_map(|(policy, name, target)| {
            let equal =
                [settings(subject, name, target), acceptances(subject, policy, target), decisions(subject, target)];
            equal.into_iter().flatten().map(move |(path, what)| (name, path, what)).collect::<Vec<_>>()
        })
        .map(|(name, path, what)| {
            let whole: Vec<&str> = ["targets", name].into_iter().chain(path.iter().map(String::as_str)).collect();
            let message = format!("the target `{name}` repeats the common {what}");
            let mut finding =
                Diagnostic::new(Code::RedundantOverride, message, "Delete it: the common one holds for this target.")
                    .at(Label::new(subject.places.key(&whole), "the same again"));
            if let [section, member] = &path[..] {
                finding = finding.grouped(
                    member,
                    format!("entries of `{section}` in the target `{name}` repeat the common ones"),
                    "Delete them: the common ones hold for this target.",
                );
            }
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            if subject.places.has(&path) {
                finding.related.push(Label::new(subject.places.key(&path), "the common one"));
            }
            finding
        })
        .collect()
}

/// The path of an override in its target, and the name of what it repeats.
type Repeated = (Vec<String>, String);

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|key| (*key).to_owned()).collect()
}

/// Returns the overrides of the device, the build and the image that change nothing.
fn settings(subject: &Subject<'_>, name: &str, target: &Target) -> Vec<Repeated> {
    let (common, own) = (&subject.policy.build, &target.build);
    let image = |target: Option<crate::policy::Image>| target.map(|image| image.shell);
    let is_same = [
        (vec!["device"], target.device.as_ref() == Some(&subject.policy.device)),
        (vec!["build", "inlining"], own.inlining == common.inlining),
        (vec!["build", "symbols"], own.symbols == common.symbols),
        (vec!["build", "pack"], own.pack == common.pack),
        (vec!["build", "extra_tags"], own.extra_tags == common.extra_tags),
        (vec!["build", "go_experiments"], own.go_experiments == common.go_experiments),
        (vec!["image"], target.image.is_none() && subject.policy.image.is_none()),
        (vec!["image", "shell"], subject.policy.image.is_some() && image(target.image) == image(subject.policy.image)),
    ];
    is_same
        .into_iter()
        .filter(|(path, is_same)| *is_same && subject.places.has(&[&["targets", name], &path[..]].concat()))
        .map(|(path, _)| (owned(&path), format!("`{}`", path.join("."))))
        .collect()
}

/// Returns the acceptances with the reason of a common one that covers the target.
fn acceptances(subject: &Subject<'_>, policy: EffectivePolicy<'_>, target: &Target) -> Vec<Repeated> {
    let covers = |id: &str| subject.facts.hazard(id).is_some_and(|hazard| is_covered(policy, hazard));
    let same = target.accepted.iter().filter(|(id, reason)| subject.policy.accepted.get(*id) == Some(reason));
    same.filter(|(id, _)| covers(id))
        .map(|(id, _)| (owned(&["accepted", id]), format!("acceptance of `{id}`")))
        .collect()
}

/// Returns the decisions with the verdict and the reason of the common one.
fn decisions(subject: &Subject<'_>, target: &Target) -> Vec<Repeated> {
    let same = target.features.iter().filter(|(name, own)| {
        let common = subject.policy.features.get(*name);
        common.is_some_and(|common| (common.verdict, &common.reason) == (own.verdict, &own.reason))
    });
    same.map(|(name, _)| (owned(&["features", name.as_str()]), format!("decision on `{name}`"))).collect()
}
