//! The C compiler of execpack's loaders: `zig cc`, which compiles for every processor, from Python's package of it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::{Shell, cmd};

use super::is_file;
use crate::problem::Problem;
use crate::{files, process, progress};

/// Provides the compiler that a requirements file pins by version and digest.
///
/// # Errors
/// A [`Problem`] if Python or the network is missing, or the package has another digest.
pub fn provide(target: &Path, requirements: &Path) -> Result<PathBuf> {
    // A folder for each pin: another version is never taken for this one.
    let pin = files::sha256(&files::read_bytes(requirements)?);
    let folder = target.join("tools").join(format!("zig-{}", pin.get(..16).unwrap_or_default()));
    let program = folder.join("ziglang/zig");
    if is_file(&program) {
        return Ok(program);
    }
    let step = progress::step("Providing", "zig");
    let python = process::on_path("python3").ok_or_else(|| {
        let next = "Install Python 3 with pip and run it again.";
        Problem::new("zig-missing", "the compiler of the loaders is missing", "python3 is not on the PATH", next)
    })?;
    let shell = Shell::new()?;
    let unpacked = folder.with_extension("new");
    files::empty_folder(&unpacked)?;
    let install = cmd!(
        shell,
        "{python} -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target {unpacked} -r {requirements}"
    );
    process::stdout(install.into(), "See whether pip works and the network is up, and run it again.")?;
    files::rename(&unpacked, &folder)?;
    step.done("Provided", "zig through pip");
    Ok(program)
}
