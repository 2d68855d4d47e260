//! One binary from one recipe, for those that don't ship: a decision flipped to see what it weighs.
//!
//! Nothing is said on the terminal, so that several can be made side by side, and nothing is replaced.

use std::path::Path;

use anyhow::Result;
use featureset::policy::Pack;
use featureset::recipe::Recipe;

use super::{LINK, PACKED, UNPACKED, execute, manifest, plan, shrink, verify};
use crate::cache::Cache;
use crate::project::{Pinned, Project};
use crate::tools::go::{self, Go};
use crate::tools::qemu::{Runner, runner};
use crate::tools::upx::{self, Upx};
use crate::upstream::{self, Upstream};
use crate::{files, process, progress};
use diagnostics::{Code, Diagnostic};

/// What makes binaries of a release.
pub struct Maker {
    /// Where the tools come from, and what it made is recorded.
    pub cache: Cache,
    /// Go.
    pub go: Go,
    /// The packer, where a target asks for one.
    pub upx: Option<Upx>,
    /// The release's module.
    pub upstream: Upstream,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Bytes before packing.
    pub raw: u64,
    /// Bytes as shipped.
    pub packed: u64,
    /// The paths of the modules in it.
    pub modules: Vec<String>,
}

/// Why a binary was not made: upstream's code is at fault, or our decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmade {
    /// Go's complaints.
    DoesNotCompile(String),
    /// What the binary said instead of its version.
    DoesNotStart(String),
}

impl Maker {
    /// Finds or provides the tools for some targets of a policy, and fetches its release.
    ///
    /// # Errors
    /// A [`Diagnostic`] where a tool or the release can't be had.
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

    /// As [`Maker::make`], unless the binary is there already, and one at a time.
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

    /// Whether a folder holds what this program made for the recipe. Other bytes are never run.
    fn was_made(&self, recipe: &Recipe, folder: &Path) -> Result<bool> {
        let linked = std::fs::read_link(folder.join(LINK)).is_ok_and(|link| link == Path::new(PACKED));
        let Some(digest) = digest(recipe, folder).filter(|_| linked) else { return Ok(false) };
        let holds = |bytes: &[u8]| verify::holds_what_the_recipe_says(bytes, recipe, &self.upstream).is_ok();
        Ok(self.cache.has_made(&digest)? && std::fs::read(folder.join(UNPACKED)).is_ok_and(|bytes| holds(&bytes)))
    }

    /// Makes a binary in a folder that is emptied first; it is left there.
    ///
    /// # Errors
    /// A [`Diagnostic`] where a tool or a file is in the way, or the binary is not what the recipe says.
    pub fn make(&self, recipe: &Recipe, folder: &Path) -> Result<Result<Made, Unmade>> {
        files::empty_folder(folder)?;
        let (unpacked, packed) = (folder.join(UNPACKED), folder.join(PACKED));
        let output = process::output(plan::go_command(&self.go, &self.upstream, recipe, &unpacked))?;
        if !output.status.success() {
            return Ok(Err(Unmade::DoesNotCompile(output.stderr)));
        }
        let mut bytes = files::read_bytes(&unpacked)?;
        verify::holds_what_the_recipe_says(&bytes, recipe, &self.upstream)?;
        if let Some(shrunk) = shrink::shrunk(&bytes, recipe)? {
            files::write_executable(&unpacked, &shrunk)?;
            bytes = shrunk;
        }
        let modules = gobinary::build_info(&bytes)
            .map(|info| info.dependencies.into_iter().map(|module| module.path).collect())
            .unwrap_or_default();
        match (recipe.build.pack, &self.upx) {
            (Pack::Upx, Some(upx)) => upx.pack(&unpacked, &packed, recipe.platform.goarch)?,
            _ => files::link(UNPACKED, &packed)?,
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
                Ok(Err(Unmade::DoesNotStart(problem.why.clone())))
            }
            _ => Err(error),
        },
    }
}
