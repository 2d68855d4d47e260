//! `programs`: whether our small Go programs still compile with releases, upstream's newest among them.

use std::path::Path;

use anyhow::{Context, Result};
use featureset::release::Release;
use featureset::upstream_data::UpstreamData;

use crate::args::Programs;
use tailscale_featureset::cache::Cache;
use tailscale_featureset::cli::Destination;
use tailscale_featureset::commands::{Outcome, registry};
use tailscale_featureset::tools::go::{self, Go};
use tailscale_featureset::{outln, progress, typecheck, upstream};

/// Runs the command. Complaints go to stdout, `PROGRAM on RELEASE: FILE:LINE:COLUMN: TEXT`.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] if a release can't be fetched or the type-checker itself does not build.
pub(crate) fn run(policy: Option<&Path>, flags: &Programs) -> Result<Outcome> {
    registry::repository(policy)?;
    let cache = Cache::of_user();
    let go = go::find_or_provide(&cache)?;
    let mut outcome = Outcome::Clean;
    for release in releases(&go, &cache, &flags.versions)? {
        let step = progress::step("Checking", format!("our programs on Tailscale {release}"));
        let complaints = typecheck::complaints(&go, &cache, release)?;
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
    let release = |asked: &Destination| match asked {
        Destination::Release(release) => Ok(*release),
        Destination::Latest => upstream::releases(go, cache)?.into_iter().max().context("upstream has no release"),
    };
    if asked.is_empty() { Ok(UpstreamData::embedded().newest_releases()) } else { asked.iter().map(release).collect() }
}
