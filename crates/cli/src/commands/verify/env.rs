//! The environment of checks, mutants and scenarios: the program of the test network, the binaries, and the plan.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::platform::Platform;
use featureset::policy::{EffectivePolicy, Pack, Policy};
use featureset::recipe::Recipe;
use featureset::run_time;
use featureset::selection::Selection;
use serde::{Deserialize, Serialize};

use super::checks::Check;
use super::report::{Event, Report};
use crate::commands::build_tailscale::{self, BuildOutcome, Builder};
use crate::netlab::external_control::ExternalControl;
use crate::netlab::{FaultInjection, sandbox};
use crate::project::{Pinned, Project};
use crate::tools::qemu::{Runner, runner};
use crate::{files, programs, progress, registries};

/// The plan for the process inside the test network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) lab: PathBuf,
    pub(super) daemon: PathBuf,
    pub(super) platform: String,
    /// The daemon of the other nodes, if it differs.
    pub(super) partner: Option<PathBuf>,
    /// The daemon before it was packed.
    pub(super) unpacked: Option<PathBuf>,
    pub(super) checks: Vec<String>,
    /// Hazards to provoke after the checks.
    pub(super) scenarios: Vec<String>,
    pub(super) fault: FaultInjection,
    pub(super) external: Option<ExternalControl>,
    pub(super) soak_minutes: u64,
    /// The number of starts of the daemon to measure its memory.
    pub(super) starts: usize,
}

impl Plan {
    /// Creates an empty plan.
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

/// Returns the first missing requirement for a target's daemon, or `None` if this machine can run it.
pub(in crate::commands) fn missing_requirement(policy: &Policy, target: &str) -> Option<String> {
    match policy.targets.get(target).map(|target| runner(target.platform)) {
        Some(Runner::Unavailable(why)) => Some(why),
        _ => sandbox::missing_requirement(),
    }
}

/// The pinned release, its module, and the program of the test network.
pub(super) struct TestEnv<'a> {
    pub(super) folder: PathBuf,
    pub(super) pinned: Pinned<'a>,
    pub(super) target: &'a str,
    /// Builds mutants.
    pub(super) builder: Builder,
    pub(super) lab: PathBuf,
    /// The root of the repository with the data of hazards, if the policy is in it.
    pub(super) repository: Option<PathBuf>,
    pub(super) external: Option<ExternalControl>,
}

impl<'a> TestEnv<'a> {
    /// Builds the program of the test network in the generated module of the pinned release.
    pub(super) fn new(project: &Project, pinned: Pinned<'a>, target: &'a str) -> Result<Self> {
        let folder = project.target();
        let builder = Builder::gather(project, pinned, &[])?;
        let lab = lab(&builder)?;
        let repository = Some(project.root()).filter(|root| registries::is_built_in(root));
        Ok(Self { folder, pinned, target, builder, lab, repository, external: None })
    }

    /// Runs the checks that apply to the policy, and reports each as it ends.
    pub(super) fn observe(&self, daemon: &Path, checks: &[&Check], soak_minutes: u64) -> Result<Vec<Report>> {
        let policy = self.pinned.for_target(self.target)?;
        let (mut reports, mut claimed) = (Vec::new(), Vec::new());
        for check in checks {
            let unclaimed = check.unclaimed_by(policy);
            match unclaimed.or_else(|| self.external.as_ref().and_then(|_| check.only_with_ours())) {
                None => claimed.push(check.name.to_owned()),
                Some(why) => reports.push(Report::not_claimed(check.name, &why)),
            }
        }
        reports.iter().for_each(Report::tell);
        reports.extend(run_plan(&Plan { soak_minutes, ..self.plan(daemon, claimed)? }, Report::tell)?);
        Ok(reports)
    }

    /// The target's platform.
    pub(super) fn platform(&self) -> Result<&'static Platform> {
        self.pinned.for_target(self.target)?.target().map(|target| target.platform).context("the target")
    }

    pub(super) fn plan(&self, daemon: &Path, checks: Vec<String>) -> Result<Plan> {
        let plan = Plan::new(&self.lab, daemon, self.platform()?)?;
        // The daemon runs as on the device, so the checks see which features are off.
        let off = self.pinned.for_target(self.target).ok().and_then(run_time::value);
        let variables = off.map(|names| (run_time::VARIABLE.to_owned(), names.to_owned())).into_iter().collect();
        let fault = FaultInjection { variables, ..FaultInjection::default() };
        let unpacked = Some(plan.daemon.with_file_name(build_tailscale::UNPACKED)).filter(|path| path.is_file());
        Ok(Plan { checks, unpacked, fault, external: self.external.clone(), ..plan })
    }

    /// Builds a binary of a selection, unless it exists, and returns its path.
    pub(super) fn binary(
        &self,
        builder: &Builder,
        policy: &Policy,
        selection: &Selection<'_>,
        what: &str,
    ) -> Result<BuildOutcome<PathBuf>> {
        let commit = builder.upstream.commit.as_deref();
        let target = policy.for_target(self.target).context("the target")?;
        let recipe = unpacked_recipe(target, selection, commit)?;
        let name = format!("{}-{}", recipe.release, files::sha256(recipe.tags.join(",").as_bytes()).split_at(16).0);
        let folder = self.folder.join("tailscale/.mutants").join(self.target).join(name);
        let step = progress::step("Building", format!("a binary for {what}"));
        let outcome = builder.build_once(&recipe, &folder)?;
        if let BuildOutcome::Built(()) = outcome {
            step.done("Built", "");
        }
        Ok(outcome.map(|()| folder.join(build_tailscale::PACKED)))
    }
}

/// Returns the recipe of a mutant or of one side of a scenario. It is not packed, because packing does not change its behaviour.
pub(super) fn unpacked_recipe(
    target: EffectivePolicy<'_>,
    selection: &Selection<'_>,
    commit: Option<&str>,
) -> Result<Recipe> {
    let mut recipe = Recipe::new(target, selection, commit).context("the target's recipe")?;
    recipe.build.pack = Pack::None;
    Ok(recipe)
}

/// Builds the program of the test network in the generated module of a release.
pub(in crate::commands) fn lab(builder: &Builder) -> Result<PathBuf> {
    let step = progress::step("Building", "the control server");
    let lab = builder.upstream.build_program(&builder.go, &programs::CONTROL)?;
    step.done("Built", &format!("of {}", builder.upstream.release));
    std::path::absolute(lab).context("the current folder")
}

/// Runs a plan in a new test network and passes each event to `happens`.
pub(super) fn events(plan: &Plan, mut happens: impl FnMut(Event)) -> Result<std::process::ExitStatus> {
    sandbox::run_in_namespaces(&["verify-inside", &serde_json::to_string(plan)?], |line| {
        happens(serde_json::from_str(line).context("reading an event of the test network")?);
        Ok(())
    })
}

/// Runs the checks of a plan.
pub(super) fn run_plan(plan: &Plan, tell: impl Fn(&Report)) -> Result<Vec<Report>> {
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
        "the process of the test network ended ({status}) after {} of {} checks",
        reports.len(),
        plan.checks.len() + plan.scenarios.len()
    );
    Ok(reports)
}

#[cfg(test)]
mod tests {
    use super::*;
    use featureset::upstream_data::UpstreamData;

    /// The builder of mutants has no packer.
    #[test]
    fn recipe_of_a_mutant_is_not_packed_and_otherwise_the_policys() {
        let text = include_str!("../../../../../featureset.yaml");
        let policy = featureset::policy::read(text).policy.unwrap();
        let registry = UpstreamData::embedded().registry(policy.tailscale.unwrap()).unwrap();
        let selection = Selection::keeping(&std::collections::BTreeSet::new(), registry);
        let target = policy.for_target("amd64").unwrap();
        let shipped = Recipe::new(target, &selection, None).unwrap();
        assert_ne!(shipped.build.pack, Pack::None);
        let mut expected = shipped;
        expected.build.pack = Pack::None;
        assert_eq!(unpacked_recipe(target, &selection, None).unwrap(), expected);
    }
}
