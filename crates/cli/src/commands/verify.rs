//! `verify`: what the policy claims, shown on the daemon that ships, running in a world of its own.

pub mod checks;
mod hazards;
mod inside;
mod memory;
mod mutants;
mod report;
mod stage;
mod stagings;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::policy::Policy;

pub use inside::run as run_inside;
pub(super) use memory::Prober;
pub use report::{Outcome as CheckOutcome, Report};
pub(super) use stage::{lab, lacking};

use self::checks::{CHECKS, Check};
use self::stage::Stage;
use super::{Outcome, build_tailscale};
use crate::cli::Verify;
use crate::format::Format;
use crate::outln;
use crate::project::{Pinned, Project};
use crate::tools::qemu::{Runner, runner};
use crate::world::elsewhere::{self, Way};
use crate::{files, progress, proofs, render};
use diagnostics::{Code, Diagnostic};

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] where the binary or the world's program can't be built, or a name is unknown.
pub fn run(policy: Option<&Path>, format: Format, flags: &Verify) -> Result<Outcome> {
    if flags.list {
        list();
        return Ok(Outcome::Clean);
    }
    let project = Project::open(policy)?;
    let Some(pinned) = project.clean(format)? else { return Ok(Outcome::Findings) };
    let target = chosen_target(pinned.policy, flags.target.as_deref())?;
    let checks = chosen_checks(&flags.checks)?;
    if flags.hazards || !flags.hazard.is_empty() {
        return stage_hazards(&project, pinned, target, flags, format);
    }
    let elsewhere = flags.control.as_deref().map(|url| {
        Way::leads_to(url)?;
        Ok::<_, anyhow::Error>((url, elsewhere::auth_key(flags.auth_key_file.as_deref())?))
    });
    let elsewhere = elsewhere.transpose()?;
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
    let mut stage = Stage::new(&project, pinned, target)?;
    let way = elsewhere.map(|(url, key)| Way::open(&stage.lab, url, &key)).transpose()?;
    stage.elsewhere = way.as_ref().map(|way| way.elsewhere.clone());
    let reports = stage.observe(&daemon, &checks, flags.soak)?;
    way.as_ref().map_or(Ok(()), Way::tell)?;
    let kept = keep_logs(&project.target().join("verify").join(target), &reports)?;
    let mutants = if flags.mutants { mutants::run(&stage, &daemon, &checks, flags.shard)? } else { Vec::new() };
    report::print(&reports, &mutants, (pinned.release, target), &kept, format);
    if way.is_none() {
        proofs::record(&project, pinned, target, reports.iter().filter_map(shown).collect())?;
    }
    let fine = reports.iter().all(|report| report.is_fine(flags.require_all)) && mutants.iter().all(|one| one.caught);
    Ok(if fine { Outcome::Clean } else { Outcome::Findings })
}

/// Runs the command for hazards in the place of checks.
fn stage_hazards(
    project: &Project,
    pinned: Pinned<'_>,
    target: &str,
    flags: &Verify,
    format: Format,
) -> Result<Outcome> {
    let stagings = hazards::chosen(&flags.hazard)?;
    let staged = match lacking(pinned.policy, target) {
        Some(why) => hazards::skipped(&stagings, pinned.release, &why),
        None => hazards::run(&Stage::new(project, pinned, target)?, &stagings, flags.shard)?,
    };
    let kept = hazards::keep_logs(&project.target().join("verify").join(target), &staged)?;
    report::print_hazards(&staged, target, &kept, format);
    let fine = staged.iter().all(|staged| staged.is_fine(flags.require_all));
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
        Diagnostic::failure(Code::NoNativeTarget, "the policy has no target for this machine's processor", "", next)
    };
    Ok(native.ok_or_else(none)?.0)
}

/// The checks that were named, or all.
fn chosen_checks(named: &[String]) -> Result<Vec<&'static Check>> {
    if let Some(name) = named.iter().find(|name| checks::find(name).is_none()) {
        let known: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        let why = format!("the checks are {}", known.join(", "));
        return Err(Diagnostic::failure(
            Code::UnknownCheck,
            format!("there is no check `{name}`"),
            why,
            "Name one of those.",
        )
        .into());
    }
    Ok(CHECKS.iter().filter(|check| named.is_empty() || named.iter().any(|name| name == check.name)).collect())
}

/// Writes the logs of failed checks, each in a folder of its check; those folders.
fn keep_logs(folder: &Path, reports: &[Report]) -> Result<Vec<PathBuf>> {
    keep(folder, reports.iter().map(|report| (report.check.clone(), report.logs.clone())))
}

/// Writes logs, each in a folder below that has its name; those folders. What an earlier run left there goes.
fn keep(folder: &Path, logs: impl Iterator<Item = (String, Vec<(String, String)>)>) -> Result<Vec<PathBuf>> {
    let mut kept = Vec::new();
    for (of, logs) in logs {
        let own = folder.join(&of);
        if own.exists() {
            files::empty_folder(&own)?;
        }
        for (name, text) in &logs {
            files::write(&own.join(name), text)?;
        }
        if !logs.is_empty() {
            progress::line("Kept", &format!("the logs of {of} in {}", own.display()));
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
