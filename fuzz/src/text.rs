//! Properties of texts and findings that several targets share.

use diagnostics::{Diagnostic, Label};

/// Asserts that every span of a finding is in the text, and that its edit can be applied.
pub(crate) fn findings_are_in(text: &str, findings: &[Diagnostic]) {
    for finding in findings {
        let places = finding.label().into_iter().chain(&finding.related);
        for Label { span, .. } in places {
            assert!(text.get(span.start..span.end).is_some(), "{}: {span:?} is not in the text", finding.code);
        }
        for edit in &finding.edits {
            let span = edit.span;
            assert!(text.get(span.start..span.end).is_some(), "{}: the edit {span:?} is not in the text", finding.code);
        }
    }
}

/// Every line of one text is in the other, as often.
pub(crate) fn no_line_is_lost(before: &str, after: &str) {
    let mut left: Vec<&str> = after.lines().collect();
    left.sort_unstable();
    let mut wanted: Vec<&str> = before.lines().collect();
    wanted.sort_unstable();
    let mut left = left.into_iter();
    for line in wanted {
        assert!(left.any(|other| other == line), "the line {line:?} is lost");
    }
}
