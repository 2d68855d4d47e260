//! Groups of features: the order in which a person looks through a policy.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::name::FeatureName;

/// A group of features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The name in links.
    pub id: String,
    /// The headline.
    pub title: String,
    /// The features, sorted.
    pub features: Vec<FeatureName>,
}

/// The group of features that no group lists, such as those of a registry of the user's own.
pub const OTHER: &str = "other";

/// Returns the groups in the order of `groups.yaml`. A test reads the file; one that can't be read has no groups.
#[must_use]
pub fn groups() -> &'static [Group] {
    static GROUPS: OnceLock<Vec<Group>> = OnceLock::new();
    GROUPS.get_or_init(|| serde_yaml::from_str(include_str!("../groups.yaml")).unwrap_or_default())
}

/// Returns the groups with only these features, and the rest in a last group. A group without any is left out.
#[must_use]
pub fn grouped<'a>(features: impl IntoIterator<Item = &'a FeatureName>) -> Vec<Group> {
    let mut rest: std::collections::BTreeSet<&FeatureName> = features.into_iter().collect();
    let mut found = Vec::new();
    for group in groups() {
        let features: Vec<FeatureName> = group.features.iter().filter(|name| rest.remove(*name)).cloned().collect();
        found.push(Group { features, ..group.clone() });
    }
    let features = rest.into_iter().cloned().collect();
    found.push(Group { id: OTHER.to_owned(), title: "Other".to_owned(), features });
    found.retain(|group| !group.features.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::upstream_data::UpstreamData;

    #[test]
    fn every_known_feature_is_in_exactly_one_group() {
        let known: BTreeSet<&FeatureName> =
            UpstreamData::embedded().registries().flat_map(|registry| registry.features.keys()).collect();
        let mut grouped = BTreeSet::new();
        for group in groups() {
            assert!(group.features.is_sorted(), "{} is not sorted", group.id);
            assert!(!group.features.is_empty() && group.id != OTHER);
            for name in &group.features {
                assert!(known.contains(name), "{name} of the group {} is unknown", group.id);
                assert!(grouped.insert(name), "{name} is in two groups");
            }
        }
        assert_eq!(grouped, known);
        let ids: BTreeSet<&str> = groups().iter().map(|group| group.id.as_str()).collect();
        assert_eq!(ids.len(), groups().len());
    }

    #[test]
    fn a_feature_without_a_group_is_in_the_last() {
        let names = ["dns", "newer"].map(|name| FeatureName::new(name).unwrap());
        let found: Vec<(String, usize)> =
            grouped(&names).into_iter().map(|group| (group.id, group.features.len())).collect();
        assert_eq!(found, [("dns".to_owned(), 1), (OTHER.to_owned(), 1)]);
    }
}
