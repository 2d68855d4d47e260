//! `verify`: what the policy claims, shown on the daemon that ships, running in a world of its own.

pub mod checks;
mod inside;
mod mutants;
mod report;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::policy::Policy;
use serde::{Deserialize, Serialize};

pub use inside::run as run_inside;
pub use report::{Outcome as CheckOutcome, Report};

use self::checks::{CHECKS, Check};
use super::build_tailscale::Maker;
use super::{Outcome, build_tailscale};
use crate::cli::{Format, Verify};
use crate::outln;
use crate::problem::Problem;
use crate::project::{Pinned, Project};
use crate::tools::qemu::{Runner, runner};
use crate::world::{Sabotage, entrance};
use crate::{files, progress, proofs, render};

/// The small program that a world is made with, file by file.
const LAB: [(&str, &str); 6] = [
    ("load.go", include_str!("../../go/control/load.go")),
    ("main.go", include_str!("../../go/control/main.go")),
    ("names.go", include_str!("../../go/control/names.go")),
    ("network.go", include_str!("../../go/control/network.go")),
    ("server.go", include_str!("../../go/control/server.go")),
    ("traffic.go", include_str!("../../go/control/traffic.go")),
];

/// What the process inside is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Plan {
    lab: PathBuf,
    daemon: PathBuf,
    platform: String,
    checks: Vec<String>,
    sabotage: Sabotage,
    soak_minutes: u64,
}

/// Runs the command.
///
/// # Errors
/// A [`Problem`] where the binary or the world's program can't be built, or a name is unknown.
pub fn run(policy: Option<&Path>, format: Format, flags: &Verify) -> Result<Outcome> {
    if flags.list {
        list();
        return Ok(Outcome::Clean);
    }
    let project = Project::open(policy)?;
    let Some(pinned) = project.clean(format)? else { return Ok(Outcome::Findings) };
    let target = chosen_target(pinned.policy, flags.target.as_deref())?;
    let checks = chosen_checks(&flags.checks)?;
    if let Some(why) = lacking(pinned.policy, target) {
        let skipped: Vec<Report> = checks.iter().map(|check| Report::skipped(check.name, &why)).collect();
        skipped.iter().for_each(Report::tell);
        report::print(&skipped, &[], (pinned.release, target), &[], format);
        return Ok(if flags.require_all { Outcome::Findings } else { Outcome::Clean });
    }
    let findings = build_tailscale::ensure(&project, pinned, &[target])?;
    if !findings.is_empty() {
        render::findings(&project, &findings, format)?;
        return Ok(Outcome::Findings);
    }
    let daemon = build_tailscale::folder(&project, target).join(build_tailscale::PACKED);
    let stage = Stage::new(&project, pinned, target)?;
    let reports = stage.observe(&daemon, &checks, flags.soak)?;
    let kept = keep_logs(&project.target().join("verify").join(target), &reports)?;
    let mutants = if flags.mutants { mutants::run(&stage, &daemon, &checks, flags.shard)? } else { Vec::new() };
    report::print(&reports, &mutants, (pinned.release, target), &kept, format);
    proofs::record(&project, pinned, target, reports.iter().filter_map(shown).collect())?;
    let fine = reports.iter().all(|report| report.is_fine(flags.require_all)) && mutants.iter().all(|one| one.caught);
    Ok(if fine { Outcome::Clean } else { Outcome::Findings })
}

/// What a report says for the record; nothing where nothing was looked at.
fn shown(report: &Report) -> Option<(String, bool, BTreeSet<String>)> {
    let passed = match report.outcome {
        CheckOutcome::Passed { .. } => true,
        CheckOutcome::Failed { .. } => false,
        CheckOutcome::Skipped { .. } | CheckOutcome::NotClaimed { .. } => return None,
    };
    let proves = checks::find(&report.check)?.proves.iter().map(ToString::to_string).collect();
    Some((report.check.clone(), passed, proves))
}

/// The target to verify: the one that was named, or the first whose processor is this machine's.
pub(super) fn chosen_target<'a>(policy: &'a Policy, named: Option<&str>) -> Result<&'a str> {
    if let Some(name) = named {
        let chosen = build_tailscale::chosen_targets(policy, &[name.to_owned()])?;
        return chosen.first().copied().context("the target was just found");
    }
    let native = policy.targets.iter().find(|(_, target)| runner(target.platform) == Runner::Native);
    let none = || {
        let next = "Name one with `--target`; it runs under QEMU.";
        Problem::new("no-native-target", "the policy has no target for this machine's processor", "", next)
    };
    Ok(native.ok_or_else(none)?.0)
}

/// The checks that were named, or all.
fn chosen_checks(named: &[String]) -> Result<Vec<&'static Check>> {
    if let Some(name) = named.iter().find(|name| checks::find(name).is_none()) {
        let known: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        let why = format!("the checks are {}", known.join(", "));
        return Err(
            Problem::new("unknown-check", format!("there is no check `{name}`"), why, "Name one of those.").into()
        );
    }
    Ok(CHECKS.iter().filter(|check| named.is_empty() || named.iter().any(|name| name == check.name)).collect())
}

/// What this machine lacks to run a target's daemon in a world.
pub(super) fn lacking(policy: &Policy, target: &str) -> Option<String> {
    match policy.targets.get(target).map(|target| runner(target.platform)) {
        Some(Runner::Unavailable(why)) => Some(why),
        _ => entrance::lacking(),
    }
}

/// What checks are run with: the pinned release, its module, and the world's program.
struct Stage<'a> {
    folder: PathBuf,
    pinned: Pinned<'a>,
    target: &'a str,
    /// Of mutants, which are not packed: that changes nothing of what they do.
    maker: Maker,
    lab: PathBuf,
}

impl<'a> Stage<'a> {
    /// Builds the world's program in the generated module of the pinned release.
    fn new(project: &Project, pinned: Pinned<'a>, target: &'a str) -> Result<Self> {
        let folder = project.target();
        let maker = Maker::gather(project, pinned, &[])?;
        let lab = lab(&maker)?;
        Ok(Self { folder, pinned, target, maker, lab })
    }

    /// Runs those checks on a daemon that the policy claims, and tells of each as it ends.
    fn observe(&self, daemon: &Path, checks: &[&Check], soak_minutes: u64) -> Result<Vec<Report>> {
        let (mut reports, mut claimed) = (Vec::new(), Vec::new());
        for check in checks {
            match check.unclaimed_by(self.pinned.policy) {
                None => claimed.push(check.name.to_owned()),
                Some(why) => reports.push(Report::not_claimed(check.name, &why)),
            }
        }
        reports.iter().for_each(Report::tell);
        reports.extend(enter(&self.plan(daemon, claimed, Sabotage::default(), soak_minutes)?, Report::tell)?);
        Ok(reports)
    }

    fn plan(&self, daemon: &Path, checks: Vec<String>, sabotage: Sabotage, soak_minutes: u64) -> Result<Plan> {
        let target = self.pinned.policy.targets.get(self.target).context("the target")?;
        let absolute = |path: &Path| std::path::absolute(path).context("the current folder");
        Ok(Plan {
            lab: absolute(&self.lab)?,
            daemon: absolute(daemon)?,
            platform: target.platform.name.to_owned(),
            checks,
            sabotage,
            soak_minutes,
        })
    }
}

/// Builds the world's program in the generated module of a release.
pub(super) fn lab(maker: &Maker) -> Result<PathBuf> {
    let step = progress::step("Building", "the control server");
    let lab = maker.upstream.build_program(&maker.go, "control", &LAB)?;
    step.done("Built", "");
    Ok(lab)
}

/// Runs a plan inside a world of its own.
fn enter(plan: &Plan, tell: impl Fn(&Report)) -> Result<Vec<Report>> {
    let text = serde_json::to_string(plan)?;
    let (mut reports, mut step): (Vec<Report>, Option<progress::Step>) = (Vec::new(), None);
    let status = entrance::enter(&["verify-inside", &text], |line| {
        match serde_json::from_str(line).context("reading what the world's process says")? {
            report::Event::Begins { check } => step = Some(progress::step("Checking", check)),
            report::Event::Ended(report) => {
                step = None;
                tell(&report);
                reports.push(report);
            }
        }
        Ok(())
    })?;
    drop(step);
    anyhow::ensure!(
        status.success() && reports.len() == plan.checks.len(),
        "the world's process ended ({status}) after {} of {} checks",
        reports.len(),
        plan.checks.len()
    );
    Ok(reports)
}

/// Writes the logs of failed checks, each in a folder of its check; those folders.
fn keep_logs(folder: &Path, reports: &[Report]) -> Result<Vec<PathBuf>> {
    let mut kept = Vec::new();
    for report in reports {
        let own = folder.join(&report.check);
        if own.exists() {
            files::empty_folder(&own)?;
        }
        for (name, text) in &report.logs {
            files::write(&own.join(name), text)?;
        }
        if !report.logs.is_empty() {
            progress::line("Kept", &format!("the logs of {} in {}", report.check, own.display()));
            kept.push(own);
        }
    }
    Ok(kept)
}

/// The checks, for people.
fn list() {
    for check in CHECKS {
        outln!("{:<12} {}", check.name, check.claim);
    }
}
