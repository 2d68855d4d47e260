//! `undecided-feature`: the release has a feature that the policy does not decide.

use super::context::Subject;
use crate::name::FeatureName;
use crate::policy::edit::Section;
use diagnostics::{Code, Diagnostic, Edit, Label, NextStep};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let Some(registry) = subject.registry() else { return Vec::new() };
    let section = Section::find(subject.text, subject.places, &["features"]);
    let open = registry.features.iter().filter(|(name, _)| !subject.policy.features.contains_key(*name));
    // An entry that the parser rejected has its own finding.
    let mut findings = overrides_without_decision(subject);
    let common = open.filter(|(name, _)| !is_broken(subject, &["features", name.as_str()])).map(|(name, feature)| {
        let path = ["features", name.as_str()];
        let next = NextStep::new("Add `keep:` or `omit:` with the reason; ")
            .command(format!("explain {name}"))
            .text(" shows what is known.");
        let (place, stub) = if subject.places.has(&path) {
            (Label::new(subject.places.key(&path), "no `keep:` or `omit:`"), None)
        } else {
            let stub = section.as_ref().map(|section| section.stub(registry, name));
            (Label::new(subject.places.key(&["features"]), "the decision is missing here"), stub)
        };
        let listed = |names: &mut dyn Iterator<Item = &FeatureName>| {
            names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        let needs = listed(&mut feature.needs.iter());
        let needs = if needs.is_empty() { String::new() } else { format!("; it needs {needs}") };
        // Omitting it would break these kept features.
        let users: Vec<FeatureName> =
            registry.required_by(name).into_iter().filter(|user| subject.policy.keeps_anywhere(user)).collect();
        let kept = listed(&mut users.iter());
        let kept = if kept.is_empty() { String::new() } else { format!("; needed by {kept}, which is kept") };
        let mut finding =
            Diagnostic::new(Code::UndecidedFeature, format!("`{name}` is not decided{needs}{kept}"), next)
                .at(place)
                .grouped(name.as_str(), "features are not decided", all());
        finding.related.extend(users.iter().filter_map(|user| {
            let user = subject.places.key(&["features", user.as_str(), "keep"]);
            (user.end > 0).then(|| Label::new(user, format!("needs `{name}`")))
        }));
        let edit = |(span, replacement)| Edit { title: format!("decide `{name}`"), span, replacement };
        finding.edits.extend(stub.map(edit));
        finding
    });
    findings.extend(common);
    findings
}

/// Returns the next step of several findings.
fn all() -> NextStep {
    NextStep::new("Run ")
        .command("check --fix")
        .text(", which inserts the missing entries; then write `keep:` or `omit:` with the reason in each. ")
        .command("explain NAME")
        .text(" shows what is known.")
}

/// Returns the findings about entries of targets that have neither `keep` nor `omit`.
fn overrides_without_decision(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (target, own) in &subject.policy.targets {
        for name in subject.places.children(&["targets", target, "features"]) {
            let path = ["targets", target, "features", &name];
            let is_decided = FeatureName::new(&name).is_ok_and(|name| own.features.contains_key(&name));
            if !is_decided && !is_broken(subject, &path) && FeatureName::new(&name).is_ok() {
                let message = format!("`{name}` is not decided in the target `{target}`");
                let next =
                    "Add `keep:` or `omit:` with the reason, or delete the entry: the common decision then holds.";
                let label = Label::new(subject.places.key(&path), "no `keep:` or `omit:`");
                findings.push(Diagnostic::new(Code::UndecidedFeature, message, next).at(label));
            }
        }
    }
    findings
}

/// Returns whether the entry has a `keep` or `omit` that could not be read.
fn is_broken(subject: &Subject<'_>, entry: &[&str]) -> bool {
    ["keep", "omit"].iter().any(|verdict| subject.places.has(&[entry, &[*verdict]].concat()))
}
