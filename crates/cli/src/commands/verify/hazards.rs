//! `verify --hazards`: each hazard that a world can stage shows its symptom on the offending binary and not on the remedied
//! one; what was seen is recorded among the hazards' proofs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::hazard::{Effect, Hazard, trial};
use featureset::name::FeatureName;
use featureset::proof::{Established, Observation};
use featureset::registry::Registry;
use featureset::release::{GoVersion, Release};
use featureset::selection::Selection;

use super::report::{Outcome, Report, Staged};
use super::stage::{Plan, Stage, enter};
use super::stagings::{NOT_STAGED, STAGINGS, Staging};
use crate::commands::build_tailscale::{Maker, Unmade};
use crate::hazard_proofs;
use crate::{progress, upstream};
use diagnostics::{Code, Diagnostic, NextStep};

/// The stagings of the hazards that were named, or all.
///
/// # Errors
/// A [`Diagnostic`] for a hazard that is not staged, with what it would need.
pub(super) fn chosen(named: &[String]) -> Result<Vec<&'static Staging>> {
    let staged = |id: &String| STAGINGS.iter().any(|staging| staging.hazard == id);
    if let Some(id) = named.iter().find(|id| !staged(id)) {
        let needs = NOT_STAGED.iter().find(|(hazard, _)| hazard == id);
        let why = match needs {
            Some((_, needs)) => format!("it would need {needs}"),
            None => "no hazard that shows at run time is called so".to_owned(),
        };
        let next = NextStep::default().command("verify --hazards").text(" without a name stages all that can be.");
        return Err(Diagnostic::failure(Code::NoScenario, format!("`{id}` is not staged"), why, next).into());
    }
    Ok(STAGINGS.iter().filter(|staging| named.is_empty() || named.iter().any(|id| id == staging.hazard)).collect())
}

/// Stages those that fall into the shard, and records what was seen where the data of hazards can be written.
pub(super) fn run(stage: &Stage<'_>, stagings: &[&Staging], (part, of): (usize, usize)) -> Result<Vec<Staged>> {
    let mut makers = Vec::new();
    let mut found = Vec::new();
    for staging in stagings.iter().skip(part - 1).step_by(of) {
        let (staged, seen) = one(stage, staging, &mut makers)?;
        staged.tell();
        if let (Some(root), Some(seen)) = (&stage.repository, seen) {
            hazard_proofs::record(root, staging.hazard, "cargo xtask verify --hazards", vec![seen])?;
        }
        found.push(staged);
    }
    Ok(found)
}

/// The stagings on a machine that lacks something.
pub(super) fn skipped(stagings: &[&Staging], pinned: Release, why: &str) -> Vec<Staged> {
    let skipped = |staging: &&Staging| Staged::skipped(staging.hazard, staging.release(pinned), why);
    let all: Vec<Staged> = stagings.iter().map(skipped).collect();
    all.iter().for_each(Staged::tell);
    all
}

/// Writes the logs of stagings that showed nothing, each in a folder of its hazard; those folders.
pub(super) fn keep_logs(folder: &Path, staged: &[Staged]) -> Result<Vec<PathBuf>> {
    let logs =
        |one: &Staged| (format!("hazards/{}", one.hazard), if one.shown { Vec::new() } else { one.logs.clone() });
    super::keep(folder, staged.iter().map(logs))
}

/// A hazard on a release.
struct Trial<'a> {
    staging: &'a Staging,
    hazard: &'a Hazard,
    release: Release,
    registry: &'a Registry,
}

/// Stages one hazard; what was seen, for the record, where both binaries ran.
fn one(stage: &Stage<'_>, staging: &Staging, makers: &mut Vec<Maker>) -> Result<(Staged, Option<Observation>)> {
    let facts = stage.pinned.facts;
    let hazard = facts.hazard(staging.hazard).context("a staged hazard is one of the data")?;
    let release = staging.release(stage.pinned.release);
    let skipped = |why: &str| Ok((Staged::skipped(staging.hazard, release, why), None));
    let Some(registry) = facts.registry(release) else { return skipped("nothing is known of the release") };
    let trial = Trial { staging, hazard, release, registry };
    if !hazard.in_release(release) {
        return skipped("the release does not have it");
    }
    let Some(sides) = trial::beside(hazard, registry, &trial.start(stage)) else {
        return skipped("no selection of the release has it");
    };
    let (maker, go) = maker(stage, release, makers)?;
    let build = |kept: &BTreeSet<FeatureName>| trial.built(stage, (maker, go), kept);
    let (offending, remedied) = (build(&sides.offending)?, build(&sides.remedied)?);
    let (offending, remedied) = match (offending, remedied) {
        (Ok(offending), Ok(remedied)) => (offending, remedied),
        (Err(why), _) | (_, Err(why)) => return skipped(&format!("it can't be built: {why}")),
    };
    let bad = trial.run(stage, &offending, Some(&remedied))?;
    let symptom = trial.symptom(&bad);
    // Where a decision changes nothing, the two do the same.
    let good = if hazard.record.effect == Effect::NoEffect { None } else { Some(trial.run(stage, &remedied, None)?) };
    let cleared = good.as_ref().map(|report| matches!(report.outcome, Outcome::Passed { .. }));
    let seen = Observation {
        release,
        go,
        platform: stage.platform().map(|platform| format!("linux/{}", platform.goarch)).unwrap_or_default(),
        expected: true,
        how: Established::Run,
        failed: symptom.is_some(),
        complaint: symptom.clone(),
        remedied: symptom.as_ref().and(cleared),
    };
    let told = |report: &Report| report.words().1.to_owned();
    let staged = Staged {
        hazard: staging.hazard.to_owned(),
        release,
        shown: symptom.is_some() && cleared != Some(false),
        skipped: None,
        offending: symptom.unwrap_or_else(|| told(&bad)),
        remedied: good.as_ref().map(told),
        seconds: bad.seconds + good.as_ref().map_or(0.0, |report| report.seconds),
        logs: [bad.logs, good.map(|report| report.logs).unwrap_or_default()].concat(),
    };
    Ok((staged, Some(seen)))
}

impl Trial<'_> {
    /// What the policy keeps on this release, with the staging's own changes.
    fn start(&self, stage: &Stage<'_>) -> BTreeSet<FeatureName> {
        let names = |list: &[&str]| list.iter().filter_map(|name| FeatureName::new(name).ok()).collect::<Vec<_>>();
        let own = self.registry.features.keys().filter(|name| stage.pinned.policy.keeps(name)).cloned();
        let wanted = own.chain(names(self.staging.with)).flat_map(|name| self.registry.requires(&name));
        let gone: BTreeSet<FeatureName> =
            names(self.staging.without).iter().flat_map(|name| self.registry.required_by(name)).collect();
        wanted.filter(|name| !gone.contains(name)).collect()
    }

    /// Builds a selection of this release; the inner error is why it can't be.
    fn built(
        &self,
        stage: &Stage<'_>,
        (maker, go): (&Maker, GoVersion),
        kept: &BTreeSet<FeatureName>,
    ) -> Result<Result<PathBuf, String>> {
        let mut policy = stage.pinned.policy.clone();
        (policy.tailscale, policy.go) = (Some(self.release), Some(go));
        let selection = Selection::keeping(kept, self.registry);
        let built = stage.binary(maker, &policy, &selection, self.staging.hazard)?;
        Ok(built.map_err(|unmade| match unmade {
            Unmade::DoesNotCompile(said) | Unmade::DoesNotStart(said) => said.trim().to_owned(),
        }))
    }

    fn run(&self, stage: &Stage<'_>, daemon: &Path, partner: Option<&Path>) -> Result<Report> {
        let step = progress::step("Staging", format!("{} on {}", self.staging.hazard, self.release));
        let plan = Plan {
            stagings: vec![self.staging.hazard.to_owned()],
            partner: partner.map(Path::to_owned),
            ..stage.plan(daemon, Vec::new())?
        };
        let report = enter(&plan, |_| ())?.pop().context("the staging gave no report")?;
        drop(step);
        Ok(report)
    }

    /// What shows the hazard, of what was seen on the offending binary.
    fn symptom(&self, report: &Report) -> Option<String> {
        let said = report.words().1;
        match &report.outcome {
            Outcome::Passed { .. } if self.hazard.record.effect == Effect::NoEffect => Some(said.to_owned()),
            Outcome::Failed { why } => {
                let shows = self.staging.shows.or(self.hazard.record.symptom.as_deref())?;
                let logs = report.logs.iter().map(|(_, text)| text);
                let mut lines = [why].into_iter().chain(logs).flat_map(|text| text.lines());
                lines.find(|line| line.contains(shows)).map(|line| clean(line, shows))
            }
            _ => None,
        }
    }
}

/// A line for the record: what leads up to the symptom in a log, times and numbers, is of one run only.
fn clean(line: &str, shows: &str) -> String {
    let from = line.find(shows).unwrap_or_default();
    line[from..].chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// The tools for a release, fetched once, and the toolchain that builds it.
fn maker<'m>(stage: &'m Stage<'_>, release: Release, makers: &'m mut Vec<Maker>) -> Result<(&'m Maker, GoVersion)> {
    if release == stage.pinned.release {
        let go = stage.pinned.policy.go.context("the policy names its Go")?;
        return Ok((&stage.maker, go));
    }
    if !makers.iter().any(|maker| maker.upstream.release == release) {
        let step = progress::step("Fetching", format!("Tailscale {release}"));
        let go = stage.maker.go.clone();
        let upstream = upstream::fetch(&go, &stage.maker.cache, release, None)?;
        step.done("Fetched", "");
        makers.push(Maker { cache: stage.maker.cache.clone(), go, upx: None, upstream });
    }
    let maker = makers.iter().find(|maker| maker.upstream.release == release).context("it was just fetched")?;
    Ok((maker, maker.upstream.go_version(&maker.go)?))
}
