//! Logs of failed checks and scenarios.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{files, progress};

/// Writes logs by check or hazard, each into a subfolder of that name, and returns these folders. Logs of an earlier run are
/// deleted.
pub(super) fn save(folder: &Path, logs: impl Iterator<Item = (String, Vec<(String, String)>)>) -> Result<Vec<PathBuf>> {
    let mut kept = Vec::new();
    for (subject, logs) in logs {
        let own = folder.join(&subject);
        if own.exists() {
            files::empty_folder(&own)?;
        }
        for (name, text) in &logs {
            files::write(&own.join(name), text)?;
        }
        if !logs.is_empty() {
            progress::line("Kept", &format!("the logs of {subject} in {}", own.display()));
            kept.push(own);
        }
    }
    Ok(kept)
}
