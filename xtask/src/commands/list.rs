//! `list`: every feature of the pinned release, one a line.

use crate::outln;
use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use featureset::name::FeatureName;
use featureset::policy::Verdict;
use serde::Serialize;
use std::path::Path;

use super::Outcome;
use crate::cli::{DecisionFilter, Format, List};
use crate::project::{Pinned, Project};
use crate::render::width;

/// One line of the list.
#[derive(Serialize)]
struct Row<'a> {
    feature: &'a FeatureName,
    decision: Option<&'static str>,
    since: String,
    needs: Vec<&'a FeatureName>,
    reason: &'a str,
}

/// Runs the command. Findings don't hold it back: it shows what is decided and what is not.
///
/// # Errors
/// Where the policy can't be read.
pub fn run(policy: Option<&Path>, format: Format, flags: &List) -> Result<Outcome> {
    let project = Project::open(policy)?;
    let Some(pinned) = project.unless(format, |_| false)? else { return Ok(Outcome::Findings) };
    let rows: Vec<Row<'_>> = rows(&pinned).into_iter().filter(|row| fits(row, flags.decision)).collect();
    match format {
        Format::Json => {
            let document = serde_json::json!({ "schema": 1, "tailscale": pinned.release, "features": rows });
            outln!("{}", serde_json::to_string_pretty(&document)?);
        }
        _ => print(&rows),
    }
    Ok(Outcome::Clean)
}

fn rows<'a>(pinned: &Pinned<'a>) -> Vec<Row<'a>> {
    let since = |name| pinned.facts.span(name).map(|(first, _)| first.to_string()).unwrap_or_default();
    let features = pinned.registry.features.iter();
    let policy = pinned.policy;
    features
        .map(|(feature, meta)| {
            let decision = policy.features.get(feature);
            Row {
                feature,
                decision: decision.map(|decision| decision.verdict.word()),
                since: since(feature),
                needs: meta.needs.iter().collect(),
                reason: decision.map_or("", |decision| decision.reason.as_str()),
            }
        })
        .collect()
}

fn fits(row: &Row<'_>, filter: Option<DecisionFilter>) -> bool {
    filter.is_none_or(|filter| match filter {
        DecisionFilter::Keep => row.decision == Some(Verdict::Keep.word()),
        DecisionFilter::Omit => row.decision == Some(Verdict::Omit.word()),
        DecisionFilter::Undecided => row.decision.is_none(),
    })
}

fn print(rows: &[Row<'_>]) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    let width = u16::try_from(width()).unwrap_or(80);
    table.set_width(width).set_header(["", "feature", "since", "reason"]);
    for row in rows {
        let reason = first_sentence(row.reason);
        let mut line = comfy_table::Row::from([row.decision.unwrap_or("?"), row.feature.as_str(), &row.since, reason]);
        table.add_row(std::mem::take(line.max_height(1)));
    }
    for line in table.to_string().lines() {
        outln!("{}", line.trim_end());
    }
    let count = |word| rows.iter().filter(|row| row.decision == word).count();
    outln!("\n{} kept, {} omitted, {} undecided", count(Some("keep")), count(Some("omit")), count(None));
}

/// The first sentence carries the decision; `explain` shows the rest.
fn first_sentence(reason: &str) -> &str {
    reason.find(". ").map_or(reason, |end| &reason[..=end])
}
