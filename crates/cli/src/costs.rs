//! Files of measured costs: `docs/costs/TARGET.json` next to the policy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::cost::{Basis, Cost, Costs, format_difference};
use featureset::name::FeatureName;
use featureset::selection::Selection;

use crate::pinned::Pinned;
use crate::{files, limits};
use diagnostics::{Code, Diagnostic};

/// The folder of the files, relative to the policy's folder.
pub const FOLDER: &str = "docs/costs";

/// Returns the file of a target.
#[must_use]
pub fn path(root: &Path, target: &str) -> PathBuf {
    root.join(FOLDER).join(format!("{target}.json"))
}

/// The measured costs of a policy's targets.
#[derive(Debug, Clone, Default)]
pub struct MeasuredCosts(BTreeMap<String, Costs>);

impl MeasuredCosts {
    /// Reads the costs of these targets from the policy's folder.
    ///
    /// # Errors
    /// A [`Diagnostic`] if a file exists and can't be read.
    pub fn read<'a>(root: &Path, targets: impl Iterator<Item = &'a String>) -> Result<Self> {
        let mut known = BTreeMap::new();
        for target in targets {
            if let Some(costs) = read(root, target)? {
                known.insert(target.clone(), costs);
            }
        }
        Ok(Self(known))
    }

    /// Returns the costs of every measured target.
    #[must_use]
    pub fn by_target(&self) -> &BTreeMap<String, Costs> {
        &self.0
    }

    /// Returns the costs by target.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Costs)> {
        self.0.iter()
    }

    /// Returns the target for tables with one size per feature: arm64 if it was measured, else the first.
    #[must_use]
    pub fn representative(&self) -> Option<(&String, &Costs)> {
        self.0.get_key_value("arm64").or_else(|| self.0.iter().next())
    }

    /// Describes the size of a feature, one phrase per measured target: `arm64: 12 kB packed, with `gro``.
    #[must_use]
    pub fn phrases(&self, name: &FeatureName) -> Vec<String> {
        let phrase = |(target, costs): (&String, &Costs)| {
            let cost = costs.features.get(name)?;
            Some(format!("{target}: {}", phrase(cost)))
        };
        self.0.iter().filter_map(phrase).collect()
    }
}

/// Describes the size of a feature.
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
        Cost::DoesNotCompile { hazard: Some(hazard), .. } => format!("does not compile when inverted (`{hazard}`)"),
        Cost::DoesNotCompile { hazard: None, .. } => "does not compile when inverted".to_owned(),
        Cost::DoesNotStart { .. } => "does not start when inverted".to_owned(),
    }
}

/// Reads the costs of one target, if they were measured.
///
/// # Errors
/// A [`Diagnostic`] if the file exists and can't be read.
pub fn read(root: &Path, target: &str) -> Result<Option<Costs>> {
    let path = path(root, target);
    if !path.exists() {
        return Ok(None);
    }
    let parsed = Costs::from_json(&files::read_text(&path, limits::MEASURED)?).map_err(|why| {
        let next = "Restore the file from version control, or delete it and measure again.";
        Diagnostic::failure(Code::CostsDamaged, format!("can't read {}", path.display()), why, next)
    });
    Ok(Some(parsed?))
}

/// Compares measured costs with the current policy.
#[must_use]
pub fn staleness(pinned: Pinned<'_>, target: &str, costs: &Costs) -> Staleness {
    let Ok(policy) = pinned.for_target(target) else { return Staleness::default() };
    let selection = Selection::new(policy, pinned.registry);
    let Some(now) = Basis::new(policy, &selection, gobinary::pclntab::REVISION, None) else {
        return Staleness::default();
    };
    Staleness {
        stale: costs.basis.stale(&now),
        packer: costs.basis.other_packer(&now).map(str::to_owned),
        drift: costs.basis.drift(&now).len(),
    }
}

/// The differences between the current policy and the measured one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Staleness {
    /// The reasons why the costs are stale.
    pub stale: Vec<String>,
    /// The packer of the measurement, if it is another one now.
    pub packer: Option<String>,
    /// The number of decisions that have changed since.
    pub drift: usize,
}

impl Staleness {
    /// Describes the differences; `None` if there are none.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        if !self.stale.is_empty() {
            return Some(format!("stale, measured with {}", self.stale.join("; ")));
        }
        let packer = self.packer.as_ref().map(|packer| format!("the packer {packer}"));
        let decisions = if self.drift == 1 { "decision" } else { "decisions" };
        let drift = (self.drift > 0).then(|| format!("{} {decisions} different", self.drift));
        let parts: Vec<String> = [packer, drift].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("measured with {}", parts.join(" and ")))
    }
}
