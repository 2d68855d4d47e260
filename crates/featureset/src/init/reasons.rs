//! The embedded data of `init`: devices, roles, and the reasons of decisions and acceptances.
//!
//! They are the YAML files in `crates/featureset/init`. A test reads each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::name::FeatureName;
use crate::platform::Platform;
use crate::policy::Verdict;
use crate::release::Release;

/// A device that `init` writes policies for. Its name is that of a profile.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The noun that replaces `{machine}` in the reasons.
    pub machine: String,
    /// The device as a noun phrase; it appears at the top of the policy.
    pub description: String,
    /// The platforms of such devices.
    pub platforms: Vec<String>,
    /// The sections `device`, `build` and `image` of the policy, with their comments.
    pub settings: String,
}

/// The purpose of a node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The value of `--for`.
    pub name: String,
    /// The purpose as the rest of a sentence that begins with the node.
    pub description: String,
}

/// A reason with the conditions under which it holds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Entry {
    /// The devices it holds for; any if empty.
    device: BTreeSet<String>,
    /// The roles of which the node must have one; any if empty.
    #[serde(rename = "for")]
    roles: BTreeSet<String>,
    /// Features that must be kept.
    with: BTreeSet<FeatureName>,
    /// The last release it holds for.
    until: Option<Release>,
    /// The feature that the user must have omitted, for acceptances.
    pub(super) without: Option<FeatureName>,
    /// The reason for keeping the feature.
    keep: Option<String>,
    /// The reason for omitting the feature.
    omit: Option<String>,
    /// The reason for accepting the hazard.
    pub(super) reason: Option<String>,
    /// The system of a feature that has no effect on other systems.
    only_for: Option<String>,
    /// References of the reason.
    pub(super) refs: Vec<String>,
}

/// The circumstances in which entries are looked up.
pub(super) struct Lookup<'a> {
    pub(super) device: &'a str,
    pub(super) roles: &'a BTreeSet<String>,
    pub(super) release: Release,
    pub(super) without: &'a BTreeSet<FeatureName>,
}

impl Entry {
    /// The decision of the entry.
    pub(super) fn verdict(&self) -> Verdict {
        if self.keep.is_some() { Verdict::Keep } else { Verdict::Omit }
    }

    /// The reason of a decision on a feature, as the file has it.
    pub(super) fn decision_reason(&self, name: &FeatureName) -> String {
        match (&self.only_for, self.keep.as_ref().or(self.omit.as_ref())) {
            (Some(system), _) => other_system_reason(name, system),
            (None, reason) => reason.cloned().unwrap_or_default(),
        }
    }

    /// Returns whether the conditions are met, given the features that are kept.
    pub(super) fn matches(&self, lookup: &Lookup<'_>, kept: &BTreeSet<FeatureName>) -> bool {
        (self.device.is_empty() || self.device.contains(lookup.device))
            && (self.roles.is_empty() || !self.roles.is_disjoint(lookup.roles))
            && self.with.is_subset(kept)
            && self.until.is_none_or(|until| lookup.release <= until)
            && self.without.as_ref().is_none_or(|name| lookup.without.contains(name))
    }
}

/// Every device, by name.
#[must_use]
pub fn devices() -> &'static BTreeMap<String, Device> {
    static DEVICES: OnceLock<BTreeMap<String, Device>> = OnceLock::new();
    DEVICES.get_or_init(|| read(DEVICES_TEXT))
}

/// Returns the usual platforms of a device, without budgets; none for an unknown device.
#[must_use]
pub fn usual_platforms(device: &str) -> Vec<(&'static Platform, Option<u64>)> {
    let names = devices().get(device).into_iter().flat_map(|device| &device.platforms);
    names.filter_map(|name| Some((Platform::find(name)?, None))).collect()
}

/// Every role, in the order in which they are written.
#[must_use]
pub fn roles() -> &'static [Role] {
    static ROLES: OnceLock<Vec<Role>> = OnceLock::new();
    ROLES.get_or_init(|| read(ROLES_TEXT))
}

/// The entries of each feature.
pub(super) fn reasons() -> &'static BTreeMap<FeatureName, Vec<Entry>> {
    static REASONS: OnceLock<BTreeMap<FeatureName, Vec<Entry>>> = OnceLock::new();
    REASONS.get_or_init(|| read(REASONS_TEXT))
}

/// The entries of each hazard that `init` may accept.
pub(super) fn acceptances() -> &'static BTreeMap<String, Vec<Entry>> {
    static ACCEPTANCES: OnceLock<BTreeMap<String, Vec<Entry>>> = OnceLock::new();
    ACCEPTANCES.get_or_init(|| read(ACCEPTANCES_TEXT))
}

/// The standard reason for omitting a feature that has no effect on Linux; `None` for any other feature.
#[must_use]
pub fn standard_reason(name: &FeatureName) -> Option<String> {
    let system = reasons().get(name)?.iter().find_map(|entry| entry.only_for.as_ref())?;
    Some(other_system_reason(name, system))
}

fn other_system_reason(name: &FeatureName, system: &str) -> String {
    format!("{system} only: in a build for Linux, `{name}` contains no code.")
}

const DEVICES_TEXT: &str = include_str!("../../init/devices.yaml");
const ROLES_TEXT: &str = include_str!("../../init/roles.yaml");
const REASONS_TEXT: &str = include_str!("../../init/reasons.yaml");
const ACCEPTANCES_TEXT: &str = include_str!("../../init/acceptances.yaml");

/// Reads embedded data. A test reads every file; data that can't be read are empty here.
fn read<T: DeserializeOwned + Default>(text: &str) -> T {
    serde_yaml::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::device::PROFILES;
    use crate::upstream_data::UpstreamData;

    #[test]
    fn the_data_can_be_read_and_name_only_what_exists() {
        let devices: BTreeMap<String, Device> = serde_yaml::from_str(DEVICES_TEXT).unwrap();
        let roles: Vec<Role> = serde_yaml::from_str(ROLES_TEXT).unwrap();
        let reasons: BTreeMap<FeatureName, Vec<Entry>> = serde_yaml::from_str(REASONS_TEXT).unwrap();
        let acceptances: BTreeMap<String, Vec<Entry>> = serde_yaml::from_str(ACCEPTANCES_TEXT).unwrap();
        let profiles: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
        assert_eq!(devices.keys().map(String::as_str).collect::<Vec<_>>(), profiles);
        let roles: BTreeSet<&str> = roles.iter().map(|role| role.name.as_str()).collect();
        let known = |name: &FeatureName| reasons.contains_key(name);
        for (place, entry) in reasons
            .iter()
            .flat_map(|(name, entries)| entries.iter().map(move |entry| (name.to_string(), entry)))
            .chain(acceptances.iter().flat_map(|(id, entries)| entries.iter().map(move |entry| (id.clone(), entry))))
        {
            assert!(entry.device.iter().all(|name| devices.contains_key(name)), "{place}: a device");
            assert!(entry.roles.iter().all(|name| roles.contains(name.as_str())), "{place}: a role");
            assert!(entry.with.iter().chain(&entry.without).all(known), "{place}: a feature");
            let texts = [&entry.keep, &entry.omit, &entry.reason, &entry.only_for].into_iter().flatten().count();
            assert_eq!(texts, 1, "{place}: exactly one of keep, omit, reason, only_for");
        }
        assert!(acceptances.keys().all(|id| UpstreamData::embedded().hazard(id).is_some()));
    }

    #[test]
    fn entries_that_keep_come_first_and_the_last_one_always_matches() {
        for (name, entries) in reasons() {
            assert!(entries.is_sorted_by_key(|entry| entry.verdict() == Verdict::Omit), "{name}");
            let last = entries.last().unwrap();
            let always = last.device.is_empty() && last.roles.is_empty() && last.with.is_empty();
            assert!(always && last.until.is_none(), "{name}: the last entry has a condition");
        }
    }

    #[test]
    fn every_feature_of_the_supported_releases_has_a_reason() {
        for line in UpstreamData::embedded().registries().filter(|line| line.line >= "1.102".parse().unwrap()) {
            for name in line.features.keys() {
                assert!(reasons().contains_key(name), "{name} of {}", line.line);
            }
        }
    }

    #[test]
    fn an_insecure_hazard_is_accepted_only_if_the_user_omits_the_feature() {
        for (id, entries) in acceptances() {
            let hazard = UpstreamData::embedded().hazard(id).unwrap();
            if hazard.record.effect == crate::hazard::Effect::Insecure {
                assert!(entries.iter().all(|entry| entry.without.is_some()), "{id}");
            }
        }
    }
}
