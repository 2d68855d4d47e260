//! Measured costs as files: `docs/costs/TARGET.json` beside the policy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::cost::{Basis, Cost, Costs, format_difference};
use featureset::name::FeatureName;
use featureset::selection::Selection;

use crate::project::{Pinned, Project};
use crate::{files, limits};
use diagnostics::{Code, Diagnostic};

/// Where the files are, from the policy's folder.
pub const FOLDER: &str = "docs/costs";

/// The file of a target.
#[must_use]
pub fn path(root: &Path, target: &str) -> PathBuf {
    root.join(FOLDER).join(format!("{target}.json"))
}

/// The measured costs of a policy, by target; those of targets that it does not have any more are left out.
#[derive(Debug, Clone, Default)]
pub struct Known(BTreeMap<String, Costs>);

impl Known {
    /// Reads what was measured of the policy's targets.
    ///
    /// # Errors
    /// A [`Diagnostic`] where a file is there and can't be read.
    pub fn read(project: &Project) -> Result<Self> {
        let targets = project.reading.policy.iter().flat_map(|policy| policy.targets.keys());
        let mut known = BTreeMap::new();
        for target in targets {
            if let Some(costs) = read(&project.root(), target)? {
                known.insert(target.clone(), costs);
            }
        }
        Ok(Self(known))
    }

    /// Every target's costs.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Costs)> {
        self.0.iter()
    }

    /// The target that stands for the others where one figure is shown: arm64 if it was measured, else the first.
    #[must_use]
    pub fn shown(&self) -> Option<(&String, &Costs)> {
        self.0.get_key_value("arm64").or_else(|| self.0.iter().next())
    }

    /// What a feature weighs, a phrase for each target that was measured: `arm64: 12 kB packed, with `gro``.
    #[must_use]
    pub fn phrases(&self, name: &FeatureName) -> Vec<String> {
        let phrase = |(target, costs): (&String, &Costs)| {
            let cost = costs.features.get(name)?;
            Some(format!("{target}: {}", phrase(cost)))
        };
        self.0.iter().filter_map(phrase).collect()
    }
}

/// What a feature weighs, in a phrase.
fn phrase(cost: &Cost) -> String {
    match cost {
        Cost::Measured { along, raw, packed, memory, .. } => {
            let along = along.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let along = if along.is_empty() { along } else { format!(", with {along}") };
            let memory = memory.filter(|memory| memory.tells());
            let memory = memory.map(|memory| format!(", {} of memory", format_difference(memory.bytes)));
            let memory = memory.unwrap_or_default();
            format!("{} packed, {} as linked{memory}{along}", format_difference(*packed), format_difference(*raw))
        }
        Cost::DoesNotCompile { hazard: Some(hazard), .. } => format!("flipped, it does not compile (`{hazard}`)"),
        Cost::DoesNotCompile { hazard: None, .. } => "flipped, it does not compile".to_owned(),
        Cost::DoesNotStart { .. } => "flipped, it does not start".to_owned(),
    }
}

/// The costs of one target, if they were measured.
///
/// # Errors
/// A [`Diagnostic`] where the file is there and can't be read.
pub fn read(root: &Path, target: &str) -> Result<Option<Costs>> {
    let path = path(root, target);
    if !path.exists() {
        return Ok(None);
    }
    let parsed = Costs::from_json(&files::read_text(&path, limits::MEASURED)?).map_err(|why| {
        let next = "Restore the file from version control, or delete it and measure anew.";
        Diagnostic::failure(Code::CostsDamaged, format!("can't read {}", path.display()), why, next)
    });
    Ok(Some(parsed?))
}

/// What can be said of how well costs fit the policy as it is: stale, each reason; else drifted, in a sentence.
#[must_use]
pub fn standing(pinned: Pinned<'_>, target: &str, costs: &Costs) -> Standing {
    let selection = Selection::of(pinned.policy, pinned.registry);
    let Some(now) = Basis::of(pinned.policy, &selection, target, gobinary::pclntab::REVISION, None) else {
        return Standing::default();
    };
    Standing { stale: costs.basis.stale(&now), drift: costs.basis.drift(&now).len() }
}

/// How well measured costs fit the policy as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// What makes them stale.
    pub stale: Vec<String>,
    /// How many decisions are other ones than when they were measured.
    pub drift: usize,
}

impl Standing {
    /// In a few words; nothing where they fit.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        if !self.stale.is_empty() {
            return Some(format!("stale, measured with {}", self.stale.join("; ")));
        }
        let decisions = if self.drift == 1 { "decision" } else { "decisions" };
        (self.drift > 0).then(|| format!("measured with {} {decisions} different", self.drift))
    }
}
