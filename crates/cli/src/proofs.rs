//! What `verify` showed, as files: `docs/proof/TARGET.json` beside the policy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::name::FeatureName;
use featureset::release::Release;
use serde::{Deserialize, Serialize};

use crate::invocation::generated_by;
use crate::project::{Pinned, Project};
use crate::{files, limits, registries};

/// Where the files are, from the policy's folder.
pub const FOLDER: &str = "docs/proof";

/// What was shown on one target's binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proofs {
    /// The command that writes the file.
    pub generated_by: String,
    /// The release.
    pub release: Release,
    /// The platform.
    pub platform: String,
    /// What the policy kept.
    pub kept: BTreeSet<FeatureName>,
    /// The checks that passed, each with the decisions that it proves: `keep dns`.
    pub passed: BTreeMap<String, BTreeSet<String>>,
}

/// The file of a target.
#[must_use]
pub fn path(root: &Path, target: &str) -> PathBuf {
    root.join(FOLDER).join(format!("{target}.json"))
}

/// What was shown of a target, if anything was and the file can be read.
#[must_use]
pub fn read(root: &Path, target: &str) -> Option<Proofs> {
    serde_json::from_str(&files::read_text(&path(root, target), limits::MEASURED).ok()?).ok()
}

/// Lays what was shown now over what was: the same checks anew, and nothing of another release, platform or selection.
/// `seen` has each check that ended, whether it passed, and the decisions that it proves.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] where the file can't be written.
pub fn record(
    project: &Project,
    pinned: Pinned<'_>,
    target: &str,
    seen: Vec<(String, bool, BTreeSet<String>)>,
) -> Result<()> {
    let Some(platform) = pinned.policy.targets.get(target).map(|target| target.platform.name) else { return Ok(()) };
    let kept = pinned.registry.features.keys().filter(|name| pinned.policy.keeps(name)).cloned().collect();
    let mut proofs = Proofs {
        generated_by: generated_by(registries::is_built_in(&project.root()), "verify"),
        release: pinned.release,
        platform: platform.to_owned(),
        kept,
        passed: BTreeMap::new(),
    };
    let known = read(&project.root(), target);
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
    if proofs.passed.is_empty() && !path(&project.root(), target).exists() {
        return Ok(());
    }
    files::write(&path(&project.root(), target), &(serde_json::to_string_pretty(&proofs)? + "\n"))
}

/// What was shown of a policy's targets.
#[derive(Debug, Clone, Default)]
pub struct Shown(BTreeMap<String, Proofs>);

impl Shown {
    /// Reads what was shown of the policy's targets, as far as it can be read.
    #[must_use]
    pub fn read(project: &Project) -> Self {
        let targets = project.reading.policy.iter().flat_map(|policy| policy.targets.keys());
        Self(targets.filter_map(|target| Some((target.clone(), read(&project.root(), target)?))).collect())
    }

    /// Which checks proved a decision, in words: `` `dns` on 1.102.5, amd64 ``.
    #[must_use]
    pub fn of(&self, verdict: &str, name: &FeatureName) -> Vec<String> {
        let claim = format!("{verdict} {name}");
        let mut found = Vec::new();
        for (target, proofs) in &self.0 {
            let checks = proofs.passed.iter().filter(|(_, proves)| proves.contains(&claim));
            found.extend(checks.map(|(check, _)| format!("`{check}` on {}, {target}", proofs.release)));
        }
        found
    }
}
