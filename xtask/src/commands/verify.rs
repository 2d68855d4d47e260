//! `verify`: what the policy claims, shown on the daemon that ships, running in a world of its own.

pub mod checks;
mod hazards;
mod inside;
mod memory;
mod mutants;
mod report;
mod stagings;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::platform::Platform;
use featureset::policy::Policy;
use featureset::recipe::Recipe;
use featureset::selection::Selection;
use serde::{Deserialize, Serialize};

pub use inside::run as run_inside;
pub(super) use memory::Prober;
pub use report::{Outcome as CheckOutcome, Report};

use self::checks::{CHECKS, Check};
use super::build_tailscale::{Maker, Unmade};
use super::{Outcome, build_tailscale};
use crate::cli::{Format, Verify};
use crate::outln;
use crate::problem::Problem;
use crate::project::{Pinned, Project};
use crate::tools::qemu::{Runner, runner};
use crate::world::elsewhere::{Elsewhere, Way};
use crate::world::{Sabotage, entrance};
use crate::{commands, files, progress, proofs, render};

/// The small program that a world is made with, file by file.
const LAB: [(&str, &str); 7] = [
    ("main.go", include_str!("../../go/control/main.go")),
    ("names.go", include_str!("../../go/control/names.go")),
    ("nat.go", include_str!("../../go/control/nat.go")),
    ("network.go", include_str!("../../go/control/network.go")),
    ("server.go", include_str!("../../go/control/server.go")),
    ("traffic.go", include_str!("../../go/control/traffic.go")),
    ("way.go", include_str!("../../go/control/way.go")),
];

/// The variable with a key.
const KEY_VARIABLE: &str = "TS_AUTHKEY";

/// What the process inside is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Plan {
    lab: PathBuf,
    daemon: PathBuf,
    platform: String,
    /// The daemon of the other nodes, where it is another one.
    partner: Option<PathBuf>,
    /// The daemon before it was packed.
    unpacked: Option<PathBuf>,
    checks: Vec<String>,
    /// Hazards to stage, after the checks.
    stagings: Vec<String>,
    sabotage: Sabotage,
    elsewhere: Option<Elsewhere>,
    soak_minutes: u64,
    /// How often the daemon is started to see what memory it takes.
    starts: usize,
}

impl Plan {
    /// A plan with nothing to do.
    fn new(lab: &Path, daemon: &Path, platform: &Platform) -> Result<Self> {
        Ok(Self {
            lab: lab.to_owned(),
            daemon: std::path::absolute(daemon).context("the current folder")?,
            platform: platform.name.to_owned(),
            partner: None,
            unpacked: None,
            checks: Vec::new(),
            stagings: Vec::new(),
            sabotage: Sabotage::default(),
            elsewhere: None,
            soak_minutes: 0,
            starts: 0,
        })
    }
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
    if flags.hazards || !flags.hazard.is_empty() {
        return stage_hazards(&project, pinned, target, flags, format);
    }
    let elsewhere = flags.control.as_deref().map(|url| {
        Way::leads_to(url)?;
        Ok::<_, anyhow::Error>((url, auth_key(flags.auth_key_file.as_deref())?))
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
fn chosen_target<'a>(policy: &'a Policy, named: Option<&str>) -> Result<&'a str> {
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

/// The key for another control server: out of a file, or the variable that upstream's programs know.
fn auth_key(file: Option<&Path>) -> Result<String> {
    let found = match file {
        Some(file) => files::read(file)?,
        None => std::env::var(KEY_VARIABLE).unwrap_or_default(),
    };
    let place =
        file.map_or_else(|| format!("{KEY_VARIABLE} is not set"), |file| format!("{} is empty", file.display()));
    let next = format!("Make a reusable key there and give it with `--auth-key-file FILE` or in {KEY_VARIABLE}.");
    let key = found.trim();
    if key.is_empty() {
        return Err(Problem::new("no-auth-key", "`--control` takes a key to log in with", place, next).into());
    }
    Ok(key.to_owned())
}

/// What this machine lacks to run a target's daemon in a world.
fn lacking(policy: &Policy, target: &str) -> Option<String> {
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
    /// Where the data of hazards can be written, if this is the repository that has them.
    repository: Option<PathBuf>,
    elsewhere: Option<Elsewhere>,
}

impl<'a> Stage<'a> {
    /// Builds the world's program in the generated module of the pinned release.
    fn new(project: &Project, pinned: Pinned<'a>, target: &'a str) -> Result<Self> {
        let folder = project.target();
        let maker = Maker::gather(project, pinned, &[])?;
        let lab = lab(&maker)?;
        let repository = commands::registry::repository_of(&project.root());
        Ok(Self { folder, pinned, target, maker, lab, repository, elsewhere: None })
    }

    /// Runs those checks on a daemon that the policy claims, and tells of each as it ends.
    fn observe(&self, daemon: &Path, checks: &[&Check], soak_minutes: u64) -> Result<Vec<Report>> {
        let (mut reports, mut claimed) = (Vec::new(), Vec::new());
        for check in checks {
            let unclaimed = check.unclaimed_by(self.pinned.policy);
            match unclaimed.or_else(|| self.elsewhere.as_ref().and_then(|_| check.only_with_ours())) {
                None => claimed.push(check.name.to_owned()),
                Some(why) => reports.push(Report::not_claimed(check.name, &why)),
            }
        }
        reports.iter().for_each(Report::tell);
        reports.extend(enter(&Plan { soak_minutes, ..self.plan(daemon, claimed)? }, Report::tell)?);
        Ok(reports)
    }

    /// The target's platform.
    fn platform(&self) -> Result<&'static Platform> {
        self.pinned.policy.targets.get(self.target).map(|target| target.platform).context("the target")
    }

    fn plan(&self, daemon: &Path, checks: Vec<String>) -> Result<Plan> {
        let plan = Plan::new(&self.lab, daemon, self.platform()?)?;
        let unpacked = Some(plan.daemon.with_file_name(build_tailscale::UNPACKED)).filter(|path| path.is_file());
        Ok(Plan { checks, unpacked, elsewhere: self.elsewhere.clone(), ..plan })
    }

    /// A binary of a selection, built unless it is there; where it is.
    fn binary(
        &self,
        maker: &Maker,
        policy: &Policy,
        selection: &Selection<'_>,
        what: &str,
    ) -> Result<Result<PathBuf, Unmade>> {
        let commit = maker.upstream.commit.as_deref();
        let recipe = Recipe::of(policy, selection, self.target, commit).context("the target's recipe")?;
        let name = format!("{}-{}", recipe.release, files::sha256(recipe.tags.join(",").as_bytes()).split_at(16).0);
        let folder = self.folder.join("tailscale/.mutants").join(self.target).join(name);
        let step = progress::step("Building", format!("a binary for {what}"));
        let made = maker.make_once(&recipe, &folder)?;
        if made.is_ok() {
            step.done("Built", "");
        }
        Ok(made.map(|()| folder.join(build_tailscale::PACKED)))
    }
}

/// Builds the world's program in the generated module of a release.
fn lab(maker: &Maker) -> Result<PathBuf> {
    let step = progress::step("Building", "the control server");
    let lab = maker.upstream.build_program(&maker.go, "control", &LAB)?;
    step.done("Built", &format!("of {}", maker.upstream.release));
    std::path::absolute(lab).context("the current folder")
}

/// Runs a plan inside a world of its own, and passes on what happens there.
fn events(plan: &Plan, mut happens: impl FnMut(report::Event)) -> Result<std::process::ExitStatus> {
    entrance::enter(&["verify-inside", &serde_json::to_string(plan)?], |line| {
        happens(serde_json::from_str(line).context("reading what the world's process says")?);
        Ok(())
    })
}

/// Runs the checks of a plan.
fn enter(plan: &Plan, tell: impl Fn(&Report)) -> Result<Vec<Report>> {
    let (mut reports, mut step): (Vec<Report>, Option<progress::Step>) = (Vec::new(), None);
    let status = events(plan, |event| match event {
        report::Event::Begins { check } => step = Some(progress::step("Checking", check)),
        report::Event::Ended(report) => {
            step = None;
            tell(&report);
            reports.push(report);
        }
        report::Event::Rested { .. } => {}
    })?;
    drop(step);
    anyhow::ensure!(
        status.success() && reports.len() == plan.checks.len() + plan.stagings.len(),
        "the world's process ended ({status}) after {} of {} checks",
        reports.len(),
        plan.checks.len() + plan.stagings.len()
    );
    Ok(reports)
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
