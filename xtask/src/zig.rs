//! The C compiler of execpack's loaders: `zig cc`, which compiles for every processor, from its Python package.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::{Shell, cmd};

use tailscale_featureset::cache::Cache;
use tailscale_featureset::{files, process, progress};

/// Provides the compiler that a requirements file pins by version and digest.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] if Python or the network is missing, or the package has another digest.
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
