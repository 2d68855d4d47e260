//! `measure`: measures the size of each feature by building the binary with the opposite decision.

mod frontier;
mod jobs;
mod load;
mod state;

use std::path::Path;

use anyhow::Result;
use featureset::cost::Basis;
use featureset::name::FeatureName;
use featureset::selection::Selection;
use gobinary::pclntab::REVISION;

use super::build_tailscale::{Builder, chosen_targets};
use super::verify::MemoryProbe;
use crate::cli::{Measure, MeasureWhat};
use crate::format::Format;
use crate::outcome::Outcome;
use crate::project::{Pinned, Project};
use crate::tools::packer::Packer;
use crate::{files, progress};
use diagnostics::{Code, Diagnostic, NextStep};
use state::State;

pub use load::run_inside;

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] if a tool, a download or a file fails.
pub fn run(policy: Option<&Path>, format: Format, flags: &Measure) -> Result<Outcome> {
    let project = Project::open(policy)?;
    if let Some(MeasureWhat::Frontier { budget }) = &flags.what {
        // It builds nothing, so findings do not matter.
        let Some(pinned) = project.unless(format, |_| false)? else { return Ok(Outcome::Findings) };
        let targets = chosen_targets(pinned.policy, &flags.targets)?;
        return frontier::run(&project, pinned, &targets, *budget, format);
    }
    let Some(pinned) = project.clean(format)? else { return Ok(Outcome::Findings) };
    if flags.memory || flags.soak.is_some() {
        return load::run(&project, pinned, format, flags);
    }
    let targets = chosen_targets(pinned.policy, &flags.targets)?;
    let features = chosen_features(pinned, &flags.features)?;
    let target_folder = project.target();
    let own: Vec<FeatureName> = flags.shard.select(features).collect();
    let _lock = files::lock(&target_folder.join("tailscale"), || {
        progress::line("Waiting", "for another build in this folder")
    })?;
    let builder = Builder::gather(&project, pinned, &targets)?;
    for target in targets {
        let policy = pinned.for_target(target)?;
        let selection = Selection::new(policy, pinned.registry);
        let packer = builder.packers.get(&policy.build().pack).map(Packer::basis);
        let Some(basis) = Basis::new(policy, &selection, REVISION, packer) else { continue };
        let state = State::new(&target_folder, target, basis);
        let memory_probe = if flags.idle_memory { memory_probe(&builder, pinned, target)? } else { None };
        let sweep = jobs::Sweep { pinned, policy, target, selection, builder: &builder, state: &state, memory_probe };
        let whole = sweep.whole(flags.resume)?;
        sweep.run(&own, &whole, flags.resume)?;
        let wanted = pinned.registry.features.keys().cloned().collect();
        state.publish(&project.root(), target, &wanted)?;
    }
    Ok(Outcome::Clean)
}

/// Returns the probe for the memory of a target's daemons; warns if this machine can't measure it.
fn memory_probe(builder: &Builder, pinned: Pinned<'_>, target: &str) -> Result<Option<MemoryProbe>> {
    let Some(platform) = pinned.policy.targets.get(target).map(|target| target.platform) else { return Ok(None) };
    if let Some(why) = MemoryProbe::missing_requirement(platform) {
        progress::warn(&format!("the memory of {target} is not measured: {why}"));
        return Ok(None);
    }
    MemoryProbe::new(builder).map(Some)
}

/// Returns the named features, or all.
fn chosen_features(pinned: Pinned<'_>, named: &[String]) -> Result<Vec<FeatureName>> {
    let all = pinned.registry.features.keys();
    let unknown = |name: &String| {
        let why = format!("Tailscale {} has no feature of this name", pinned.release);
        Diagnostic::failure(
            Code::UnknownFeature,
            format!("unknown feature `{name}`"),
            why,
            NextStep::default().command("list").text(" prints every feature."),
        )
    };
    if let Some(name) = named.iter().find(|name| !all.clone().any(|known| known.as_str() == name.as_str())) {
        return Err(unknown(name).into());
    }
    Ok(all.filter(|name| named.is_empty() || named.iter().any(|wanted| wanted == name.as_str())).cloned().collect())
}
