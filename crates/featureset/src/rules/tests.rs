//! The table tests itself: sorted, unique, documented, and every example makes its rule speak.

use std::collections::BTreeSet;

use super::*;
use crate::facts::Facts;
use crate::policy::read;

#[path = "../../../../tests/it/common/pins.rs"]
mod pins;
use pins::{ACCEPTED, GO, RELEASE};

/// What the clean policy keeps: a daemon that starts, and a command line that works.
const KEPT: &[&str] = &["bakedroots", "cli", "dns", "ipnbus", "netstack", "osrouter", "unixsocketidentity"];

/// A policy without findings, each decision for a reason of its own.
pub(crate) fn clean_policy() -> String {
    let registry = Facts::embedded().registry(RELEASE.parse().unwrap()).unwrap();
    let mut text = format!("tailscale: {RELEASE}\ngo: {GO}\n");
    text += "device:\n  profile: routeros-container\n  storage: flash\nbuild:\n  inlining: none\n  symbols: all\n\
             targets:\n  amd64: { platform: linux/amd64, budget: 9 MB }\naccepted:\n";
    for id in ACCEPTED {
        text += &format!("  {id}: This test lives with {id}.\n");
    }
    text += "features:\n";
    for name in registry.features.keys() {
        text += &match name.as_str() {
            "cli" => "  cli:\n    keep: People type commands on this device.\n    refs: [tailscale/tailscale#17873]\n"
                .to_owned(),
            // One name of the alphabet's end for examples to change.
            "webclient" => "  webclient:\n    omit: Only the decision on zz.\n".to_owned(),
            name if KEPT.contains(&name) => format!("  {name}:\n    keep: Only the decision on {name}.\n"),
            name => format!("  {name}:\n    omit: Only the decision on {name}.\n"),
        };
    }
    text
}

/// The clean policy with a rule's example in it. `zz` is any last entry.
fn example(rule: &Rule) -> Option<String> {
    let place = |text: &str| text.replace("  zz:", "  webclient:");
    rule.example.map(|example| clean_policy().replacen(&place(example.from), &place(example.to), 1))
}

/// The codes of findings that are shown.
fn codes(text: &str) -> BTreeSet<String> {
    shown(text).into_iter().map(|finding| finding.code.into_owned()).collect()
}

fn shown(text: &str) -> Vec<Finding> {
    let findings = judge(text, &read(text), Facts::embedded());
    findings.into_iter().filter(|finding| finding.severity != Severity::Note).collect()
}

#[test]
fn the_clean_policy_is_clean() {
    let text = clean_policy();
    assert_eq!(shown(&text), []);
}

#[test]
fn the_tables_are_sorted_and_their_codes_unique() {
    assert!(JUDGING.is_sorted_by(|a, b| a.code < b.code));
    assert!(reading::RULES.is_sorted_by(|a, b| a.code < b.code));
    assert!(reported::RULES.is_sorted_by(|a, b| a.code < b.code));
    assert!(crate::audit::rules::RULES.is_sorted_by(|a, b| a.code < b.code));
    let codes: BTreeSet<&str> = all().map(|rule| rule.code).collect();
    assert_eq!(codes.len(), all().count());
    assert!(UNDECIDABLE.iter().all(|code| codes.contains(code)));
}

#[test]
fn every_rule_says_what_and_why_in_sentences() {
    for rule in all() {
        for text in [rule.summary, rule.why] {
            assert!(text.ends_with('.') && text.len() > 20, "{}: {text}", rule.code);
        }
    }
}

#[test]
fn every_example_makes_its_rule_speak() {
    let clean = clean_policy();
    for rule in all() {
        let Some(text) = example(rule) else { continue };
        assert_ne!(text, clean, "{}: the clean policy does not hold what the example changes", rule.code);
        assert!(codes(&text).contains(rule.code), "{}: {:?}", rule.code, codes(&text));
    }
}

#[test]
fn every_finding_has_a_place_a_reason_and_a_next_step() {
    for text in all().filter_map(example) {
        for finding in judge(&text, &read(&text), Facts::embedded()) {
            assert!(
                !finding.why.is_empty() && (!finding.next.is_empty() || finding.code.ends_with("-yaml")),
                "{finding:?}"
            );
            assert!(text.get(finding.place.span.start..finding.place.span.end).is_some(), "{finding:?}");
        }
    }
}

#[test]
fn everything_is_reported_at_once() {
    let text = clean_policy()
        .replace("device:\n", "nonsense: 1\ndevice:\n")
        .replace("budget: 9 MB", "budget: big")
        .replace("  doctor:\n    omit: Only the decision on doctor.\n", "")
        .replace("  bird:\n    omit:", "  bird:\n    keep:")
        .replace("Only the decision on zz.", "");
    let expected = ["empty-reason", "invalid-budget", "open-dependency", "undecided-feature", "unknown-key"];
    assert_eq!(codes(&text).into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn an_unreadable_decision_is_not_also_undecided() {
    let text = clean_policy().replace("omit: Only the decision on doctor.", "omit: [a, b]");
    assert_eq!(codes(&text).into_iter().collect::<Vec<_>>(), ["wrong-type"]);
}

#[test]
fn only_what_decides_the_tags_holds_them_back() {
    let clean = clean_policy();
    let held = |from: &str, to: &str, whole: bool| {
        assert!(clean.contains(from), "{from}");
        let text = clean.replacen(from, to, 1);
        let reading = read(&text);
        let findings = judge(&text, &reading, Facts::embedded());
        findings.iter().any(|finding| holds_back_tags(finding, &reading.places, whole))
    };
    for (from, to) in [
        ("keep: Only the decision on dns.", "keep: true"),
        ("keep: Only the decision on dns.", "keeep: Only the decision on dns."),
        ("  webclient:", "  dns:\n    omit: Twice.\n  webclient:"),
        ("symbols: all", "symbols: all\n  extra_tags: { 'a b': Two words. }"),
        ("features:\n", "features: [dns]\nmore:\n"),
    ] {
        assert!(held(from, to, false), "{to}");
    }
    for (from, to) in
        [("budget: 9 MB", "budget: big"), ("inlining: none", "inlining: some"), ("linux/amd64", "linux/arm/v9")]
    {
        assert!(!held(from, to, false) && held(from, to, true), "{to}");
    }
    assert!(!held("refs: [tailscale/tailscale#17873]", "refs: [nowhere]", true));
}

#[test]
fn a_section_that_is_no_mapping_is_one_finding() {
    let text = clean_policy();
    let (head, _) = text.split_once("features:\n").unwrap();
    assert_eq!(codes(&format!("{head}features: [dns, ssh]\n")).into_iter().collect::<Vec<_>>(), ["wrong-type"]);
    assert!(codes(&format!("{head}features: {{}}\n")).contains("undecided-feature"));
    assert!(codes("").contains("missing-key") && judge("", &read(""), Facts::embedded()).len() == 4);
}

#[test]
fn a_policy_without_targets_builds_nothing() {
    for none in ["targets: {}", "targets:"] {
        let text = clean_policy().replace("targets:\n  amd64: { platform: linux/amd64, budget: 9 MB }", none);
        assert!(codes(&text).contains("missing-key"), "{none}");
    }
}

#[test]
fn an_unread_patch_needs_at_least_the_go_of_the_patch_before() {
    let text = clean_policy().replace(RELEASE, "1.102.99").replace(GO, "1.21.0");
    assert!(codes(&text).contains("go-too-old"));
}

#[test]
fn each_packer_has_its_own_platforms() {
    let found = |platform: &str, pack: &str| {
        let target = format!("platform: {platform}, pack: {pack}");
        let text = clean_policy().replace("platform: linux/amd64", &target);
        codes(&text).contains("unpackable-platform")
    };
    assert!(!found("linux/amd64", "execpack") && !found("linux/mipsle/hardfloat", "execpack"));
    assert!(found("linux/mipsle/hardfloat", "upx"));
    assert!(found("linux/386", "execpack") && !found("linux/386", "upx"));
    assert!(found("linux/riscv64", "execpack") && !found("linux/riscv64", "none"));
}
