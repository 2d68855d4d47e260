//! Verification records: `docs/proof/TARGET.json` next to the policy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::name::FeatureName;
use featureset::release::Release;
use serde::{Deserialize, Serialize};

use crate::invocation::generated_by;
use crate::pinned::Pinned;
use crate::{files, limits, registries};

/// The folder of the files, relative to the policy's folder.
pub const FOLDER: &str = "docs/proof";

/// The verification record of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proofs {
    /// The command that writes the file.
    pub generated_by: String,
    /// The release.
    pub release: Release,
    /// The platform.
    pub platform: String,
    /// The kept features.
    pub kept: BTreeSet<FeatureName>,
    /// The passed checks, each with the decisions that it covers, such as `keep dns`.
    pub passed: BTreeMap<String, BTreeSet<String>>,
}

/// Returns the file of a target.
#[must_use]
pub fn path(root: &Path, target: &str) -> PathBuf {
    root.join(FOLDER).join(format!("{target}.json"))
}

/// Reads the record of a target; `None` if there is none that can be read.
#[must_use]
pub fn read(root: &Path, target: &str) -> Option<Proofs> {
    serde_json::from_str(&files::read_text(&path(root, target), limits::MEASURED).ok()?).ok()
}

/// Merges new results into a target's record, and discards results of another release, platform or selection. `seen` has
/// each check that ran, whether it passed, and the decisions that it covers. Returns the name of the file; `None` if it was not written
/// because nothing has passed.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] if the file can't be written.
pub fn record(
    root: &Path,
    pinned: Pinned<'_>,
    target: &str,
    seen: Vec<(String, bool, BTreeSet<String>)>,
) -> Result<Option<String>> {
    let Some(platform) = pinned.policy.targets.get(target).map(|target| target.platform.name) else { return Ok(None) };
    let kept = pinned.selection(target)?.kept;
    let mut proofs = Proofs {
        generated_by: generated_by(registries::is_built_in(root), "verify --record"),
        release: pinned.release,
        platform: platform.to_owned(),
        kept,
        passed: BTreeMap::new(),
    };
    let known = read(root, target);
    if let Some(known) = known.filter(|known| Proofs { passed: BTreeMap::new(), ..known.clone() } == proofs) {
        proofs.passed = known.passed;
    }
    for (check, passed, proves) in seen {
        if passed {
            proofs.passed.insert(check, proves);
        } else {
            proofs.passed.remove(&check);
        }
    }
    if proofs.passed.is_empty() && !path(root, target).exists() {
        return Ok(None);
    }
    files::write(&path(root, target), &(serde_json::to_string_pretty(&proofs)? + "\n"))?;
    Ok(Some(format!("{FOLDER}/{target}.json")))
}

/// The verification records of a policy's targets.
#[derive(Debug, Clone, Default)]
pub struct Shown(BTreeMap<String, Proofs>);

impl Shown {
    /// Reads the records of these targets from the policy's folder; skips those that can't be read.
    #[must_use]
    pub fn read<'a>(root: &Path, targets: impl Iterator<Item = &'a String>) -> Self {
        Self(targets.filter_map(|target| Some((target.clone(), read(root, target)?))).collect())
    }

    /// Describes the checks that passed for a decision: `` `dns` on 1.102.5, amd64 ``.
    #[must_use]
    pub fn passed_checks(&self, verdict: &str, name: &FeatureName) -> Vec<String> {
        let claim = format!("{verdict} {name}");
        let mut found = Vec::new();
        for (target, proofs) in &self.0 {
            let checks = proofs.passed.iter().filter(|(_, proves)| proves.contains(&claim));
            found.extend(checks.map(|(check, _)| format!("`{check}` on {}, {target}", proofs.release)));
        }
        found
    }
}
