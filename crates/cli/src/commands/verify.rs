//! `verify`: runs the shipped daemon in a test network and checks it against the policy.

pub mod checks;
mod env;
mod hazards;
mod inside;
mod logs;
mod memory;
mod mutants;
mod report;
mod scenarios;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::policy::Policy;

pub(super) use env::{lab, missing_requirement};
pub use inside::run as run_inside;
pub(super) use memory::{IdleMemory, MemoryProbe};
pub use report::{Outcome as CheckOutcome, Report};

use self::checks::{CHECKS, Check};
use self::env::TestEnv;
use super::build_tailscale;
use crate::cli::Verify;
use crate::format::Format;
use crate::netlab::external_control::{self, EgressProxy};
use crate::outcome::Outcome;
use crate::project::{Pinned, Project};
use crate::proofs;
use crate::tools::qemu::{Runner, runner};
use crate::verified::Verified;
use crate::{files, outln, progress};
use diagnostics::{Code, Diagnostic};

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] if the binary or the program of the test network can't be built, or a name is unknown.
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
        return run_scenarios(&project, pinned, target, flags, format);
    }
    let external = flags.control.as_deref().map(|url| {
        EgressProxy::check_url(url)?;
        Ok::<_, anyhow::Error>((url, external_control::auth_key(flags.auth_key_file.as_deref())?))
    });
    let external = external.transpose()?;
    if let Some(why) = missing_requirement(pinned.policy, target) {
        let skipped: Vec<Report> = checks.iter().map(|check| Report::skipped(check.name, &why)).collect();
        skipped.iter().for_each(Report::tell);
        report::print(&skipped, &[], (pinned.release, target), &[], format);
        return Ok(if flags.require_all { Outcome::Findings } else { Outcome::Clean });
    }
    let findings = build_tailscale::ensure(&project, pinned, &[target])?;
    if !findings.is_empty() {
        project.show(&findings, format)?;
        return Ok(Outcome::Findings);
    }
    let daemon = build_tailscale::folder(&project, target).join(build_tailscale::PACKED);
    let mut env = TestEnv::new(&project, pinned, target)?;
    let egress = external.map(|(url, key)| EgressProxy::open(&env.lab, url, &key)).transpose()?;
    env.external = egress.as_ref().map(|egress| egress.external.clone());
    let reports = env.observe(&daemon, &checks, flags.soak)?;
    egress.as_ref().map_or(Ok(()), EgressProxy::print_connections)?;
    let kept = keep_logs(&project.target().join("verify").join(target), &reports)?;
    let mutants = if flags.mutants { mutants::run(&env, &daemon, &checks, flags.shard)? } else { Vec::new() };
    report::print(&reports, &mutants, (pinned.release, target), &kept, format);
    if egress.is_none() {
        let results: Vec<(&str, bool)> =
            reports.iter().filter_map(|report| Some((report.check.as_str(), has_passed(report)?))).collect();
        let folder = build_tailscale::folder(&project, target);
        Verified::record(&folder, &project.cache, &files::sha256(&files::read_bytes(&daemon)?), &results)?;
    }
    if flags.record {
        let recorded =
            proofs::record(&project.root(), pinned, target, reports.iter().filter_map(record_entry).collect())?;
        if let Some(path) = recorded {
            progress::line("Wrote", &path);
        }
    }
    let fine = reports.iter().all(|report| report.is_fine(flags.require_all)) && mutants.iter().all(|one| one.caught);
    Ok(if fine { Outcome::Clean } else { Outcome::Findings })
}

/// Runs hazard scenarios instead of checks.
fn run_scenarios(
    project: &Project,
    pinned: Pinned<'_>,
    target: &str,
    flags: &Verify,
    format: Format,
) -> Result<Outcome> {
    let scenarios = hazards::chosen(&flags.hazard)?;
    let staged = match missing_requirement(pinned.policy, target) {
        Some(why) => hazards::skipped(&scenarios, pinned.release, &why),
        None => hazards::run(&TestEnv::new(project, pinned, target)?, &scenarios, flags.shard, flags.record)?,
    };
    let kept = hazards::keep_logs(&project.target().join("verify").join(target), &staged)?;
    report::print_hazards(&staged, target, &kept, format);
    let fine = staged.iter().all(|staged| staged.is_fine(flags.require_all));
    Ok(if fine { Outcome::Clean } else { Outcome::Findings })
}

/// Whether a check passed; `None` if it did not run.
fn has_passed(report: &Report) -> Option<bool> {
    match report.outcome {
        CheckOutcome::Passed { .. } => Some(true),
        CheckOutcome::Failed { .. } => Some(false),
        CheckOutcome::Skipped { .. } | CheckOutcome::NotClaimed { .. } => None,
    }
}

/// Returns a check's entry in the verification record, or `None` if it did not run.
fn record_entry(report: &Report) -> Option<(String, bool, BTreeSet<String>)> {
    let passed = has_passed(report)?;
    let proves = checks::find(&report.check)?.proves.iter().map(ToString::to_string).collect();
    Some((report.check.clone(), passed, proves))
}

/// Returns the named target, or the first one for this machine's processor.
pub(super) fn chosen_target<'a>(policy: &'a Policy, named: Option<&str>) -> Result<&'a str> {
    if let Some(name) = named {
        let chosen = build_tailscale::chosen_targets(policy, &[name.to_owned()])?;
        return chosen.first().copied().context("the target exists");
    }
    let native = policy.targets.iter().find(|(_, target)| runner(target.platform) == Runner::Native);
    let none = || {
        let next = "Name one with `--target`; it runs under QEMU.";
        Diagnostic::failure(Code::NoNativeTarget, "the policy has no target for this machine's processor", "", next)
    };
    Ok(native.ok_or_else(none)?.0)
}

/// Returns the named checks, or all.
fn chosen_checks(named: &[String]) -> Result<Vec<&'static Check>> {
    if let Some(name) = named.iter().find(|name| checks::find(name).is_none()) {
        let known: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        let why = format!("the checks are {}", known.join(", "));
        return Err(Diagnostic::failure(
            Code::UnknownCheck,
            format!("unknown check `{name}`"),
            why,
            "Name one of those.",
        )
        .into());
    }
    Ok(CHECKS.iter().filter(|check| named.is_empty() || named.iter().any(|name| name == check.name)).collect())
}

/// Saves the logs of failed checks, each in a folder of its check, and returns these folders.
fn keep_logs(folder: &Path, reports: &[Report]) -> Result<Vec<PathBuf>> {
    logs::save(folder, reports.iter().map(|report| (report.check.clone(), report.logs.clone())))
}

/// Lists the checks.
fn list() {
    for check in CHECKS {
        outln!("{:<12} {}", check.name, check.claim);
    }
}
