//! `reserved-tag`: an extra build tag that goes around the decisions or breaks the build.

use super::{Example, Rule, Subject};
use crate::finding::{Finding, Label, Severity};
use crate::name::{INCLUDE_CLI, OMIT_PREFIX};

pub(super) static RULE: Rule = Rule {
    code: "reserved-tag",
    severity: Severity::Error,
    summary: "An extra build tag decides a feature, breaks the binary, or can't be a tag.",
    why: "The tag line says exactly what the features section decides; a tag beside it would go around the review.",
    example: Some(Example {
        from: "symbols: all",
        to: "symbols: all\n  extra_tags:\n    ts_omit_dns: We need no DNS here.",
    }),
    check: Some(check),
};

/// Why a tag can't stand among the extra tags.
///
/// Sources: `assert_ts_toolchain_match.go` (panics at start unless the toolchain is Tailscale's own) and
/// `control/ts2021` (needs HTTP/2, so no control server can be reached without it).
pub(crate) fn refusal(tag: &str) -> Option<&'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    match tag {
        _ if tag.is_empty() || !tag.chars().all(fits) => Some("Go's build tags are letters, digits, `_` and `.`."),
        INCLUDE_CLI => Some("Decide `cli` in the features section instead."),
        "tailscale_go" => Some("Delete it: with stock Go the daemon panics as it starts."),
        "nethttpomithttp2" => Some("Delete it: without HTTP/2 no control server can be reached."),
        _ if tag.starts_with(OMIT_PREFIX) => Some("Decide the feature in the features section instead."),
        _ => None,
    }
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let policy = subject.policy;
    let own = policy.targets.iter().map(|(name, target)| (vec!["targets", name.as_str(), "extra_tags"], &target.build));
    let sections = [(vec!["build", "extra_tags"], &policy.build)].into_iter().chain(own);
    let tags = sections.flat_map(|(path, build)| {
        build.extra_tags.keys().map(move |tag| ([path.clone(), vec![tag.as_str()]].concat(), tag))
    });
    tags.filter(|(path, _)| subject.places.has(path))
        .filter_map(|(path, tag)| {
            let next = refusal(tag)?;
            let place = Label::new(subject.places.key(&path), "not allowed here");
            Some(RULE.finding(format!("`{tag}` can't be an extra tag"), place, next.to_owned()))
        })
        .collect()
}
