//! `reserved-tag`: an extra build tag that decides a feature or breaks the binary.

use super::context::Subject;
use crate::name::{INCLUDE_CLI, OMIT_PREFIX};
use diagnostics::{Code, Diagnostic, Label};

/// Returns why a tag cannot be an extra tag, as a next step; `None` if it can.
///
/// Sources: `assert_ts_toolchain_match.go` (panics at start unless the toolchain is Tailscale's own) and
/// `control/ts2021` (needs HTTP/2, so no control server can be reached without it).
pub(crate) fn refusal(tag: &str) -> Option<&'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    match tag {
        _ if tag.is_empty() || !tag.chars().all(fits) => Some("Go's build tags are letters, digits, `_` and `.`."),
        INCLUDE_CLI => Some("Decide `cli` in the features section instead."),
        "tailscale_go" => Some("Delete it: with stock Go the daemon panics at start."),
        "nethttpomithttp2" => Some("Delete it: without HTTP/2 no control server can be reached."),
        _ if tag.starts_with(OMIT_PREFIX) => Some("Decide the feature in the features section instead."),
        _ => None,
    }
}

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let tags = subject.policy.stated_builds().flat_map(|(path, build)| {
        build.extra_tags.keys().map(move |tag| ([&path[..], &["extra_tags", tag]].concat(), tag))
    });
    tags.filter(|(path, _)| subject.places.has(path))
        .filter_map(|(path, tag)| {
            let next = refusal(tag)?;
            let place = Label::new(subject.places.key(&path), "not allowed here");
            Some(
                Diagnostic::new(Code::ReservedTag, format!("`{tag}` cannot be an extra tag"), next.to_owned())
                    .at(place),
            )
        })
        .collect()
}
