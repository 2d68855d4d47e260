//! The checks that a binary passed, in `verified.json` next to it. docs/proof records the same for a selection; this record
//! is about one file, so that only a binary that was run is published.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::files;

const FILE: &str = "verified.json";

/// The checks of one binary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verified {
    /// The SHA-256 of the binary.
    pub binary: String,
    /// The checks that passed.
    pub passed: BTreeSet<String>,
    /// The checks that failed.
    pub failed: BTreeSet<String>,
}

impl Verified {
    /// Reads the record in an artifact's folder, if this program wrote it for this user; `None` otherwise.
    ///
    /// # Errors
    /// A [`diagnostics::Diagnostic`] if the cache can't be used.
    pub fn read(folder: &Path, cache: &Cache) -> Result<Option<Self>> {
        let Ok(text) = std::fs::read_to_string(folder.join(FILE)) else { return Ok(None) };
        let is_ours = cache.has_made(&files::sha256(text.as_bytes()))?;
        Ok(serde_json::from_str(&text).ok().filter(|_| is_ours))
    }

    /// Adds the results of checks, each with whether it passed, to the record of a binary. Results of another binary are
    /// discarded.
    ///
    /// # Errors
    /// A [`diagnostics::Diagnostic`] if the file can't be written.
    pub fn record(folder: &Path, cache: &Cache, binary: &str, results: &[(&str, bool)]) -> Result<()> {
        let known = Self::read(folder, cache)?.filter(|known| known.binary == binary);
        let mut verified = known.unwrap_or_else(|| Self { binary: binary.to_owned(), ..Self::default() });
        for (check, has_passed) in results {
            let (into, from) = match has_passed {
                true => (&mut verified.passed, &mut verified.failed),
                false => (&mut verified.failed, &mut verified.passed),
            };
            from.remove(*check);
            into.insert((*check).to_owned());
        }
        let text = serde_json::to_string_pretty(&verified)? + "\n";
        let path = folder.join(FILE);
        cache.record_made(&files::sha256(text.as_bytes()), &path)?;
        files::write(&path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_one_binary_are_merged_and_those_of_others_discarded() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("cache"));
        let record = |binary, results: &[_]| {
            Verified::record(folder.path(), &cache, binary, results).unwrap();
            Verified::read(folder.path(), &cache).unwrap().unwrap()
        };
        assert_eq!(Verified::read(folder.path(), &cache).unwrap(), None);
        record("one", &[("login", true), ("dns", false)]);
        let known = record("one", &[("dns", true)]);
        assert!(known.passed.len() == 2 && known.failed.is_empty());
        let known = record("two", &[("login", false)]);
        assert!(known.passed.is_empty() && known.failed.contains("login"));
        // A record that somebody else wrote is none.
        let path = folder.path().join(FILE);
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace("two", "three")).unwrap();
        assert_eq!(Verified::read(folder.path(), &cache).unwrap(), None);
    }
}
