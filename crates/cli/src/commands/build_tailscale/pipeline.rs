//! The build pipeline: from one recipe to one working binary, for `build-tailscale`, `measure`, `verify` and `bench`.
//!
//! Go builds; the binary's build information is compared with the recipe; the function table is rewritten; the binary is
//! packed and run. The pipeline writes into one folder and replaces no artifact.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use diagnostics::{Code, Diagnostic};
use featureset::policy::{Pack, Symbols};
use featureset::recipe::Recipe;

use super::artifacts::{Artifact, LINK, PACKED, UNPACKED, recipe_digest};
use super::execute::{self, Executed};
use super::go_command::go_command;
use super::steps::Steps;
use super::{build_info, shrink};
use crate::cache::Cache;
use crate::project::{Pinned, Project};
use crate::tools::go::{self, Go};
use crate::tools::packer::Packer;
use crate::upstream::{self, Upstream};
use crate::{files, process, progress, unfetched};

/// The tools and the module that build binaries of a release.
pub struct Builder {
    /// The cache with the tools and the record of built artifacts.
    pub cache: Cache,
    /// Go.
    pub go: Go,
    /// The packers that its targets need.
    pub packers: BTreeMap<Pack, Packer>,
    /// The release's module.
    pub upstream: Upstream,
}

/// A working binary.
pub struct Binary {
    /// The binary as linked, if its function table was rewritten afterwards.
    pub linked: Option<Vec<u8>>,
    /// The binary before packing.
    pub unpacked: Artifact,
    /// The packed binary.
    pub packed: Artifact,
    /// The paths of its modules.
    pub modules: Vec<String>,
    /// The result of running it.
    pub executed: Executed,
}

/// The outcome of a build that no tool and no file made fail.
#[derive(Debug)]
pub enum BuildOutcome<T = Binary> {
    /// The binary works.
    Built(T),
    /// The selection has no working binary.
    Failed(BuildFailure),
}

/// The reason why a selection has no working binary.
#[derive(Debug)]
pub enum BuildFailure {
    /// The output of the compiler.
    DoesNotCompile(String),
    /// The packed binary does not report its version.
    DoesNotStart(Box<Diagnostic>),
}

impl BuildFailure {
    /// The output of the compiler or of the binary.
    #[must_use]
    pub fn output(&self) -> &str {
        match self {
            Self::DoesNotCompile(output) => output,
            Self::DoesNotStart(failure) => &failure.why,
        }
    }
}

impl<T> BuildOutcome<T> {
    /// Returns the outcome with another value for a working binary.
    pub fn map<U>(self, value: impl FnOnce(T) -> U) -> BuildOutcome<U> {
        match self {
            Self::Built(binary) => BuildOutcome::Built(value(binary)),
            Self::Failed(failure) => BuildOutcome::Failed(failure),
        }
    }

    /// Returns the binary.
    ///
    /// # Errors
    /// The diagnostic that the caller makes of the failure.
    pub fn or_diagnostic(self, diagnostic: impl FnOnce(&BuildFailure) -> Diagnostic) -> Result<T> {
        match self {
            Self::Built(binary) => Ok(binary),
            Self::Failed(failure) => Err(diagnostic(&failure).into()),
        }
    }
}

impl Builder {
    /// Finds or provides the tools for some targets of a policy, and fetches its release.
    ///
    /// # Errors
    /// A [`Diagnostic`] if a tool or the release is not available.
    pub fn gather(project: &Project, pinned: Pinned<'_>, targets: &[&str]) -> Result<Self> {
        let cache = project.cache.clone();
        let go = go::find_or_provide(&cache)?;
        let mut packers = BTreeMap::new();
        for pack in targets.iter().filter_map(|name| pinned.policy.targets.get(*name)).map(|target| target.build.pack) {
            if !packers.contains_key(&pack)
                && let Some(packer) = Packer::find_or_provide(pack, &cache)?
            {
                packers.insert(pack, packer);
            }
        }
        let _step = progress::step("Fetching", format!("Tailscale {}", pinned.release));
        let upstream = upstream::fetch(&go, &cache, pinned.release, pinned.policy.go)?;
        Ok(Self { cache, go, packers, upstream })
    }

    /// As [`Builder::build`], silently, unless the folder already has the binary. Waits for other runs.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn build_once(&self, recipe: &Recipe, folder: &Path) -> Result<BuildOutcome<()>> {
        let of_all = folder.parent().unwrap_or(folder);
        let _lock = files::lock(of_all, || progress::line("Waiting", "for another build in this folder"))?;
        if self.has_built(recipe, folder)? {
            return Ok(BuildOutcome::Built(()));
        }
        let outcome = self.build(recipe, folder, Steps::Silent)?;
        if let (BuildOutcome::Built(_), Some(digest)) = (&outcome, digest(recipe, folder)) {
            self.cache.record_made(&digest, folder)?;
        }
        Ok(outcome.map(drop))
    }

    /// Whether a folder holds a binary that this program built from the recipe. Other binaries are never run.
    fn has_built(&self, recipe: &Recipe, folder: &Path) -> Result<bool> {
        let linked = std::fs::read_link(folder.join(LINK)).is_ok_and(|link| link == Path::new(PACKED));
        let Some(digest) = digest(recipe, folder).filter(|_| linked) else { return Ok(false) };
        let holds = |bytes: &[u8]| build_info::check(bytes, recipe, &self.upstream).is_ok();
        Ok(self.cache.has_made(&digest)? && std::fs::read(folder.join(UNPACKED)).is_ok_and(|bytes| holds(&bytes)))
    }

    /// Builds a binary in a folder, which is emptied first. Several builds can run in parallel if their steps are silent.
    ///
    /// # Errors
    /// A [`Diagnostic`] if a tool or a file fails, or the binary does not match the recipe.
    pub fn build(&self, recipe: &Recipe, folder: &Path, steps: Steps<'_>) -> Result<BuildOutcome> {
        files::empty_folder(folder)?;
        let (unpacked, packed) = (folder.join(UNPACKED), folder.join(PACKED));
        let step = steps.begin("Building", &format!(" ({})", recipe.platform));
        let output = process::output(go_command(&self.go, &self.upstream, recipe, &unpacked))?;
        if !output.status.success() {
            if let Some(problem) = unfetched::problem(&output.stderr) {
                return Err(problem.into());
            }
            return Ok(BuildOutcome::Failed(BuildFailure::DoesNotCompile(output.stderr)));
        }
        let mut bytes = files::read_bytes(&unpacked)?;
        build_info::check(&bytes, recipe, &self.upstream)?;
        step.done("Built", bytes.len() as u64);
        let linked = self.shrink(recipe, &mut bytes, &unpacked, steps)?;
        self.pack(recipe, &unpacked, &packed, steps)?;
        files::link(PACKED, &folder.join(LINK))?;
        let executed = match execute::both_names(folder, recipe, steps) {
            Ok(executed) => executed,
            Err(error) => match error.downcast::<Diagnostic>()? {
                failure if failure.code == Code::BinaryDoesNotRun => {
                    return Ok(BuildOutcome::Failed(BuildFailure::DoesNotStart(failure.into())));
                }
                failure => return Err(failure.into()),
            },
        };
        let modules = gobinary::build_info(&bytes)
            .map(|info| info.dependencies.into_iter().map(|module| module.path).collect())
            .unwrap_or_default();
        Ok(BuildOutcome::Built(Binary {
            linked,
            unpacked: Artifact::from_bytes(&bytes),
            packed: Artifact::from_bytes(&files::read_bytes(&packed)?),
            modules,
            executed,
        }))
    }

    /// Rewrites the function table in the file if the recipe requires it; returns the bytes as linked if that changed them.
    fn shrink(&self, recipe: &Recipe, bytes: &mut Vec<u8>, file: &Path, steps: Steps<'_>) -> Result<Option<Vec<u8>>> {
        if recipe.build.symbols == Symbols::All {
            return Ok(None);
        }
        let step = steps.begin("Shrinking", &format!(": symbols {}", recipe.build.symbols));
        let Some(shrunk) = shrink::shrunk(bytes, recipe)? else { return Ok(None) };
        build_info::check(&shrunk, recipe, &self.upstream)?;
        files::write_executable(file, &shrunk)?;
        step.done("Shrunk", shrunk.len() as u64);
        Ok(Some(std::mem::replace(bytes, shrunk)))
    }

    fn pack(&self, recipe: &Recipe, unpacked: &Path, packed: &Path, steps: Steps<'_>) -> Result<()> {
        if recipe.build.pack == Pack::None {
            return files::write_executable(packed, &files::read_bytes(unpacked)?);
        }
        let Some(packer) = self.packers.get(&recipe.build.pack) else {
            bail!("the packer {} was not looked for before the build", recipe.build.pack);
        };
        let step = steps.begin("Packing", &format!(" with {packer}"));
        let next = "Set `build: { pack: none }` for this target, or another packer.";
        packer.pack(unpacked, packed, recipe.platform.goarch, next)?;
        step.done("Packed", std::fs::metadata(packed).map_or(0, |data| data.len()));
        Ok(())
    }
}

/// The digest of a recipe and of the binaries in a folder; `None` if one is missing.
fn digest(recipe: &Recipe, folder: &Path) -> Option<String> {
    let file = |name: &str| std::fs::read(folder.join(name)).ok().map(|bytes| files::sha256(&bytes));
    let parts = [recipe_digest(recipe), file(UNPACKED)?, file(PACKED)?];
    Some(files::sha256(parts.join("\n").as_bytes()))
}
