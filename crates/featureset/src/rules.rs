//! The table of rules: everything that a finding can say of a policy.
//!
//! A rule that judges is a file of its own, named by its code. The rules of reading and those that commands
//! report have no function of their own: the reader speaks where a text does not fit the format, a command where what it
//! built or fetched does not fit the policy.

mod copied_reason;
mod empty_reason;
mod go_too_old;
pub(crate) mod hazard;
mod idle_implementation_detail;
mod open_dependency;
mod reading;
mod repeated_description;
mod reported;
mod reserved_tag;
mod stale_dependency_reason;
mod undecided_feature;
mod unknown_feature;
mod unknown_release;
mod unpackable_platform;
mod unsorted_features;

pub use hazard::Applying;
pub(crate) use reserved_tag::refusal;

use crate::facts::{Facts, Known};
use crate::finding::{Finding, Label, Severity};
use crate::policy::{Places, Policy, Reading};
use crate::registry::Registry;

/// One rule: what it finds, why that matters, and how it is found.
pub struct Rule {
    /// Its name, in kebab case.
    pub code: &'static str,
    /// How much its findings weigh.
    pub severity: Severity,
    /// What it finds, in one sentence.
    pub summary: &'static str,
    /// Why that matters, in a sentence or two. Stands in every finding.
    pub why: &'static str,
    /// The smallest change of a clean policy that it finds; nothing for what only a command can find.
    pub example: Option<Example>,
    /// How it judges; nothing for what the reader or a command reports.
    pub check: Option<fn(&Subject<'_>) -> Vec<Finding>>,
}

/// A change of the clean policy of the rules' own test that makes the rule speak.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// Text that the clean policy holds.
    pub from: &'static str,
    /// What stands there instead.
    pub to: &'static str,
}

/// What rules judge.
pub struct Subject<'a> {
    /// The policy's text.
    pub text: &'a str,
    /// The policy.
    pub policy: &'a Policy,
    /// Where its keys and values stand.
    pub places: &'a Places,
    /// What is known of upstream.
    pub facts: &'a Facts,
}

impl Rule {
    /// A finding of this rule.
    #[must_use]
    pub fn finding(&self, message: String, place: Label, next: String) -> Finding {
        Finding {
            code: self.code.into(),
            severity: self.severity,
            message,
            place,
            related: Vec::new(),
            why: self.why.to_owned(),
            next,
            edit: None,
        }
    }
}

impl<'a> Subject<'a> {
    /// The registry that holds for the pinned release, if its line is known.
    fn registry(&self) -> Option<&'a Registry> {
        match self.facts.known(self.policy.tailscale?) {
            Known::Release(registry) | Known::Line(registry) => Some(registry),
            Known::No => None,
        }
    }
}

/// The rules that judge, sorted by code.
pub static JUDGING: &[&Rule] = &[
    &copied_reason::RULE,
    &empty_reason::RULE,
    &go_too_old::RULE,
    &idle_implementation_detail::RULE,
    &hazard::NEEDLESS,
    &open_dependency::RULE,
    &repeated_description::RULE,
    &reserved_tag::RULE,
    &stale_dependency_reason::RULE,
    &hazard::UNACCEPTABLE,
    &undecided_feature::RULE,
    &hazard::UNKNOWN,
    &unknown_feature::RULE,
    &unknown_release::PATCH,
    &unknown_release::LINE,
    &unpackable_platform::RULE,
    &unsorted_features::RULE,
];

/// Every rule: those that judge, those of reading, those that commands report and those of audits.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    JUDGING.iter().copied().chain(reading::RULES).chain(reported::RULES).chain(crate::audit::rules::RULES)
}

/// The rule with this code. A code that no rule has gets the first rule; a test shows that this never happens.
#[must_use]
pub fn get(code: &str) -> &'static Rule {
    all().find(|rule| rule.code == code).unwrap_or(JUDGING[0])
}

/// Everything that is wrong with a policy: what reading found and what the rules find, in the order of the text.
#[must_use]
pub fn judge(text: &str, reading: &Reading, facts: &Facts) -> Vec<Finding> {
    let mut findings = reading.findings.clone();
    if let Some(policy) = &reading.policy {
        let subject = Subject { text, policy, places: &reading.places, facts };
        findings.extend(JUDGING.iter().filter_map(|rule| rule.check).flat_map(|check| check(&subject)));
        findings.extend(hazard::check(&subject));
    }
    // Where the whole section can't be read, its features are not each undecided.
    let section = reading.places.value(&["features"]);
    if findings.iter().any(|finding| finding.code == "wrong-type" && finding.place.span == section) {
        findings.retain(|finding| finding.code != "undecided-feature");
    }
    // The same name can be refused by the reader and by a rule: once is enough.
    findings.sort_by(|a, b| (a.place.span.start, &a.code).cmp(&(b.place.span.start, &b.code)));
    findings.dedup_by(|a, b| a.code == b.code && a.place == b.place && a.message == b.message);
    findings
}

/// The hazards that apply to a policy, or may, accepted or not.
#[must_use]
pub fn hazards<'a>(text: &'a str, reading: &'a Reading, facts: &'a Facts) -> Vec<Applying<'a>> {
    let subject = |policy| Subject { text, policy, places: &reading.places, facts };
    reading.policy.as_ref().map(|policy| hazard::applying(&subject(policy))).unwrap_or_default()
}

/// The rules whose findings hold back even the tag line, wherever they stand.
const UNDECIDABLE: &[&str] =
    &["malformed-yaml", "missing-key", "reserved-tag", "undecided-feature", "unknown-release-line", "unsupported-yaml"];

/// Whether a finding holds back the tag line: without what it is about, the line would say what nobody decided.
///
/// With `whole`, whether it holds back a whole build line: then no part of the text may be unreadable.
#[must_use]
pub fn holds_back_tags(finding: &Finding, places: &Places, whole: bool) -> bool {
    let features = places.value(&["features"]);
    let decides = whole || (features.start..features.end).contains(&finding.place.span.start);
    let unreadable = reading::RULES.iter().any(|rule| rule.code == finding.code && rule.code != "invalid-reference");
    UNDECIDABLE.contains(&&*finding.code) || (unreadable && decides)
}

#[cfg(test)]
pub(crate) mod tests;
