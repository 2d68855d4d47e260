//! One binary from one recipe, for those that don't ship: a decision flipped to see what it weighs.
//!
//! Nothing is said on the terminal, so that several can be made side by side, and nothing is replaced.

use std::path::Path;

use anyhow::Result;
use featureset::policy::Pack;
use featureset::recipe::Recipe;

use super::{LINK, PACKED, UNPACKED, execute, pack, plan, shrink, verify};
use crate::problem::Problem;
use crate::project::{Pinned, Project};
use crate::tools::go::{self, Go};
use crate::tools::qemu::{Runner, runner};
use crate::tools::upx::{self, Upx};
use crate::upstream::{self, Upstream};
use crate::{files, process, progress};

/// What makes binaries of a release.
pub struct Maker {
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
    /// A [`Problem`] where a tool or the release can't be had.
    pub fn gather(project: &Project, pinned: Pinned<'_>, targets: &[&str]) -> Result<Self> {
        let folder = project.target();
        let go = go::find_or_provide(&folder)?;
        let target = |name: &&str| pinned.policy.targets.get(*name);
        let packs = targets.iter().filter_map(target).any(|target| target.build.pack == Pack::Upx);
        let upx = if packs { Some(upx::find_or_provide(&folder)?) } else { None };
        let _step = progress::step("Fetching", format!("Tailscale {}", pinned.release));
        let upstream = upstream::fetch(&go, &folder, pinned.release, pinned.policy.go)?;
        Ok(Self { go, upx, upstream })
    }

    /// As [`Maker::make`], unless the binary is there already, and one at a time.
    ///
    /// # Errors
    /// As [`Maker::make`].
    pub fn make_once(&self, recipe: &Recipe, folder: &Path) -> Result<Result<(), Unmade>> {
        let of_all = folder.parent().unwrap_or(folder);
        let _lock = files::lock(of_all, || progress::line("Waiting", "for another build in this folder"))?;
        if made_before(recipe, folder, &self.upstream).is_some() {
            return Ok(Ok(()));
        }
        Ok(self.make(recipe, folder)?.map(drop))
    }

    /// Makes a binary in a folder that is emptied first; it is left there.
    ///
    /// # Errors
    /// A [`Problem`] where a tool or a file is in the way, or the binary is not what the recipe says.
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
        match recipe.build.pack {
            Pack::None => files::link(UNPACKED, &packed)?,
            kind => pack::pack(kind, self.upx.as_ref(), &unpacked, &packed)?,
        }
        let size = std::fs::metadata(&packed).map_or(0, |data| data.len());
        files::link(PACKED, &folder.join(LINK))?;
        Ok(started(recipe, folder)?.map(|()| Made { raw: bytes.len() as u64, packed: size, modules }))
    }
}

/// The binary that is in a folder, if it is younger than this program and says that it is what the recipe wants.
fn made_before(recipe: &Recipe, folder: &Path, upstream: &Upstream) -> Option<()> {
    let younger = |path: &Path, than: &Path| {
        let time = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
        time(path) > time(than)
    };
    let unpacked = folder.join(UNPACKED);
    let whole = folder.join(LINK).exists() && younger(&unpacked, &std::env::current_exe().ok()?);
    let bytes = std::fs::read(&unpacked).ok().filter(|_| whole)?;
    verify::holds_what_the_recipe_says(&bytes, recipe, upstream).ok()
}

/// Whether it says its version, by both of its names, where this machine can run it.
fn started(recipe: &Recipe, folder: &Path) -> Result<Result<(), Unmade>> {
    let runner = runner(recipe.platform);
    if matches!(runner, Runner::Unavailable(_)) {
        return Ok(Ok(()));
    }
    match execute::run(folder, recipe, &runner) {
        Ok(_) => Ok(Ok(())),
        Err(error) => match error.downcast_ref::<Problem>() {
            Some(problem) if problem.code == "not-executable" => Ok(Err(Unmade::DoesNotStart(problem.why.clone()))),
            _ => Err(error),
        },
    }
}
