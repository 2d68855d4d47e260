//! Findings as GitHub's workflow commands, which show them next to the line in a pull request.

use diagnostics::{Diagnostic, Lines, Location, Severity};

use super::found::Found;
use super::phrases::{self, next_step};
use crate::escape;

/// One command a finding. Without a file they have no place.
pub(super) fn findings(found: &Found<'_>) -> String {
    let lines = Lines::new(found.text);
    found.findings.iter().map(|finding| finding_command(found, &lines, finding)).collect()
}

fn finding_command(found: &Found<'_>, lines: &Lines<'_>, finding: &Diagnostic) -> String {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let region = match finding.label() {
        Some(label) if found.has_places => {
            let (line, column) = lines.position(label.span.start);
            format!("line={line},col={column},")
        }
        _ => String::new(),
    };
    let place = found.file.map(|file| format!("file={},{region}", property(file))).unwrap_or_default();
    format!("::{level} {place}title={}::{}\n", property(finding.code.as_str()), data(&message(finding)))
}

/// Returns the message with the member of the archive, the reason and the next step, one a line.
fn message(diagnostic: &Diagnostic) -> String {
    let member = match &diagnostic.location {
        Location::Member(path) => format!(" ({path})"),
        Location::Whole | Location::Text(_) => String::new(),
    };
    let title = format!("{}{member}", diagnostic.message);
    let next = next_step(diagnostic);
    let effect = diagnostic.effect.map(|effect| format!("Effect: {}.", effect.word));
    let parts = [
        Some(escape::line(&title)),
        effect.map(Into::into),
        Some(escape::lines(&diagnostic.why)),
        Some(escape::line(&next)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// A notice of findings that are left out.
pub(super) fn more(count: usize) -> String {
    annotation("notice", "more-findings", &phrases::more(count))
}

/// Renders the failure of a command.
pub(super) fn failure(failure: &Diagnostic) -> String {
    annotation("error", failure.code.as_str(), &message(failure))
}

/// A command without a place.
pub(super) fn annotation(level: &str, title: &str, message: &str) -> String {
    format!("::{level} title={}::{}\n", property(title), data(message))
}

/// Escapes what the message of a workflow's command must not hold as it is.
pub(super) fn data(text: &str) -> String {
    escape::lines(text.trim()).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A").replace("##[", "##\\u{5b}")
}

/// Characters that a command's property must escape.
pub(super) fn property(text: &str) -> String {
    data(&escape::line(text.trim())).replace(':', "%3A").replace(',', "%2C")
}
