//! `bench`: compares the shipped binary with the same features as linked by Go (unpacked, fully inlined, with the whole
//! function table) in processor time, throughput and memory.
//!
//! Both carry traffic alternately in one test network. Each pair of runs starts new daemons, and ratios are computed within a pair.

mod inside;
mod paired_stats;
mod plan;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;
use featureset::policy::{Inlining, Pack, Symbols};
use featureset::recipe::Recipe;

pub use inside::run as run_inside;
pub use paired_stats::{Ratio, Verdict};

use super::build_tailscale::{self, Builder, Steps};
use super::verify;
use crate::cli::{Bench, Load};
use crate::format::Format;
use crate::netlab::sandbox;
use crate::outcome::Outcome;
use crate::project::{Pinned, Project};
use crate::tools::qemu::{Runner, runner};
use crate::{files, progress};
use diagnostics::{Code, Diagnostic, NextStep};
use plan::{Plan, Side};
use report::{Event, Run};

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] if a binary can't be built, or is for another processor than this machine's.
pub fn run(policy: Option<&Path>, format: Format, flags: &Bench) -> Result<Outcome> {
    let project = Project::open(policy)?;
    let Some(pinned) = project.clean(format)? else { return Ok(Outcome::Findings) };
    let target = verify::chosen_target(pinned.policy, flags.target.as_deref())?;
    let platform = pinned.policy.targets.get(target).context("the target")?.platform;
    if runner(platform) != Runner::Native {
        let next = "Run it on a machine with that processor.";
        let why = "measurements under an emulator do not apply to the device";
        return Err(
            Diagnostic::failure(Code::NotNative, format!("`{target}` would run under an emulator"), why, next).into()
        );
    }
    if let Some(why) = verify::missing_requirement(pinned.policy, target) {
        progress::warn(&format!("skipped: bench: {why}"));
        return Ok(if flags.require_all { Outcome::Findings } else { Outcome::Clean });
    }
    let findings = build_tailscale::ensure(&project, pinned, &[target])?;
    if !findings.is_empty() {
        project.show(&findings, format)?;
        return Ok(Outcome::Findings);
    }
    let builder = Builder::gather(&project, pinned, &[target])?;
    let mut loads = flags.loads.clone();
    if loads.is_empty() {
        loads.extend(Load::value_variants());
    }
    let plan = Plan {
        lab: std::path::absolute(verify::lab(&builder)?)?,
        platform: platform.name.to_owned(),
        binaries: binaries(&project, pinned, target, &builder)?,
        loads,
        pairs: flags.pairs,
    };
    let runs = run_plan(&plan)?;
    let summary = report::Summary::new(&runs, flags.limit).context("the runs have no results")?;
    summary.print(&runs, (pinned.release, target), format);
    Ok(if summary.is_fine(flags.require_all) { Outcome::Clean } else { Outcome::Findings })
}

/// Builds the binaries to compare with, from the same commit and features as the shipped one.
fn binaries(project: &Project, pinned: Pinned<'_>, target: &str, builder: &Builder) -> Result<Vec<(Side, PathBuf)>> {
    let folder = project.target().join("tailscale");
    let _lock = files::lock(&folder, || progress::line("Waiting", "for another build in this folder"))?;
    let shipped = pinned.recipe(target, builder.upstream.commit.as_deref())?;
    let made = |side: Side, change: &dyn Fn(&mut Recipe)| -> Result<PathBuf> {
        let mut recipe = shipped.clone();
        change(&mut recipe);
        let name = serde_json::to_value(side)?.as_str().unwrap_or_default().to_owned();
        let own = folder.join(".bench").join(target).join(name);
        let step = progress::step("Building", format!("{target} to compare with ({})", side.description()));
        builder.build(&recipe, &own, Steps::Silent)?.or_diagnostic(|failure| {
            let next = NextStep::new("Run ")
                .command("build-tailscale")
                .text(": it reports the decision that breaks the build.");
            Diagnostic::failure(Code::NotComparable, "the reference can't be built", failure.output(), next)
        })?;
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

/// Runs a plan in a new test network.
fn run_plan(plan: &Plan) -> Result<Vec<Run>> {
    let text = serde_json::to_string(plan)?;
    let (mut runs, mut step): (Vec<Run>, Option<progress::Step>) = (Vec::new(), None);
    let mut failed = None;
    let status = sandbox::run_in_namespaces(&["bench-inside", &text], |line| {
        match serde_json::from_str(line).context("reading an event of the test network")? {
            Event::Begins { pair } => {
                let subject = format!("pair {} of {}", pair + 1, plan.pairs);
                match &step {
                    Some(step) => step.update(&subject),
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
        return Err(not_ended(why).into());
    }
    anyhow::ensure!(status.success(), "the process of the test network ended ({status}) after {} runs", runs.len());
    Ok(runs)
}

/// Returns the diagnostic of a run that did not end.
fn not_ended(why: String) -> Diagnostic {
    let next = NextStep::new("Run ")
        .command("verify --check load")
        .text(" to test whether the binary carries traffic at all.");
    Diagnostic::failure(Code::BenchFailed, "a run did not end", why, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_that_did_not_end_reports_bench_failed() {
        let failure = not_ended("the stream was cut off".to_owned());
        assert_eq!((failure.code, &*failure.why), (Code::BenchFailed, "the stream was cut off"));
    }
}
