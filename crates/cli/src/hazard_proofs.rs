//! The proofs of hazards in this repository: observations by the compiler and on the running daemon.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use featureset::proof::{Observation, Proof};
use featureset::release::Release;

use crate::{files, progress};

/// The folder of the proofs, relative to the repository's.
const PROOFS: &str = "crates/featureset/proofs";

/// Adds observations of a hazard to its recorded proof and returns the whole proof. An observation that only words a recorded
/// one differently changes nothing: a complaint contains milliseconds, so a second run would change the file.
///
/// # Errors
/// A [`crate::problem::Problem`] if the file can't be written.
pub fn record(root: &Path, id: &str, generated_by: &str, mut seen: Vec<Observation>) -> Result<Proof> {
    let path = root.join(PROOFS).join(format!("{id}.json"));
    let known = std::fs::read_to_string(&path).ok().and_then(|text| Proof::from_json(&text).ok());
    let known = known.map(|proof| proof.observations).unwrap_or_default();
    seen.retain(|one| !known.iter().any(|known| known.tells_the_same(one)));
    let all: BTreeMap<(Release, String), Observation> =
        known.into_iter().chain(seen).map(|one| ((one.release, one.platform.clone()), one)).collect();
    let proof = Proof { generated_by: generated_by.to_owned(), observations: all.into_values().collect() };
    files::write(&path, &(serde_json::to_string_pretty(&proof)? + "\n"))?;
    progress::line("Wrote", &format!("{PROOFS}/{id}.json"));
    Ok(proof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_observation_does_not_change_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PROOFS).join("derp.json");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let record = |failed: bool, complaint: &str| {
            let seen = serde_json::json!({
                "release": "1.102.5", "go": "1.26.8", "platform": "linux/amd64", "expected": true, "how": "run",
                "failed": failed, "complaint": complaint, "remedied": true,
            });
            super::record(folder.path(), "derp", "test", vec![serde_json::from_value(seen).unwrap()]).unwrap();
            std::fs::read_to_string(&path).unwrap()
        };
        let first = record(true, "a path through DERP in 2ms");
        assert_eq!(record(true, "a path through DERP in 1ms"), first);
        let other = record(false, "a path through DERP in 1ms");
        assert!(other.contains("1ms") && !other.contains("2ms"), "{other}");
    }
}
