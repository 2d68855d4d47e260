//! Hazards on whole policies: the right finding or none, on a release that has it and on one that differs.

use crate::common::{folder, policy, run};

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
    use featureset::facts::Facts;
    let registry = Facts::embedded().registry(release.parse().unwrap()).unwrap();
    let text = text
        .replace("tailscale: 1.102.5", &format!("tailscale: {release}"))
        .replace("go: 1.26.8", &format!("go: {go}"));
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
fn each_hazard_is_found_on_the_releases_that_have_it() {
    let clean = policy(&[], TARGET);
    for (change, code, has, has_not) in [
        (flipped(&clean, "unixsocketidentity"), "unixsocketidentity-cli", ("1.102.5", "1.26.8"), ("1.104.5", "1.27.3")),
        (flipped(&clean, "ipnbus"), "ipnbus-up", ("1.102.5", "1.26.8"), ("1.96.5", "1.26.8")),
        (flipped(&clean, "netstack"), "dns-netstack-quad100", ("1.104.5", "1.27.3"), ("", "")),
        (flipped(&clean, "netstack"), "invertgso-netstack", ("1.102.5", "1.26.8"), ("1.104.5", "1.27.3")),
        (flipped(&clean, "syspolicy"), "clientmetrics-syspolicy", ("1.90.9", "1.26.8"), ("", "")),
        (flipped(&clean, "acme"), "serve-acme", ("1.102.5", "1.26.8"), ("1.98.10", "1.26.8")),
        (clean.clone(), "clientmetrics-netstack", ("1.96.5", "1.26.8"), ("1.98.10", "1.26.8")),
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
fn a_release_without_its_nat_traversal_is_told_where_udp_is_kept() {
    let clean = policy(&[], TARGET);
    let moved = at_release(&clean, "1.104.5", "1.27.3");
    assert!(!errors(&moved, "1.104.5", "1.27.3").contains(&"nattraversal-rebind".to_owned()));
    let kept = flipped(&moved, "udptransport");
    assert!(errors(&kept, "1.104.5", "1.27.3").contains(&"nattraversal-rebind".to_owned()));
}

#[test]
fn a_hazard_shows_its_places_the_edit_and_the_evidence() {
    let text = flipped(&flipped(&policy(&[], TARGET), "syspolicy"), "netstack");
    let folder = folder(&text);
    let ran = run(folder.path(), &["check"]);
    insta::assert_snapshot!(ran.shown());
}

#[test]
fn what_can_not_start_can_not_be_accepted() {
    let text = flipped(&policy(&[], TARGET), "osrouter");
    let accepted = text.replace("accepted:\n", "accepted:\n  osrouter-tun: It starts some other way.\n");
    let found = errors(&accepted, "1.102.5", "1.26.8");
    assert!(
        found.contains(&"osrouter-tun".to_owned()) && found.contains(&"unacceptable-hazard".to_owned()),
        "{found:?}"
    );
}

#[test]
fn an_unstated_fact_is_a_warning_that_names_it() {
    let text = policy(&["cachenetmap"], TARGET).replace("device: { profile: openwrt, init: none }\n", "");
    let folder = folder(&text);
    let ran = run(folder.path(), &["check"]);
    assert!(ran.stderr.contains("warning[cachenetmap-flash-wear]"), "{}", ran.stderr);
    assert!(ran.stderr.contains("state `device.storage`"), "{}", ran.stderr);
}

#[test]
fn past_the_last_release_that_was_looked_at_it_still_applies_and_says_so() {
    let moved = at_release(&flipped(&policy(&[], TARGET), "ipnbus"), "1.104.5", "1.27.3");
    let folder = folder(&moved.replace("tailscale: 1.104.5", "tailscale: 1.104.99"));
    let ran = run(folder.path(), &["check"]);
    // Reasons are wrapped.
    let text = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("error[ipnbus-up]"), "{text}");
    assert!(text.contains("It is not known whether 1.104.99 still has it"), "{text}");
}

/// The findings of `check` but for errors and acceptances that are beside the point.
fn warnings(text: &str) -> String {
    let folder = folder(text);
    run(folder.path(), &["check"]).stderr
}

#[test]
fn what_a_hazard_needs_is_not_idle() {
    let text = policy(&["posture", "c2n"], TARGET);
    assert!(!warnings(&text).contains("unused-implementation-detail"), "posture is asked through c2n alone");
    let idle = policy(&["c2n"], TARGET);
    assert!(warnings(&idle).contains("unused-implementation-detail"));
}

#[test]
fn an_open_decision_does_not_make_an_acceptance_needless() {
    let text = policy(&[], TARGET).replace("  tpm:\n    omit: This device decides on tpm.\n", "");
    let shown = warnings(&text);
    assert!(shown.contains("`tpm` is not decided") && !shown.contains("unneeded-acceptance"), "{shown}");
}

#[test]
fn a_remedy_names_what_it_needs_itself() {
    let text = policy(&[], TARGET).replace("profile: openwrt", "profile: openwrt, resolver: systemd-resolved");
    assert!(warnings(&text).contains("Keep `resolved` and keep `dbus`, which `resolved` needs"), "{}", warnings(&text));
}

#[test]
fn a_hazard_tells_of_every_failure_that_a_sweep_found() {
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
                assert!(featureset::facts::Facts::embedded().hazard(id.as_str().unwrap()).is_some(), "{id}");
            }
        }
    }
    assert!(swept > 0);
}
