//! `measure`: what each decision weighs, by building the policy's binary with that decision flipped.

mod frontier;
mod jobs;
mod state;

use std::path::Path;

use anyhow::Result;
use featureset::cost::Basis;
use featureset::name::FeatureName;
use featureset::policy::Pack;
use featureset::selection::Selection;
use gobinary::slim::REVISION;

use super::Outcome;
use super::build_tailscale::{Maker, chosen_targets};
use super::verify::Prober;
use crate::cli::{Format, Measure, MeasureWhat};
use crate::problem::Problem;
use crate::project::{Pinned, Project};
use crate::{files, progress};
use state::State;

/// Runs the command.
///
/// # Errors
/// A [`Problem`] where a tool, the network or a file is in the way.
pub fn run(policy: Option<&Path>, format: Format, flags: &Measure) -> Result<Outcome> {
    let project = Project::open(policy)?;
    if let Some(MeasureWhat::Frontier { budget }) = &flags.what {
        // It builds nothing: findings don't hold it back.
        let Some(pinned) = project.unless(format, |_| false)? else { return Ok(Outcome::Findings) };
        let targets = chosen_targets(pinned.policy, &flags.targets)?;
        return frontier::run(&project, pinned, &targets, *budget, format);
    }
    let Some(pinned) = project.clean(format)? else { return Ok(Outcome::Findings) };
    let targets = chosen_targets(pinned.policy, &flags.targets)?;
    let features = chosen_features(pinned, &flags.features)?;
    let target_folder = project.target();
    let _lock = files::lock(&target_folder.join("tailscale"), || {
        progress::line("Waiting", "for another build in this folder")
    })?;
    let maker = Maker::gather(&project, pinned, &targets)?;
    for target in targets {
        let selection = Selection::of(pinned.policy, pinned.registry);
        let pack = pinned.policy.targets.get(target).map(|target| target.build.pack);
        let packer = match pack {
            Some(Pack::Upx) => maker.upx.as_ref().map(|upx| upx.version.clone()),
            Some(Pack::Execpack) => Some(format!("execpack {}", execpack::REVISION)),
            Some(Pack::None) | None => None,
        };
        let Some(basis) = Basis::of(pinned.policy, &selection, target, REVISION, packer) else { continue };
        let state = State::new(&target_folder, target, basis);
        let prober = if flags.memory { prober(&maker, pinned, target)? } else { None };
        let sweep = jobs::Sweep { project: &project, pinned, target, selection, maker: &maker, state: &state, prober };
        let whole = sweep.whole(flags.resume)?;
        sweep.run(&own(&features, flags.shard), &whole, flags.resume)?;
        let wanted = pinned.registry.features.keys().cloned().collect();
        state.publish(&project.root(), target, &wanted)?;
    }
    Ok(Outcome::Clean)
}

/// What tells the memory of a target's daemons; says so where this machine can't.
fn prober(maker: &Maker, pinned: Pinned<'_>, target: &str) -> Result<Option<Prober>> {
    let Some(platform) = pinned.policy.targets.get(target).map(|target| target.platform) else { return Ok(None) };
    let found = Prober::new(maker, platform)?;
    Ok(found.map_err(|why| progress::warn(&format!("the memory of {target} is not measured: {why}"))).ok())
}

/// The features to measure: those named, or every one.
fn chosen_features(pinned: Pinned<'_>, named: &[String]) -> Result<Vec<FeatureName>> {
    let all = pinned.registry.features.keys();
    let unknown = |name: &String| {
        let why = format!("Tailscale {} has none of this name", pinned.release);
        Problem::new("unknown-feature", format!("there is no feature `{name}`"), why, "`list` shows every feature.")
    };
    if let Some(name) = named.iter().find(|name| !all.clone().any(|known| known.as_str() == name.as_str())) {
        return Err(unknown(name).into());
    }
    Ok(all.filter(|name| named.is_empty() || named.iter().any(|wanted| wanted == name.as_str())).cloned().collect())
}

/// A shard's part of the features.
fn own(features: &[FeatureName], (part, of): (usize, usize)) -> Vec<FeatureName> {
    features.iter().enumerate().filter(|(index, _)| index % of == part - 1).map(|(_, name)| name.clone()).collect()
}
