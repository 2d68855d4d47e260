//! Hazards on whole policies: the right finding or none, on a release that has it and on one that differs.

use crate::common::{GO, RELEASE, folder, policy, run};

/// The codes of the errors of `check` on a policy moved to a release.
fn errors(text: &str, release: &str, go: &str) -> Vec<String> {
    let folder = folder(&at_release(text, release, go));
    let ran = run(folder.path(), &["check", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let findings = document["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["severity"] == "error")
        .map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect()
}

/// The policy with the decisions that a release's features ask for: unknown ones deleted, undecided ones omitted.
fn at_release(text: &str, release: &str, go: &str) -> String {
    use featureset::upstream_data::UpstreamData;
    let registry = UpstreamData::embedded().registry(release.parse().unwrap()).unwrap();
    let text = text
        .replace(&format!("tailscale: {RELEASE}"), &format!("tailscale: {release}"))
        .replace(&format!("go: {GO}"), &format!("go: {go}"));
    let (head, features) = text.split_once("features:\n").unwrap();
    let mut decisions: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    let mut name = String::new();
    for line in features.lines() {
        match line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')) {
            Some(key) => key.trim_end_matches(':').clone_into(&mut name),
            None => drop(decisions.insert(name.clone(), line.to_owned())),
        }
    }
    let own =
        |name: &str| decisions.get(name).cloned().unwrap_or_else(|| format!("    omit: Decided for {name} here."));
    let entries: String = registry.features.keys().map(|name| format!("  {name}:\n{}\n", own(name.as_str()))).collect();
    format!("{head}features:\n{entries}")
}

fn flipped(text: &str, name: &str) -> String {
    let (keep, omit) = (format!("  {name}:\n    keep:"), format!("  {name}:\n    omit:"));
    if text.contains(&keep) { text.replace(&keep, &omit) } else { text.replace(&omit, &keep) }
}

const TARGET: &str = "{ platform: linux/arm64 }";

#[test]
fn check_reports_each_hazard_on_its_releases() {
    let clean = policy(&[], TARGET);
    for (change, code, has, has_not) in [
        (flipped(&clean, "unixsocketidentity"), "unixsocketidentity-cli", (RELEASE, GO), ("1.104.5", "1.27.3")),
        (flipped(&clean, "ipnbus"), "ipnbus-up", (RELEASE, GO), ("1.96.5", GO)),
        (flipped(&clean, "netstack"), "dns-netstack-quad100", ("1.104.5", "1.27.3"), ("", "")),
        (flipped(&clean, "netstack"), "invertgso-netstack", (RELEASE, GO), ("1.104.5", "1.27.3")),
        (flipped(&clean, "syspolicy"), "clientmetrics-syspolicy", ("1.90.9", GO), ("", "")),
        (flipped(&clean, "acme"), "serve-acme", (RELEASE, GO), ("1.98.10", GO)),
        (clean.clone(), "clientmetrics-netstack", ("1.96.5", GO), ("1.98.10", GO)),
    ] {
        let found = errors(&change, has.0, has.1);
        assert!(found.iter().any(|found| found == code), "{code} on {}: {found:?}", has.0);
        if !has_not.0.is_empty() {
            let found = errors(&change, has_not.0, has_not.1);
            assert!(!found.iter().any(|found| found == code), "{code} on {}: {found:?}", has_not.0);
        }
    }
}

#[test]
fn check_on_1_104_with_udptransport_reports_nattraversal() {
    let clean = policy(&[], TARGET);
    let moved = at_release(&clean, "1.104.5", "1.27.3");
    assert!(!errors(&moved, "1.104.5", "1.27.3").contains(&"nattraversal-rebind".to_owned()));
    let kept = flipped(&moved, "udptransport");
    assert!(errors(&kept, "1.104.5", "1.27.3").contains(&"nattraversal-rebind".to_owned()));
}

#[test]
fn check_with_hazards_shows_places_edits_and_evidence() {
    let text = flipped(&flipped(&policy(&[], TARGET), "syspolicy"), "netstack");
    let folder = folder(&text);
    let ran = run(folder.path(), &["check"]);
    insta::assert_snapshot!(ran.transcript());
}

#[test]
fn check_with_accepted_osrouter_tun_is_an_error() {
    let text = flipped(&policy(&[], TARGET), "osrouter");
    let accepted = text.replace("accepted:\n", "accepted:\n  osrouter-tun: It starts some other way.\n");
    let found = errors(&accepted, RELEASE, GO);
    assert!(found.contains(&"osrouter-tun".to_owned()), "{found:?}");
    assert!(found.contains(&"unacceptable-hazard".to_owned()), "{found:?}");
}

#[test]
fn check_without_device_storage_warns_and_names_it() {
    let text = policy(&["cachenetmap"], TARGET).replace("device: { profile: openwrt, init: none }\n", "");
    let folder = folder(&text);
    let ran = run(folder.path(), &["check"]);
    assert!(ran.stderr.contains("warning[cachenetmap-flash-wear]"), "{}", ran.stderr);
    assert!(ran.stderr.contains("state `device.storage`"), "{}", ran.stderr);
}

#[test]
fn check_on_an_unverified_release_reports_the_hazard_and_says_so() {
    let moved = at_release(&flipped(&policy(&[], TARGET), "ipnbus"), "1.104.5", "1.27.3");
    let folder = folder(&moved.replace("tailscale: 1.104.5", "tailscale: 1.104.99"));
    let ran = run(folder.path(), &["check"]);
    // Reasons are wrapped.
    let text = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("error[ipnbus-up]"), "{text}");
    assert!(text.contains("It is not known whether 1.104.99 still has it"), "{text}");
}

/// The output of `check` on a policy.
fn warnings(text: &str) -> String {
    let folder = folder(text);
    run(folder.path(), &["check"]).stderr
}

#[test]
fn check_with_a_feature_that_a_hazard_needs_is_not_idle() {
    let text = policy(&["posture", "c2n"], TARGET);
    assert!(!warnings(&text).contains("unused-implementation-detail"), "posture is asked through c2n alone");
    let idle = policy(&["c2n"], TARGET);
    assert!(warnings(&idle).contains("unused-implementation-detail"));
}

#[test]
fn check_with_undecided_feature_keeps_its_acceptance() {
    let text = policy(&[], TARGET).replace("  tpm:\n    omit: This device decides on tpm.\n", "");
    let shown = warnings(&text);
    assert!(shown.contains("`tpm` is not decided"), "{shown}");
    assert!(!shown.contains("unneeded-acceptance"), "{shown}");
}

#[test]
fn check_remedy_includes_its_dependencies() {
    let text = policy(&[], TARGET).replace("profile: openwrt", "profile: openwrt, resolver: systemd-resolved");
    assert!(warnings(&text).contains("Keep `resolved` and keep `dbus`, which `resolved` needs"), "{}", warnings(&text));
}

#[test]
fn sweep_failures_are_explained_by_hazards() {
    let folder = crate::common::root().join("crates/featureset/sweeps");
    let mut swept = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        swept += report["checks"].as_u64().unwrap();
        for failure in report["failures"].as_array().unwrap() {
            let hazards = failure["hazards"].as_array().unwrap();
            assert!(!hazards.is_empty(), "{failure}");
            for id in hazards {
                assert!(
                    featureset::upstream_data::UpstreamData::embedded().hazard(id.as_str().unwrap()).is_some(),
                    "{id}"
                );
            }
        }
    }
    assert!(swept > 0);
}
