//! Renderers of diagnostics, one for each output format: people, JSON, GitHub and SARIF.

mod audit;
pub mod chart;
mod found;
mod github;
mod human;
mod json;
mod markdown;
pub(crate) mod page;
mod sarif;
mod upgrade;
mod verdict;
use std::path::Path;

use anyhow::Result;
use diagnostics::{Diagnostic, Lines, Severity};

use crate::format::FindingsFormat;
use crate::invocation::program;
use crate::limits::{SHOWN, WRITTEN};
use crate::output;

pub use audit::{audit, audit_document, comparison};
pub use found::Found;
pub use human::{MOST_WIDTH, hanging, width, wrapped};
pub use markdown::{change, totals};
pub use upgrade::upgrade;
pub use verdict::{verdict, verdict_document};

/// Shows findings: for people on stderr, for programs on stdout.
///
/// # Errors
/// Where a value can't be written as JSON.
pub fn findings(path: &Path, text: &str, findings: &[Diagnostic], format: impl Into<FindingsFormat>) -> Result<()> {
    let format = format.into();
    let name = path.to_string_lossy();
    let found = Found { name: &name, file: Some(&name), has_places: true, text, findings };
    match format {
        FindingsFormat::Json => output::json(&document(path, text, findings)),
        _ => found_in(&[found], format),
    }
    Ok(())
}

/// Shows the first findings in files. Prints nothing as JSON: each command has its own document.
pub fn found_in(found: &[Found<'_>], format: impl Into<FindingsFormat>) {
    let format = format.into();
    let most = if format == FindingsFormat::Sarif { WRITTEN } else { SHOWN };
    let (found, left_out) = first(found, most);
    match format {
        FindingsFormat::Human => {
            for one in found {
                output::status(format_args!("{}", human::findings(&one)));
            }
            if left_out > 0 {
                output::status(format_args!("{}\n\n", more(left_out)));
            }
        }
        FindingsFormat::Json => {}
        FindingsFormat::Github => {
            let more = (left_out > 0).then(|| github::more(left_out));
            output::commands(&found.iter().map(github::findings).chain(more).collect::<String>());
        }
        FindingsFormat::Sarif => output::json(&sarif::document(&found, left_out)),
    }
}

/// The first findings of all, so many, and how many are left out.
fn first<'a>(found: &[Found<'a>], most: usize) -> (Vec<Found<'a>>, usize) {
    let (mut left, mut left_out) = (most, 0);
    let bounded = |one: &Found<'a>| {
        let (shown, rest) = one.findings.split_at(left.min(one.findings.len()));
        left -= shown.len();
        left_out += rest.len();
        Found { findings: shown, ..*one }
    };
    let found = found.iter().map(bounded).collect();
    (found, left_out)
}

/// The line about findings that are left out.
fn more(count: usize) -> String {
    let findings = if count == 1 { "finding" } else { "findings" };
    format!("and {count} more {findings}; `--format json` lists up to {WRITTEN}")
}

/// The findings as the document that programs get; a command may add to it.
#[must_use]
pub fn document(path: &Path, text: &str, findings: &[Diagnostic]) -> serde_json::Value {
    json::findings(&path.to_string_lossy(), text, findings)
}

/// One finding in a document for programs.
#[must_use]
pub fn finding(lines: &Lines<'_>, finding: &Diagnostic) -> serde_json::Value {
    json::finding_object(lines, finding)
}

/// Shows why a command could not run.
pub fn failure(failure: &Diagnostic, format: FindingsFormat) {
    match format {
        FindingsFormat::Human => output::status(format_args!("{}", human::failure(failure))),
        FindingsFormat::Json => output::json(&json::failure(failure)),
        FindingsFormat::Github => output::commands(&github::failure(failure)),
        FindingsFormat::Sarif => output::json(&sarif::failure(failure)),
    }
}

/// Returns the next step of a diagnostic, with the name of this program as the user called it.
fn next_step(diagnostic: &Diagnostic) -> String {
    diagnostic.next.render(&program())
}

/// Annotates a run of GitHub's, at no line of a file: `level` is `error`, `warning` or `notice`.
pub fn annotate(level: &str, title: &str, message: &str) {
    output::commands(&github::annotation(level, title, message));
}

/// "2 errors, 1 warning", or "no findings".
#[must_use]
pub fn summary(findings: &[Diagnostic]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let say =
        |count: usize, word: &str| (count > 0).then(|| format!("{count} {word}{}", if count == 1 { "" } else { "s" }));
    let parts: Vec<String> = [say(count(Severity::Error), "error"), say(count(Severity::Warning), "warning")]
        .into_iter()
        .flatten()
        .collect();
    if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests;
