//! Findings in files, in the chosen format.

use std::path::Path;

use anyhow::Result;
use diagnostics::Diagnostic;

use super::found::Found;
use super::phrases::{each, more};
use super::{github, human, json, sarif};
use crate::format::FindingsFormat;
use crate::limits::{SHOWN, WRITTEN};
use crate::output;

/// Shows the findings about a policy: for people on stderr, for programs on stdout. People read findings that differ only in
/// the feature as one, unless `all` of them are wanted.
///
/// # Errors
/// Where a value can't be written as JSON.
pub fn findings(
    path: &Path,
    text: &str,
    findings: &[Diagnostic],
    format: impl Into<FindingsFormat>,
    all: bool,
) -> Result<()> {
    let format = format.into();
    let name = path.to_string_lossy();
    let expanded_by = (!all).then_some("check --all");
    let found = Found { name: &name, file: Some(&name), has_places: true, text, findings, expanded_by };
    match format {
        FindingsFormat::Json => output::json(&document(path, text, findings)),
        _ => found_in(&[found], format),
    }
    Ok(())
}

/// Shows the first findings in files. Prints nothing as JSON: each command has its own document.
pub fn found_in(found: &[Found<'_>], format: impl Into<FindingsFormat>) {
    let format = format.into();
    if format == FindingsFormat::Human {
        return for_people(found);
    }
    let most = if format == FindingsFormat::Sarif { WRITTEN } else { SHOWN };
    let (found, left_out) = first(found, most);
    match format {
        FindingsFormat::Human => {}
        FindingsFormat::Json => {}
        FindingsFormat::Github => {
            let more = (left_out > 0).then(|| github::more(left_out));
            output::commands(&found.iter().map(github::findings).chain(more).collect::<String>());
        }
        FindingsFormat::Sarif => output::json(&sarif::document(&found, left_out)),
    }
}

/// Shows the first groups of findings.
fn for_people(found: &[Found<'_>]) {
    let (mut left, mut left_out, mut in_groups) = (SHOWN, 0, 0);
    for one in found {
        let groups = match one.expanded_by {
            Some(_) => diagnostics::groups(one.findings),
            None => one.findings.iter().map(|finding| vec![finding]).collect(),
        };
        // A person who asks for all findings gets them.
        let most = if one.expanded_by.is_some() { left } else { WRITTEN };
        let (shown, rest) = groups.split_at(most.min(groups.len()));
        left = left.saturating_sub(shown.len());
        left_out += rest.iter().map(Vec::len).sum::<usize>();
        in_groups += shown.iter().map(Vec::len).filter(|members| *members > 1).sum::<usize>();
        output::status(format_args!("{}", human::findings(one, shown)));
    }
    let command = found.iter().find_map(|one| one.expanded_by);
    if let Some(command) = command.filter(|_| in_groups > 0) {
        output::status(format_args!("{}\n\n", each(command)));
    }
    if left_out > 0 {
        output::status(format_args!("{}\n\n", more(left_out)));
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

/// The findings as the document that programs get; a command may add to it.
#[must_use]
pub fn document(path: &Path, text: &str, findings: &[Diagnostic]) -> serde_json::Value {
    json::findings(&path.to_string_lossy(), text, findings)
}
