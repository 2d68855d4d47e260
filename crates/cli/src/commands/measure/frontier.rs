//! `measure frontier`: finds the features to omit so that each target fits a budget, from estimated sizes.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use featureset::cost::estimate::SizeModel;
use featureset::cost::frontier::{Frontier, Lever, Way, frontier, levers};
use featureset::cost::{Costs, format_difference};
use featureset::hazard::Effect;
use featureset::name::FeatureName;
use featureset::policy::{EffectivePolicy, format_size};
use featureset::rules;
use featureset::selection::Selection;

use crate::format::Format;
use crate::outcome::Outcome;
use crate::project::{Pinned, Project};
use crate::render::wrapped;
use crate::{costs, escape, outln, output};

/// The feature without which nobody can log in.
const LOGIN: &str = "cli";

/// Prints the alternatives for each target; a target that can't fit is a finding.
pub(super) fn run(
    project: &Project,
    pinned: Pinned<'_>,
    targets: &[&str],
    budget: u64,
    format: Format,
) -> Result<Outcome> {
    let mut outcome = Outcome::Clean;
    let mut document = serde_json::Map::new();
    for target in targets {
        let drops = Drops::new(pinned, target)?;
        let platform = drops.policy.target().context("the policy of a target has a platform")?.platform;
        let build = drops.policy.build();
        let own = own_costs(project, pinned, target)?;
        let model = match &own {
            Some(own) => SizeModel::from_costs(own),
            None => SizeModel::new(platform, build, pinned.policy.go).context("the program contains measurements")?,
        };
        let found = frontier(&model, &drops.selection, budget, |kept| drops.is_usable(kept));
        let levers = levers(platform, build, pinned.policy.go, &drops.selection.kept);
        if found.size.bytes > budget && found.ways.is_empty() {
            outcome = Outcome::Findings;
        }
        if format == Format::Json {
            document.insert((*target).to_owned(), as_json(&found, &levers));
        } else {
            outln!("{}", drops.describe(&escape::line(target), budget, &found, &levers));
        }
    }
    if format == Format::Json {
        output::json(&serde_json::json!({ "schema": crate::output::SCHEMA, "budget": budget, "targets": document }));
    }
    Ok(outcome)
}

/// Returns the costs that were measured for this target next to the policy, unless they are stale.
fn own_costs(project: &Project, pinned: Pinned<'_>, target: &str) -> Result<Option<Costs>> {
    let known = costs::read(&project.root(), target)?;
    Ok(known.filter(|known| {
        let staleness = costs::staleness(pinned, target, known);
        staleness.stale.is_empty() && staleness.packer.is_none()
    }))
}

/// The effects of omitting features of one target.
struct Drops<'a> {
    pinned: Pinned<'a>,
    policy: EffectivePolicy<'a>,
    selection: Selection<'a>,
    /// The hazards of the current selection.
    before: BTreeSet<String>,
}

impl<'a> Drops<'a> {
    fn new(pinned: Pinned<'a>, target: &str) -> Result<Self> {
        let (policy, selection) = (pinned.for_target(target)?, pinned.selection(target)?);
        let before = rules::selection_hazards(policy, &selection, pinned.facts);
        let before = before.into_iter().map(|applying| applying.hazard.id.clone()).collect();
        Ok(Self { pinned, policy, selection, before })
    }

    /// Returns whether somebody can still log in to a daemon with these features, and it works.
    fn is_usable(&self, kept: &BTreeSet<FeatureName>) -> bool {
        let loses_login = self.selection.kept.contains(LOGIN) && !kept.contains(LOGIN);
        !loses_login && !self.gained(kept).iter().any(|(_, effect, _)| effect.leaves_nothing())
    }

    /// Returns the new hazards of a selection: id, effect and title.
    fn gained(&self, kept: &BTreeSet<FeatureName>) -> Vec<(String, Effect, String)> {
        let selection = Selection::keeping(kept, self.pinned.registry);
        let after = rules::selection_hazards(self.policy, &selection, self.pinned.facts);
        let new = after.iter().filter(|applying| !self.before.contains(&applying.hazard.id));
        new.map(|one| (one.hazard.id.clone(), one.hazard.record.effect, one.hazard.record.title.clone())).collect()
    }

    fn describe(&self, target: &str, budget: u64, found: &Frontier, levers: &[Lever]) -> String {
        let budget_text = format_size(budget);
        let mut text = format!("{target}: about {}, {}\n", format_size(found.size.bytes), found.size.basis);
        if found.size.bytes <= budget {
            return text + &format!("  fits into {budget_text} as it is\n");
        }
        let names = |way: &Way| {
            let all = way.drops.iter().flat_map(|drop| [&drop.feature].into_iter().chain(&drop.along));
            // A feature that goes with one omission can go with a later one too.
            let all: BTreeSet<String> = all.map(|name| format!("`{name}`")).collect();
            all.into_iter().collect::<Vec<_>>().join(", ")
        };
        for way in &found.ways {
            text += &format!("  under {budget_text}: omit {}, about {}\n", names(way), format_size(way.estimate));
            way.drops.iter().for_each(|drop| text += &self.lost(drop));
        }
        if found.ways.is_empty() {
            text += &format!("  no omissions that leave the daemon usable bring it under {budget_text}\n");
            if !found.lowest.drops.is_empty() {
                let lowest = format_size(found.lowest.estimate);
                text += &(wrapped(
                    &format!("all of them together: about {lowest}, without {}", names(&found.lowest)),
                    "  ",
                ) + "\n");
            }
        }
        if !levers.is_empty() {
            let levers: Vec<String> =
                levers.iter().map(|lever| format!("`{}` {}", lever.setting, saved(lever.saves))).collect();
            text += &(wrapped(&format!("other settings under `build`: {}", levers.join(", ")), "  ") + "\n");
        }
        text
    }

    /// Describes the loss: the reason for keeping the feature, and the new hazards.
    fn lost(&self, drop: &featureset::cost::frontier::Drop) -> String {
        let reason = |name: &FeatureName| {
            self.policy.decision(name).map(|decision| format!("{name}: {}", decision.reason)).unwrap_or_default()
        };
        let reasons = [&drop.feature].into_iter().chain(&drop.along).map(reason);
        let gone = |name: &&FeatureName| *name != &drop.feature && !drop.along.contains(*name);
        let hazards = self.gained(&self.selection.kept.iter().filter(gone).cloned().collect());
        let hazards = hazards.into_iter().map(|(id, effect, title)| format!("{id} ({effect}): {title}"));
        reasons.chain(hazards).map(|line| wrapped(&line, "      ") + "\n").collect()
    }
}

/// Formats a saving: `−85 kB`.
fn saved(bytes: u64) -> String {
    format_difference(-i64::try_from(bytes).unwrap_or(i64::MAX))
}

fn as_json(found: &Frontier, levers: &[Lever]) -> serde_json::Value {
    let way = |way: &Way| {
        let drops = way
            .drops
            .iter()
            .map(|drop| serde_json::json!({ "feature": drop.feature, "along": drop.along, "saves": drop.saves }));
        serde_json::json!({ "drops": drops.collect::<Vec<_>>(), "estimate": way.estimate })
    };
    let levers = levers.iter().map(|lever| serde_json::json!({ "setting": lever.setting, "saves": lever.saves }));
    serde_json::json!({
        "size": found.size.bytes,
        "basis": found.size.basis.to_string(),
        "ways": found.ways.iter().map(way).collect::<Vec<_>>(),
        "lowest": way(&found.lowest),
        "levers": levers.collect::<Vec<_>>(),
    })
}
