//! Rewrites the function table without data that only tracebacks use, according to `build.symbols`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::policy::Symbols;
use featureset::recipe::Recipe;
use gobinary::pclntab::{self, Names};

use crate::cache::Cache;
use crate::files;
use diagnostics::{Code, Diagnostic};

/// Returns the rewritten binary; `None` if the policy keeps the table.
///
/// # Errors
/// A [`Diagnostic`] if the table has an unknown layout.
pub(super) fn shrunk(bytes: &[u8], recipe: &Recipe) -> Result<Option<Vec<u8>>> {
    let names = match recipe.build.symbols {
        Symbols::All => return Ok(None),
        Symbols::Functions => Names::All,
        Symbols::None => Names::Runtime,
    };
    match pclntab::rewrite(bytes, names) {
        Ok(rewritten) => Ok(Some(rewritten.bytes)),
        Err(refused) => {
            let message = format!("the function table for {} can't be rewritten", recipe.platform);
            let next = "Set `build: { symbols: all }` for this target, or pin a Go release with a known layout.";
            Err(Diagnostic::failure(Code::RewriteFailed, message, refused.to_string(), next).into())
        }
    }
}

/// Returns the path of the binary as linked, by the build ID that it shares with the shipped one. `symbolize` reads it.
#[must_use]
pub fn unstripped_path(target_folder: &Path, bytes: &[u8]) -> Option<PathBuf> {
    let id = gobinary::build_id(bytes)?;
    Some(target_folder.join("tailscale/.linked").join(id))
}

/// Saves the binary as linked, and records that this program built it.
///
/// # Errors
/// A [`Diagnostic`] if it can't be written.
pub(super) fn save_unstripped(target_folder: &Path, bytes: &[u8], cache: &Cache) -> Result<()> {
    let Some(path) = unstripped_path(target_folder, bytes) else { return Ok(()) };
    cache.record_made(&files::sha256(bytes), &path)?;
    files::write_bytes(&path, bytes)
}
