//! The meaning of one build tag on a release.

use crate::name::{CLI, FeatureName, INCLUDE_CLI, OMIT_PREFIX, nearest};
use crate::registry::Registry;
use crate::release::ReleaseLine;
use crate::rules::refusal;
use crate::upstream_data::UpstreamData;

/// The meaning of one build tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// It leaves this feature out.
    Omits(FeatureName),
    /// It brings the command line in.
    IncludesCli,
    /// `ts_omit_cli`: the command line is left out anyway.
    OmitsCli,
    /// It would leave out a feature that other lines have, and this one does not.
    Absent {
        /// The feature.
        feature: FeatureName,
        /// The first line that has it.
        since: ReleaseLine,
        /// The line that removed it, if one did.
        removed: Option<ReleaseLine>,
    },
    /// It looks like one of Tailscale's, and nothing reads it.
    Unknown,
    /// The name of a feature. Upstream has no tag of that name.
    Positive(FeatureName),
    /// It breaks the binary; what to do about it.
    Breaking(&'static str),
    /// One of Tailscale's own that leaves a part out which the registry of this release does not declare.
    Undeclared,
    /// One of Tailscale's own that is about no feature.
    Own,
    /// None of Tailscale's.
    Foreign,
}

/// Tailscale's own tags that are about no feature. Source: every `//go:build` line of 1.90.9, 1.92.5, 1.94.2, 1.96.5,
/// 1.98.10, 1.100.0, 1.102.5 and 1.104.5.
const OWN: &[&str] = &[
    "ts_appliance",
    "ts_aws",
    "ts_debug_forcereflect",
    "ts_debug_websockets",
    "ts_enable_sockstats",
    "ts_kube",
    "ts_mac_gui",
    "ts_macext",
    "ts_mutex_debug",
    "ts_not_in_tests",
    "ts_package_container",
];

/// Tags that took effect in lines whose registry did not have the feature yet. Source: the `//go:build` lines of
/// `cmd/tailscale/cli/ffcomplete` in 1.90.9, 1.92.5 and 1.94.2, and of `feature/condregister/maybe_conn25.go` in 1.94.2.
const UNDECLARED: &[(&str, &[&str])] =
    &[("ts_omit_completion_scripts", &["1.90", "1.92", "1.94"]), ("ts_omit_conn25", &["1.94"])];

/// Returns the meaning of a tag on the release line of a registry.
#[must_use]
pub fn meaning(tag: &str, registry: &Registry, facts: &UpstreamData) -> Meaning {
    if tag == INCLUDE_CLI {
        return Meaning::IncludesCli;
    }
    if OWN.contains(&tag) {
        return Meaning::Own;
    }
    let line = registry.line.to_string();
    if UNDECLARED.iter().any(|(name, lines)| *name == tag && lines.contains(&line.as_str())) {
        return Meaning::Undeclared;
    }
    if let Some(name) = tag.strip_prefix(OMIT_PREFIX) {
        return omission(name, registry, facts);
    }
    if let Some(name) = FeatureName::new(tag).ok().filter(|name| registry.features.contains_key(name)) {
        return Meaning::Positive(name);
    }
    let plain = tag.to_ascii_lowercase().replace('-', "_");
    if plain.starts_with("ts_") || plain.starts_with("tsomit") || plain.starts_with("omit_") {
        return Meaning::Unknown;
    }
    // Nothing reads a word that can't be one of Go's tags, and it is not Tailscale's.
    let fits = tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    refusal(tag).filter(|_| fits).map_or(Meaning::Foreign, Meaning::Breaking)
}

fn omission(name: &str, registry: &Registry, facts: &UpstreamData) -> Meaning {
    if name == CLI {
        return Meaning::OmitsCli;
    }
    let Ok(feature) = FeatureName::new(name) else { return Meaning::Unknown };
    if registry.features.contains_key(&feature) {
        return Meaning::Omits(feature);
    }
    match facts.lines_with(&feature) {
        Some((since, _)) => Meaning::Absent { removed: facts.removed_in(&feature), since, feature },
        None => Meaning::Unknown,
    }
}

/// The tag of this release that is nearest to a misspelled one. The common prefix of all omissions does not count as likeness.
pub(crate) fn near(tag: &str, registry: &Registry) -> Option<String> {
    let tag = &tag.to_ascii_lowercase().replace('-', "_");
    let name = ["ts_omit_", "tsomit_", "ts_omit", "omit_"].iter().find_map(|prefix| tag.strip_prefix(prefix));
    match name {
        Some(name) => {
            let names = registry.features.keys().filter(|name| name.is_omittable()).map(FeatureName::as_str);
            nearest(name, names).map(|near| format!("{OMIT_PREFIX}{near}"))
        }
        None => nearest(tag, OWN.iter().copied().chain([INCLUDE_CLI])).map(str::to_owned),
    }
}
