//! Phrases that several formats share.

use diagnostics::{Diagnostic, Severity};

use crate::invocation::program;
use crate::limits::WRITTEN;

/// Returns the next step of a diagnostic, with the name of this program as the user called it.
pub(super) fn next_step(diagnostic: &Diagnostic) -> String {
    diagnostic.next.render(&program())
}

/// The line about findings that are left out.
pub(super) fn more(count: usize) -> String {
    let findings = if count == 1 { "finding" } else { "findings" };
    format!("and {count} more {findings}; `--format json` lists up to {WRITTEN}")
}

/// The line about findings that are shown as one.
pub(super) fn each(command: &str) -> String {
    format!("`{} {command}` shows each finding by itself", program())
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
