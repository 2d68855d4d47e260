//! Findings as GitHub's workflow commands, which show them beside the line in a pull request.

use featureset::finding::{Finding, Severity, line_and_column};

use crate::invocation::spelled;
use crate::problem::Problem;

/// One command a finding.
pub(super) fn findings(path: &str, text: &str, findings: &[Finding]) -> String {
    findings.iter().map(|finding| one(path, text, finding)).collect()
}

fn one(path: &str, text: &str, finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let (line, column) = line_and_column(text, finding.place.span.start);
    let message = [finding.message.as_str(), &finding.why, &spelled(&finding.next)].join("\n");
    let (path, title) = (property(path), property(&finding.code));
    format!("::{level} file={path},line={line},col={column},title={title}::{}\n", data(&message))
}

/// A problem has no place.
pub(super) fn problem(problem: &Problem) -> String {
    let message = [problem.message.as_str(), &problem.why, &spelled(&problem.next)].join("\n");
    format!("::error title={}::{}\n", property(problem.code), data(&message))
}

/// What a command's message must not hold as it is.
pub(super) fn data(text: &str) -> String {
    text.trim().replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What a command's property must not hold as it is.
pub(super) fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
