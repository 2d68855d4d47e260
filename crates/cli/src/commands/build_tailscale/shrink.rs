//! Between the linker and the packer: the function table without what only tracebacks show, as `build.symbols` says.

use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::policy::Symbols;
use featureset::recipe::Recipe;
use gobinary::pclntab::{self, Names};

use crate::cache::Cache;
use crate::files;
use diagnostics::{Code, Diagnostic};

/// The binary that goes on to the packer; nothing where it goes on as it was linked.
///
/// # Errors
/// A [`Diagnostic`] where the table is not understood: then nothing is guessed.
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
            let next = "Write `symbols: all` for it, or pin a Go whose layout is known.";
            Err(Diagnostic::failure(Code::RewriteFailed, message, refused.to_string(), next).into())
        }
    }
}

/// Where a binary is kept as it was linked, by the build ID that the one that ships has too: what reads its tracebacks.
#[must_use]
pub fn twin(target_folder: &Path, bytes: &[u8]) -> Option<PathBuf> {
    let id = gobinary::build_id(bytes)?;
    Some(target_folder.join("tailscale/.linked").join(id))
}

/// Keeps the binary as it was linked, and records that this program made it.
///
/// # Errors
/// A [`Diagnostic`] where it can't be written.
pub(super) fn keep_twin(target_folder: &Path, bytes: &[u8], cache: &Cache) -> Result<()> {
    let Some(path) = twin(target_folder, bytes) else { return Ok(()) };
    cache.record_made(&files::sha256(bytes), &path)?;
    files::write_bytes(&path, bytes)
}
