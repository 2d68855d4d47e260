//! `manifest.json`: a target's binary, how it was built, and the result of running it.

use std::path::Path;

use anyhow::{Context, Result};
use featureset::name::FeatureName;
use featureset::policy::{Pack, Symbols};
use featureset::recipe::Recipe;
use featureset::release::{GoVersion, Release};
use serde::{Deserialize, Serialize};

use super::Job;
use super::execute::Executed;
use crate::cache::Cache;
use crate::files;
use crate::tools::upx;

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
    /// The level of detail in tracebacks.
    pub symbols: String,
    /// The binary before packing: as Go linked it, or with a rewritten function table.
    pub unpacked: Artefact,
    /// The shipped binary.
    pub binary: Artefact,
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

/// A file: its size in bytes and its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Artefact {
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: files::sha256(bytes) }
    }

    /// Whether a file has this size and digest.
    pub(super) fn is_in(&self, path: &Path) -> bool {
        std::fs::read(path).is_ok_and(|bytes| files::sha256(&bytes) == self.sha256)
    }
}

/// Returns the digest of a recipe and of the revision of the function table's rewriting.
pub(super) fn digest(recipe: &Recipe) -> String {
    let parts = [
        format!("{:?}", recipe.environment()),
        format!("{:?}", recipe.arguments("")),
        match recipe.build.pack {
            Pack::Execpack => format!("{} {}", Pack::Execpack, execpack::REVISION),
            Pack::Upx => upx::arguments(recipe.platform.goarch).join(" "),
            Pack::None => Pack::None.to_string(),
        },
        match recipe.build.symbols {
            Symbols::All => Symbols::All.to_string(),
            symbols => format!("{symbols} {}", gobinary::pclntab::REVISION),
        },
    ];
    files::sha256(parts.join("\n").as_bytes())
}

impl Manifest {
    pub(super) fn new(
        job: &Job<'_>,
        recipe: &Recipe,
        unpacked: Artefact,
        binary: Artefact,
        executed: Executed,
    ) -> Result<Self> {
        let selection = job.pinned.selection(job.target)?;
        let is_packed_by = |packer: Pack| recipe.build.pack == packer;
        Ok(Self {
            schema: 1,
            release: recipe.release,
            go: recipe.go,
            upx: job.maker.upx.as_ref().filter(|_| is_packed_by(Pack::Upx)).map(|upx| upx.version.clone()),
            execpack: is_packed_by(Pack::Execpack).then_some(execpack::REVISION),
            platform: recipe.platform.to_string(),
            module: Module { sum: job.maker.upstream.sum.clone(), commit: job.maker.upstream.commit.clone() },
            kept: selection.kept.into_iter().collect(),
            tags: recipe.tags.clone(),
            inlining: recipe.build.inlining.to_string(),
            symbols: recipe.build.symbols.to_string(),
            unpacked,
            binary,
            executed,
            draft: job.project.is_draft(job.target),
            recipe: digest(recipe),
        })
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
