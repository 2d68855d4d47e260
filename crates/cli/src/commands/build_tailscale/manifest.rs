//! `manifest.json`: a target's binary, how it was built, and the result of running it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use featureset::name::FeatureName;
use featureset::recipe::Recipe;
use featureset::release::{GoVersion, Release};
use serde::{Deserialize, Serialize};

use super::artifacts::{Artifact, recipe_digest};
use super::execute::Executed;
use super::pipeline::{Binary, Builder};
use crate::cache::Cache;
use crate::files;
use crate::tools::packer::Packer;

const FILE: &str = "manifest.json";

/// The record of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format: 1.
    pub schema: u32,
    /// The release.
    pub release: Release,
    /// The toolchain.
    pub go: GoVersion,
    /// The version of UPX; `None` if it did not pack the binary.
    pub upx: Option<String>,
    /// The revision of execpack; `None` if it did not pack the binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execpack: Option<u32>,
    /// The platform.
    pub platform: String,
    /// The module of the source.
    pub module: Module,
    /// The kept features.
    pub kept: Vec<FeatureName>,
    /// The tag list.
    pub tags: Vec<String>,
    /// The build settings of the policy.
    pub inlining: String,
    /// The experiments of the Go toolchain.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub go_experiments: BTreeSet<String>,
    /// The level of detail in tracebacks.
    pub symbols: String,
    /// The binary before packing: as Go linked it, or with a rewritten function table.
    pub unpacked: Artifact,
    /// The shipped binary.
    pub binary: Artifact,
    /// The result of running the shipped binary.
    pub executed: Executed,
    /// Whether reasons were missing in the policy when it was built.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draft: bool,
    /// The digest of every input of the build, which decides whether the artifact is fresh.
    pub recipe: String,
}

/// Upstream's module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its checksum, `h1:…`.
    pub sum: String,
    /// The commit, if the module's origin names it.
    pub commit: Option<String>,
}

impl Manifest {
    /// Creates the manifest of a binary with these kept features.
    pub(super) fn new(builder: &Builder, recipe: &Recipe, kept: BTreeSet<FeatureName>, binary: Binary) -> Self {
        let packer = builder.packers.get(&recipe.build.pack);
        Self {
            schema: 1,
            release: recipe.release,
            go: recipe.go,
            upx: packer.and_then(Packer::upx).map(|upx| upx.version.clone()),
            execpack: matches!(packer, Some(Packer::Execpack)).then_some(execpack::REVISION),
            platform: recipe.platform.to_string(),
            module: Module { sum: builder.upstream.sum.clone(), commit: builder.upstream.commit.clone() },
            kept: kept.into_iter().collect(),
            tags: recipe.tags.clone(),
            inlining: recipe.build.inlining.to_string(),
            go_experiments: recipe.build.go_experiments.keys().cloned().collect(),
            symbols: recipe.build.symbols.to_string(),
            unpacked: binary.unpacked,
            binary: binary.packed,
            executed: binary.executed,
            draft: false,
            recipe: recipe_digest(recipe),
        }
    }

    /// Reads a target's manifest, if this program wrote it for this user, because anyone can put a file there.
    ///
    /// # Errors
    /// If there is none, it has another form, or the cache has no record of it.
    pub fn read(folder: &Path, cache: &Cache) -> Result<Self> {
        let (manifest, is_ours) = Self::read_any(folder, cache)?;
        anyhow::ensure!(is_ours, "{} has no record of the manifest in {}", cache.describe(), folder.display());
        Ok(manifest)
    }

    /// Reads a target's manifest; returns whether this program wrote it for this user.
    pub(super) fn read_any(folder: &Path, cache: &Cache) -> Result<(Self, bool)> {
        let text = files::read(&folder.join(FILE))?;
        let manifest: Self = serde_json::from_str(&text).context("reading the manifest")?;
        anyhow::ensure!(manifest.schema == 1, "the manifest is of another version");
        Ok((manifest, cache.has_made(&files::sha256(text.as_bytes()))?))
    }

    /// Writes the manifest and records it in the cache. It contains the digests of the binaries.
    pub(super) fn write(&self, folder: &Path, cache: &Cache) -> Result<()> {
        let (path, text) = (folder.join(FILE), serde_json::to_string_pretty(self)? + "\n");
        cache.record_made(&files::sha256(text.as_bytes()), &path)?;
        files::write(&path, &text)
    }
}
