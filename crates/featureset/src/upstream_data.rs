//! Facts: the registries of every known release line and the hazards, embedded in the program.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use include_dir::{Dir, File, include_dir};

use crate::hazard::{Hazard, Record};
use crate::name::FeatureName;
use crate::proof::Proof;
use crate::registry::Registry;
use crate::release::{Release, ReleaseLine};

static REGISTRIES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/registry");
static HAZARDS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/hazards");
static PROOFS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/proofs");

/// Everything that is known of upstream.
#[derive(Debug, Clone, Default)]
pub struct UpstreamData {
    lines: BTreeMap<ReleaseLine, Registry>,
    hazards: BTreeMap<String, Hazard>,
}

/// How well a release is known.
#[derive(Debug, Clone, Copy)]
pub enum RegistryMatch<'a> {
    /// Its registry was read.
    Release(&'a Registry),
    /// Other releases of its line were read, and a line's registry has never changed between patches.
    Line(&'a Registry),
    /// Nothing of its line was read.
    No,
}

impl UpstreamData {
    /// The facts that the program carries, read once.
    ///
    /// A test reads every file, so none is left out; a file that can't be read would be.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static FACTS: OnceLock<UpstreamData> = OnceLock::new();
        FACTS.get_or_init(|| {
            let texts = REGISTRIES.files().filter_map(|file| file.contents_utf8());
            let registries = texts.filter_map(|text| Registry::from_json(text).ok());
            let hazards = HAZARDS.files().filter_map(read_hazard);
            Self {
                lines: registries.map(|registry| (registry.line, registry)).collect(),
                hazards: hazards.map(|hazard| (hazard.id.clone(), hazard)).collect(),
            }
        })
    }

    /// The same facts with registries of the user's own: they add releases to the lines that are known, and lines.
    ///
    /// # Errors
    /// The line whose registry says something else of the features than what is known already.
    pub fn overlaid(&self, registries: impl IntoIterator<Item = Registry>) -> Result<Self, ReleaseLine> {
        let mut facts = self.clone();
        for registry in registries {
            match facts.lines.get_mut(&registry.line) {
                Some(known) if known.features != registry.features => return Err(registry.line),
                Some(known) => known.releases.extend(registry.releases),
                None => {
                    facts.lines.insert(registry.line, registry);
                }
            }
        }
        Ok(facts)
    }

    /// The registries, oldest line first.
    pub fn registries(&self) -> impl DoubleEndedIterator<Item = &Registry> {
        self.lines.values()
    }

    /// Returns the newest known release of every line, oldest line first.
    #[must_use]
    pub fn newest_releases(&self) -> Vec<Release> {
        self.registries().filter_map(|registry| registry.releases.keys().next_back().copied()).collect()
    }

    /// The hazards, by id.
    pub fn hazards(&self) -> impl Iterator<Item = &Hazard> {
        self.hazards.values()
    }

    /// The hazard with this id.
    #[must_use]
    pub fn hazard(&self, id: &str) -> Option<&Hazard> {
        self.hazards.get(id)
    }

    /// The registry that holds for a release, and how well it is known.
    #[must_use]
    pub fn known(&self, release: Release) -> RegistryMatch<'_> {
        match self.lines.get(&release.line()) {
            Some(registry) if registry.releases.contains_key(&release) => RegistryMatch::Release(registry),
            Some(registry) => RegistryMatch::Line(registry),
            None => RegistryMatch::No,
        }
    }

    /// The registry that holds for a release, if its line is known.
    #[must_use]
    pub fn registry(&self, release: Release) -> Option<&Registry> {
        self.lines.get(&release.line())
    }

    /// The first and the last known line that has a feature; `None` if none has it.
    #[must_use]
    pub fn lines_with(&self, name: &FeatureName) -> Option<(ReleaseLine, ReleaseLine)> {
        let mut lines = self.lines.values().filter(|registry| registry.features.contains_key(name));
        let first = lines.next()?.line;
        Some((first, lines.next_back().map_or(first, |registry| registry.line)))
    }

    /// The first known line after the last one that has the feature: the line that removed it.
    #[must_use]
    pub fn removed_in(&self, name: &FeatureName) -> Option<ReleaseLine> {
        let (_, last) = self.lines_with(name)?;
        self.lines.keys().copied().find(|line| *line > last)
    }
}

/// A hazard from its file and the proof of the same name.
fn read_hazard(file: &File<'_>) -> Option<Hazard> {
    let id = file.path().file_stem()?.to_str()?;
    let record: Record = serde_yaml::from_str(file.contents_utf8()?).ok()?;
    let proof = PROOFS.get_file(format!("{id}.json")).and_then(|file| Proof::from_json(file.contents_utf8()?).ok());
    Some(Hazard { id: id.to_owned(), record, proof })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_file_is_read() {
        for file in REGISTRIES.files() {
            let registry = Registry::from_json(file.contents_utf8().unwrap()).unwrap();
            assert_eq!(file.path().to_str().unwrap(), format!("{}.json", registry.line));
            assert_eq!(registry.to_json().unwrap(), file.contents_utf8().unwrap(), "written by the registry command");
        }
        assert_eq!(UpstreamData::embedded().registries().count(), REGISTRIES.files().count());
        for file in HAZARDS.files() {
            let text = file.contents_utf8().unwrap();
            serde_yaml::from_str::<Record>(text).unwrap_or_else(|error| panic!("{}: {error}", file.path().display()));
        }
        assert_eq!(UpstreamData::embedded().hazards().count(), HAZARDS.files().count());
        for file in PROOFS.files().filter(|file| file.path().extension().is_some_and(|end| end == "json")) {
            Proof::from_json(file.contents_utf8().unwrap()).unwrap();
            let id = file.path().file_stem().unwrap().to_str().unwrap();
            assert!(UpstreamData::embedded().hazard(id).is_some(), "a proof of no hazard: {id}");
        }
    }

    #[test]
    fn registries_of_the_user_s_own_add_releases_and_lines() {
        let facts = UpstreamData::embedded();
        let release = |text: &str| text.parse::<Release>().unwrap();
        let mut own = facts.registry(release("1.102.5")).unwrap().clone();
        let requirement = own.releases[&release("1.102.5")];
        own.releases = BTreeMap::from([(release("1.102.99"), requirement)]);
        let overlaid = facts.overlaid([own.clone()]).unwrap();
        for known in ["1.102.5", "1.102.99"] {
            assert!(matches!(overlaid.known(release(known)), RegistryMatch::Release(_)), "{known}");
        }
        assert_eq!(overlaid.hazards().count(), facts.hazards().count());
        let next = Registry { line: "1.400".parse().unwrap(), ..own.clone() };
        assert!(facts.overlaid([next]).unwrap().registry(release("1.400.0")).is_some());
        own.features.pop_last();
        assert_eq!(facts.overlaid([own]).unwrap_err().to_string(), "1.102");
    }

    #[test]
    fn the_lines_have_the_features_that_upstream_added_and_removed() {
        let counts: Vec<(String, usize)> = UpstreamData::embedded()
            .registries()
            .map(|registry| (registry.line.to_string(), registry.features.len()))
            .collect();
        let expected =
            [("1.90", 66), ("1.92", 67), ("1.94", 68), ("1.96", 72), ("1.98", 73), ("1.100", 75), ("1.102", 79)];
        assert_eq!(&counts[..7], expected.map(|(line, count)| (line.to_owned(), count)));
        let name = |text| FeatureName::new(text).unwrap();
        let facts = UpstreamData::embedded();
        assert_eq!(facts.removed_in(&name("lazywg")).unwrap().to_string(), "1.98");
        assert_eq!(facts.removed_in(&name("dns")), None);
        assert_eq!(facts.lines_with(&name("cachenetmap")).unwrap().0.to_string(), "1.92");
        assert_eq!(facts.lines_with(&name("nonsense")), None);
    }
}
