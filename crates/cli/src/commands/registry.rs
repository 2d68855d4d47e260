//! `registry`: reads the features of releases by running upstream's own package, and writes the data: in this repository
//! those that are built into the program, elsewhere those next to the policy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::registry::Registry;
use featureset::release::ReleaseLine;

use crate::cache::Cache;
use crate::cli;
use crate::outcome::Outcome;
use crate::project::{find_policy, root_of};
use crate::registries::{self, BUILT_IN};
use crate::tools::go;
use crate::{progress, upstream};
use diagnostics::{Code, Diagnostic};

/// Runs the command. It writes only after every release was read.
///
/// # Errors
/// A [`Diagnostic`] if the policy is missing, or a release can't be read or contradicts its line.
pub fn run(policy: Option<&Path>, flags: &cli::Registry) -> Result<Outcome> {
    let root = root_of(&find_policy(policy)?);
    let folder = registries::folder(&root);
    let cache = Cache::of_user();
    let go = go::find_or_provide(&cache)?;
    let mut lines: BTreeMap<ReleaseLine, Registry> = BTreeMap::new();
    for release in &flags.versions {
        let step = progress::step("Reading", format!("Tailscale {release}"));
        let upstream = upstream::fetch(&go, &cache, *release, None)?;
        let registry = registries::read(&mut lines, &folder, &go, &upstream)?;
        step.done("Read", &format!("{} features", registry.features.len()));
    }
    let paths = registries::write(&root, lines.values())?;
    for (path, registry) in paths.iter().zip(lines.values()) {
        progress::line("Wrote", &format!("{}: {} releases", path.display(), registry.releases.len()));
    }
    Ok(Outcome::Clean)
}

/// Returns the root of this repository, whose data are built into the program.
///
/// # Errors
/// A [`Diagnostic`] if the policy is not in a checkout of it.
pub fn repository(policy: Option<&Path>) -> Result<PathBuf> {
    let found = find_policy(policy)?;
    let root = root_of(&found);
    if registries::is_built_in(&root) {
        return Ok(root);
    }
    let why = format!("there is no {BUILT_IN} next to {}", found.display());
    let next = "Run it in a checkout of tailscale-featureset: the data are built into the program. A policy elsewhere is judged \
         with `check --deny warnings`, its pages with `docs --check`.";
    Err(Diagnostic::failure(
        Code::NotTheRepository,
        "this command works only in the program's own repository",
        why,
        next,
    )
    .into())
}
