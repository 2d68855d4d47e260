//! The C compiler of execpack's loaders: `zig cc`, which compiles for every processor, from its Python package.

use std::path::{Path, PathBuf};

use anyhow::Result;
use diagnostics::{Code, Diagnostic, NextStep};
use xshell::{Cmd, Shell, cmd};

use tailscale_featureset::cache::Cache;
use tailscale_featureset::commands::Outcome;
use tailscale_featureset::{files, process, progress};

/// Provides the compiler that a requirements file pins by version and digest.
///
/// # Errors
/// A [`Diagnostic`] if Python or the network is missing, or the package has another digest.
pub(crate) fn provide(cache: &Cache, requirements: &Path) -> Result<PathBuf> {
    // One name for each pin: another version never replaces this one.
    let pin = files::sha256(&files::read_bytes(requirements)?);
    let name = format!("zig-{}", pin.get(..16).unwrap_or_default());
    if let Some(program) = cache.tool(&name)? {
        return Ok(program);
    }
    let step = progress::step("Providing", "zig");
    let python = process::needed("python3")?;
    let shell = Shell::new()?;
    let program = cache.provide(&name, |folder| {
        let install = cmd!(
            shell,
            "{python} -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target {folder} -r {requirements}"
        );
        process::stdout(install.into(), "Check that pip works and the network is up, and run it again.")?;
        Ok("ziglang/zig".into())
    })?;
    step.done("Provided", "zig through pip");
    Ok(program)
}

/// Returns a shell in the folder of the sources; the compiler's cache is in the working folder.
///
/// # Errors
/// If the current folder can't be read.
pub(crate) fn shell(sources: &Path, work: &Path) -> Result<Shell> {
    let shell = Shell::new()?;
    shell.change_dir(sources);
    shell.set_var("ZIG_GLOBAL_CACHE_DIR", work.join("cache"));
    shell.set_var("ZIG_LOCAL_CACHE_DIR", work.join("cache"));
    Ok(shell)
}

/// Runs a command of the compiler.
///
/// # Errors
/// A [`Diagnostic`] with its complaints.
pub(crate) fn run(command: Cmd<'_>) -> Result<()> {
    process::stdout(command.into(), "Correct what the compiler reports and run it again.").map(drop)
}

/// A kind of checked-in files that are built from sources in this repository.
pub(crate) struct CheckedIn {
    /// One of the files, as a noun.
    pub(crate) noun: &'static str,
    /// The code if they differ from what the sources build to, and the reason why that matters.
    pub(crate) differs: Code,
    pub(crate) why: &'static str,
    /// The command that writes them.
    pub(crate) command: &'static str,
}

impl CheckedIn {
    /// Builds a file, and reports its size.
    ///
    /// # Errors
    /// If it does not build.
    pub(crate) fn build(&self, name: &str, build: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        let step = progress::step("Building", format!("the {} for {name}", self.noun));
        let bytes = build()?;
        step.done("Built", &format!("{} bytes", bytes.len()));
        Ok(bytes)
    }

    /// Compares built files with those that are checked in; `differing` are the names of those that differ.
    ///
    /// # Errors
    /// A [`Diagnostic`] if there are any.
    pub(crate) fn compare<'a>(&self, differing: impl Iterator<Item = &'a str>) -> Result<Outcome> {
        let (noun, names) = (self.noun, differing.collect::<Vec<_>>().join(", "));
        if names.is_empty() {
            progress::line("Compared", &format!("each checked-in {noun} is what its source builds to"));
            return Ok(Outcome::Clean);
        }
        let message = format!("the {noun} for {names} is not what its source builds to");
        let next = NextStep::new("Run ").command(self.command).text(" and commit the result.");
        Err(Diagnostic::failure(self.differs.clone(), message, self.why, next).into())
    }
}
