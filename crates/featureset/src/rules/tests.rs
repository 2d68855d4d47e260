//! Tests of the rules: every code has an example that triggers it.

use std::collections::BTreeSet;

use diagnostics::{Severity, area};

use super::*;
use crate::policy::read;
use crate::upstream_data::UpstreamData;

#[path = "../../../../tests/it/common/pins.rs"]
mod pins;
use pins::{ACCEPTED, GO, RELEASE};

/// Features of the clean policy: a daemon that starts, and a command line that works.
const KEPT: &[&str] = &["bakedroots", "cli", "dns", "ipnbus", "netstack", "osrouter", "unixsocketidentity"];

/// A policy without findings, each decision with its own reason.
pub(crate) fn clean_policy() -> String {
    let registry = UpstreamData::embedded().registry(RELEASE.parse().unwrap()).unwrap();
    let mut text = format!("tailscale: {RELEASE}\ngo: {GO}\n");
    text += "device:\n  profile: routeros-container\n  heap_limit: absent\n  state: new\n  storage: flash\nbuild:\n  inlining: none\n  symbols: all\n\
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

/// Returns a change of the clean policy that triggers an error of the parser: a text of it and the replacement.
fn format_example(code: area::Format) -> (&'static str, &'static str) {
    use area::Format;
    match code {
        Format::ConflictingDecisions => {
            ("    keep: People type commands", "    omit: No one types commands.\n    keep: People type commands")
        }
        Format::DuplicateFeature => ("  zz:", "  cli:\n    omit: No one types commands on this device.\n  zz:"),
        Format::DuplicateKey => ("go: 1.26.8", "go: 1.26.8\ngo: 1.26.7"),
        Format::InvalidBudget => ("budget: 9 MB", "budget: 9 MiB"),
        Format::InvalidReference => ("refs: [tailscale/tailscale#17873]", "refs: [see the tracker]"),
        Format::InvalidTargetName => ("  amd64: {", "  ../amd64: {"),
        Format::InvalidVersion => ("tailscale: 1.102.5", "tailscale: v1.102.5"),
        Format::MalformedYaml => ("go: 1.26.8", "go: [1.26.8"),
        Format::MissingKey => ("go: 1.26.8", ""),
        Format::TooManyEntries => (
            "budget: 9 MB",
            "budget: 9 MB, build: { extra_tags: { t00: x, t01: x, t02: x, t03: x, t04: x, t05: x, t06: x, t07: x, \
         t08: x, t09: x, t10: x, t11: x, t12: x, t13: x, t14: x, t15: x, t16: x, t17: x, t18: x, t19: \
         x, t20: x, t21: x, t22: x, t23: x, t24: x, t25: x, t26: x, t27: x, t28: x, t29: x, t30: x, \
         t31: x, t32: x, t33: x, t34: x, t35: x, t36: x, t37: x, t38: x, t39: x, t40: x, t41: x, t42: \
         x, t43: x, t44: x, t45: x, t46: x, t47: x, t48: x, t49: x, t50: x, t51: x, t52: x, t53: x, \
         t54: x, t55: x, t56: x, t57: x, t58: x, t59: x, t60: x, t61: x, t62: x, t63: x, t64: x } }",
        ),
        Format::UnknownDeviceFact => ("storage: flash", "storage: floppy"),
        Format::UnknownKey => ("go: 1.26.8", "go: 1.26.8\ngolang: 1.26.8"),
        Format::UnknownPlatform => ("linux/amd64", "linux/arm"),
        Format::UnknownValue => ("inlining: none", "inlining: some"),
        Format::UnsupportedYaml => ("go: 1.26.8", "go: &go 1.26.8"),
        Format::VersionAsNumber => ("tailscale: 1.102.5", "tailscale: 1.102"),
        Format::WrongType => ("go: 1.26.8", "go: 1.26.8\ndevice: flash"),
    }
}

/// Returns a change of the clean policy that triggers a rule.
fn rule_example(rule: Rule) -> (&'static str, &'static str) {
    match rule {
        Rule::BudgetPredicted => ("budget: 9 MB", "budget: 2 MB"),
        Rule::CopiedReason => ("Only the decision on zz.", "People type commands on this device."),
        Rule::EmptyReason => ("Only the decision on zz.", "TODO"),
        Rule::GoTooOld => ("go: 1.26.8", "go: 1.26.5"),
        Rule::MemoryPredicted => ("storage: flash", "storage: flash\n  memory: 32 MB"),
        Rule::OpenDependency => ("  advertiseroutes:\n    omit:", "  advertiseroutes:\n    keep:"),
        Rule::RedundantOverride => ("budget: 9 MB", "build: { symbols: all }"),
        Rule::RepeatedDescription => ("Only the decision on zz.", "ACME TLS certificate management."),
        Rule::ReservedTag => ("symbols: all", "symbols: all\n  extra_tags:\n    ts_omit_dns: We need no DNS here."),
        Rule::StaleDependencyReason => ("keep: People type commands on this device.", "keep: Needed by drive."),
        Rule::UnacceptableHazard => ("accepted:\n", "accepted:\n  osrouter-tun: We start it some other way.\n"),
        Rule::UndecidedFeature => ("  doctor:\n    omit: Only the decision on doctor.\n", ""),
        Rule::UnknownAcceptance => ("accepted:\n", "accepted:\n  dns-is-slow: We are patient.\n"),
        Rule::UnknownFeature => ("features:\n", "features:\n  lazywg:\n    omit: Peers are set up at once here.\n"),
        Rule::UnknownGoExperiment => {
            ("symbols: all", "symbols: all\n  go_experiments:\n    nojsonv2: The binary is smaller on Go 1.27.")
        }
        Rule::UnknownRelease => ("tailscale: 1.102.5", "tailscale: 1.102.99"),
        Rule::UnknownReleaseLine => ("tailscale: 1.102.5", "tailscale: 1.88.4"),
        Rule::UnneededAcceptance => ("accepted:\n", "accepted:\n  cachenetmap-flash-wear: The flash is large.\n"),
        Rule::UnsortedFeatures => ("features:\n", "features:\n  zz0:\n    omit: Out of order.\n"),
        Rule::UnsupportedPlatform => ("linux/amd64", "linux/riscv64, build: { pack: upx }"),
        Rule::UnusedImplementationDetail => ("  dbus:\n    omit:", "  dbus:\n    keep:"),
    }
}

/// Returns every code that the clean policy can be made to trigger, with the changed policy.
fn examples() -> impl Iterator<Item = (Code, String)> {
    // `zz` is the last entry.
    let place = |text: &str| text.replace("  zz:", "  webclient:");
    let changed = move |(from, to)| clean_policy().replacen(&place(from), &place(to), 1);
    let format = area::Format::ALL.iter().map(|code| (Code::from(*code), format_example(*code)));
    let rules = Rule::ALL.iter().map(|rule| (Code::from(*rule), rule_example(*rule)));
    format.chain(rules).map(move |(code, example)| (code, changed(example)))
}

/// The codes of findings that are shown.
fn codes(text: &str) -> BTreeSet<String> {
    findings(text).into_iter().map(|finding| finding.code.as_str().to_owned()).collect()
}

fn findings(text: &str) -> Vec<Diagnostic> {
    let findings = judge(text, &read(text), UpstreamData::embedded());
    findings.into_iter().filter(|finding| finding.severity != Severity::Note).collect()
}

#[test]
fn the_clean_policy_is_clean() {
    let text = clean_policy();
    assert_eq!(findings(&text), []);
}

#[test]
fn every_code_is_triggered_by_its_example() {
    let clean = clean_policy();
    for (code, text) in examples() {
        assert_ne!(text, clean, "{code}: the clean policy does not contain the text that the example replaces");
        assert!(codes(&text).contains(code.as_str()), "{code}: {:?}", codes(&text));
    }
}

#[test]
fn every_finding_has_a_span_a_reason_and_a_next_step() {
    for (code, text) in examples() {
        for finding in judge(&text, &read(&text), UpstreamData::embedded()) {
            let unreadable = [Code::MalformedYaml, Code::UnsupportedYaml].contains(&finding.code);
            assert!(!finding.why.is_empty(), "{code}: {finding:?}");
            assert!(!finding.next.is_empty() || unreadable, "{code}: {finding:?}");
            assert!(text.get(finding.span().start..finding.span().end).is_some(), "{code}: {finding:?}");
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
    let held = |from: &str, to: &str, output: TagOutput| {
        assert!(clean.contains(from), "{from}");
        let text = clean.replacen(from, to, 1);
        let reading = read(&text);
        let findings = judge(&text, &reading, UpstreamData::embedded());
        findings.iter().any(holds_back_tags(&reading.places, output))
    };
    for (from, to) in [
        ("keep: Only the decision on dns.", "keep: true"),
        ("keep: Only the decision on dns.", "keeep: Only the decision on dns."),
        ("  webclient:", "  dns:\n    omit: Twice.\n  webclient:"),
        ("symbols: all", "symbols: all\n  extra_tags: { 'a b': Two words. }"),
        ("features:\n", "features: [dns]\nmore:\n"),
    ] {
        assert!(held(from, to, TagOutput::TagLine), "{to}");
    }
    for (from, to) in
        [("budget: 9 MB", "budget: big"), ("inlining: none", "inlining: some"), ("linux/amd64", "linux/arm/v9")]
    {
        assert!(!held(from, to, TagOutput::TagLine) && held(from, to, TagOutput::OfTarget), "{to}");
    }
    assert!(!held("refs: [tailscale/tailscale#17873]", "refs: [nowhere]", TagOutput::OfTarget));
}

#[test]
fn a_section_that_is_no_mapping_is_one_finding() {
    let text = clean_policy();
    let (head, _) = text.split_once("features:\n").unwrap();
    assert_eq!(codes(&format!("{head}features: [dns, ssh]\n")).into_iter().collect::<Vec<_>>(), ["wrong-type"]);
    assert!(codes(&format!("{head}features: {{}}\n")).contains("undecided-feature"));
    assert!(codes("").contains("missing-key") && judge("", &read(""), UpstreamData::embedded()).len() == 4);
}

#[test]
fn a_policy_without_targets_builds_nothing() {
    for none in ["targets: {}", "targets:"] {
        let text = clean_policy().replace("targets:\n  amd64: { platform: linux/amd64, budget: 9 MB }", none);
        assert!(codes(&text).contains("missing-key"), "{none}");
    }
}

/// Returns the clean policy with a second target; `own` are its keys in addition to the platform.
fn with_second_target(own: &str) -> String {
    let targets = format!("budget: 9 MB }}\n  second: {{ platform: linux/mipsle/softfloat, {own} }}");
    clean_policy().replace("budget: 9 MB }", &targets)
}

/// Returns the findings of one code, each with its message, its targets and the text at its span.
fn found(text: &str, code: &str) -> Vec<(String, Vec<String>, String)> {
    let findings = findings(text).into_iter().filter(|finding| finding.code.as_str() == code);
    findings
        .map(|found| {
            (found.message.clone(), found.targets.clone(), text[found.span().start..found.span().end].to_owned())
        })
        .collect()
}

#[test]
fn a_target_with_its_own_decision_has_its_own_dependencies() {
    let text = with_second_target("features: { advertiseroutes: { keep: The second device offers its network. } }");
    let found = found(&text, "open-dependency");
    assert_eq!(found.len(), 1, "{found:?}");
    for (message, targets, _) in found {
        assert!(message.ends_with("(target second)"), "{message}");
        assert_eq!(targets, ["second"]);
    }
}

#[test]
fn a_finding_about_all_targets_appears_once_and_names_none() {
    let text = with_second_target("features: { ssh: { omit: Nobody logs in here. } }")
        .replace("  advertiseroutes:\n    omit:", "  advertiseroutes:\n    keep:");
    let found = found(&text, "open-dependency");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found.iter().all(|(_, targets, _)| targets.is_empty()), "{found:?}");
}

#[test]
fn a_target_can_resolve_a_finding_of_the_common_decisions() {
    let broken = |own: &str| {
        let text = with_second_target(own).replace("  ipnbus:\n    keep:", "  ipnbus:\n    omit:");
        found(&text, "ipnbus-up")
    };
    let both = broken("budget: 9 MB");
    assert_eq!(both.len(), 1);
    assert!(both[0].1.is_empty());
    let first_only = broken("features: { ipnbus: { keep: People log in on the second device. } }");
    assert_eq!(first_only.len(), 1);
    assert_eq!(first_only[0].1, ["amd64"]);
}

#[test]
fn a_common_acceptance_does_not_cover_a_target_that_overrides_its_condition() {
    let hazard = "tailnetlock-unsigned-peers";
    let own = "features: { tailnetlock: { omit: The second device lives in a tailnet without it. }";
    let found_in = |text: &str| found(text, hazard).into_iter().map(|(_, targets, _)| targets).collect::<Vec<_>>();
    assert_eq!(found_in(&with_second_target("budget: 9 MB")), Vec::<Vec<String>>::new());
    assert_eq!(found_in(&with_second_target(&format!("{own} }}"))), [["second"]]);
    let accepted = format!("{own} }}, accepted: {{ {hazard}: No tailnet of ours uses Tailnet Lock. }}");
    assert_eq!(found_in(&with_second_target(&accepted)), Vec::<Vec<String>>::new());
}

#[test]
fn a_target_with_another_device_is_not_covered_by_an_acceptance_about_the_device() {
    let kept = clean_policy()
        .replace("  cachenetmap:\n    omit:", "  cachenetmap:\n    keep:")
        .replace("accepted:\n", "accepted:\n  cachenetmap-flash-wear: The flash of the first device is large.\n");
    let with = |own: &str| {
        kept.replace("budget: 9 MB }", &format!("budget: 9 MB }}\n  second: {{ platform: linux/arm64, {own} }}"))
    };
    let hazard = |text: &str| {
        found(text, "cachenetmap-flash-wear").into_iter().map(|(_, targets, _)| targets).collect::<Vec<_>>()
    };
    assert_eq!(hazard(&with("budget: 9 MB")), Vec::<Vec<String>>::new());
    assert_eq!(hazard(&with("device: { profile: openwrt }")), [["second"]]);
    assert_eq!(hazard(&with("device: { profile: systemd-host }")), Vec::<Vec<String>>::new());
}

#[test]
fn an_image_decides_the_facts_that_it_knows_unless_the_device_states_them() {
    let ssh =
        clean_policy().replace("  ssh:\n    omit:", "  ssh:\n    keep:").replace("  profile: routeros-container\n", "");
    let is_certain = |device: &str, image: &str| {
        let text = ssh.replace("device:\n", &format!("{image}device:\n{device}"));
        let found = findings(&text).into_iter().find(|finding| finding.code.as_str() == "ssh-no-users");
        found.map(|finding| finding.severity == Severity::Error)
    };
    assert_eq!(is_certain("", ""), Some(false));
    assert_eq!(is_certain("", "image: { shell: mksh }\n"), Some(true));
    assert_eq!(is_certain("  users: present\n", "image: { shell: mksh }\n"), None);
}

#[test]
fn only_an_image_with_a_shell_limits_the_heap() {
    let is_found = |image: &str| {
        let text =
            clean_policy().replace("  heap_limit: absent\n", "").replace("device:\n", &format!("{image}device:\n"));
        let text = text.replace("  load-unbounded-memory: This test lives with load-unbounded-memory.\n", "");
        findings(&text).iter().any(|finding| finding.code.as_str() == "load-unbounded-memory")
    };
    assert!(!is_found("image: { shell: mksh }\n"));
    assert!(is_found("image: { shell: none }\n"));
}

#[test]
fn an_acceptance_of_a_target_to_which_the_hazard_does_not_apply_is_not_needed() {
    let own = "features: { tailnetlock: { keep: The second tailnet uses it. } }, \
               accepted: { tailnetlock-unsigned-peers: No tailnet of ours uses it. }";
    let found_in = found(&with_second_target(own), "unneeded-acceptance");
    assert_eq!(found_in.len(), 1, "{found_in:?}");
    assert!(found_in[0].0.contains("target `second`"), "{found_in:?}");
}

#[test]
fn a_common_acceptance_that_covers_no_concerned_target_is_not_needed() {
    let own = "features: { tailnetlock: { omit: Nothing there uses it. } }, \
               accepted: { tailnetlock-unsigned-peers: No tailnet of ours uses it. }";
    let text = with_second_target(own).replace("  tailnetlock:\n    omit:", "  tailnetlock:\n    keep:");
    let found_in = found(&text, "unneeded-acceptance");
    assert_eq!(found_in.len(), 1, "{found_in:?}");
    assert!(found_in[0].0.contains("does not cover: second"), "{found_in:?}");
}

#[test]
fn every_override_that_equals_the_common_value_is_found() {
    let text = with_second_target(
        "device: { profile: routeros-container, heap_limit: absent, state: new }, build: { inlining: none, pack: none }, \
         image: none, \
         features: { ssh: { omit: Only the decision on ssh. }, dns: { omit: Names are resolved elsewhere. } }, \
         accepted: { tailnetlock-unsigned-peers: This test lives with tailnetlock-unsigned-peers. }",
    );
    let places: Vec<String> = found(&text, "redundant-override").into_iter().map(|(_, _, place)| place).collect();
    assert_eq!(places, ["device", "inlining", "image", "ssh", "tailnetlock-unsigned-peers"]);
    // Another reason for the same decision is another decision: it is about another device.
    let other = with_second_target("features: { ssh: { omit: The second device has Dropbear. } }");
    assert!(found(&other, "redundant-override").is_empty());
}

#[test]
fn overrides_of_unknown_or_undecided_features_are_found() {
    let unknown = found(&with_second_target("features: { shh: { keep: People log in. } }"), "unknown-feature");
    assert_eq!(unknown.len(), 1);
    let text = with_second_target("features: { ssh: }");
    let undecided = found(&text, "undecided-feature");
    assert_eq!(undecided.len(), 1);
    assert!(undecided[0].0.contains("target `second`"));
    let keys = found(&with_second_target("features: {}, pack: none, nonsense: 1"), "unknown-key");
    assert_eq!(keys.len(), 2);
}

#[test]
fn the_same_reason_for_the_opposite_decision_is_copied() {
    let text = with_second_target("features: { ssh: { keep: Only the decision on ssh. } }");
    let found = found(&text, "copied-reason");
    assert_eq!(found.len(), 1);
    assert!(found[0].0.contains("opposite decision"), "{found:?}");
}

#[test]
fn an_unreadable_target_with_its_own_decisions_holds_back_the_tags() {
    let held = |own: &str| {
        let text = clean_policy()
            .replace("budget: 9 MB }", &format!("budget: 9 MB }}\n  second: {{ platform: linux/mipsel, {own} }}"));
        let reading = read(&text);
        judge(&text, &reading, UpstreamData::embedded())
            .iter()
            .any(holds_back_tags(&reading.places, TagOutput::TagLine))
    };
    assert!(!held("budget: 3 MB"));
    assert!(held("features: { ssh: { keep: People log in here. } }"));
    assert!(held("build: { extra_tags: { netgo: The resolver of Go. } }"));
}

#[test]
fn an_unread_patch_needs_at_least_the_go_of_the_patch_before() {
    let text = clean_policy().replace(RELEASE, "1.102.99").replace(GO, "1.21.0");
    assert!(codes(&text).contains("go-too-old"));
}

#[test]
fn a_target_without_a_packer_gets_the_default_of_its_platform() {
    use crate::policy::Pack;
    let target = "targets:\n  amd64: { platform: linux/amd64, budget: 9 MB }";
    let pack = |build: &str, platform: &str| {
        let text = clean_policy().replace("build:\n  inlining: none\n  symbols: all\n", build);
        let text = text.replace(target, &format!("targets:\n  amd64: {{ platform: {platform} }}"));
        read(&text).policy.unwrap().targets["amd64"].build.pack
    };
    for platform in ["linux/amd64", "linux/arm/v5", "linux/arm64", "linux/mipsle/softfloat"] {
        assert_eq!(pack("", platform), Pack::Execpack, "{platform}");
    }
    for platform in ["linux/386", "linux/mips/softfloat", "linux/ppc64le"] {
        assert_eq!(pack("", platform), Pack::Upx, "{platform}");
    }
    for platform in ["linux/riscv64", "linux/mipsle/hardfloat"] {
        assert_eq!(pack("", platform), Pack::None, "{platform}");
    }
    assert_eq!(pack("build: { pack: none }\n", "linux/386"), Pack::None);
    assert_eq!(pack("build: { pack: execpack }\n", "linux/386, build: { pack: upx }"), Pack::Upx);
    // The setting of a target is its own.
    let two = "targets:\n  a: { platform: linux/386, build: { pack: none } }\n  b: { platform: linux/386 }\n";
    let policy = read(&clean_policy().replace(target, two)).policy.unwrap();
    assert_eq!((policy.targets["a"].build.pack, policy.targets["b"].build.pack), (Pack::None, Pack::Upx));
}

#[test]
fn an_experiment_is_refused_for_a_go_that_does_not_have_it() {
    let found = |name: &str, go: &str| {
        let text = clean_policy().replace("symbols: all", "symbols: all\n  go_experiments: { NAME: Smaller here. }");
        found(&text.replace("NAME", name).replace(GO, go), "unknown-go-experiment")
    };
    assert_eq!(found("nojsonv2", "1.27.3"), Vec::new());
    assert!(found("nojsonv2", GO)[0].0.contains("no known effect in Go 1.26.8"));
    assert!(found("nojsonv2", "1.28.0")[0].0.contains("no known effect in Go 1.28.0"));
    assert!(found("nosizespecializedmalloc", "1.27.3")[0].0.contains("is not an experiment"));
}

#[test]
fn each_packer_has_its_own_platforms() {
    let found = |platform: &str, pack: &str| {
        let target = format!("platform: {platform}, build: {{ pack: {pack} }}");
        let text = clean_policy().replace("platform: linux/amd64", &target);
        codes(&text).contains("unsupported-platform")
    };
    assert!(!found("linux/amd64", "execpack") && !found("linux/mipsle/hardfloat", "execpack"));
    assert!(found("linux/mipsle/hardfloat", "upx"));
    assert!(found("linux/386", "execpack") && !found("linux/386", "upx"));
    assert!(found("linux/riscv64", "execpack") && !found("linux/riscv64", "none"));
}

#[test]
fn the_function_table_is_rewritten_on_little_endian_platforms_only() {
    let found = |platform: &str, symbols: &str| {
        let target = format!("platform: {platform}, build: {{ pack: none, symbols: {symbols} }}");
        codes(&clean_policy().replace("platform: linux/amd64", &target)).contains("unsupported-platform")
    };
    assert!(found("linux/mips/softfloat", "functions") && found("linux/s390x", "none"));
    assert!(!found("linux/mips/softfloat", "all") && !found("linux/mipsle/softfloat", "functions"));
}
