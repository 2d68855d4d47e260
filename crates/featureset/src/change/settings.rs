//! The settings of a policy as one flat map, so that two of them can be compared.

use std::collections::BTreeMap;

use super::model::Settings;
use crate::policy::{Build, Device, Policy, format_size};

/// Returns every setting except decisions and acceptances: the path, its parts joined by dots, and the value as the file has it.
///
/// A target's settings are listed only if they differ from the policy's; its device is listed if it has its own.
pub(super) fn all_settings(policy: &Policy) -> Settings {
    let mut found = BTreeMap::new();
    found.extend(policy.tailscale.map(|release| ("tailscale".to_owned(), release.to_string())));
    found.extend(policy.go.map(|version| ("go".to_owned(), version.to_string())));
    found.extend(device(&policy.device, "device"));
    found.extend(policy.image.map(|image| ("image.shell".to_owned(), image.shell.to_string())));
    // A policy that could not be read does not have build settings either.
    if policy.tailscale.is_some() || !policy.targets.is_empty() {
        found.extend(build(&policy.build, "build"));
    }
    let common = build(&policy.build, "build");
    for (name, target) in &policy.targets {
        let path = format!("targets.{name}");
        found.insert(format!("{path}.platform"), target.platform.name.to_owned());
        found.extend(target.budget.map(|budget| (format!("{path}.budget"), format_size(budget))));
        found.extend(target.device.iter().flat_map(|own| device(own, &format!("{path}.device"))));
        let own = build(&target.build, "build").into_iter().filter(|(key, value)| common.get(key) != Some(value));
        found.extend(own.map(|(key, value)| (format!("{path}.{key}"), value)));
        if target.image != policy.image {
            let image = target.image.map(|image| ("image.shell", image.shell.to_string()));
            let (key, value) = image.unwrap_or(("image", "none".to_owned()));
            found.insert(format!("{path}.{key}"), value);
        }
    }
    found.into_iter().map(|(path, value)| ((None, path), value)).collect()
}

fn device(device: &Device, path: &str) -> BTreeMap<String, String> {
    let profile = device.profile.clone().map(|profile| (format!("{path}.profile"), profile));
    let facts = device.facts.iter().map(|(fact, value)| (format!("{path}.{fact}"), value.clone()));
    profile.into_iter().chain(facts).collect()
}

fn build(build: &Build, path: &str) -> BTreeMap<String, String> {
    let words = [
        ("inlining", build.inlining.to_string()),
        ("symbols", build.symbols.to_string()),
        ("pack", build.pack.to_string()),
    ];
    let words = words.into_iter().map(|(key, value)| (format!("{path}.{key}"), value));
    let tags = build.extra_tags.iter().map(|(tag, reason)| (format!("{path}.extra_tags.{tag}"), reason.clone()));
    let experiments = build.go_experiments.iter();
    let experiments = experiments.map(|(name, reason)| (format!("{path}.go_experiments.{name}"), reason.clone()));
    words.chain(tags).chain(experiments).collect()
}
