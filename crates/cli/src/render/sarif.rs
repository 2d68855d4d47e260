//! Findings as SARIF 2.1.0, which code scanning services take.

use std::collections::BTreeMap;

use diagnostics::{Area, Code, Diagnostic, Lines};
use featureset::upstream_data::UpstreamData;
use serde_json::{Value, json};

use super::found::Found;
use super::phrases::{more, next_step};

/// The findings as one log with one run, and how many are left out of it.
pub(super) fn document(found: &[Found<'_>], left_out: usize) -> Value {
    let all = || found.iter().flat_map(|found| found.findings);
    let codes: BTreeMap<&Code, usize> = all().map(|finding| (&finding.code, 0)).collect();
    let codes: BTreeMap<&Code, usize> = codes.into_keys().enumerate().map(|(index, code)| (code, index)).collect();
    let mut results = Vec::new();
    for found in found {
        let lines = Lines::new(found.text);
        results.extend(found.findings.iter().map(|finding| result(found, &lines, finding, &codes)));
    }
    let mut invocation = json!({ "executionSuccessful": true });
    if left_out > 0 {
        let notification = notification("more-findings", "note", &more(left_out));
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

/// Returns the description of a rule or a hazard.
fn rule(code: &Code) -> Value {
    let hazard = UpstreamData::embedded().hazard(code.as_str()).filter(|_| code.area() == Area::Hazard);
    let (short, full) = hazard.map_or_else(
        || (code.summary().to_owned(), code.why().to_owned()),
        |hazard| (format!("{}.", hazard.record.title), hazard.record.because.trim().to_owned()),
    );
    json!({ "id": code.as_str(), "shortDescription": { "text": short }, "fullDescription": { "text": full } })
}

fn result(found: &Found<'_>, lines: &Lines<'_>, finding: &Diagnostic, codes: &BTreeMap<&Code, usize>) -> Value {
    let text = [finding.message.as_str(), &finding.why, &next_step(finding)].join("\n").trim().to_owned();
    let ((line, column), (end_line, end_column)) =
        (lines.position(finding.span().start), lines.position(finding.span().end));
    let location = |file: &str| {
        let mut place = json!({ "artifactLocation": { "uri": uri(file) } });
        if found.has_places {
            place["region"] =
                json!({ "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column });
        }
        json!({ "physicalLocation": place })
    };
    let mut result = json!({
        "ruleId": finding.code.as_str(),
        "ruleIndex": codes.get(&finding.code).copied().unwrap_or_default(),
        "level": finding.severity.word(),
        "message": { "text": text },
        "locations": found.file.map(location).into_iter().collect::<Vec<_>>(),
    });
    if let Some(effect) = finding.effect {
        result["properties"] = json!({ "effect": effect.word });
    }
    result
}

/// A path as a URI reference: every other character is escaped.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let escaped =
        path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    format!("{scheme}{}", escaped.collect::<String>())
}

/// Returns the failure of a command as the log of a run that did not succeed.
pub(super) fn failure(failure: &Diagnostic) -> Value {
    let text = [failure.message.as_str(), &failure.why, &next_step(failure)].join("\n");
    let notification = notification(failure.code.as_str(), "error", &text);
    log(&[], &[], &json!({ "executionSuccessful": false, "toolExecutionNotifications": [notification] }))
}
