//! `registry`: reads what releases declare by running upstream's own package, and writes the data: those that are built into
//! the program here, those beside the policy elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::registry::Registry;
use featureset::release::ReleaseLine;

use super::Outcome;
use crate::cache::Cache;
use crate::cli;
use crate::project::{find_policy, root_of};
use crate::registries::{self, BUILT_IN};
use crate::tools::go;
use crate::{progress, upstream};
use diagnostics::{Code, Diagnostic};

/// Runs the command. Nothing is written before every release was read.
///
/// # Errors
/// A [`Diagnostic`] where there is no policy, or where a release can't be read or contradicts its line.
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

/// The root of this repository: what is written there is built into the program.
///
/// # Errors
/// A [`Diagnostic`] where the policy is not that of a checkout.
pub fn repository(policy: Option<&Path>) -> Result<PathBuf> {
    let found = find_policy(policy)?;
    let root = root_of(&found);
    if registries::is_built_in(&root) {
        return Ok(root);
    }
    let why = format!("there is no {BUILT_IN} beside {}", found.display());
    let next = "Run it in a checkout of tailscale-featureset: the data are built into the program. A policy elsewhere is judged \
         with `check --deny warnings`, its pages with `docs --check`.";
    Err(Diagnostic::failure(Code::NotTheRepository, "this is for the program's own repository", why, next).into())
}
