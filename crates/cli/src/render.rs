//! Renderers of diagnostics, one for each output format: people, JSON, GitHub and SARIF.

mod audit;
pub mod chart;
mod findings;
mod found;
mod github;
mod human;
mod json;
mod markdown;
pub(crate) mod page;
mod phrases;
mod sarif;
mod upgrade;
mod verdict;

use diagnostics::{Diagnostic, Lines};

use crate::format::FindingsFormat;
use crate::output;

pub use audit::{audit, audit_document, comparison};
pub use findings::{document, findings, found_in};
pub use found::Found;
pub use human::{MOST_WIDTH, hanging, width, wrapped};
pub use markdown::{change, totals};
pub use phrases::summary;
pub use upgrade::upgrade;
pub use verdict::{verdict, verdict_document};

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

/// Annotates a run of GitHub's, at no line of a file: `level` is `error`, `warning` or `notice`.
pub fn annotate(level: &str, title: &str, message: &str) {
    output::commands(&github::annotation(level, title, message));
}

#[cfg(test)]
mod tests;
