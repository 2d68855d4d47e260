//! `registry`: reads what releases declare by running upstream's own package, and writes the data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::name::FeatureName;
use featureset::registry::{Feature, Registry, Requirement, TextDigest};
use featureset::release::{Release, ReleaseLine};

use super::Outcome;
use crate::cli;
use crate::problem::Problem;
use crate::project::{find_policy, root_of};
use crate::tools::go::{self, Go};
use crate::upstream::{self, Declared};
use crate::{files, progress};

/// Where the data live in this repository.
const FOLDER: &str = "crates/featureset/registry";

/// Runs the command. Nothing is written before every release was read.
///
/// # Errors
/// A [`Problem`] outside this repository, or where a release can't be read or contradicts its line.
pub fn run(policy: Option<&Path>, flags: &cli::Registry) -> Result<Outcome> {
    let (root, folder) = data_folder(policy)?;
    let target = root.join("target");
    let go = go::find_or_provide(&target)?;
    let mut lines: BTreeMap<ReleaseLine, Registry> = BTreeMap::new();
    for release in &flags.versions {
        let step = progress::step("Reading", format!("Tailscale {release}"));
        let line = release.line();
        if !lines.contains_key(&line) {
            lines.extend(existing(&folder, line)?.map(|registry| (line, registry)));
        }
        let features = add(&mut lines, &go, &target, *release)?;
        step.done("Read", &format!("{features} features"));
    }
    for registry in lines.values() {
        let path = folder.join(format!("{}.json", registry.line));
        files::write(&path, &registry.to_json().map_err(anyhow::Error::msg)?)?;
        progress::line("Wrote", &format!("{FOLDER}/{}.json: {} releases", registry.line, registry.releases.len()));
    }
    Ok(Outcome::Clean)
}

/// The repository's root and its folder of registries.
fn data_folder(policy: Option<&Path>) -> Result<(PathBuf, PathBuf)> {
    let root = repository(policy)?;
    let folder = root.join(FOLDER);
    Ok((root, folder))
}

/// The root of this repository: what is written there is built into the program.
///
/// # Errors
/// A [`Problem`] where the policy is not that of a checkout.
pub fn repository(policy: Option<&Path>) -> Result<PathBuf> {
    let found = find_policy(policy)?;
    let root = root_of(&found);
    let folder = root.join(FOLDER);
    if folder.is_dir() {
        return Ok(root);
    }
    let why = format!("there is no {FOLDER} beside {}", found.display());
    let next = "Run it in a checkout of the repository; the data are built into the program.";
    Err(Problem::new("not-the-repository", "the data can't be written here", why, next).into())
}

fn existing(folder: &Path, line: ReleaseLine) -> Result<Option<Registry>> {
    let path = folder.join(format!("{line}.json"));
    if !path.exists() {
        return Ok(None);
    }
    let parsed = Registry::from_json(&files::read(&path)?);
    let problem = |why: String| {
        Problem::new(
            "registry-damaged",
            format!("can't read {}", path.display()),
            why,
            "Delete the file and read its releases anew.",
        )
    };
    Ok(Some(parsed.map_err(problem)?))
}

/// Reads a release into its line; gives the number of its features.
fn add(lines: &mut BTreeMap<ReleaseLine, Registry>, go: &Go, target: &Path, release: Release) -> Result<usize> {
    let upstream = upstream::fetch(go, target, release, None)?;
    let features = features(upstream.declared(go)?)?;
    let count = features.len();
    let line = release.line();
    let fresh = || Registry {
        generated_by: "cargo xtask registry".to_owned(),
        line,
        releases: BTreeMap::new(),
        features: features.clone(),
    };
    let registry = lines.entry(line).or_insert_with(fresh);
    if registry.features != features {
        let names = |left: &BTreeMap<FeatureName, Feature>, right: &BTreeMap<FeatureName, Feature>| {
            left.iter()
                .filter(|(name, feature)| right.get(*name) != Some(feature))
                .map(|(name, _)| name.to_string())
                .collect::<Vec<_>>()
        };
        let differing =
            [names(&registry.features, &features), names(&features, &registry.features)].concat().join(", ");
        let why = format!("differs in {differing}; a line's registry was never seen to change between patches");
        let next = format!(
            "Delete {FOLDER}/{line}.json to start the line anew, and see whether the format must tell patches apart."
        );
        return Err(Problem::new(
            "registry-changed",
            format!("Tailscale {release} declares other features than its line"),
            why,
            next,
        )
        .into());
    }
    registry.releases.insert(release, Requirement { go: upstream.needs });
    Ok(count)
}

fn features(declared: BTreeMap<String, Declared>) -> Result<BTreeMap<FeatureName, Feature>> {
    let name = |text: &str| FeatureName::new(text).with_context(|| "upstream declares it");
    declared
        .into_iter()
        .map(|(key, declared)| {
            let feature = Feature {
                symbol: declared.symbol,
                needs: declared.needs.iter().map(|need| name(need)).collect::<Result<_>>()?,
                implementation_detail: declared.implementation_detail,
                description: TextDigest::of(&declared.description),
            };
            Ok((name(&key)?, feature))
        })
        .collect()
}
