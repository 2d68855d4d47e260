//! `verify --hazards`: runs the scenarios and records the observations in the proofs of the hazards.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::hazard::{Effect, Hazard, trial};
use featureset::name::FeatureName;
use featureset::proof::{Established, Observation};
use featureset::registry::Registry;
use featureset::release::{GoVersion, Release};
use featureset::selection::Selection;

use super::env::{Plan, TestEnv, run_plan, unpacked_recipe};
use super::logs;
use super::report::{Outcome, Report, ScenarioResult};
use super::scenarios::{HazardScenario, SCENARIOS, WITHOUT_SCENARIO};
use crate::commands::build_tailscale::{BuildOutcome, Builder};
use crate::hazard_proofs;
use crate::shard::Shard;
use crate::{process, progress, upstream};
use diagnostics::{Code, Diagnostic, NextStep};

/// Returns the scenarios of the named hazards, or all.
///
/// # Errors
/// A [`Diagnostic`] for a hazard without a scenario, with the missing requirement.
pub(super) fn chosen(named: &[String]) -> Result<Vec<&'static HazardScenario>> {
    let staged = |id: &String| SCENARIOS.iter().any(|scenario| scenario.hazard == id);
    if let Some(id) = named.iter().find(|id| !staged(id)) {
        let needs = WITHOUT_SCENARIO.iter().find(|(hazard, _)| hazard == id);
        let why = match needs {
            Some((_, needs)) => format!("it would need {needs}"),
            None => "unknown runtime hazard".to_owned(),
        };
        let next = NextStep::default().command("verify --hazards").text(" without a name runs every scenario.");
        return Err(Diagnostic::failure(Code::NoScenario, format!("`{id}` has no scenario"), why, next).into());
    }
    Ok(SCENARIOS.iter().filter(|scenario| named.is_empty() || named.iter().any(|id| id == scenario.hazard)).collect())
}

/// Runs the shard's scenarios, and records the observations if that is wanted and the policy is in this repository.
pub(super) fn run(
    env: &TestEnv<'_>,
    scenarios: &[&HazardScenario],
    shard: Shard,
    record: bool,
) -> Result<Vec<ScenarioResult>> {
    let mut builders = Vec::new();
    let mut found = Vec::new();
    for scenario in shard.select(scenarios) {
        let (staged, seen) = run_scenario(env, scenario, &mut builders)?;
        staged.tell();
        if let (true, Some(root), Some(seen)) = (record, &env.repository, seen) {
            hazard_proofs::record(root, scenario.hazard, "cargo xtask verify --hazards --record", vec![seen])?;
        }
        found.push(staged);
    }
    Ok(found)
}

/// Reports every scenario as skipped.
pub(super) fn skipped(scenarios: &[&HazardScenario], pinned: Release, why: &str) -> Vec<ScenarioResult> {
    let skipped = |scenario: &&HazardScenario| ScenarioResult::skipped(scenario.hazard, scenario.release(pinned), why);
    let all: Vec<ScenarioResult> = scenarios.iter().map(skipped).collect();
    all.iter().for_each(ScenarioResult::tell);
    all
}

/// Saves the logs of failed scenarios, each in a folder of its hazard, and returns these folders.
pub(super) fn keep_logs(folder: &Path, staged: &[ScenarioResult]) -> Result<Vec<PathBuf>> {
    let logs = |one: &ScenarioResult| {
        (format!("hazards/{}", one.hazard), if one.shown { Vec::new() } else { one.logs.clone() })
    };
    logs::save(folder, staged.iter().map(logs))
}

/// A scenario on a release.
struct Trial<'a> {
    scenario: &'a HazardScenario,
    hazard: &'a Hazard,
    release: Release,
    registry: &'a Registry,
}

/// Runs one scenario. The observation is `None` if it was skipped.
fn run_scenario(
    env: &TestEnv<'_>,
    scenario: &HazardScenario,
    builders: &mut Vec<Builder>,
) -> Result<(ScenarioResult, Option<Observation>)> {
    let facts = env.pinned.facts;
    let hazard = facts.hazard(scenario.hazard).context("every scenario names a known hazard")?;
    let release = scenario.release(env.pinned.release);
    let skipped = |why: &str| Ok((ScenarioResult::skipped(scenario.hazard, release, why), None));
    if let Some(missing) = scenario.needs.filter(|name| process::on_path(name).is_none()) {
        return skipped(&format!("`{missing}` is not installed"));
    }
    let Some(registry) = facts.registry(release) else { return skipped("the release is unknown") };
    let trial = Trial { scenario, hazard, release, registry };
    if !hazard.in_release(release) {
        return skipped("the release does not have it");
    }
    let Some(sides) = trial::beside(hazard, registry, &scenario.start(env.pinned.for_target(env.target)?, registry))
    else {
        return skipped("no selection of the release has it");
    };
    let (builder, go) = builder(env, release, builders)?;
    let build = |kept: &BTreeSet<FeatureName>| trial.build(env, builder, go, kept);
    let (offending, remedied) = (build(&sides.offending)?, build(&sides.remedied)?);
    let (offending, remedied) = match (offending, remedied) {
        (BuildOutcome::Built(offending), BuildOutcome::Built(remedied)) => (offending, remedied),
        (BuildOutcome::Failed(failure), _) | (_, BuildOutcome::Failed(failure)) => {
            return skipped(&format!("it can't be built: {}", failure.output().trim()));
        }
    };
    let bad = trial.run(env, &offending, Some(&remedied))?;
    let symptom = trial.symptom(&bad);
    // If the decision has no effect, both binaries behave alike.
    let good = if hazard.record.effect == Effect::NoEffect { None } else { Some(trial.run(env, &remedied, None)?) };
    let cleared = good.as_ref().map(|report| matches!(report.outcome, Outcome::Passed { .. }));
    let seen = Observation {
        release,
        go,
        platform: env.platform().map(|platform| format!("linux/{}", platform.goarch)).unwrap_or_default(),
        expected: true,
        how: Established::Run,
        failed: symptom.is_some(),
        complaint: symptom.clone(),
        remedied: symptom.as_ref().and(cleared),
    };
    let detail = |report: &Report| report.summary().1.to_owned();
    let staged = ScenarioResult {
        hazard: scenario.hazard.to_owned(),
        release,
        shown: symptom.is_some() && cleared != Some(false),
        skipped: None,
        offending: symptom.unwrap_or_else(|| detail(&bad)),
        remedied: good.as_ref().map(detail),
        seconds: bad.seconds + good.as_ref().map_or(0.0, |report| report.seconds),
        logs: [bad.logs, good.map(|report| report.logs).unwrap_or_default()].concat(),
    };
    Ok((staged, Some(seen)))
}

impl Trial<'_> {
    /// Builds a selection of this release.
    fn build(
        &self,
        env: &TestEnv<'_>,
        builder: &Builder,
        go: GoVersion,
        kept: &BTreeSet<FeatureName>,
    ) -> Result<BuildOutcome<PathBuf>> {
        let mut policy = env.pinned.policy.clone();
        (policy.tailscale, policy.go) = (Some(self.release), Some(go));
        let selection = Selection::keeping(kept, self.registry);
        if let Some(program) = &self.scenario.program {
            let target = policy.for_target(env.target).context("the target")?;
            let recipe = unpacked_recipe(target, &selection, None)?;
            let step = progress::step("Building", format!("`{}` for {}", program.name, self.scenario.hazard));
            let built = builder.upstream.build_program_with(&builder.go, program, &recipe)?;
            step.done("Built", "");
            return Ok(BuildOutcome::Built(built));
        }
        env.binary(builder, &policy, &selection, self.scenario.hazard)
    }

    fn run(&self, env: &TestEnv<'_>, daemon: &Path, partner: Option<&Path>) -> Result<Report> {
        let step = progress::step("Provoking", format!("{} on {}", self.scenario.hazard, self.release));
        let mut plan = Plan {
            scenarios: vec![self.scenario.hazard.to_owned()],
            partner: partner.map(Path::to_owned),
            ..env.plan(daemon, Vec::new())?
        };
        // Only the run of the offending binary has a partner.
        let variables = self.scenario.variables.iter().filter(|_| partner.is_some());
        plan.fault.variables.extend(variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let report = run_plan(&plan, |_| ())?.pop().context("the scenario sent no report")?;
        drop(step);
        Ok(report)
    }

    /// Returns the symptom in the report of the offending binary.
    fn symptom(&self, report: &Report) -> Option<String> {
        let detail = report.summary().1;
        match &report.outcome {
            Outcome::Passed { .. } if self.hazard.record.effect == Effect::NoEffect => Some(detail.to_owned()),
            Outcome::Failed { why } => {
                let shows = self.scenario.shows.or(self.hazard.record.symptom.as_deref())?;
                let logs = report.logs.iter().map(|(_, text)| text);
                let mut lines = [why].into_iter().chain(logs).flat_map(|text| text.lines());
                lines.find(|line| line.contains(shows)).map(|line| clean(line, shows))
            }
            _ => None,
        }
    }
}

/// Cuts a log line for the record: the text before the symptom has times and numbers of one run.
fn clean(line: &str, shows: &str) -> String {
    let from = line.find(shows).unwrap_or_default();
    line[from..].chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// Returns the tools and the toolchain for a release; each release is fetched once.
fn builder<'m>(
    env: &'m TestEnv<'_>,
    release: Release,
    builders: &'m mut Vec<Builder>,
) -> Result<(&'m Builder, GoVersion)> {
    if release == env.pinned.release {
        let go = env.pinned.policy.go.context("the policy names its Go")?;
        return Ok((&env.builder, go));
    }
    if !builders.iter().any(|builder| builder.upstream.release == release) {
        let step = progress::step("Fetching", format!("Tailscale {release}"));
        let go = env.builder.go.clone();
        let upstream = upstream::fetch(&go, &env.builder.cache, release, None)?;
        step.done("Fetched", "");
        builders.push(Builder { cache: env.builder.cache.clone(), go, packers: env.builder.packers.clone(), upstream });
    }
    let builder =
        builders.iter().find(|builder| builder.upstream.release == release).context("the release was fetched")?;
    Ok((builder, builder.upstream.go_version(&builder.go)?))
}
