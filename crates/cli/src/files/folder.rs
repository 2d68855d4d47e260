//! Folders: made and emptied.

use std::path::Path;

use anyhow::Result;

use super::error::problem;

/// Makes a folder and those above it.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] that names the path.
pub fn make_folder(path: &Path) -> Result<()> {
    Ok(std::fs::create_dir_all(path).map_err(|error| problem(path, "make the folder", &error))?)
}

/// Makes a folder that is empty: what an earlier, interrupted run left in it goes.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] that names the path.
pub fn empty_folder(path: &Path) -> Result<()> {
    if path.exists() {
        std::fs::remove_dir_all(path).map_err(|error| problem(path, "empty", &error))?;
    }
    make_folder(path)
}
