//! Builds one binary from one recipe, for `measure`, `verify` and `bench`.
//!
//! It prints nothing, so that several builds can run in parallel, and replaces no artifact.

use std::path::Path;

use anyhow::Result;
use featureset::policy::Pack;
use featureset::recipe::Recipe;

use super::{LINK, PACKED, UNPACKED, execute, manifest, pack, plan, shrink, verify};
use crate::cache::Cache;
use crate::project::{Pinned, Project};
use crate::tools::go::{self, Go};
use crate::tools::qemu::{Runner, runner};
use crate::tools::upx::{self, Upx};
use crate::upstream::{self, Upstream};
use crate::{files, process, progress};
use diagnostics::{Code, Diagnostic};

/// The tools and the module that build binaries of a release.
pub struct Maker {
    /// The cache with the tools and the record of built artifacts.
    pub cache: Cache,
    /// Go.
    pub go: Go,
    /// The packer, if a target needs it.
    pub upx: Option<Upx>,
    /// The release's module.
    pub upstream: Upstream,
}

/// The sizes and the contents of a binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Bytes before packing.
    pub raw: u64,
    /// Bytes of the packed binary.
    pub packed: u64,
    /// The paths of its modules.
    pub modules: Vec<String>,
}

/// The reason why a selection has no working binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmade {
    /// The output of the compiler.
    DoesNotCompile(String),
    /// The output of the binary instead of its version.
    DoesNotStart(String),
}

impl Maker {
    /// Finds or provides the tools for some targets of a policy, and fetches its release.
    ///
    /// # Errors
    /// A [`Diagnostic`] if a tool or the release is not available.
    pub fn gather(project: &Project, pinned: Pinned<'_>, targets: &[&str]) -> Result<Self> {
        let cache = project.cache.clone();
        let go = go::find_or_provide(&cache)?;
        let target = |name: &&str| pinned.policy.targets.get(*name);
        let packs = targets.iter().filter_map(target).any(|target| target.build.pack == Pack::Upx);
        let upx = if packs { Some(upx::find_or_provide(&cache)?) } else { None };
        let _step = progress::step("Fetching", format!("Tailscale {}", pinned.release));
        let upstream = upstream::fetch(&go, &cache, pinned.release, pinned.policy.go)?;
        Ok(Self { cache, go, upx, upstream })
    }

    /// As [`Maker::make`], unless the folder already has the binary. Waits for other runs.
    ///
    /// # Errors
    /// As [`Maker::make`].
    pub fn make_once(&self, recipe: &Recipe, folder: &Path) -> Result<Result<(), Unmade>> {
        let of_all = folder.parent().unwrap_or(folder);
        let _lock = files::lock(of_all, || progress::line("Waiting", "for another build in this folder"))?;
        if self.was_made(recipe, folder)? {
            return Ok(Ok(()));
        }
        let made = self.make(recipe, folder)?;
        if let (true, Some(digest)) = (made.is_ok(), digest(recipe, folder)) {
            self.cache.record_made(&digest, folder)?;
        }
        Ok(made.map(drop))
    }

    /// Whether a folder holds a binary that this program built from the recipe. Other binaries are never run.
    fn was_made(&self, recipe: &Recipe, folder: &Path) -> Result<bool> {
        let linked = std::fs::read_link(folder.join(LINK)).is_ok_and(|link| link == Path::new(PACKED));
        let Some(digest) = digest(recipe, folder).filter(|_| linked) else { return Ok(false) };
        let holds = |bytes: &[u8]| verify::check_recipe(bytes, recipe, &self.upstream).is_ok();
        Ok(self.cache.has_made(&digest)? && std::fs::read(folder.join(UNPACKED)).is_ok_and(|bytes| holds(&bytes)))
    }

    /// Builds a binary in a folder, which is emptied first.
    ///
    /// # Errors
    /// A [`Diagnostic`] if a tool or a file fails, or the binary does not match the recipe.
    pub fn make(&self, recipe: &Recipe, folder: &Path) -> Result<Result<Made, Unmade>> {
        files::empty_folder(folder)?;
        let (unpacked, packed) = (folder.join(UNPACKED), folder.join(PACKED));
        let output = process::output(plan::go_command(&self.go, &self.upstream, recipe, &unpacked))?;
        if !output.status.success() {
            return Ok(Err(Unmade::DoesNotCompile(output.stderr)));
        }
        let mut bytes = files::read_bytes(&unpacked)?;
        verify::check_recipe(&bytes, recipe, &self.upstream)?;
        if let Some(shrunk) = shrink::shrunk(&bytes, recipe)? {
            files::write_executable(&unpacked, &shrunk)?;
            bytes = shrunk;
        }
        let modules = gobinary::build_info(&bytes)
            .map(|info| info.dependencies.into_iter().map(|module| module.path).collect())
            .unwrap_or_default();
        match recipe.build.pack {
            Pack::None => files::link(UNPACKED, &packed)?,
            Pack::Execpack | Pack::Upx => pack::pack(recipe, self.upx.as_ref(), &unpacked, &packed)?,
        }
        let size = std::fs::metadata(&packed).map_or(0, |data| data.len());
        files::link(PACKED, &folder.join(LINK))?;
        Ok(started(recipe, folder)?.map(|()| Made { raw: bytes.len() as u64, packed: size, modules }))
    }
}

/// The digest of a recipe and of the binaries in a folder; `None` if one is missing.
fn digest(recipe: &Recipe, folder: &Path) -> Option<String> {
    let file = |name: &str| std::fs::read(folder.join(name)).ok().map(|bytes| files::sha256(&bytes));
    let parts = [manifest::digest(recipe), file(UNPACKED)?, file(PACKED)?];
    Some(files::sha256(parts.join("\n").as_bytes()))
}

/// Whether it says its version, by both of its names, where this machine can run it.
fn started(recipe: &Recipe, folder: &Path) -> Result<Result<(), Unmade>> {
    let runner = runner(recipe.platform);
    if matches!(runner, Runner::Unavailable(_)) {
        return Ok(Ok(()));
    }
    match execute::run(folder, recipe, &runner) {
        Ok(_) => Ok(Ok(())),
        Err(error) => match error.downcast_ref::<Diagnostic>() {
            Some(problem) if problem.code == Code::BinaryDoesNotRun => {
                Ok(Err(Unmade::DoesNotStart(problem.why.to_string())))
            }
            _ => Err(error),
        },
    }
}
