//! The rules about a policy.
//!
//! Each rule is in the file that has the name of its code, and hazards, which are data, in [`hazard`]. The documentation
//! of every code is in the table of the crate `diagnostics`. The parser reports the errors of the format, and commands
//! report findings about a build or a download.

mod budget_predicted;
mod context;
mod copied_reason;
mod empty_reason;
mod go_too_old;
pub(crate) mod hazard;
mod memory_predicted;
mod open_dependency;
mod redundant_override;
mod repeated_description;
mod reserved_tag;
mod stale_dependency_reason;
mod unacceptable_hazard;
mod undecided_feature;
mod unknown_acceptance;
mod unknown_feature;
mod unknown_go_experiment;
mod unknown_release;
mod unknown_release_line;
mod unneeded_acceptance;
mod unsorted_features;
mod unsupported_platform;
mod unused_implementation_detail;

pub use context::Subject;
pub(crate) use empty_reason::is_empty as is_empty_reason;
pub use hazard::{acceptance, selection_hazards};
pub(crate) use reserved_tag::refusal;

use diagnostics::area::Policy as Rule;
use diagnostics::{Area, Code, Diagnostic};

use crate::hazard::applying::Applying;
use crate::policy::{ParsedPolicy, Policy, SourceMap};
use crate::upstream_data::UpstreamData;

/// Returns the findings of one rule.
fn check(rule: Rule, subject: &Subject<'_>) -> Vec<Diagnostic> {
    let check = match rule {
        Rule::BudgetPredicted => budget_predicted::check,
        Rule::CopiedReason => copied_reason::check,
        Rule::EmptyReason => empty_reason::check,
        Rule::GoTooOld => go_too_old::check,
        Rule::MemoryPredicted => memory_predicted::check,
        Rule::OpenDependency => open_dependency::check,
        Rule::RedundantOverride => redundant_override::check,
        Rule::RepeatedDescription => repeated_description::check,
        Rule::ReservedTag => reserved_tag::check,
        Rule::StaleDependencyReason => stale_dependency_reason::check,
        Rule::UnacceptableHazard => unacceptable_hazard::check,
        Rule::UndecidedFeature => undecided_feature::check,
        Rule::UnknownAcceptance => unknown_acceptance::check,
        Rule::UnknownFeature => unknown_feature::check,
        Rule::UnknownGoExperiment => unknown_go_experiment::check,
        Rule::UnknownRelease => unknown_release::check,
        Rule::UnknownReleaseLine => unknown_release_line::check,
        Rule::UnneededAcceptance => unneeded_acceptance::check,
        Rule::UnsortedFeatures => unsorted_features::check,
        Rule::UnsupportedPlatform => unsupported_platform::check,
        Rule::UnusedImplementationDetail => unused_implementation_detail::check,
    };
    check(subject)
}

/// Returns the findings of the parser and of the rules, by severity and effect.
#[must_use]
pub fn judge(text: &str, reading: &ParsedPolicy, facts: &UpstreamData) -> Vec<Diagnostic> {
    let mut findings = reading.findings.clone();
    if let Some(policy) = &reading.policy {
        let subject = Subject { text, policy, places: &reading.places, facts };
        findings.extend(Rule::ALL.iter().flat_map(|rule| check(*rule, &subject)));
        findings.extend(hazard::check(&subject));
    }
    // If the whole section cannot be read, its features are not reported as undecided.
    let section = reading.places.value(&["features"]);
    if findings.iter().any(|finding| finding.code == Code::WrongType && finding.span() == section) {
        findings.retain(|finding| finding.code != Code::UndecidedFeature);
    }
    diagnostics::sort(&mut findings);
    // The parser and a rule can report the same name.
    findings.dedup_by(|a, b| a.code == b.code && a.location == b.location && a.message == b.message);
    findings
}

/// Returns the hazards that apply to the targets of a policy, or may apply, accepted or not.
#[must_use]
pub fn hazards<'a>(policy: &Policy, facts: &'a UpstreamData) -> Vec<Applying<'a>> {
    hazard::policy_hazards(policy, facts)
}

/// Returns whether the tag line would be wrong because of a finding, wherever the finding is.
fn decides_tags(code: &Code) -> bool {
    matches!(
        code,
        Code::MalformedYaml
            | Code::MissingKey
            | Code::ReservedTag
            | Code::UndecidedFeature
            | Code::UnknownReleaseLine
            | Code::UnsupportedYaml
    )
}

/// The output of `tags`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagOutput {
    /// The tag line.
    TagLine,
    /// A target's tag line or its whole build command, which needs every part of the policy.
    OfTarget,
}

/// Returns the predicate of the findings that prevent printing an output, because it could contain a decision that nobody
/// made.
pub fn holds_back_tags(places: &SourceMap, output: TagOutput) -> impl Fn(&Diagnostic) -> bool {
    // A target with its own decisions or tags can differ from the others, so it must be readable.
    let differs = |target: &String| {
        let own: [&[&str]; 2] = [&["features"], &["build", "extra_tags"]];
        own.iter().any(|path| places.has(&[&["targets", target.as_str()], *path].concat()))
    };
    let mut sections = vec![places.value(&["features"])];
    let targets = places.children(&["targets"]).into_iter().filter(differs);
    sections.extend(targets.map(|target| places.value(&["targets", &target])));
    move |finding| {
        let start = finding.span().start;
        let decides = output == TagOutput::OfTarget
            || sections.iter().any(|section| (section.start..section.end).contains(&start));
        let unreadable = finding.code.area() == Area::Format && finding.code != Code::InvalidReference;
        decides_tags(&finding.code) || (unreadable && decides)
    }
}

#[cfg(test)]
pub(crate) mod tests;
