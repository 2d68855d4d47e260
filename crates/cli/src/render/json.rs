//! Diagnostics as JSON: stable keys, places as lines and columns counted from 1.

use diagnostics::{Diagnostic, Edit, Label, Lines, Location, Severity, Span};
use serde_json::{Value, json};

use super::phrases::next_step;
use crate::limits::WRITTEN;

/// The findings of one file as one document, as many as are written; all are counted.
pub(super) fn findings(path: &str, text: &str, findings: &[Diagnostic]) -> Value {
    let (lines, written) = (Lines::new(text), WRITTEN.min(findings.len()));
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    json!({
        "schema": crate::output::SCHEMA,
        "policy": path,
        "findings": findings[..written].iter().map(|finding| finding_object(&lines, finding)).collect::<Vec<_>>(),
        "findings_left_out": findings.len() - written,
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
        "notes": count(Severity::Note),
    })
}

/// Returns one finding as JSON. Findings in an archive have its member, the others a place in the text.
pub(super) fn finding_object(lines: &Lines<'_>, finding: &Diagnostic) -> Value {
    let label = |label: &Label| json!({ "place": place(lines, label.span), "text": label.text });
    let mut document = json!({
        "code": finding.code.as_str(),
        "severity": finding.severity.word(),
        "effect": finding.effect.map(|effect| effect.word),
        "message": finding.message,
        "why": finding.why,
        "next": next_step(finding),
    });
    if !finding.targets.is_empty() {
        document["targets"] = json!(finding.targets);
    }
    match &finding.location {
        Location::Whole => {}
        Location::Member(path) => document["member"] = json!(path),
        Location::Text(primary) => {
            document["place"] = place(lines, primary.span);
            document["label"] = json!(primary.text);
            document["related"] = finding.related.iter().map(label).collect();
            let edit = |edit: &Edit| {
                json!({
                    "title": edit.title,
                    "place": place(lines, edit.span),
                    "replacement": edit.replacement,
                })
            };
            document["edits"] = finding.edits.iter().map(edit).collect();
        }
    }
    document
}

fn place(lines: &Lines<'_>, span: Span) -> Value {
    let ((line, column), (end_line, end_column)) = (lines.position(span.start), lines.position(span.end));
    json!({ "line": line, "column": column, "end_line": end_line, "end_column": end_column })
}

/// Returns the failure of a command as a separate document.
pub(super) fn failure(failure: &Diagnostic) -> Value {
    json!({
        "schema": crate::output::SCHEMA,
        "problem": {
            "code": failure.code.as_str(),
            "message": failure.message,
            "why": failure.why,
            "next": next_step(failure),
        },
    })
}
