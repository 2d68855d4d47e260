//! `list`: every feature of the pinned release, one per line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use featureset::cost::{Costs, estimate, format_difference};
use featureset::hazard::Atom;
use featureset::name::FeatureName;
use featureset::platform::Platform;
use featureset::policy::{Build, EffectivePolicy, Verdict};
use featureset::release::ReleaseLine;
use serde::Serialize;

use super::build_tailscale::chosen_targets;
use super::decide::known_feature;
use crate::cli::{DecisionFilter, List, Order};
use crate::costs::MeasuredCosts;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::project::{Pinned, Project};
use crate::render::{MOST_WIDTH, width};
use crate::{escape, outln, output};

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
/// If the policy can't be read, or a filter names an unknown target or feature.
pub fn run(policy: Option<&Path>, format: Format, flags: &List) -> Result<Outcome> {
    let project = Project::open_or_newest(policy)?;
    let Some(pinned) = project.unless(format, |_| false)? else { return Ok(Outcome::Findings) };
    let known = MeasuredCosts::read(&project.root(), project.targets())?;
    let sizes = Sizes::find(pinned, &known, flags.target.as_deref())?;
    let policy = match &flags.target {
        Some(target) => pinned.for_target(target)?,
        None => pinned.policy.common(),
    };
    let all = rows(&pinned, policy, &sizes);
    let total = all.len();
    let filter = Filter::new(pinned, flags)?;
    let mut rows: Vec<Row<'_>> = all.into_iter().filter(|row| filter.fits(row)).collect();
    if flags.by == Order::Cost {
        rows.sort_by_key(|row| std::cmp::Reverse(row.packed));
    }
    match format {
        Format::Json => output::json(&serde_json::json!({
            "schema": crate::output::SCHEMA,
            "tailscale": pinned.release,
            "target": sizes.target,
            "estimated_from": sizes.estimated_from(),
            "total": total,
            "features": rows,
        })),
        _ => print(&rows, total, &sizes),
    }
    Ok(Outcome::Clean)
}

fn overrides<'a>(policy: EffectivePolicy<'a>, feature: &FeatureName) -> BTreeMap<&'a str, &'static str> {
    let targets = policy.policy().targets.iter().filter(|_| policy.name().is_none());
    targets.filter_map(|(name, own)| Some((name.as_str(), own.features.get(feature)?.verdict.word()))).collect()
}

/// The sizes of the features on one target, measured or estimated.
struct Sizes<'a> {
    target: String,
    platform: &'static Platform,
    build: Build,
    measured: Option<&'a Costs>,
}

impl<'a> Sizes<'a> {
    /// Selects the named target, or the representative one. Without a policy, that is arm64.
    fn find(pinned: Pinned<'_>, known: &'a MeasuredCosts, named: Option<&str>) -> Result<Self> {
        let named: Vec<String> = named.into_iter().map(str::to_owned).collect();
        let chosen = chosen_targets(pinned.policy, &named)?;
        let representative = known.representative().filter(|_| named.is_empty()).map(|(name, _)| name.as_str());
        let name = representative.or_else(|| chosen.first().copied()).unwrap_or("arm64");
        let target = pinned.policy.targets.get(name);
        let (platform, build) = match target {
            Some(target) => (target.platform, target.build.clone()),
            None => {
                estimate::usual_target().ok_or_else(|| anyhow::anyhow!("arm64 is not in the table of platforms"))?
            }
        };
        Ok(Self {
            target: name.to_owned(),
            platform,
            build,
            measured: known.iter().find(|(target, _)| *target == name).map(|(_, costs)| costs),
        })
    }

    fn packed(&self, name: &FeatureName) -> Option<i64> {
        match self.measured {
            Some(costs) => costs.packed(name),
            None => estimate::feature(self.platform, &self.build, name),
        }
    }

    /// The platform whose measurements the sizes are estimated from.
    fn estimated_from(&self) -> Option<&str> {
        match self.measured {
            Some(_) => None,
            None => estimate::nearest(self.platform).map(|costs| costs.basis.platform.as_str()),
        }
    }
}

/// The features to list.
struct Filter<'a> {
    flags: &'a List,
    text: Option<String>,
    with_hazard: BTreeSet<&'a FeatureName>,
    needs: Option<BTreeSet<FeatureName>>,
}

impl<'a> Filter<'a> {
    fn new(pinned: Pinned<'a>, flags: &'a List) -> Result<Self> {
        let hazards = pinned.facts.hazards().filter(|hazard| hazard.in_release(pinned.release));
        let atoms = hazards.flat_map(|hazard| hazard.record.when.atoms());
        let needs = match &flags.needed_by {
            Some(name) => {
                let feature = known_feature(name, pinned)?;
                Some(pinned.registry.requires(&feature).into_iter().filter(|need| *need != feature).collect())
            }
            None => None,
        };
        Ok(Self {
            flags,
            text: flags.text.as_ref().map(|text| text.to_lowercase()),
            with_hazard: atoms.filter_map(Atom::feature).collect(),
            needs,
        })
    }

    fn fits(&self, row: &Row<'_>) -> bool {
        let is_anywhere = |verdict: Verdict| {
            row.decision == Some(verdict.word()) || row.overrides.values().any(|word| *word == verdict.word())
        };
        let decided = self.flags.decision.is_none_or(|filter| match filter {
            DecisionFilter::Keep => is_anywhere(Verdict::Keep),
            DecisionFilter::Omit => is_anywhere(Verdict::Omit),
            DecisionFilter::Undecided => row.decision.is_none(),
        });
        let has_text = |text: &String| row.feature.as_str().contains(text) || row.reason.to_lowercase().contains(text);
        decided
            && self.text.as_ref().is_none_or(has_text)
            && (!self.flags.hazard || self.with_hazard.contains(row.feature))
            && self.needs.as_ref().is_none_or(|needs| needs.contains(row.feature))
            && self.flags.since.is_none_or(|since| row.since.parse().is_ok_and(|line: ReleaseLine| line >= since))
            && self.flags.size.is_none_or(|size| row.packed.is_some_and(|packed| packed.unsigned_abs() >= size))
    }
}

fn rows<'a>(pinned: &Pinned<'a>, policy: EffectivePolicy<'a>, sizes: &Sizes<'_>) -> Vec<Row<'a>> {
    let since = |name| pinned.facts.lines_with(name).map(|(first, _)| first.to_string()).unwrap_or_default();
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
                packed: sizes.packed(feature),
                reason: decision.map_or("", |decision| decision.reason.as_str()),
            }
        })
        .collect()
}

fn print(rows: &[Row<'_>], total: usize, sizes: &Sizes<'_>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    let about = if sizes.measured.is_some() { "" } else { "≈" };
    let target = format!("{about}{}", escape::line(&sizes.target));
    let width = u16::try_from(width()).unwrap_or(80);
    table.set_width(width).set_header(["", "feature", "since", &target, "reason"]);
    for row in rows {
        let price = row.packed.map(format_difference).unwrap_or_default();
        let reason = escape::line(first_sentence(row.reason));
        let cells = [row.decision.unwrap_or("?"), row.feature.as_str(), &row.since, &price, &reason];
        let mut line = comfy_table::Row::from(cells.to_vec());
        table.add_row(std::mem::take(line.max_height(1)));
    }
    for line in table.to_string().lines() {
        outln!("{}", colored(line.trim_end()));
    }
    let count = |word| rows.iter().filter(|row| row.decision == word).count();
    let (kept, omitted, undecided) = (count(Some("keep")), count(Some("omit")), count(None));
    let shown = if rows.len() == total { String::new() } else { format!("{} of {total} features: ", rows.len()) };
    outln!("\n{shown}{kept} kept, {omitted} omitted, {undecided} undecided");
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
    if rows.iter().any(|row| row.packed.is_none()) {
        outln!("no size: inverting the decision does not compile, or was not measured");
    }
    if let Some(platform) = sizes.estimated_from() {
        outln!("sizes of {} are estimated from measurements on {platform}", escape::line(&sizes.target));
    }
}

/// Colors the decision at the beginning of a line. Colors are removed later if the terminal does not support them.
fn colored(line: &str) -> String {
    let plain = "\u{1b}[0m";
    for (word, color) in [("keep", "\u{1b}[32m"), ("omit", "\u{1b}[31m"), ("?", "\u{1b}[33m")] {
        if let Some(rest) = line.trim_start().strip_prefix(word).filter(|rest| rest.starts_with(' ')) {
            let indent = &line[..line.len() - line.trim_start().len()];
            return format!("{indent}{color}{word}{plain}{rest}");
        }
    }
    line.to_owned()
}

/// Returns the first sentence of a reason; `explain` prints the rest.
fn first_sentence(reason: &str) -> &str {
    let first = reason.find(". ").map_or(reason, |end| &reason[..=end]);
    // Only one line is printed.
    first.char_indices().nth(MOST_WIDTH).map_or(first, |(end, _)| &first[..end])
}
