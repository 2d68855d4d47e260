//! `programs`: whether our small Go programs still compile with releases, upstream's newest among them.

use std::path::Path;

use anyhow::{Context, Result};
use featureset::facts::Facts;
use featureset::release::Release;

use super::{Outcome, registry};
use crate::cache::Cache;
use crate::cli::{Destination, Programs};
use crate::tools::go::{self, Go};
use crate::typecheck::TypeChecker;
use crate::{outln, programs, progress, upstream};

/// Runs the command. Complaints go to stdout, `PROGRAM on RELEASE: FILE:LINE:COLUMN: TEXT`.
///
/// # Errors
/// A [`crate::problem::Problem`] if a release can't be fetched or the type-checker itself does not build.
pub fn run(policy: Option<&Path>, flags: &Programs) -> Result<Outcome> {
    registry::repository(policy)?;
    let cache = Cache::of_user();
    let go = go::find_or_provide(&cache)?;
    let mut outcome = Outcome::Clean;
    for release in releases(&go, &cache, &flags.versions)? {
        let step = progress::step("Checking", format!("our programs on Tailscale {release}"));
        let complaints = complaints(&go, &cache, release)?;
        step.done("Checked", &format!("with {} complaints", complaints.len()));
        for complaint in complaints {
            outln!("{complaint}");
            outcome = Outcome::Findings;
        }
    }
    if outcome == Outcome::Findings {
        progress::warn("these are faults of tailscale-featureset: its programs must follow the packages that they use");
    }
    Ok(outcome)
}

fn releases(go: &Go, cache: &Cache, asked: &[Destination]) -> Result<Vec<Release>> {
    let known = newest_of_every_line();
    let release = |asked: &Destination| match asked {
        Destination::Release(release) => Ok(*release),
        Destination::Latest => upstream::releases(go, cache)?.into_iter().max().context("upstream has no release"),
    };
    if asked.is_empty() { Ok(known) } else { asked.iter().map(release).collect() }
}

/// The newest release of every line that a registry is known of, oldest first.
#[must_use]
pub fn newest_of_every_line() -> Vec<Release> {
    Facts::embedded().registries().filter_map(|registry| registry.releases.keys().next_back().copied()).collect()
}

/// The complaints about every program on a release, `PROGRAM on RELEASE: FILE:LINE:COLUMN: TEXT`.
///
/// # Errors
/// As [`run`].
pub fn complaints(go: &Go, cache: &Cache, release: Release) -> Result<Vec<String>> {
    let upstream = upstream::fetch(go, cache, release, None)?;
    let checker = TypeChecker::new(go, &upstream)?;
    let mut all = Vec::new();
    for program in &programs::ALL {
        let found = checker.check_program(program)?;
        all.extend(found.iter().map(|complaint| format!("{} on {release}: {complaint}", program.name)));
    }
    Ok(all)
}
