//! `bench`: what the binary that ships costs in processor time, throughput and memory, beside the same keeps as Go links them:
//! unpacked, fully inlined, with the whole function table.
//!
//! Both carry traffic in turn in one world, pair after pair, each time with new daemons, and ratios are taken within a pair.

mod inside;
mod paired;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;
use featureset::policy::{Inlining, Pack, Symbols};
use featureset::recipe::Recipe;
use featureset::selection::Selection;
use serde::{Deserialize, Serialize};

pub use inside::run as run_inside;
pub use paired::{Ratio, Verdict};

use super::build_tailscale::{self, Maker, Unmade};
use super::{Outcome, verify};
use crate::cli::{Bench, Format};
use crate::problem::Problem;
use crate::project::{Pinned, Project};
use crate::tools::qemu::{Runner, runner};
use crate::world::entrance;
use crate::{files, progress, render};
use report::{Event, Run};

/// A kind of traffic through the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Load {
    /// One TCP connection.
    OneStream,
    /// Sixteen TCP connections.
    ManyStreams,
    /// UDP packets of 100 bytes there and back, 64 on their way at a time.
    SmallPackets,
}

impl Load {
    /// Its name on the command line.
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// A binary that is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Side {
    /// Unpacked, fully inlined, with the whole function table.
    Reference,
    /// Packed as what ships is, but with the whole function table: its memory alone is of interest.
    PackedAsLinked,
    /// What ships.
    Shipped,
}

impl Side {
    const ALL: [Self; 3] = [Self::Reference, Self::PackedAsLinked, Self::Shipped];

    fn words(self) -> &'static str {
        match self {
            Self::Reference => "reference: unpacked, as linked",
            Self::PackedAsLinked => "packed, as linked",
            Self::Shipped => "shipped",
        }
    }
}

/// What the process inside is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Plan {
    lab: PathBuf,
    platform: String,
    binaries: Vec<(Side, PathBuf)>,
    loads: Vec<Load>,
    pairs: u64,
}

/// Runs the command.
///
/// # Errors
/// A [`Problem`] where a binary can't be built, or its processor is not this machine's.
pub fn run(policy: Option<&Path>, format: Format, flags: &Bench) -> Result<Outcome> {
    let project = Project::open(policy)?;
    let Some(pinned) = project.clean(format)? else { return Ok(Outcome::Findings) };
    let target = verify::chosen_target(pinned.policy, flags.target.as_deref())?;
    let platform = pinned.policy.targets.get(target).context("the target")?.platform;
    if runner(platform) != Runner::Native {
        let next = "Run it on a machine with that processor.";
        let why = "what an emulator takes says nothing of the device";
        return Err(Problem::new("not-native", format!("`{target}` would run under an emulator"), why, next).into());
    }
    if let Some(why) = verify::lacking(pinned.policy, target) {
        progress::warn(&format!("skipped: bench: {why}"));
        return Ok(if flags.require_all { Outcome::Findings } else { Outcome::Clean });
    }
    let findings = build_tailscale::ensure(&project, pinned, &[target])?;
    if !findings.is_empty() {
        render::findings(&project, &findings, format)?;
        return Ok(Outcome::Findings);
    }
    let maker = Maker::gather(&project, pinned, &[target])?;
    let mut loads = flags.loads.clone();
    if loads.is_empty() {
        loads.extend(Load::value_variants());
    }
    let plan = Plan {
        lab: std::path::absolute(verify::lab(&maker)?)?,
        platform: platform.name.to_owned(),
        binaries: binaries(&project, pinned, target, &maker)?,
        loads,
        pairs: flags.pairs,
    };
    let runs = enter(&plan)?;
    let summary = report::Summary::of(&runs, flags.limit).context("the runs gave no figures")?;
    summary.print(&runs, (pinned.release, target), format);
    Ok(if summary.is_fine(flags.require_all) { Outcome::Clean } else { Outcome::Findings })
}

/// What ships, and the others made for comparison: with the same keeps, of the same commit.
fn binaries(project: &Project, pinned: Pinned<'_>, target: &str, maker: &Maker) -> Result<Vec<(Side, PathBuf)>> {
    let folder = project.target().join("tailscale");
    let _lock = files::lock(&folder, || progress::line("Waiting", "for another build in this folder"))?;
    let selection = Selection::of(pinned.policy, pinned.registry);
    let commit = maker.upstream.commit.as_deref();
    let shipped = Recipe::of(pinned.policy, &selection, target, commit).context("the target's recipe")?;
    let made = |side: Side, change: &dyn Fn(&mut Recipe)| -> Result<PathBuf> {
        let mut recipe = shipped.clone();
        change(&mut recipe);
        let name = serde_json::to_value(side)?.as_str().unwrap_or_default().to_owned();
        let own = folder.join(".bench").join(target).join(name);
        let step = progress::step("Building", format!("{target} to compare with ({})", side.words()));
        if let Err(Unmade::DoesNotCompile(why) | Unmade::DoesNotStart(why)) = maker.make(&recipe, &own)? {
            let next = "Run `build-tailscale`: it says which decision is at fault.";
            return Err(Problem::new("not-comparable", "the reference can't be built", why, next).into());
        }
        step.done("Built", "");
        Ok(std::path::absolute(own.join(build_tailscale::PACKED))?)
    };
    let mut binaries = vec![(
        Side::Reference,
        made(Side::Reference, &|recipe| {
            (recipe.build.inlining, recipe.build.symbols, recipe.build.pack) =
                (Inlining::Full, Symbols::All, Pack::None);
        })?,
    )];
    if shipped.build.pack != Pack::None && shipped.build.symbols != Symbols::All {
        let as_linked = made(Side::PackedAsLinked, &|recipe| recipe.build.symbols = Symbols::All)?;
        binaries.push((Side::PackedAsLinked, as_linked));
    }
    let own = build_tailscale::folder(project, target).join(build_tailscale::PACKED);
    binaries.push((Side::Shipped, std::path::absolute(own)?));
    Ok(binaries)
}

/// Runs a plan inside a world of its own.
fn enter(plan: &Plan) -> Result<Vec<Run>> {
    let text = serde_json::to_string(plan)?;
    let (mut runs, mut step): (Vec<Run>, Option<progress::Step>) = (Vec::new(), None);
    let mut failed = None;
    let status = entrance::enter(&["bench-inside", &text], |line| {
        match serde_json::from_str(line).context("reading what the world's process says")? {
            Event::Begins { pair } => {
                let subject = format!("pair {} of {}", pair + 1, plan.pairs);
                match &step {
                    Some(step) => step.say(&subject),
                    None => step = Some(progress::step("Running", subject)),
                }
            }
            Event::Ended(run) => runs.push(run),
            Event::Failed { why } => failed = Some(why),
        }
        Ok(())
    })?;
    drop(step);
    if let Some(why) = failed {
        let next = "Run `verify --check load`: it shows whether the binary carries traffic at all.";
        return Err(Problem::new("bench-failed", "a run did not end", why, next).into());
    }
    anyhow::ensure!(status.success(), "the world's process ended ({status}) after {} runs", runs.len());
    Ok(runs)
}
