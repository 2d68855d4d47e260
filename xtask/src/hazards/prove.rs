//! `hazards prove`: the offending selection fails, the remedied one passes, on every line; written as proofs.

use diagnostics::{Code, Diagnostic};
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use featureset::hazard::{Effect, Hazard, trial};
use featureset::proof::{Established, Observation};
use featureset::release::Release;
use featureset::upstream_data::UpstreamData;

use super::compile::{CompilerVerdict, built, judged};
use tailscale_featureset::cache::Cache;
use tailscale_featureset::commands::{Outcome, registry};
use tailscale_featureset::hazard_proofs::record;
use tailscale_featureset::progress;
use tailscale_featureset::tools::go::{self, Go};
use tailscale_featureset::typecheck::{Job, TypeChecker};
use tailscale_featureset::upstream::{self, Upstream};

/// Runs the command; findings are observations that contradict the hazards' data.
pub(super) fn run(policy: Option<&Path>, ids: &[String], releases: &[Release], build: bool) -> Result<Outcome> {
    let root = registry::repository(policy)?;
    let facts = UpstreamData::embedded();
    let hazards = chosen(facts, ids)?;
    let releases = if releases.is_empty() { facts.newest_releases() } else { releases.to_vec() };
    let cache = Cache::of_user();
    let go = go::find_or_provide(&cache)?;
    let mut proofs: BTreeMap<&str, Vec<Observation>> = hazards.iter().map(|hazard| (&*hazard.id, Vec::new())).collect();
    for release in releases {
        let upstream = upstream::fetch(&go, &cache, release, None)?;
        let checker = TypeChecker::new(&go, &upstream)?;
        for hazard in &hazards {
            if let Some(seen) = observe(hazard, &upstream, &Compilers { go: &go, checker: &checker, build })? {
                proofs.entry(&hazard.id).or_default().push(seen);
            }
        }
    }
    let mut outcome = Outcome::Clean;
    for (id, observations) in proofs {
        let proof = record(&root, id, "cargo xtask hazards prove", observations)?;
        for wrong in proof.contradictions() {
            progress::warn(&format!("{id} on {}: the data say otherwise: {wrong:?}", wrong.release));
            outcome = Outcome::Findings;
        }
    }
    Ok(outcome)
}

/// The hazards that a compiler can show.
fn chosen<'a>(facts: &'a UpstreamData, ids: &[String]) -> Result<Vec<&'a Hazard>> {
    let compile = |hazard: &&Hazard| hazard.record.effect == Effect::DoesNotCompile;
    let all: Vec<&Hazard> = facts.hazards().filter(compile).collect();
    if let Some(id) = ids.iter().find(|id| all.iter().all(|hazard| hazard.id != **id)) {
        let names: Vec<&str> = all.iter().map(|hazard| hazard.id.as_str()).collect();
        let why = format!("a compiler can show {}", names.join(", "));
        return Err(Diagnostic::failure(
            Code::NotProvable,
            format!("`{id}` can't be proven this way"),
            why,
            "Name one of those.",
        )
        .into());
    }
    Ok(all.into_iter().filter(|hazard| ids.is_empty() || ids.contains(&hazard.id)).collect())
}

/// The trial of a hazard.
struct Compilers<'a> {
    go: &'a Go,
    checker: &'a TypeChecker<'a>,
    /// Whether what passes the type-check is built too.
    build: bool,
}

/// Tries one hazard on one release; returns `None` if the release can't have it or could not be judged.
fn observe(hazard: &Hazard, upstream: &Upstream, with: &Compilers<'_>) -> Result<Option<Observation>> {
    let registry = UpstreamData::embedded().registry(upstream.release);
    let Some((registry, trial)) = registry.and_then(|registry| Some((registry, trial::for_hazard(hazard, registry)?)))
    else {
        return Ok(None);
    };
    let step = progress::step("Proving", format!("{} on {}", hazard.id, upstream.release));
    let job = |id: &str, kept| Job {
        id: id.to_owned(),
        tags: registry.tags(kept).join(","),
        goos: trial.goos.clone(),
        goarch: "amd64".to_owned(),
        folder: None,
    };
    let (offending, remedied) = (job("offending", &trial.offending), job("remedied", &trial.remedied));
    let answers = with.checker.check(&[offending.clone(), remedied])?;
    let (first, second) = (judged(&answers[0].complaints)?, judged(&answers[1].complaints)?);
    let (mut how, mut said) = (Established::TypeChecked, first);
    if matches!(said, CompilerVerdict::Fails(_)) || (with.build && said == CompilerVerdict::Passes) {
        step.update(&format!("{} on {}, by a real build", hazard.id, upstream.release));
        match built(with.go, upstream, &offending)? {
            CompilerVerdict::Nothing(why) => {
                progress::warn(&format!("not built: {}", why.lines().last().unwrap_or_default()))
            }
            seen => (how, said) = (Established::Built, seen),
        }
    }
    let (failed, complaint) = match said {
        CompilerVerdict::Passes => (false, None),
        CompilerVerdict::Fails(complaint) => (true, Some(complaint)),
        CompilerVerdict::Nothing(why) => {
            drop(step);
            progress::warn(&format!("{} on {} could not be judged: {why}", hazard.id, upstream.release));
            return Ok(None);
        }
    };
    let remedied = match second {
        _ if !failed => None,
        CompilerVerdict::Nothing(_) => None,
        CompilerVerdict::Passes => Some(true),
        CompilerVerdict::Fails(_) => Some(false),
    };
    step.done("Proved", if failed { "fails" } else { "passes" });
    Ok(Some(Observation {
        release: upstream.release,
        go: upstream.go_version(with.go)?,
        platform: format!("{}/amd64", trial.goos),
        expected: hazard.in_release(upstream.release),
        how,
        failed,
        complaint,
        remedied,
    }))
}
