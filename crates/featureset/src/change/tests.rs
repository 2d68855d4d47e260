//! The result of a comparison, which is empty if nothing changed.

use super::*;
use crate::policy::read;
use crate::rules::tests::clean_policy;
use proptest::prelude::*;

fn compare(old: &str, new: &str) -> Change {
    let (old_reading, new_reading) = (read(old), read(new));
    let side = Side { text: old, reading: &old_reading };
    Change::between(Some(side), Side { text: new, reading: &new_reading }, UpstreamData::embedded())
}

fn codes(change: &Change) -> Vec<&str> {
    change.questions.iter().map(|question| question.code.as_str()).collect()
}

fn flipped(text: &str, name: &str, from: &str, to: &str) -> String {
    let (old, new) = (format!("  {name}:\n    {from}: "), format!("  {name}:\n    {to}: "));
    assert!(text.contains(&old), "{name} does not contain {from}");
    text.replace(&old, &new)
}

/// Returns the clean policy with a second target; `own` are its keys in addition to the platform.
fn with_second_target(own: &str) -> String {
    let targets = format!("budget: 9 MB }}\n  second: {{ platform: linux/arm64{own} }}");
    clean_policy().replace("budget: 9 MB }", &targets)
}

#[test]
fn an_override_changes_only_its_target() {
    let keep = ", features: { portmapper: { keep: The second device is behind another router. } }";
    let change = compare(&with_second_target(""), &with_second_target(keep));
    assert_eq!((&change.targets["amd64"], change.decisions.len()), (&TargetEffect::Same, 1));
    assert_eq!(change.decisions[0].target.as_deref(), Some("second"));
    assert!(change.decisions[0].is_flip() && !change.decisions[0].is_lost());
    assert_eq!(
        change.targets["second"],
        TargetEffect::Changed { tags_added: Vec::new(), tags_removed: vec!["ts_omit_portmapper".to_owned()] }
    );
    let back = compare(&with_second_target(keep), &with_second_target(""));
    assert!(back.decisions[0].is_lost());
    assert!(back.questions.iter().any(|question| question.message == "the binary loses `portmapper` on second"));
}

#[test]
fn a_common_change_does_not_concern_a_target_that_overrides_it() {
    let own = ", features: { netstack: { keep: The second device resolves names. } }";
    let old = with_second_target(own);
    let change = compare(&old, &flipped(&old, "netstack", "keep", "omit"));
    assert_eq!(change.targets["second"], TargetEffect::Same);
    assert_eq!(change.decisions.len(), 1);
    let gained = change.hazards_gained.iter().find(|one| one.hazard == "dns-netstack-quad100").unwrap();
    assert_eq!(gained.targets.iter().collect::<Vec<_>>(), ["amd64"]);
}

#[test]
fn a_new_target_gains_only_the_hazards_that_the_others_do_not_have() {
    let own = ", features: { netstack: { omit: The second device resolves no names. } }";
    let change = compare(&clean_policy(), &with_second_target(own));
    assert_eq!(change.targets["second"], TargetEffect::Added);
    assert!(change.hazards_gained.iter().all(|one| one.targets.iter().eq(["second"])), "{:?}", change.hazards_gained);
    assert!(change.hazards_gained.iter().any(|one| one.hazard == "dns-netstack-quad100"));
    let same = compare(&clean_policy(), &with_second_target(""));
    assert_eq!(same.hazards_gained, []);
}

#[test]
fn a_reason_that_mentions_an_inverted_decision_is_questioned() {
    let text = clean_policy()
        .replace("Only the decision on bird.", "No BIRD runs here, and `netstack` would not help it.")
        .replace("Only the decision on gro.", "It combines packets for netstack, which is kept.")
        .replace("Only the decision on tap.", "The flag --netstack-only does not exist.");
    let change = compare(&text, &flipped(&text, "netstack", "keep", "omit"));
    let mentions: Vec<&str> = change.mentions.iter().map(|one| one.feature.as_str()).collect();
    assert_eq!(mentions, ["bird", "gro"]);
    assert!(codes(&change).contains(&"reason-mentions"));
    assert!(compare(&text, &text).mentions.is_empty());
}

#[test]
fn the_device_and_image_of_a_target_are_settings() {
    let change = compare(
        &with_second_target(""),
        &with_second_target(", device: { profile: openwrt }, image: { shell: busybox }"),
    );
    let paths: Vec<&str> = change.settings.iter().map(|setting| setting.path.as_str()).collect();
    assert!(
        paths.contains(&"targets.second.device.profile") && paths.contains(&"targets.second.image.shell"),
        "{paths:?}"
    );
    assert_eq!(change.targets["second"], TargetEffect::Same, "neither is in the binary");
}

#[test]
fn comments_order_and_layout_say_nothing() {
    let text = clean_policy();
    let other = text
        .replace("features:\n", "# A word.\nfeatures:   # all of them\n\n")
        .replace("build:\n  inlining: none\n  symbols: all\n", "build:\n  symbols: all\n  inlining: \"none\"\n");
    assert_ne!(text, other);
    let change = compare(&text, &other);
    assert!(change.says_nothing_new() && change.questions.is_empty(), "{change:#?}");
}

#[test]
fn a_flip_with_its_old_reason_is_doubted_and_names_its_tags() {
    let text = clean_policy();
    let change = compare(&text, &flipped(&text, "netstack", "keep", "omit"));
    assert_eq!(change.decisions.len(), 1);
    assert!(change.decisions[0].same_reason && change.decisions[0].is_lost());
    assert!(codes(&change).contains(&"reason-unchanged") && codes(&change).contains(&"feature-lost"));
    assert_eq!(
        change.targets["amd64"],
        TargetEffect::Changed { tags_added: vec!["ts_omit_netstack".to_owned()], tags_removed: Vec::new() }
    );
    // dns needs netstack though upstream does not declare it.
    assert!(change.hazards_gained.iter().any(|one| one.hazard == "dns-netstack-quad100"));
    assert!(codes(&change).contains(&"hazard-gained"));
    // And back: the hazard is cleared, nothing is gained.
    let back = compare(&flipped(&text, "netstack", "keep", "omit"), &text);
    assert!(back.hazards_cleared.iter().any(|one| one.hazard == "dns-netstack-quad100"));
    assert!(codes(&back).contains(&"feature-gained"));
}

#[test]
fn what_comes_with_dependencies_is_tied_together() {
    let text = clean_policy();
    let kept = flipped(&flipped(&text, "netstack", "keep", "omit"), "gro", "omit", "omit");
    let both = flipped(&text, "gro", "omit", "keep");
    let change = compare(&kept, &both);
    let gro = change.decisions.iter().find(|one| one.feature.as_str() == "gro").unwrap();
    assert_eq!(gro.along.iter().map(FeatureName::as_str).collect::<Vec<_>>(), ["netstack"]);
}

#[test]
fn settings_are_compared_with_their_paths() {
    let text = clean_policy();
    let other = text
        .replace("budget: 9 MB", "budget: 9.5 MB, build: { pack: none }")
        .replace("storage: flash", "storage: disk")
        .replace("tailscale: 1.102.5", "tailscale: 1.102.4");
    let change = compare(&text, &other);
    let paths: Vec<&str> = change.settings.iter().map(|setting| setting.path.as_str()).collect();
    assert_eq!(paths, ["device.storage", "tailscale", "targets.amd64.budget", "targets.amd64.build.pack"]);
    assert_eq!(codes(&change), ["budget-raised", "device-changed", "release-changed"]);
    let gone = compare(&text, &text.replace("  amd64: {", "  other: {"));
    assert_eq!(gone.targets["amd64"], TargetEffect::Removed);
    assert_eq!(codes(&gone), ["target-removed"]);
}

#[test]
fn without_a_recipe_what_would_decide_the_binary_is_compared() {
    let unknown = clean_policy().replace("tailscale: 1.102.5", "tailscale: 1.300.0");
    let same = compare(&unknown, &unknown.replace("budget: 9 MB", "budget: 9.5 MB"));
    assert_eq!(same.targets["amd64"], TargetEffect::Same);
    let other = compare(&unknown, &flipped(&unknown, "netstack", "keep", "omit"));
    assert!(other.reaches_a_binary(), "{:?}", other.targets);
}

#[test]
fn a_base_is_worth_what_it_is() {
    let text = clean_policy();
    let reading = read(&text);
    let new = Side { text: &text, reading: &reading };
    let change = Change::between(None, new, UpstreamData::embedded());
    assert_eq!((change.base, change.decisions.len()), (Base::Missing, 79));
    assert!(change.reaches_a_binary() && !codes(&change).contains(&"feature-gained"));
    assert_eq!(compare("features: [", &text).base, Base::Unreadable);
    let faulty = compare(&text.replace("    keep: People type commands on this device.\n", ""), &text);
    assert_eq!(faulty.base, Base::Faulty);
    assert_eq!(faulty.decisions.len(), 1);
    assert!(faulty.findings_cleared > 0);
}

proptest! {
    #[test]
    fn any_two_texts_can_be_compared(cut in 0usize..9000, length in 0usize..200) {
        let text = clean_policy();
        let (start, end) = (cut.min(text.len()), (cut + length).min(text.len()));
        let other = format!("{}{}", &text[..start], &text[end..]);
        let forth = compare(&text, &other);
        let back = compare(&other, &text);
        prop_assert_eq!(&forth.hazards_gained.len(), &back.hazards_cleared.len());
        prop_assert_eq!(forth.settings.len(), back.settings.len());
        prop_assert!(compare(&other, &other).says_nothing_new());
    }
}
