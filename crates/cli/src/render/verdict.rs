//! A verdict on an archive: for people, for programs and for GitHub.

use image::lint::{Finding, Severity, Verdict};
use serde_json::{Value, json};

use super::github;
use crate::cli::Format;
use crate::escape;
use crate::invocation::spelled;
use crate::output;

/// Shows a verdict: for people on stderr, for programs on stdout. `archive` is the file as it was named.
pub fn verdict(archive: &str, verdict: &Verdict, format: Format) {
    match format {
        Format::Human => output::status(format_args!("{}", human(archive, verdict))),
        Format::Json => output::json(&verdict_document(archive, verdict)),
        Format::Github | Format::Sarif => {
            let lines: String = verdict.findings.iter().map(|finding| command(archive, finding)).collect();
            output::commands(&lines);
        }
    }
}

fn human(archive: &str, verdict: &Verdict) -> String {
    let (bold, plain) = ("\u{1b}[1m", "\u{1b}[0m");
    let (mut text, archive) = (String::new(), escape::line(archive));
    for finding in &verdict.findings {
        let (colour, level) = match finding.lint.severity {
            Severity::Error => ("\u{1b}[1;31m", "error"),
            Severity::Warning => ("\u{1b}[1;33m", "warning"),
        };
        let lint = finding.lint;
        let place =
            if finding.place.is_empty() { String::new() } else { format!(": {}", escape::line(&finding.place)) };
        let message = escape::line(&finding.message);
        text += &format!("{colour}{level}[{}]{plain}{bold}: {message}{plain}\n", lint.code);
        text += &format!("  --> {archive}{place}\n  = {bold}why{plain}: {}\n", lint.why);
        text += &format!("  = {bold}next{plain}: {}\n\n", spelled(lint.next));
    }
    for (code, count) in &verdict.more {
        text += &format!("and {count} more of {code}\n\n");
    }
    text
}

fn command(archive: &str, finding: &Finding) -> String {
    let level = match finding.lint.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = if finding.place.is_empty() { String::new() } else { format!(" ({})", finding.place) };
    let what = format!("{}{place}", finding.message);
    let message = format!("{}\n{}\n{}", escape::line(&what), finding.lint.why, spelled(finding.lint.next));
    let (archive, code) = (github::property(archive), github::property(finding.lint.code));
    format!("::{level} file={archive},title={code}::{}\n", github::data(&message))
}

/// A verdict as one document.
#[must_use]
pub fn verdict_document(archive: &str, verdict: &Verdict) -> Value {
    let finding = |finding: &Finding| {
        let severity = match finding.lint.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        json!({
            "code": finding.lint.code, "severity": severity, "message": finding.message, "place": finding.place,
            "why": finding.lint.why, "next": spelled(finding.lint.next),
        })
    };
    let parts: Vec<Value> = verdict
        .parts
        .iter()
        .map(|part| json!({ "name": part.name, "bytes": part.bytes, "on_flash": part.disk }))
        .collect();
    json!({
        "schema": 1,
        "archive": archive,
        "platform": verdict.platform,
        "layers": verdict.layers,
        "on_flash": verdict.on_flash(),
        "parts": parts,
        "findings": verdict.findings.iter().map(finding).collect::<Vec<_>>(),
        "not_told": verdict.more,
    })
}
