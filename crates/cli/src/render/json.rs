//! Findings as JSON: stable keys under `"schema": 1`, places as lines and columns counted from 1.

use featureset::finding::{Finding, Label, Lines, Severity, Span};
use serde_json::{Value, json};

use crate::invocation::spelled;
use crate::limits::WRITTEN;
use crate::problem::Problem;

/// The findings of one file as one document, as many as are written; all are counted.
pub(super) fn findings(path: &str, text: &str, findings: &[Finding]) -> Value {
    let (lines, written) = (Lines::new(text), WRITTEN.min(findings.len()));
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    json!({
        "schema": 1,
        "policy": path,
        "findings": findings[..written].iter().map(|finding| one(&lines, finding)).collect::<Vec<_>>(),
        "findings_left_out": findings.len() - written,
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
    })
}

/// One finding.
pub(super) fn one(lines: &Lines<'_>, finding: &Finding) -> Value {
    let label = |label: &Label| json!({ "place": place(lines, label.span), "text": label.text });
    json!({
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "place": place(lines, finding.place.span),
        "label": finding.place.text,
        "related": finding.related.iter().map(label).collect::<Vec<_>>(),
        "why": finding.why,
        "next": spelled(&finding.next),
        "edit": finding.edit.as_ref().map(|edit| json!({
            "title": edit.title,
            "place": place(lines, edit.span),
            "replacement": edit.replacement,
        })),
    })
}

fn place(lines: &Lines<'_>, span: Span) -> Value {
    let ((line, column), (end_line, end_column)) = (lines.position(span.start), lines.position(span.end));
    json!({ "line": line, "column": column, "end_line": end_line, "end_column": end_column })
}

/// A problem as a document of its own.
pub(super) fn problem(problem: &Problem) -> Value {
    json!({
        "schema": 1,
        "problem": { "code": problem.code.as_str(), "message": problem.message, "why": problem.why, "next": spelled(&problem.next) },
    })
}
