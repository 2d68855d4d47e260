//! The rules about a policy.
//!
//! Each rule is in the file that has the name of its code, and hazards, which are data, in [`hazard`]. The documentation
//! of every code is in the table of the crate `diagnostics`. The parser reports the errors of the format, and commands
//! report findings about a build or a download.

mod context;
mod copied_reason;
mod empty_reason;
mod go_too_old;
pub(crate) mod hazard;
mod open_dependency;
mod repeated_description;
mod reserved_tag;
mod stale_dependency_reason;
mod unacceptable_hazard;
mod undecided_feature;
mod unknown_acceptance;
mod unknown_feature;
mod unknown_release;
mod unknown_release_line;
mod unneeded_acceptance;
mod unpackable_platform;
mod unsorted_features;
mod unused_implementation_detail;

pub use context::Subject;
pub use hazard::Applying;
pub(crate) use reserved_tag::refusal;

use diagnostics::area::Policy as Rule;
use diagnostics::{Area, Code, Diagnostic};

use crate::policy::{ParsedPolicy, SourceMap};
use crate::upstream_data::UpstreamData;

/// Returns the findings of one rule.
fn check(rule: Rule, subject: &Subject<'_>) -> Vec<Diagnostic> {
    let check = match rule {
        Rule::CopiedReason => copied_reason::check,
        Rule::EmptyReason => empty_reason::check,
        Rule::GoTooOld => go_too_old::check,
        Rule::OpenDependency => open_dependency::check,
        Rule::RepeatedDescription => repeated_description::check,
        Rule::ReservedTag => reserved_tag::check,
        Rule::StaleDependencyReason => stale_dependency_reason::check,
        Rule::UnacceptableHazard => unacceptable_hazard::check,
        Rule::UndecidedFeature => undecided_feature::check,
        Rule::UnknownAcceptance => unknown_acceptance::check,
        Rule::UnknownFeature => unknown_feature::check,
        Rule::UnknownRelease => unknown_release::check,
        Rule::UnknownReleaseLine => unknown_release_line::check,
        Rule::UnneededAcceptance => unneeded_acceptance::check,
        Rule::UnpackablePlatform => unpackable_platform::check,
        Rule::UnsortedFeatures => unsorted_features::check,
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

/// Returns the hazards that apply to a policy, or may apply, accepted or not.
#[must_use]
pub fn hazards<'a>(text: &'a str, reading: &'a ParsedPolicy, facts: &'a UpstreamData) -> Vec<Applying<'a>> {
    let subject = |policy| Subject { text, policy, places: &reading.places, facts };
    reading.policy.as_ref().map(|policy| hazard::applying(&subject(policy))).unwrap_or_default()
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

/// Returns whether a finding prevents printing the tag line, because the line could contain a decision that nobody made.
///
/// With `whole`, returns whether it prevents printing a whole build line, which needs every part of the policy.
#[must_use]
pub fn holds_back_tags(finding: &Diagnostic, places: &SourceMap, whole: bool) -> bool {
    let features = places.value(&["features"]);
    let decides = whole || (features.start..features.end).contains(&finding.span().start);
    let unreadable = finding.code.area() == Area::Format && finding.code != Code::InvalidReference;
    decides_tags(&finding.code) || (unreadable && decides)
}

#[cfg(test)]
pub(crate) mod tests;
