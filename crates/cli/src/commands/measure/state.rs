//! The measurements of one target: one file per result under target/, so that results of shards can be copied together and an
//! interruption loses only unfinished builds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::cost::{Basis, BinarySize, Cost, Costs, Memory};
use featureset::name::FeatureName;

use crate::commands::build_tailscale::Binary;
use crate::invocation::generated_by;
use crate::{costs, files, progress, registries};

/// The results of one target for one basis.
pub(super) struct State {
    /// The folder of the results.
    pub(super) folder: PathBuf,
    basis: Basis,
}

/// A result and its basis.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept<T> {
    basis: Basis,
    result: T,
}

/// The file of the policy's own binary. No feature has this name.
const WHOLE: &str = ".whole";

/// A binary and its contents.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Whole {
    pub(super) weight: BinarySize,
    /// The reason for a missing memory measurement, which is reported once and not saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<Memory>,
    pub(super) packages: BTreeSet<String>,
    pub(super) modules: BTreeSet<String>,
}

impl Whole {
    pub(super) fn new(binary: &Binary, memory: Option<Memory>, packages: BTreeSet<String>) -> Self {
        let weight = BinarySize { raw: binary.unpacked.bytes, packed: binary.packed.bytes };
        Self { weight, memory, packages, modules: binary.modules.iter().cloned().collect() }
    }
}

impl State {
    pub(super) fn new(target_folder: &Path, target: &str, basis: Basis) -> Self {
        Self { folder: target_folder.join("tailscale/.measure").join(target), basis }
    }

    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        let text = std::fs::read_to_string(self.folder.join(format!("{name}.json"))).ok()?;
        let kept: Kept<T> = serde_json::from_str(&text).ok()?;
        (kept.basis == self.basis).then_some(kept.result)
    }

    fn write<T: serde::Serialize>(&self, name: &str, result: T) -> Result<()> {
        let kept = Kept { basis: self.basis.clone(), result };
        files::write(&self.folder.join(format!("{name}.json")), &(serde_json::to_string_pretty(&kept)? + "\n"))
    }

    /// Returns the policy's own binary, if it has this basis.
    pub(super) fn whole(&self) -> Option<Whole> {
        self.read(WHOLE)
    }

    pub(super) fn keep_whole(&self, whole: &Whole) -> Result<()> {
        self.write(WHOLE, whole)
    }

    pub(super) fn keep(&self, name: &FeatureName, cost: &Cost) -> Result<()> {
        self.write(name.as_str(), cost)
    }

    /// Returns every result with this basis.
    pub(super) fn results(&self) -> BTreeMap<FeatureName, Cost> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let name = |entry: std::fs::DirEntry| FeatureName::new(entry.file_name().to_str()?.strip_suffix(".json")?).ok();
        entries.filter_map(name).filter_map(|name| Some((name.clone(), self.read(name.as_str())?))).collect()
    }

    /// Writes the target's costs once every wanted feature has one: new results, and those of the existing file with the same
    /// basis. Otherwise reports the progress.
    ///
    /// # Errors
    /// A [`diagnostics::Diagnostic`] if the file can't be written.
    pub(super) fn publish(&self, root: &Path, target: &str, wanted: &BTreeSet<FeatureName>) -> Result<()> {
        let path = costs::path(root, target);
        let Some(Whole { weight, memory, .. }) = self.whole() else { return Ok(()) };
        let known = std::fs::read_to_string(&path).ok().and_then(|text| Costs::from_json(&text).ok());
        let known = known.filter(|known| known.basis == self.basis && known.whole == weight);
        let memory = memory.or_else(|| known.as_ref()?.memory);
        let mut features = known.map(|known| known.features).unwrap_or_default();
        features.extend(self.results());
        features.retain(|name, _| wanted.contains(name));
        let shown = path.display();
        if features.len() < wanted.len() {
            let text = format!("{} of {}; {shown} is written when all are", features.len(), wanted.len());
            progress::line("Measured", &text);
            return Ok(());
        }
        let generated_by = generated_by(registries::is_built_in(root), "measure");
        let costs = Costs { generated_by, basis: self.basis.clone(), whole: weight, memory, features };
        files::write(&path, &costs.to_json().map_err(anyhow::Error::msg)?)?;
        progress::line("Wrote", &format!("{shown}: {} features", costs.features.len()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FeatureName {
        FeatureName::new(text).unwrap()
    }

    fn state(folder: &Path, go: &str) -> State {
        let basis = serde_json::json!({
            "release": "1.102.5", "go": go, "pack": "upx", "packer": "4.2.2", "platform": "linux/amd64",
            "inlining": "full", "symbols": "all", "rewrite": null, "extra_tags": [], "kept": ["cli"],
        });
        State::new(folder, "amd64", serde_json::from_value(basis).unwrap())
    }

    fn cost(packed: i64) -> Cost {
        let (along, packages, modules) = Default::default();
        Cost::Measured { along, raw: packed * 3, packed, memory: None, without_memory: None, packages, modules }
    }

    fn whole() -> Whole {
        let (packages, modules) = Default::default();
        Whole { weight: BinarySize { raw: 9, packed: 3 }, memory: None, packages, modules }
    }

    #[test]
    fn two_shards_are_one_run() {
        let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let states: Vec<State> = folders.iter().map(|folder| state(folder.path(), "1.26.8")).collect();
        let features = ["ace", "acme", "dns", "ssh"].map(name);
        for (index, feature) in features.iter().enumerate() {
            for shard in [0, 1 + index % 2] {
                states[shard].keep_whole(&whole()).unwrap();
                states[shard].keep(feature, &cost(index as i64)).unwrap();
            }
        }
        let wanted: BTreeSet<FeatureName> = features.into_iter().collect();
        let published = |shard: usize| {
            let root = folders[shard].path();
            states[shard].publish(root, "amd64", &wanted).unwrap();
            let path = costs::path(root, "amd64");
            std::fs::read_to_string(path).ok()
        };
        let one_run = published(0).unwrap();
        assert_eq!(published(1), None, "half of it is not written");
        for entry in std::fs::read_dir(&states[2].folder).unwrap().flatten() {
            std::fs::copy(entry.path(), states[1].folder.join(entry.file_name())).unwrap();
        }
        assert_eq!(published(1).unwrap(), one_run);
        // A single new result: the others come from the existing file.
        std::fs::remove_dir_all(&states[0].folder).unwrap();
        states[0].keep_whole(&whole()).unwrap();
        states[0].keep(&name("dns"), &cost(77)).unwrap();
        let costs = Costs::from_json(&published(0).unwrap()).unwrap();
        assert_eq!((costs.packed(&name("dns")), costs.packed(&name("ssh"))), (Some(77), Some(3)));
    }

    #[test]
    fn what_belongs_to_another_basis_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let old = state(folder.path(), "1.26.7");
        old.keep_whole(&whole()).unwrap();
        old.keep(&name("dns"), &cost(1)).unwrap();
        let new = state(folder.path(), "1.26.8");
        assert_eq!((new.whole(), new.results().len()), (None, 0));
        assert_eq!((old.whole(), old.results().len()), (Some(whole()), 1));
        // A damaged file counts as missing.
        std::fs::write(old.folder.join("dns.json"), "{").unwrap();
        assert_eq!(old.results().len(), 0);
    }
}
