//! Findings as SARIF 2.1.0, which code scanning services take.

use std::collections::BTreeMap;

use featureset::facts::Facts;
use featureset::finding::{Finding, Lines, Severity};
use featureset::rules;
use serde_json::{Value, json};

use super::found::Found;
use crate::invocation::spelled;
use crate::problem::Problem;

/// The findings as one log with one run, and how many are left out of it.
pub(super) fn document(found: &[Found<'_>], left_out: usize) -> Value {
    let all = || found.iter().flat_map(|found| found.findings);
    let codes: BTreeMap<&str, usize> = all().map(|finding| (&*finding.code, 0)).collect();
    let codes: BTreeMap<&str, usize> = codes.into_keys().enumerate().map(|(index, code)| (code, index)).collect();
    let mut results = Vec::new();
    for found in found {
        let lines = Lines::new(found.text);
        results.extend(found.findings.iter().map(|finding| result(found, &lines, finding, &codes)));
    }
    let mut invocation = json!({ "executionSuccessful": true });
    if left_out > 0 {
        let notification = notification("more-findings", "note", &super::more(left_out));
        invocation["toolExecutionNotifications"] = json!([notification]);
    }
    log(&codes.keys().map(|code| rule(code)).collect::<Vec<_>>(), &results, &invocation)
}

fn notification(code: &str, level: &str, text: &str) -> Value {
    json!({ "descriptor": { "id": code }, "level": level, "message": { "text": text } })
}

fn log(rules: &[Value], results: &[Value], invocation: &Value) -> Value {
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "tailscale-featureset",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "invocations": [invocation],
            // Columns count characters.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// What a code stands for: a rule, else the hazard of that name.
fn rule(code: &str) -> Value {
    let known = rules::all().find(|rule| rule.code == code);
    let hazard = Facts::embedded().hazard(code);
    let (short, full) = match (known, hazard) {
        (Some(rule), _) => (rule.summary.to_owned(), rule.why.to_owned()),
        (None, Some(hazard)) => (format!("{}.", hazard.record.title), hazard.record.because.trim().to_owned()),
        (None, None) => (code.to_owned(), String::new()),
    };
    json!({ "id": code, "shortDescription": { "text": short }, "fullDescription": { "text": full } })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn result(found: &Found<'_>, lines: &Lines<'_>, finding: &Finding, codes: &BTreeMap<&str, usize>) -> Value {
    let text = [finding.message.as_str(), &finding.why, &spelled(&finding.next)].join("\n").trim().to_owned();
    let ((line, column), (end_line, end_column)) =
        (lines.position(finding.place.span.start), lines.position(finding.place.span.end));
    let location = |file: &str| {
        let mut place = json!({ "artifactLocation": { "uri": uri(file) } });
        if found.has_places {
            place["region"] =
                json!({ "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column });
        }
        json!({ "physicalLocation": place })
    };
    json!({
        "ruleId": finding.code,
        "ruleIndex": codes.get(&*finding.code).copied().unwrap_or_default(),
        "level": level(finding.severity),
        "message": { "text": text },
        "locations": found.file.map(location).into_iter().collect::<Vec<_>>(),
    })
}

/// A path as a reference: everything but what may stand in one is escaped.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let escaped =
        path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    format!("{scheme}{}", escaped.collect::<String>())
}

/// A problem as a log of a run that did not come to an end.
pub(super) fn problem(problem: &Problem) -> Value {
    let text = [problem.message.as_str(), &problem.why, &spelled(&problem.next)].join("\n");
    let notification = notification(problem.code.as_str(), "error", &text);
    log(&[], &[], &json!({ "executionSuccessful": false, "toolExecutionNotifications": [notification] }))
}
