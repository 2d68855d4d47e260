//! `measure frontier`: finds the features to omit so that a target fits a budget, from measured costs.

use std::collections::BTreeSet;

use anyhow::Result;
use featureset::cost::frontier::{Way, drops_within};
use featureset::hazard::Effect;
use featureset::name::FeatureName;
use featureset::policy::{EffectivePolicy, format_size};
use featureset::rules;
use featureset::selection::Selection;

use crate::format::Format;
use crate::outcome::Outcome;
use crate::project::{Pinned, Project};
use crate::render::wrapped;
use crate::{costs, escape, outln, output, progress};
use diagnostics::{Code, Diagnostic, NextStep};

/// Prints the alternatives for each measured target; a target that can't fit is a finding.
pub(super) fn run(
    project: &Project,
    pinned: Pinned<'_>,
    targets: &[&str],
    budget: u64,
    format: Format,
) -> Result<Outcome> {
    let mut outcome = Outcome::Clean;
    let mut document = serde_json::Map::new();
    let mut measured = false;
    for target in targets {
        let drops = Drops::new(pinned, target)?;
        let Some(known) = costs::read(&project.root(), target)? else { continue };
        measured = true;
        if let Some(remark) = costs::staleness(pinned, target, &known).remark() {
            progress::warn(&format!("the costs of {target} are {remark}"));
        }
        let found = drops_within(&known, budget, |name| drops.bearable(name));
        if found.is_none() {
            outcome = Outcome::Findings;
        }
        if format == Format::Json {
            document.insert((*target).to_owned(), as_json(found.as_deref()));
        } else {
            let size = format_size(known.whole.packed);
            outln!("{}", drops.describe(&format!("{}, {size}", escape::line(target)), budget, found.as_deref()));
        }
    }
    if !measured {
        let next = NextStep::new("Run ").command("measure").text(": it takes hours.");
        return Err(Diagnostic::failure(
            Code::NotMeasured,
            "no costs are known",
            format!("there are none in {}", costs::FOLDER),
            next,
        )
        .into());
    }
    if format == Format::Json {
        output::json(&serde_json::json!({ "schema": crate::output::SCHEMA, "budget": budget, "targets": document }));
    }
    Ok(outcome)
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

    /// Whether the daemon is still usable without a feature.
    fn bearable(&self, name: &FeatureName) -> bool {
        !self.gained(name).iter().any(|(_, effect, _)| effect.leaves_nothing())
    }

    /// Returns the new hazards without a feature and what needs it: id, effect and title.
    fn gained(&self, name: &FeatureName) -> Vec<(String, Effect, String)> {
        let gone = self.pinned.registry.required_by(name);
        let kept: BTreeSet<FeatureName> = self.selection.kept.difference(&gone).cloned().collect();
        let selection = Selection::keeping(&kept, self.pinned.registry);
        let after = rules::selection_hazards(self.policy, &selection, self.pinned.facts);
        let new = after.iter().filter(|applying| !self.before.contains(&applying.hazard.id));
        new.map(|one| (one.hazard.id.clone(), one.hazard.record.effect, one.hazard.record.title.clone())).collect()
    }

    fn describe(&self, target: &str, budget: u64, alternatives: Option<&[Way]>) -> String {
        let budget = format_size(budget);
        let alternatives = match alternatives {
            // An unusable daemon is not proposed.
            None => return format!("{target}: it can't be brought under {budget} and stay usable.\n"),
            Some([]) => return format!("{target}: fits into {budget} as it is.\n"),
            Some(alternatives) => alternatives,
        };
        let one = |way: &Way| {
            let about = if way.drops.len() > 1 { "about " } else { "" };
            let names: Vec<String> = way.drops.iter().map(|drop| format!("`{}`", drop.feature)).collect();
            let mut text = format!("  omit {}: {about}{}\n", names.join(", "), format_size(way.estimate));
            for drop in &way.drops {
                text += &self.lost(drop);
            }
            text
        };
        format!("{target}: under {budget} by one of\n{}", alternatives.iter().map(one).collect::<String>())
    }

    /// Describes the loss: the reason for keeping the feature, and the new hazards.
    fn lost(&self, drop: &featureset::cost::frontier::Drop) -> String {
        let reason = |name: &FeatureName| {
            self.policy.decision(name).map(|decision| format!("{name}: {}", decision.reason)).unwrap_or_default()
        };
        let reasons = [&drop.feature].into_iter().chain(&drop.along).map(reason);
        let hazards = self.gained(&drop.feature);
        let hazards = hazards.into_iter().map(|(id, effect, title)| format!("{id} ({effect}): {title}"));
        reasons.chain(hazards).map(|line| wrapped(&line, "      ") + "\n").collect()
    }
}

fn as_json(ways: Option<&[Way]>) -> serde_json::Value {
    let one = |way: &Way| {
        let drops = way
            .drops
            .iter()
            .map(|drop| serde_json::json!({ "feature": drop.feature, "along": drop.along, "saves": drop.saves }));
        serde_json::json!({ "drops": drops.collect::<Vec<_>>(), "estimate": way.estimate })
    };
    ways.map_or(serde_json::Value::Null, |ways| ways.iter().map(one).collect())
}
