//! `list`: every feature of the pinned release, one per line.

use crate::{escape, outln, output};
use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use featureset::cost::{Costs, format_difference};
use featureset::name::FeatureName;
use featureset::policy::{EffectivePolicy, Verdict};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cli::{DecisionFilter, List, Order};
use crate::costs::{FOLDER, MeasuredCosts};
use crate::format::Format;
use crate::outcome::Outcome;
use crate::project::{Pinned, Project};
use crate::render::{MOST_WIDTH, width};
use diagnostics::{Code, Diagnostic, NextStep};

/// A line of the list.
#[derive(Serialize)]
struct Row<'a> {
    feature: &'a FeatureName,
    decision: Option<&'static str>,
    /// The decisions of targets that replace the common one; empty if one target is listed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    overrides: BTreeMap<&'a str, &'static str>,
    since: String,
    needs: Vec<&'a FeatureName>,
    /// Its packed size in bytes, with the features that must follow it.
    packed: Option<i64>,
    reason: &'a str,
}

/// Runs the command, even if there are findings.
///
/// # Errors
/// If the policy can't be read.
pub fn run(policy: Option<&Path>, format: Format, flags: &List) -> Result<Outcome> {
    let project = Project::open(policy)?;
    let Some(pinned) = project.unless(format, |_| false)? else { return Ok(Outcome::Findings) };
    let known = MeasuredCosts::read(&project.root(), project.targets())?;
    let policy = match &flags.target {
        Some(target) => pinned.for_target(target)?,
        None => pinned.policy.common(),
    };
    let costs = match &flags.target {
        Some(target) => known.iter().find(|(name, _)| *name == target),
        None => known.representative(),
    };
    if flags.by == Order::Cost && costs.is_none() {
        let what = flags.target.as_ref().map_or("any target".to_owned(), |target| format!("`{target}`"));
        return Err(unmeasured(&what).into());
    }
    let mut rows: Vec<Row<'_>> = rows(&pinned, policy, costs.map(|(_, costs)| costs))
        .into_iter()
        .filter(|row| fits(row, flags.decision))
        .collect();
    if flags.by == Order::Cost {
        rows.sort_by_key(|row| std::cmp::Reverse(row.packed));
    }
    match format {
        Format::Json => {
            let document = serde_json::json!({ "schema": crate::output::SCHEMA, "tailscale": pinned.release, "target": costs.map(|(target, _)| target), "features": rows });
            output::json(&document);
        }
        _ => print(&rows, costs.map(|(target, _)| target.as_str())),
    }
    Ok(Outcome::Clean)
}

fn unmeasured(what: &str) -> Diagnostic {
    let next = NextStep::new("Run ").command("measure").text(": it takes hours.");
    Diagnostic::failure(
        Code::NotMeasured,
        format!("no costs of {what} are known"),
        format!("there are none in {FOLDER}"),
        next,
    )
}

fn rows<'a>(pinned: &Pinned<'a>, policy: EffectivePolicy<'a>, costs: Option<&Costs>) -> Vec<Row<'a>> {
    let since = |name| pinned.facts.span(name).map(|(first, _)| first.to_string()).unwrap_or_default();
    let features = pinned.registry.features.iter();
    features
        .map(|(feature, meta)| {
            let decision = policy.decision(feature);
            Row {
                feature,
                decision: decision.map(|decision| decision.verdict.word()),
                overrides: overrides(policy, feature),
                since: since(feature),
                needs: meta.needs.iter().collect(),
                packed: costs.and_then(|costs| costs.packed(feature)),
                reason: decision.map_or("", |decision| decision.reason.as_str()),
            }
        })
        .collect()
}

fn overrides<'a>(policy: EffectivePolicy<'a>, feature: &FeatureName) -> BTreeMap<&'a str, &'static str> {
    let targets = policy.policy().targets.iter().filter(|_| policy.name().is_none());
    targets.filter_map(|(name, own)| Some((name.as_str(), own.features.get(feature)?.verdict.word()))).collect()
}

fn fits(row: &Row<'_>, filter: Option<DecisionFilter>) -> bool {
    let is_anywhere = |verdict: Verdict| {
        row.decision == Some(verdict.word()) || row.overrides.values().any(|word| *word == verdict.word())
    };
    filter.is_none_or(|filter| match filter {
        DecisionFilter::Keep => is_anywhere(Verdict::Keep),
        DecisionFilter::Omit => is_anywhere(Verdict::Omit),
        DecisionFilter::Undecided => row.decision.is_none(),
    })
}

fn print(rows: &[Row<'_>], target: Option<&str>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    let target = target.map(escape::line);
    let target = target.as_deref();
    let width = u16::try_from(width()).unwrap_or(80);
    table.set_width(width).set_header(header(target));
    for row in rows {
        let price = row.packed.map(format_difference).unwrap_or_default();
        let price = target.map(|_| price.as_str());
        let cells = [row.decision.unwrap_or("?"), row.feature.as_str(), &row.since].into_iter().chain(price);
        let mut line =
            comfy_table::Row::from(cells.chain([&*escape::line(first_sentence(row.reason))]).collect::<Vec<_>>());
        table.add_row(std::mem::take(line.max_height(1)));
    }
    for line in table.to_string().lines() {
        outln!("{}", line.trim_end());
    }
    let count = |word| rows.iter().filter(|row| row.decision == word).count();
    outln!("\n{} kept, {} omitted, {} undecided", count(Some("keep")), count(Some("omit")), count(None));
    let targets: BTreeSet<&str> = rows.iter().flat_map(|row| row.overrides.keys().copied()).collect();
    for target in targets {
        let decided = |word: &str| {
            let own = rows.iter().filter(|row| row.overrides.get(target).is_some_and(|own| *own == word));
            let names: Vec<&str> = own.map(|row| row.feature.as_str()).collect();
            (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")))
        };
        let own: Vec<String> = ["keep", "omit"].into_iter().filter_map(decided).collect();
        outln!("{}: {} (`--target {target}` lists its decisions)", escape::line(target), own.join("; "));
    }
}

fn header(target: Option<&str>) -> Vec<&str> {
    ["", "feature", "since"].into_iter().chain(target).chain(["reason"]).collect()
}

/// Returns the first sentence of a reason; `explain` prints the rest.
fn first_sentence(reason: &str) -> &str {
    let first = reason.find(". ").map_or(reason, |end| &reason[..=end]);
    // Only one line is printed.
    first.char_indices().nth(MOST_WIDTH).map_or(first, |(end, _)| &first[..end])
}
