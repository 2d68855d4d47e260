//! `manifest.json`: what a target's binary is, how it was made, and how it was shown to run.

use std::path::Path;

use anyhow::{Context, Result};
use featureset::name::FeatureName;
use featureset::policy::{Pack, Symbols};
use featureset::recipe::Recipe;
use featureset::release::{GoVersion, Release};
use featureset::selection::Selection;
use serde::{Deserialize, Serialize};

use super::Job;
use super::execute::Executed;
use crate::files;

const FILE: &str = "manifest.json";

/// The record of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form: 1.
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
    /// The processor.
    pub platform: String,
    /// Where the source comes from.
    pub module: Module,
    /// What the binary has.
    pub kept: Vec<FeatureName>,
    /// The tag line.
    pub tags: Vec<String>,
    /// The build settings of the policy.
    pub inlining: String,
    /// What a traceback can still name.
    pub symbols: String,
    /// The binary before it was packed: as Go linked it, or with the function table rewritten.
    pub unpacked: Artefact,
    /// The binary that ships.
    pub binary: Artefact,
    /// How the binary that ships was run.
    pub executed: Executed,
    /// The digest of everything that decides the binary, by which a second run knows that nothing changed.
    pub recipe: String,
}

/// Upstream's module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its checksum, `h1:…`.
    pub sum: String,
    /// The commit, where its origin names it.
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
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: files::sha256(bytes) }
    }
}

/// The digest of a recipe, and of how the function table is rewritten for it.
pub(super) fn digest(recipe: &Recipe) -> String {
    let parts = [
        format!("{:?}", recipe.environment()),
        format!("{:?}", recipe.arguments("")),
        match recipe.build.pack {
            Pack::Execpack => format!("{} {}", Pack::Execpack, execpack::REVISION),
            pack => pack.to_string(),
        },
        match recipe.build.symbols {
            Symbols::All => Symbols::All.to_string(),
            symbols => format!("{symbols} {}", gobinary::slim::REVISION),
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
    ) -> Self {
        let selection = Selection::of(job.pinned.policy, job.pinned.registry);
        let packed = |by: Pack| recipe.build.pack == by;
        Self {
            schema: 1,
            release: recipe.release,
            go: recipe.go,
            upx: job.maker.upx.as_ref().filter(|_| packed(Pack::Upx)).map(|upx| upx.version.clone()),
            execpack: packed(Pack::Execpack).then_some(execpack::REVISION),
            platform: recipe.platform.to_string(),
            module: Module { sum: job.maker.upstream.sum.clone(), commit: job.maker.upstream.commit.clone() },
            kept: selection.kept.into_iter().collect(),
            tags: recipe.tags.clone(),
            inlining: recipe.build.inlining.to_string(),
            symbols: recipe.build.symbols.to_string(),
            unpacked,
            binary,
            executed,
            recipe: digest(recipe),
        }
    }

    /// Reads a target's manifest.
    ///
    /// # Errors
    /// Where there is none, or it has another form.
    pub fn read(folder: &Path) -> Result<Self> {
        let manifest: Self = serde_json::from_str(&files::read(&folder.join(FILE))?).context("reading the manifest")?;
        anyhow::ensure!(manifest.schema == 1, "the manifest is of another version");
        Ok(manifest)
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        files::write(&folder.join(FILE), &(serde_json::to_string_pretty(self)? + "\n"))
    }
}
