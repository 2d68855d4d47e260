//! Recipes: texts that `tagscan` reads, with the programs of a release at hand.

#[cfg(test)]
mod field;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tagscan::{Featuretags, File, Scan, Upstream};

use super::featuretags;
use crate::registry::Registry;
use crate::release::{Release, ReleaseLine};
use crate::upstream_data::UpstreamData;

/// A recipe, and its lists by release line: what `featuretags` prints depends on that.
#[derive(Debug)]
pub struct Recipe {
    file: File,
    others: Arc<[File]>,
    scans: Mutex<BTreeMap<ReleaseLine, Arc<Scan>>>,
}

/// The programs of a release, by its registry.
struct Programs<'a> {
    registry: &'a Registry,
}

impl Upstream for Programs<'_> {
    fn featuretags(&self, call: &Featuretags) -> Option<Vec<String>> {
        featuretags::tags(call, self.registry)
    }

    fn extra_small(&self) -> Option<Vec<String>> {
        self.registry.extra_small.as_ref().map(|names| names.iter().map(ToString::to_string).collect())
    }
}

impl Recipe {
    /// Creates a recipe of a text. The name of the file decides how it is read; `others` are the files of its project, which
    /// it may include, run or build.
    #[must_use]
    pub fn new(name: &str, text: &str, others: Arc<[File]>) -> Arc<Self> {
        let file = File { name: name.to_owned(), text: text.to_owned() };
        Arc::new(Self { file, others, scans: Mutex::default() })
    }

    /// The reason why the text was not read to its end, if it was not: there may be more lists. Each list has a finding too.
    #[must_use]
    pub fn stopped(&self, facts: &UpstreamData) -> Option<&'static str> {
        let scan = facts.registries().next_back().map(|registry| self.scan(registry))?;
        scan.stopped_early.then_some("it makes more work than is done for one text")
    }

    /// The names of the other files of the project that it includes, runs or builds: their lists are among its own.
    #[must_use]
    pub fn used(&self, facts: &UpstreamData) -> Vec<String> {
        facts.registries().next_back().map_or_else(Vec::new, |registry| self.scan(registry).used.clone())
    }

    /// The releases that variables of the file name.
    #[must_use]
    pub fn versions(&self, facts: &UpstreamData) -> Vec<Release> {
        let scan = facts.registries().next_back().map(|registry| self.scan(registry));
        let words = scan.iter().flat_map(|scan| &scan.versions);
        words.filter_map(|word| word.text.parse().ok()).filter(|release| is_recent(*release)).collect()
    }

    /// The work of reading it, in bytes handled.
    #[must_use]
    pub fn work(&self, facts: &UpstreamData) -> usize {
        facts.registries().next_back().map_or(0, |registry| self.scan(registry).work)
    }

    pub(super) fn scan(&self, registry: &Registry) -> Arc<Scan> {
        let known = |scans: &BTreeMap<ReleaseLine, Arc<Scan>>| scans.get(&registry.line).cloned();
        if let Some(scan) = self.scans.lock().ok().and_then(|scans| known(&scans)) {
            return scan;
        }
        let scan = Arc::new(tagscan::scan(&self.file, &self.others, &Programs { registry }));
        if let Ok(mut scans) = self.scans.lock() {
            scans.insert(registry.line, scan.clone());
        }
        scan
    }

    /// The same list on another release.
    pub(super) fn list_on(&self, list: &tagscan::List, registry: &Registry) -> Option<tagscan::List> {
        let known = self.scans.lock().ok().map(|scans| scans.clone()).unwrap_or_default();
        let is_same = |other: &&tagscan::List| other.place == list.place && other.program == list.program;
        // Of several lists at one place, the same in order.
        let index = known.values().find_map(|scan| {
            let mut here = scan.lists.iter().filter(is_same);
            here.position(|other| other == list)
        });
        self.scan(registry).lists.iter().filter(is_same).nth(index?).cloned()
    }
}

/// Whether a release is one that could be built: those before declare no features.
pub(super) fn is_recent(release: Release) -> bool {
    "1.60.0".parse().is_ok_and(|first: Release| first <= release)
}
