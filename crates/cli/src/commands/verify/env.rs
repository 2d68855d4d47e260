//! What checks, mutants and hazards are run with: the world's program, the binaries, and the way in.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::platform::Platform;
use featureset::policy::Policy;
use featureset::recipe::Recipe;
use featureset::selection::Selection;
use serde::{Deserialize, Serialize};

use super::checks::Check;
use super::report::{Event, Report};
use crate::commands::build_tailscale::{self, Maker, Unmade};
use crate::netlab::external_control::ExternalControl;
use crate::netlab::{FaultInjection, sandbox};
use crate::project::{Pinned, Project};
use crate::tools::qemu::{Runner, runner};
use crate::{files, programs, progress, registries};

/// What the process inside is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) lab: PathBuf,
    pub(super) daemon: PathBuf,
    pub(super) platform: String,
    /// The daemon of the other nodes, where it is another one.
    pub(super) partner: Option<PathBuf>,
    /// The daemon before it was packed.
    pub(super) unpacked: Option<PathBuf>,
    pub(super) checks: Vec<String>,
    /// Hazards to env, after the checks.
    pub(super) scenarios: Vec<String>,
    pub(super) fault: FaultInjection,
    pub(super) external: Option<ExternalControl>,
    pub(super) soak_minutes: u64,
    /// How often the daemon is started to see what memory it takes.
    pub(super) starts: usize,
}

impl Plan {
    /// A plan with nothing to do.
    pub(super) fn new(lab: &Path, daemon: &Path, platform: &Platform) -> Result<Self> {
        Ok(Self {
            lab: lab.to_owned(),
            daemon: std::path::absolute(daemon).context("the current folder")?,
            platform: platform.name.to_owned(),
            partner: None,
            unpacked: None,
            checks: Vec::new(),
            scenarios: Vec::new(),
            fault: FaultInjection::default(),
            external: None,
            soak_minutes: 0,
            starts: 0,
        })
    }
}

/// What this machine lacks to run a target's daemon in a world.
pub(in crate::commands) fn lacking(policy: &Policy, target: &str) -> Option<String> {
    match policy.targets.get(target).map(|target| runner(target.platform)) {
        Some(Runner::Unavailable(why)) => Some(why),
        _ => sandbox::missing_requirement(),
    }
}

/// What checks are run with: the pinned release, its module, and the world's program.
pub(super) struct TestEnv<'a> {
    pub(super) folder: PathBuf,
    pub(super) pinned: Pinned<'a>,
    pub(super) target: &'a str,
    /// Of mutants, which are not packed: that changes nothing of what they do.
    pub(super) maker: Maker,
    pub(super) lab: PathBuf,
    /// Where the data of hazards can be written, if this is the repository that has them.
    pub(super) repository: Option<PathBuf>,
    pub(super) external: Option<ExternalControl>,
}

impl<'a> TestEnv<'a> {
    /// Builds the world's program in the generated module of the pinned release.
    pub(super) fn new(project: &Project, pinned: Pinned<'a>, target: &'a str) -> Result<Self> {
        let folder = project.target();
        let maker = Maker::gather(project, pinned, &[])?;
        let lab = lab(&maker)?;
        let repository = Some(project.root()).filter(|root| registries::is_built_in(root));
        Ok(Self { folder, pinned, target, maker, lab, repository, external: None })
    }

    /// Runs those checks on a daemon that the policy claims, and tells of each as it ends.
    pub(super) fn observe(&self, daemon: &Path, checks: &[&Check], soak_minutes: u64) -> Result<Vec<Report>> {
        let (mut reports, mut claimed) = (Vec::new(), Vec::new());
        for check in checks {
            let unclaimed = check.unclaimed_by(self.pinned.policy);
            match unclaimed.or_else(|| self.external.as_ref().and_then(|_| check.only_with_ours())) {
                None => claimed.push(check.name.to_owned()),
                Some(why) => reports.push(Report::not_claimed(check.name, &why)),
            }
        }
        reports.iter().for_each(Report::tell);
        reports.extend(enter(&Plan { soak_minutes, ..self.plan(daemon, claimed)? }, Report::tell)?);
        Ok(reports)
    }

    /// The target's platform.
    pub(super) fn platform(&self) -> Result<&'static Platform> {
        self.pinned.policy.targets.get(self.target).map(|target| target.platform).context("the target")
    }

    pub(super) fn plan(&self, daemon: &Path, checks: Vec<String>) -> Result<Plan> {
        let plan = Plan::new(&self.lab, daemon, self.platform()?)?;
        let unpacked = Some(plan.daemon.with_file_name(build_tailscale::UNPACKED)).filter(|path| path.is_file());
        Ok(Plan { checks, unpacked, external: self.external.clone(), ..plan })
    }

    /// A binary of a selection, built unless it is there; where it is.
    pub(super) fn binary(
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
pub(in crate::commands) fn lab(maker: &Maker) -> Result<PathBuf> {
    let step = progress::step("Building", "the control server");
    let lab = maker.upstream.build_program(&maker.go, &programs::CONTROL)?;
    step.done("Built", &format!("of {}", maker.upstream.release));
    std::path::absolute(lab).context("the current folder")
}

/// Runs a plan inside a world of its own, and passes on what happens there.
pub(super) fn events(plan: &Plan, mut happens: impl FnMut(Event)) -> Result<std::process::ExitStatus> {
    sandbox::run_in_namespaces(&["verify-inside", &serde_json::to_string(plan)?], |line| {
        happens(serde_json::from_str(line).context("reading what the world's process says")?);
        Ok(())
    })
}

/// Runs the checks of a plan.
pub(super) fn enter(plan: &Plan, tell: impl Fn(&Report)) -> Result<Vec<Report>> {
    let (mut reports, mut step): (Vec<Report>, Option<progress::Step>) = (Vec::new(), None);
    let status = events(plan, |event| match event {
        Event::Begins { check } => step = Some(progress::step("Checking", check)),
        Event::Ended(report) => {
            step = None;
            tell(&report);
            reports.push(report);
        }
        Event::Rested { .. } => {}
    })?;
    drop(step);
    anyhow::ensure!(
        status.success() && reports.len() == plan.checks.len() + plan.scenarios.len(),
        "the world's process ended ({status}) after {} of {} checks",
        reports.len(),
        plan.checks.len() + plan.scenarios.len()
    );
    Ok(reports)
}
