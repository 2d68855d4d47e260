//! Findings as JSON: stable keys under `"schema": 1`, places as lines and columns counted from 1.

use featureset::finding::{Finding, Label, Severity, Span, line_and_column};
use serde_json::{Value, json};

use crate::invocation::spelled;
use crate::problem::Problem;

/// The findings of one file as one document.
pub(super) fn findings(path: &str, text: &str, findings: &[Finding]) -> Value {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    json!({
        "schema": 1,
        "policy": path,
        "findings": findings.iter().map(|finding| one(text, finding)).collect::<Vec<_>>(),
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
    })
}

/// One finding.
pub(super) fn one(text: &str, finding: &Finding) -> Value {
    let label = |label: &Label| json!({ "place": place(text, label.span), "text": label.text });
    json!({
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "place": place(text, finding.place.span),
        "label": finding.place.text,
        "related": finding.related.iter().map(label).collect::<Vec<_>>(),
        "why": finding.why,
        "next": spelled(&finding.next),
        "edit": finding.edit.as_ref().map(|edit| json!({
            "title": edit.title,
            "place": place(text, edit.span),
            "replacement": edit.replacement,
        })),
    })
}

fn place(text: &str, span: Span) -> Value {
    let ((line, column), (end_line, end_column)) = (line_and_column(text, span.start), line_and_column(text, span.end));
    json!({ "line": line, "column": column, "end_line": end_line, "end_column": end_column })
}

/// A problem as a document of its own.
pub(super) fn problem(problem: &Problem) -> Value {
    json!({
        "schema": 1,
        "problem": { "code": problem.code, "message": problem.message, "why": problem.why, "next": spelled(&problem.next) },
    })
}
