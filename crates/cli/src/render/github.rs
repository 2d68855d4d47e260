//! Findings as GitHub's workflow commands, which show them beside the line in a pull request.

use featureset::finding::{Finding, Lines, Severity};

use super::found::Found;
use crate::escape;
use crate::invocation::spelled;
use crate::problem::Problem;

/// One command a finding. Without a file they have no place.
pub(super) fn findings(found: &Found<'_>) -> String {
    let lines = Lines::new(found.text);
    found.findings.iter().map(|finding| one(found, &lines, finding)).collect()
}

fn one(found: &Found<'_>, lines: &Lines<'_>, finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let (line, column) = lines.position(finding.place.span.start);
    let message =
        [escape::line(&finding.message), escape::lines(&finding.why), escape::line(&spelled(&finding.next))].join("\n");
    let region = if found.has_places { format!("line={line},col={column},") } else { String::new() };
    let place = found.file.map(|file| format!("file={},{region}", property(file))).unwrap_or_default();
    format!("::{level} {place}title={}::{}\n", property(&finding.code), data(&message))
}

/// A notice of findings that are left out.
pub(super) fn more(count: usize) -> String {
    annotation("notice", "more-findings", &super::more(count))
}

/// A problem has no place.
pub(super) fn problem(problem: &Problem) -> String {
    let message =
        [escape::line(&problem.message), escape::lines(&problem.why), escape::line(&spelled(&problem.next))].join("\n");
    annotation("error", problem.code.as_str(), &message)
}

/// A command without a place.
pub(super) fn annotation(level: &str, title: &str, message: &str) -> String {
    format!("::{level} title={}::{}\n", property(title), data(message))
}

/// Escapes what the message of a workflow's command must not hold as it is.
pub(super) fn data(text: &str) -> String {
    escape::lines(text.trim()).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A").replace("##[", "##\\u{5b}")
}

/// What a command's property must not hold as it is.
pub(super) fn property(text: &str) -> String {
    data(&escape::line(text.trim())).replace(':', "%3A").replace(',', "%2C")
}
