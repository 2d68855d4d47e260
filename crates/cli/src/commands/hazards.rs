//! `hazards list`: the known hazards of the pinned release, and which of them apply.

use std::path::Path;

use anyhow::Result;
use featureset::rules;
use serde::Serialize;

use crate::cli::HazardsList;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::project::{Pinned, Project};
use crate::render::hanging;
use crate::{outln, output};

/// A hazard of the list.
#[derive(Serialize)]
struct Row<'a> {
    hazard: &'a str,
    effect: &'static str,
    title: &'a str,
    when: String,
    /// `applies`, `accepted`, `note` or `possible`; empty if it does not apply.
    status: &'static str,
}

/// Runs `hazards list`, even if there are findings.
///
/// # Errors
/// If the policy can't be read.
pub fn run(policy: Option<&Path>, format: Format, flags: &HazardsList) -> Result<Outcome> {
    let project = Project::open_or_newest(policy)?;
    let Some(pinned) = project.unless(format, |_| false)? else { return Ok(Outcome::Findings) };
    let text = flags.text.as_ref().map(|text| text.to_lowercase());
    let has_text = |row: &Row<'_>| {
        text.as_ref().is_none_or(|text| {
            [row.hazard, row.title, &row.when].iter().any(|field| field.to_lowercase().contains(text))
        })
    };
    let all = rows(pinned);
    let total = all.len();
    let rows: Vec<Row<'_>> =
        all.into_iter().filter(|row| has_text(row) && (!flags.applying || !row.status.is_empty())).collect();
    if format == Format::Json {
        let document = serde_json::json!({ "schema": output::SCHEMA, "tailscale": pinned.release, "total": total, "hazards": rows });
        output::json(&document);
        return Ok(Outcome::Clean);
    }
    let width = rows.iter().map(|row| row.hazard.len()).max().unwrap_or_default();
    for row in &rows {
        let text = format!("{:8}  {:width$}  {} ({})", row.status, row.hazard, row.title, row.effect);
        outln!("{}", hanging(&text, width + 12));
    }
    let count = |status| rows.iter().filter(|row| row.status == status).count();
    let (applies, accepted) = (count("applies"), count("accepted"));
    outln!(
        "\n{} of {total} hazards of Tailscale {}: {applies} applying, {accepted} accepted",
        rows.len(),
        pinned.release
    );
    Ok(Outcome::Clean)
}

fn rows(pinned: Pinned<'_>) -> Vec<Row<'_>> {
    let applying = rules::hazards(pinned.policy, pinned.facts);
    let hazards = pinned.facts.hazards().filter(|hazard| hazard.in_release(pinned.release));
    let status = |id: &str| {
        let Some(found) = applying.iter().find(|found| found.hazard.id == id) else { return "" };
        let accepts = |target: &str| {
            let target = pinned.policy.for_target(target);
            target.is_some_and(|target| rules::acceptance(target, found.hazard).is_some())
        };
        match () {
            () if found.hazard.is_note() => "note",
            () if found.concerned().into_iter().all(accepts) => "accepted",
            () if found.targets.is_empty() => "possible",
            () => "applies",
        }
    };
    hazards
        .map(|hazard| Row {
            hazard: &hazard.id,
            effect: hazard.record.effect.word(),
            title: &hazard.record.title,
            when: hazard.record.when.to_string(),
            status: status(&hazard.id),
        })
        .collect()
}
