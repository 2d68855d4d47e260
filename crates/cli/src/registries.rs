//! Files of registries: in this repository and next to policies elsewhere; reads releases into them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::name::FeatureName;
use featureset::registry::{Feature, Registry, Requirement, TextDigest};
use featureset::release::{Release, ReleaseLine};
use featureset::upstream_data::UpstreamData;

use crate::invocation::generated_by;
use crate::tools::go::Go;
use crate::upstream::{Declared, Upstream};
use crate::{files, limits};
use diagnostics::{Code, Diagnostic};

/// The folder of the data in this repository, which are built into the program.
pub const BUILT_IN: &str = "crates/featureset/registry";

/// The folder of the data next to a policy elsewhere, which extend the built-in ones.
pub const BESIDE: &str = "registry";

/// Whether a folder is the root of this repository, where the data are built into the program.
#[must_use]
pub fn is_built_in(root: &Path) -> bool {
    root.join(BUILT_IN).is_dir()
}

/// Returns the folder of registries for a policy's folder.
#[must_use]
pub fn folder(root: &Path) -> PathBuf {
    root.join(if is_built_in(root) { BUILT_IN } else { BESIDE })
}

/// Returns the known data of upstream: the built-in data, and the registries next to the policy.
///
/// # Errors
/// A [`Diagnostic`] if a registry next to the policy can't be read or contradicts the built-in data.
pub fn facts(root: &Path) -> Result<Cow<'static, UpstreamData>> {
    let folder = root.join(BESIDE);
    let embedded = UpstreamData::embedded();
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Cow::Borrowed(embedded)) };
    // Other files are ignored.
    let line = |path: &Path| path.file_name()?.to_str()?.strip_suffix(".json")?.parse::<ReleaseLine>().ok();
    let mut lines: Vec<ReleaseLine> = entries.flatten().filter_map(|entry| line(&entry.path())).collect();
    lines.sort_unstable();
    if lines.is_empty() {
        return Ok(Cow::Borrowed(embedded));
    }
    let registries: Result<Vec<Option<Registry>>> = lines.into_iter().map(|line| existing(&folder, line)).collect();
    let overlaid = embedded.overlaid(registries?.into_iter().flatten());
    Ok(Cow::Owned(overlaid.map_err(contradicts)?))
}

/// Returns the problem of a line's registry that differs from the built-in one.
#[must_use]
pub fn contradicts(line: ReleaseLine) -> Diagnostic {
    let why = "the features of a line never change between patch releases, but here they differ from the built-in ones";
    let next = "Delete the file: the program knows the line by now. If it happens again, report it.";
    Diagnostic::failure(Code::RegistryContradicts, format!("can't use {BESIDE}/{line}.json"), why, next)
}

/// Returns the file of a line.
#[must_use]
pub fn path(folder: &Path, line: ReleaseLine) -> PathBuf {
    folder.join(format!("{line}.json"))
}

/// Returns the registry of a line, if the folder has one.
///
/// # Errors
/// A [`Diagnostic`] if the file exists and can't be read.
pub fn existing(folder: &Path, line: ReleaseLine) -> Result<Option<Registry>> {
    let path = path(folder, line);
    if !path.exists() {
        return Ok(None);
    }
    let parsed = Registry::from_json(&files::read_text(&path, limits::REGISTRY)?).and_then(|registry| {
        if registry.line == line { Ok(registry) } else { Err(format!("it is the registry of {}", registry.line)) }
    });
    let problem = |why: String| {
        Diagnostic::failure(
            Code::RegistryDamaged,
            format!("can't read {}", path.display()),
            why,
            "Delete the file and read its releases again.",
        )
    };
    Ok(Some(parsed.map_err(problem)?))
}

/// Adds a release to its line's registry by running upstream's own package. A new line starts with the folder's file.
///
/// # Errors
/// A [`Diagnostic`] if the release can't be read, or declares other features than its line.
pub fn read<'a>(
    lines: &'a mut BTreeMap<ReleaseLine, Registry>,
    folder: &Path,
    go: &Go,
    upstream: &Upstream,
) -> Result<&'a Registry> {
    let release = upstream.release;
    let known = match lines.remove(&release.line()) {
        Some(registry) => Some(registry),
        None => existing(folder, release.line())?,
    };
    let features = features(upstream.declared(go)?)?;
    let extra_small =
        extra_small(&files::read(&upstream.source(go)?.join("build_dist.sh"))?).ok_or_else(|| unlike(release))?;
    let fresh = || Registry {
        generated_by: generated_by(folder.ends_with(BUILT_IN), "registry"),
        line: release.line(),
        releases: BTreeMap::new(),
        extra_small: None,
        features: features.clone(),
    };
    let mut registry = known.unwrap_or_else(fresh);
    if registry.features != features {
        return Err(contradiction(release, &registry.features, &features).into());
    }
    if registry.extra_small.as_ref().is_some_and(|known| *known != extra_small) {
        return Err(unlike(release).into());
    }
    registry.extra_small = Some(extra_small);
    registry.releases.insert(release, Requirement { go: upstream.needs });
    let line = lines.entry(release.line()).or_insert(registry);
    Ok(line)
}

/// Returns the features of `--extra-small` from the text of upstream's `build_dist.sh`: the names that its branch passes to
/// `featuretags --min --add=`. Empty if the script has no such branch.
#[must_use]
pub fn extra_small(script: &str) -> Option<BTreeSet<FeatureName>> {
    let (_, branch) = script.split_once("--extra-small)\n")?;
    let (_, call) = branch.split_once(";;")?.0.split_once("./cmd/featuretags --min --add=")?;
    let names = call.split_once(')')?.0;
    names.split(',').map(|name| FeatureName::new(name).ok()).collect()
}

fn unlike(release: Release) -> Diagnostic {
    let why = "the audit of a recipe that calls it says what its line's script kept, which must be known";
    let next = "Check what the script does now, and whether the format must distinguish patch releases.";
    Diagnostic::failure(
        Code::RegistryChanged,
        format!("Tailscale {release} has another `build_dist.sh --extra-small`"),
        why,
        next,
    )
}

type Features = BTreeMap<FeatureName, Feature>;

fn contradiction(release: Release, known: &Features, read: &Features) -> Diagnostic {
    let names = |these: &Features, those: &Features| -> Vec<String> {
        let differing = these.iter().filter(|(name, feature)| those.get(*name) != Some(feature));
        differing.map(|(name, _)| name.to_string()).collect()
    };
    let differing = [names(known, read), names(read, known)].concat().join(", ");
    let why = format!("differs in {differing}; a line's registry was never seen to change between patches");
    let line = release.line();
    let next = format!(
        "Delete {line}.json to start the line again, and see whether the format must distinguish patch releases."
    );
    let message = format!("Tailscale {release} declares other features than its line");
    Diagnostic::failure(Code::RegistryChanged, message, why, next)
}

fn features(declared: BTreeMap<String, Declared>) -> Result<Features> {
    let name = |text: &str| FeatureName::new(text).with_context(|| "upstream declares it");
    declared
        .into_iter()
        .map(|(key, declared)| {
            let feature = Feature {
                symbol: declared.symbol,
                needs: declared.needs.iter().map(|need| name(need)).collect::<Result<_>>()?,
                implementation_detail: declared.implementation_detail,
                description: TextDigest::new(&declared.description),
            };
            Ok((name(&key)?, feature))
        })
        .collect()
}

/// Writes registries atomically; returns the paths relative to the policy's folder.
///
/// # Errors
/// A [`Diagnostic`] that names the file.
pub fn write<'a>(root: &Path, registries: impl IntoIterator<Item = &'a Registry>) -> Result<Vec<PathBuf>> {
    let folder = folder(root);
    let mut written = Vec::new();
    for registry in registries {
        let path = path(&folder, registry.line);
        files::write(&path, &registry.to_json().map_err(anyhow::Error::msg)?)?;
        written.push(path.strip_prefix(root).map(Path::to_owned).unwrap_or(path));
    }
    Ok(written)
}
