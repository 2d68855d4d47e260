//! Findings as GitHub's workflow commands, which show them beside the line in a pull request.

use featureset::finding::{Finding, Severity, line_and_column};

use crate::problem::Problem;

/// One command a finding. Without a path they have no place.
pub(super) fn findings(path: Option<&str>, text: &str, findings: &[Finding]) -> String {
    findings.iter().map(|finding| one(path, text, finding)).collect()
}

fn one(path: Option<&str>, text: &str, finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let (line, column) = line_and_column(text, finding.place.span.start);
    let message = [finding.message.as_str(), &finding.why, &finding.next].join("\n");
    let place = path.map(|path| format!("file={},line={line},col={column},", property(path))).unwrap_or_default();
    format!("::{level} {place}title={}::{}\n", property(&finding.code), data(&message))
}

/// A problem has no place.
pub(super) fn problem(problem: &Problem) -> String {
    let message = [problem.message.as_str(), &problem.why, &problem.next].join("\n");
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
