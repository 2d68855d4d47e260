//! Two versions of one list: which features came and which went.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::report::Audit;
use crate::name::FeatureName;
use crate::release::Release;
use diagnostics::Severity;

/// The differences between two audits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The releases, where they differ.
    pub releases: Option<(Release, Release)>,
    /// Features that are in and were not.
    pub came: BTreeSet<FeatureName>,
    /// Features that were in and are not.
    pub went: BTreeSet<FeatureName>,
    /// Tags that are there and were not.
    pub tags_added: BTreeSet<String>,
    /// Tags that were there and are not.
    pub tags_removed: BTreeSet<String>,
    /// What is found now and was not, by code: errors and warnings.
    pub findings_gained: BTreeMap<String, String>,
    /// Findings that the newer audit does not have.
    pub findings_cleared: BTreeMap<String, String>,
}

impl Comparison {
    /// Compares an audit with that of an older version.
    #[must_use]
    pub fn between(old: &Audit, new: &Audit) -> Self {
        let found = |audit: &Audit| -> BTreeMap<String, String> {
            let counted = audit.findings.iter().filter(|finding| finding.severity != Severity::Note);
            counted.map(|finding| (finding.code.to_string(), finding.message.clone())).collect()
        };
        let (before, after) = (found(old), found(new));
        let without = |these: &BTreeMap<String, String>, those: &BTreeMap<String, String>| {
            these.iter().filter(|(code, _)| !those.contains_key(*code)).map(|(a, b)| (a.clone(), b.clone())).collect()
        };
        Self {
            releases: (old.release != new.release).then_some((old.release, new.release)),
            came: new.kept.difference(&old.kept).cloned().collect(),
            went: old.kept.difference(&new.kept).cloned().collect(),
            tags_added: new.tags.difference(&old.tags).cloned().collect(),
            tags_removed: old.tags.difference(&new.tags).cloned().collect(),
            findings_gained: without(&after, &before),
            findings_cleared: without(&before, &after),
        }
    }

    /// Whether the binary has the same features.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.came.is_empty() && self.went.is_empty()
    }
}
