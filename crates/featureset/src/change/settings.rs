//! The settings of a policy as one flat map, so that two of them can be compared.

use std::collections::BTreeMap;

use crate::policy::{Build, Policy, format_size};

/// Every setting but decisions and acceptances: the path, its parts joined by dots, and the value as the file has it.
///
/// A target lists build settings only if they differ from the policy's.
pub(super) fn build_settings(policy: &Policy) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    found.extend(policy.tailscale.map(|release| ("tailscale".to_owned(), release.to_string())));
    found.extend(policy.go.map(|version| ("go".to_owned(), version.to_string())));
    found.extend(policy.device.profile.clone().map(|profile| ("device.profile".to_owned(), profile)));
    found.extend(policy.device.facts.iter().map(|(fact, value)| (format!("device.{fact}"), value.clone())));
    found.extend(policy.image.map(|image| ("image.shell".to_owned(), image.shell.to_string())));
    // A policy that could not be read has no build either.
    if policy.tailscale.is_some() || !policy.targets.is_empty() {
        found.extend(build(&policy.build, "build"));
    }
    let common = build(&policy.build, "");
    for (name, target) in &policy.targets {
        let path = format!("targets.{name}");
        found.insert(format!("{path}.platform"), target.platform.name.to_owned());
        found.extend(target.budget.map(|budget| (format!("{path}.budget"), format_size(budget))));
        let own = build(&target.build, "").into_iter().filter(|(key, value)| common.get(key) != Some(value));
        found.extend(own.map(|(key, value)| (format!("{path}{key}"), value)));
    }
    found
}

fn build(build: &Build, path: &str) -> BTreeMap<String, String> {
    let words = [
        ("inlining", build.inlining.to_string()),
        ("symbols", build.symbols.to_string()),
        ("pack", build.pack.to_string()),
    ];
    let words = words.into_iter().map(|(key, value)| (format!("{path}.{key}"), value));
    let tags = build.extra_tags.iter().map(|(tag, reason)| (format!("{path}.extra_tags.{tag}"), reason.clone()));
    words.chain(tags).collect()
}
