//! `measure --memory` and `--soak`: one target's daemon under load in control groups of several sizes.

mod collector;
mod inside;
mod plan;

use std::thread::available_parallelism;

use anyhow::{Context, Result};
use diagnostics::{Code, Diagnostic, NextStep};
use featureset::memory::{Basis, MemoryFigures, Observed, Run, Setting};
use featureset::policy::format_size;

pub use inside::run as run_inside;

use crate::cli::Measure;
use crate::commands::build_tailscale::{self, Builder, PACKED, UNPACKED};
use crate::commands::verify;
use crate::format::Format;
use crate::invocation::generated_by;
use crate::netlab::cgroup::Hierarchy;
use crate::netlab::sandbox;
use crate::outcome::Outcome;
use crate::project::{Pinned, Project};
use crate::tools::qemu::{Runner, runner};
use crate::{files, outln, progress, registries};
use plan::{Event, How, Plan};

/// The sizes of the control groups, in MiB.
const MEMORIES: [u64; 6] = [48, 64, 96, 128, 192, 256];

/// The settings of the collector: `GOGC`, and the values of `GOMEMLIMIT` in eighths of the memory. `GOGC` by itself does
/// not limit memory, so the other values are only compared without a limit and with one.
const COLLECTORS: [(u32, &[u64]); 3] = [(100, &[0, 4, 5, 6, 7, 8, 10, 12, 16]), (50, &[0]), (25, &[0])];

/// The duration of the load in each run of the sweep. A limit is reached within 10 seconds of load, and nothing changes
/// afterwards; without one, the memory grows for minutes, which `--soak` shows.
const SECONDS: u64 = 20;

/// The memory of `--soak`, in MiB.
const SOAK_MEMORY: u64 = 96;

/// The time between two requests of the status, in milliseconds: of the sweep, and of `--soak`.
const STATUS_EACH: u64 = 5000;
const SOAK_STATUS_EACH: u64 = 100;

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] if the target can't be built, or is for another processor than this machine's.
pub(super) fn run(project: &Project, pinned: Pinned<'_>, format: Format, flags: &Measure) -> Result<Outcome> {
    let target = verify::chosen_target(pinned.policy, flags.targets.first().map(String::as_str))?;
    let platform = pinned.policy.targets.get(target).context("the target")?.platform;
    if runner(platform) != Runner::Native {
        let next = "Run it on a machine with that processor.";
        let message = format!("`{target}` would run under an emulator");
        return Err(Diagnostic::failure(Code::NotNative, message, "an emulator uses memory itself", next).into());
    }
    let missing = verify::missing_requirement(pinned.policy, target).or_else(Hierarchy::missing_requirement);
    if let Some(why) = missing {
        progress::warn(&format!("skipped: the memory of {target}: {why}"));
        return Ok(if flags.require_all { Outcome::Findings } else { Outcome::Clean });
    }
    let findings = build_tailscale::ensure(project, pinned, &[target])?;
    if !findings.is_empty() {
        project.show(&findings, format)?;
        return Ok(Outcome::Findings);
    }
    let builder = Builder::gather(project, pinned, &[target])?;
    let folder = std::path::absolute(build_tailscale::folder(project, target))?;
    let plan = Plan {
        lab: verify::lab(&builder)?,
        platform: platform.name.to_owned(),
        group: format!("tailscale-featureset-{}", std::process::id()),
        packed: folder.join(PACKED),
        unpacked: folder.join(UNPACKED),
        runs: Vec::new(),
        seconds: SECONDS,
        status_each: STATUS_EACH,
    };
    match flags.soak {
        Some(minutes) => soak(&Plan { seconds: minutes * 60, status_each: SOAK_STATUS_EACH, ..plan }),
        None => sweep(project, pinned, target, plan, flags.resume),
    }
}

/// Returns every setting of the sweep, in order.
fn settings(is_packed: bool) -> Vec<Setting> {
    let mut settings = Vec::new();
    for memory in MEMORIES {
        for (gogc, eighths) in COLLECTORS {
            settings.extend(eighths.iter().map(|eighths| Setting {
                packed: is_packed,
                memory,
                gogc,
                eighths: *eighths,
            }));
        }
        if is_packed {
            settings.push(Setting::of_entrypoint(false, memory));
        }
    }
    settings
}

/// Measures every setting and writes the target's figures.
fn sweep(project: &Project, pinned: Pinned<'_>, target: &str, plan: Plan, resume: bool) -> Result<Outcome> {
    let recipe = pinned.recipe(target, None)?;
    let basis = Basis {
        release: pinned.release,
        go: pinned.policy.go.context("the toolchain")?,
        platform: plan.platform.clone(),
        sha256: files::sha256(&files::read_bytes(&plan.packed)?),
        pack: recipe.build.pack.word().to_owned(),
        processors: available_parallelism().map_or(1, usize::from),
        seconds: plan.seconds,
    };
    let generated_by = generated_by(registries::is_built_in(&project.root()), "measure --memory");
    let mut figures = MemoryFigures { generated_by, basis, runs: Vec::new() };
    let state = project.target().join("tailscale/.measure").join(format!("{target}.memory.json"));
    let known = std::fs::read_to_string(&state).ok().and_then(|text| serde_json::from_str::<MemoryFigures>(&text).ok());
    if let Some(known) = known.filter(|known| resume && known.basis == figures.basis) {
        figures.runs = known.runs;
    }
    let settings = settings(recipe.build.pack != featureset::policy::Pack::None);
    let open = settings.iter().filter(|setting| figures.runs.iter().all(|run| run.setting != **setting));
    let runs: Vec<How> = open.map(|setting| How::With(*setting)).collect();
    let bar = progress::bar("Measuring", runs.len() as u64);
    run_plan(&Plan { runs, ..plan }, |how, observed| {
        let How::With(setting) = how else { return Ok(()) };
        bar.one_more("Measured", &format!("{}: {}", describe(setting), summary(&observed)));
        figures.runs.push(Run { setting, observed });
        files::write(&state, &serde_json::to_string(&figures)?)
    })?;
    figures.runs.retain(|run| settings.contains(&run.setting));
    figures.runs.sort_by_key(|run| run.setting);
    let path = project.root().join("docs/memory").join(format!("{target}-{}.json", pinned.release));
    files::write(&path, &(serde_json::to_string_pretty(&figures)? + "\n"))?;
    progress::line("Wrote", &format!("{}: {} runs", path.display(), figures.runs.len()));
    Ok(Outcome::Clean)
}

/// Puts a daemon that the entrypoint starts under load, with the entrypoint's limit and without it. Fails if the limited
/// one does.
fn soak(plan: &Plan) -> Result<Outcome> {
    let run = |limited| How::Entrypoint { memory: SOAK_MEMORY, limited };
    let mut failed = false;
    run_plan(&Plan { runs: vec![run(true), run(false)], ..plan.clone() }, |how, observed| {
        let limited = matches!(how, How::Entrypoint { limited: true, .. });
        failed |= limited && observed.failed.is_some();
        let limit = if limited { "with the entrypoint's limit" } else { "without a limit" };
        outln!("{SOAK_MEMORY} MiB {limit}: {}", summary(&observed));
        Ok(())
    })?;
    Ok(if failed { Outcome::Findings } else { Outcome::Clean })
}

/// Runs a plan in a new test network and passes each result to `ended`.
fn run_plan(plan: &Plan, mut ended: impl FnMut(How, Observed) -> Result<()>) -> Result<()> {
    if plan.runs.is_empty() {
        return Ok(());
    }
    // The process inside may be killed.
    let _group = Hierarchy::find().map_err(anyhow::Error::msg)?.removed_later(&plan.group);
    let (mut failed, mut count) = (None, 0);
    let status = sandbox::run_in_namespaces(&["measure-inside", &serde_json::to_string(plan)?], |line| {
        match serde_json::from_str(line).context("reading an event of the test network")? {
            Event::Ended { how, observed } => {
                count += 1;
                ended(how, observed)
            }
            Event::Failed { why } => {
                failed = Some(why);
                Ok(())
            }
        }
    })?;
    if let Some(why) = failed {
        let next =
            NextStep::new("Run ").command("verify --check load").text(" to test whether the binary carries traffic.");
        return Err(Diagnostic::failure(Code::NotMeasurable, "the memory can't be measured", why, next).into());
    }
    anyhow::ensure!(status.success(), "the process of the test network ended ({status}) after {count} runs");
    Ok(())
}

/// Describes a setting.
fn describe(setting: Setting) -> String {
    let Setting { packed, memory, gogc, .. } = setting;
    let limit = setting.limit().map_or("no limit".to_owned(), |limit| format!("GOMEMLIMIT={limit}MiB"));
    let packed = if packed { "" } else { ", unpacked" };
    format!("{memory} MiB, GOGC={gogc}, {limit}{packed}")
}

/// Describes observations.
fn summary(observed: &Observed) -> String {
    let Observed { milliseconds, bytes, processor, collector, anonymous, group, .. } = observed;
    let per_second = bytes * 1000 / (*milliseconds).max(1);
    let share = collector * 100 / (*processor).max(1);
    let failed = observed.failed.as_ref().map(|why| format!("; failed: {why}")).unwrap_or_default();
    format!(
        "{} in {:.1} s, {}/s, {:.1} s of processor time, {share} % of it for the collector; anonymous memory up to {}, \
         the group's up to {}; {} of {} status requests answered{failed}",
        format_size(*bytes),
        *milliseconds as f64 / 1000.0,
        format_size(per_second),
        *processor as f64 / 1000.0,
        format_size(*anonymous),
        format_size(*group),
        observed.answered,
        observed.asked,
    )
}
