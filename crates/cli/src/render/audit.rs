//! Audits: what is in and out, what depends on the device, and what a newer release would change in silence.

use std::collections::BTreeSet;
use std::fmt::Display;

use diagnostics::{Code, Diagnostic, Lines, Severity, Span};
use featureset::audit::{Audit, Comparison, Program};
use serde_json::{Value, json};

use super::human::{hanging, wrapped};
use super::json;
use super::phrases::more;
use crate::escape;
use crate::limits::SHOWN;

/// How wide the first column is.
const COLUMN: usize = 14;

/// One list for a person: everything but the errors and warnings, which are shown as findings.
#[must_use]
pub fn audit(place: &str, audit: &Audit) -> String {
    let release = if audit.release_stated { String::new() } else { ", the newest that is known".to_owned() };
    let program = match audit.program {
        Program::Daemon => "",
        Program::CommandLine => ", the command line alone",
        Program::Library => ", inside another program",
    };
    let (place, what) = (escape::line(place), escape::line(&audit.what));
    let mut text = format!("\u{1b}[1m{place}\u{1b}[0m  {what}{program}, on Tailscale {}{release}\n", audit.release);
    let mut row = |label: &str, value: String| {
        if !value.is_empty() {
            text += &format!(
                "{}\n",
                hanging(&format!("{label:<width$}{}", escape::line(&value), width = COLUMN - 2), COLUMN)
            );
        }
    };
    row("built with", audit.go.map(|go| format!("Go {go}")).unwrap_or_default());
    row("calls itself", audit.stamp.clone().unwrap_or_default());
    let facts: Vec<String> = audit.facts.iter().map(|(name, values)| format!("{name} {}", listed(values))).collect();
    row("built for", facts.join("; "));
    if audit.fails {
        row("in, out", "nothing: the program that makes the list fails".to_owned());
    } else if audit.is_open {
        let named = if audit.kept.is_empty() { String::new() } else { format!(", but for {}", listed(&audit.kept)) };
        row("in", format!("not known: the kept features do not follow from the text{named}"));
        row("out", if audit.omitted.is_empty() { "not known".to_owned() } else { listed(&audit.omitted) });
    } else {
        let known = if audit.complete { "" } else { ", as far as the list is known" };
        row(&format!("in {}", audit.kept.len()), format!("{}{known}", listed(&audit.kept)));
        row(&format!("out {}", audit.omitted.len()), listed(&audit.omitted));
    }
    row("other tags", listed(&audit.other_tags));
    for (fact, hazards) in &audit.depends_on {
        row("depends on", format!("{fact}: {}", listed(hazards)));
    }
    let notes = audit.findings.iter().filter(|finding| finding.severity == Severity::Note);
    let notes: Vec<&Diagnostic> = notes.filter(|note| note.code != Code::SilentUpgrade).collect();
    notes.iter().take(SHOWN).for_each(|note| row("note", format!("{}: {}", note.code, note.message)));
    if notes.len() > SHOWN {
        row("note", more(notes.len() - SHOWN));
    }
    if let Some(step) = &audit.newest {
        let phrases = step.phrases();
        let changes = if phrases.is_empty() { vec!["nothing".to_owned()] } else { phrases };
        changes.into_iter().for_each(|change| row(&format!("on {}", step.to), change));
    }
    text
}

fn listed(names: &BTreeSet<impl Display>) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A comparison for a person.
#[must_use]
pub fn comparison(old: &str, new: &str, comparison: &Comparison) -> String {
    let mut text = format!("\u{1b}[1m{}\u{1b}[0m against {}\n", escape::line(new), escape::line(old));
    if let Some((before, after)) = comparison.releases {
        text += &format!("  Tailscale {after}, and not {before}\n");
    }
    let names = |names: &BTreeSet<_>| if names.is_empty() { "none".to_owned() } else { listed(names) };
    text += &format!("{}\n", wrapped(&format!("came: {}", names(&comparison.came)), "  "));
    text += &format!("{}\n", wrapped(&format!("went: {}", names(&comparison.went)), "  "));
    for (label, findings) in [("begins", &comparison.findings_gained), ("ends", &comparison.findings_cleared)] {
        for (code, message) in findings {
            text += &format!("{}\n", wrapped(&escape::line(&format!("{label}: {code}: {message}")), "  "));
        }
    }
    text
}

/// One list for programs, with as many of its findings as are written.
#[must_use]
pub fn audit_document(lines: &Lines<'_>, span: Span, audit: &Audit, written: usize) -> Value {
    let (line, column) = lines.position(span.start);
    let mut document = json!({ "place": { "line": line, "column": column } });
    if let (Some(into), Ok(Value::Object(from))) = (document.as_object_mut(), serde_json::to_value(audit)) {
        into.extend(from);
    }
    document["findings"] =
        audit.findings.iter().take(written).map(|finding| json::finding_object(lines, finding)).collect();
    document
}
