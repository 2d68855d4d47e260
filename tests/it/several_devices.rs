//! One policy for several devices: targets with their own device, decisions and image.

use serde_json::Value;

use crate::common::{Ran, folder, full, run};

/// The policy of a RouterOS and an OpenWrt router, which the documentation shows.
pub(crate) const TWO_ROUTERS: &str = include_str!("../policies/two-routers.yaml");

fn run_in(policy: &str, arguments: &[&str]) -> Ran {
    run(folder(policy).path(), arguments)
}

fn document(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.transcript()))
}

/// Returns the example with one text replaced.
fn changed(from: &str, to: &str) -> String {
    assert!(TWO_ROUTERS.contains(from), "{from}");
    TWO_ROUTERS.replacen(from, to, 1)
}

#[test]
fn check_of_two_routers_is_clean() {
    let ran = run_in(TWO_ROUTERS, &["check", "--deny", "warnings"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
}

#[test]
fn check_names_the_targets_of_a_finding_once() {
    let text = changed("      dbus:\n        keep: Needed by ssh.\n", "");
    let ran = run_in(&text, &["check", "--format", "json"]);
    assert_eq!(ran.status, 1, "{}", ran.transcript());
    let document = document(&ran);
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{}", ran.transcript());
    assert_eq!(findings[0]["targets"], serde_json::json!(["openwrt"]));
    assert!(findings[0]["message"].as_str().unwrap().ends_with("(target openwrt)"));
    insta::assert_snapshot!(run_in(&text, &["check"]).stderr);
}

#[test]
fn check_of_wrong_overrides_reports_each() {
    let own = "    image: none\n";
    for (from, to, code) in [
        (own, "    image: none\n    packs: none\n", "unknown-key"),
        (own, "    image: none\n    pack: none\n", "unknown-key"),
        (own, "    image: nothing\n", "unknown-value"),
        ("      ssh:\n", "      shh:\n", "unknown-feature"),
        ("      symbols: none ", "      symbols: functions ", "redundant-override"),
        ("        keep: Needed by ssh.\n", "", "undecided-feature"),
    ] {
        let ran = run_in(&changed(from, to), &["check", "--deny", "warnings"]);
        assert_eq!(ran.status, 1, "{to}: {}", ran.transcript());
        assert!(ran.stderr.contains(&format!("[{code}]")), "{to}: {}", ran.stderr);
    }
}

#[test]
fn tags_of_targets_that_differ_require_a_target() {
    let ran = run_in(TWO_ROUTERS, &["tags"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("[several-targets]") && ran.stderr.contains("openwrt; routeros"), "{}", ran.stderr);
    let tags = |target: &str| {
        let ran = run_in(TWO_ROUTERS, &["tags", "--target", target]);
        assert_eq!(ran.status, 0, "{}", ran.transcript());
        ran.stdout.trim().split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    let (openwrt, routeros) = (tags("openwrt"), tags("routeros"));
    let without = |these: &[String], those: &[String]| {
        these.iter().filter(|tag| !those.contains(tag)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(without(&routeros, &openwrt), ["ts_omit_dbus", "ts_omit_ssh"]);
    assert_eq!(without(&openwrt, &routeros), ["ts_omit_bakedroots"]);
}

#[test]
fn tags_of_targets_that_agree_are_one_line() {
    let start = TWO_ROUTERS.find("    features:\n").unwrap();
    let end = TWO_ROUTERS.find("  routeros:\n").unwrap();
    let text = format!("{}{}", &TWO_ROUTERS[..start], &TWO_ROUTERS[end..]);
    let ran = run_in(&text, &["tags"]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (0, 1), "{}", ran.transcript());
}

#[test]
fn list_shows_the_common_decisions_or_those_of_a_target() {
    let decision = |arguments: &[&str]| {
        let document = document(&run_in(TWO_ROUTERS, &[&["list", "--format", "json"], arguments].concat()));
        let features = document["features"].as_array().unwrap().clone();
        features.into_iter().find(|row| row["feature"] == "ssh").unwrap()
    };
    let common = decision(&[]);
    assert_eq!((&common["decision"], &common["overrides"]["openwrt"]), (&"omit".into(), &"keep".into()));
    assert_eq!(decision(&["--target", "openwrt"])["decision"], "keep");
    assert_eq!(decision(&["--target", "routeros"])["decision"], "omit");
    let shown = run_in(TWO_ROUTERS, &["list"]).stdout;
    assert!(shown.contains("openwrt: keep dbus, ssh; omit bakedroots"), "{shown}");
}

#[test]
fn explain_shows_the_common_decision_and_the_overrides() {
    let common = run_in(TWO_ROUTERS, &["explain", "ssh"]).stdout;
    assert!(common.starts_with("ssh  omitted") && common.contains("on openwrt  kept\n  People log in"), "{common}");
    let own = run_in(TWO_ROUTERS, &["explain", "ssh", "--target", "openwrt"]).stdout;
    assert!(own.starts_with("ssh  kept") && own.contains("dbus      kept"), "{own}");
    let hazard = run_in(TWO_ROUTERS, &["explain", "ssh-port22"]).stdout;
    assert!(
        hazard.contains("accepted (routeros)") && hazard.contains("does not apply to this policy (openwrt)"),
        "{hazard}"
    );
}

#[test]
fn commands_refuse_an_unknown_target_and_name_the_nearest() {
    for command in
        ["tags", "list", "explain ssh", "build-tailscale", "image", "verify", "measure", "bench", "symbolize x"]
    {
        let arguments: Vec<&str> = command.split(' ').chain(["--target", "openwr"]).collect();
        let ran = run_in(TWO_ROUTERS, &arguments);
        assert_eq!(ran.status, 2, "{command}: {}", ran.transcript());
        assert!(ran.stderr.contains("[unknown-target]"), "{command}: {}", ran.stderr);
        assert!(ran.stderr.contains("Did you mean `openwrt`?"), "{command}: {}", ran.stderr);
    }
}

#[test]
fn build_dry_run_has_the_tags_and_the_settings_of_each_target() {
    let ran = run_in(TWO_ROUTERS, &["build-tailscale", "--dry-run"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let (openwrt, routeros) = ran.stdout.split_once("# routeros:").unwrap();
    assert!(openwrt.contains("GOMIPS=softfloat") && !openwrt.contains("ts_omit_ssh"), "{openwrt}");
    assert!(openwrt.contains("(symbols none)"), "{openwrt}");
    assert!(routeros.contains("ts_omit_ssh") && routeros.contains("(symbols functions)"), "{routeros}");
}

#[test]
fn image_of_a_target_without_one_is_refused() {
    let ran = run_in(TWO_ROUTERS, &["image", "--target", "openwrt"]);
    assert_eq!(ran.status, 2, "{}", ran.transcript());
    assert!(ran.stderr.contains("[no-image]"), "{}", ran.stderr);
    let none = changed("image:\n  shell: mksh\n", "").replace("    image: none\n", "");
    let ran = run_in(&none, &["image"]);
    assert_eq!(ran.status, 2, "{}", ran.transcript());
    assert!(ran.stderr.contains("`openwrt`, `routeros`"), "{}", ran.stderr);
}

#[test]
fn build_of_a_policy_with_missing_reasons_offers_a_draft() {
    let text = changed(
        "        keep: People log in on this router through Tailscale SSH; it has a shell and users.\n",
        "        keep:\n",
    );
    let ran = run_in(&text, &["build-tailscale", "--dry-run"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{}", ran.transcript());
    assert!(ran.stderr.contains("[empty-reason]") && ran.stderr.contains("`--draft`"), "{}", ran.stderr);
    let draft = run_in(&text, &["build-tailscale", "--dry-run", "--draft"]);
    assert_eq!(draft.status, 0, "{}", draft.transcript());
    let broken = text.replacen("      dbus:\n        keep: Needed by ssh.\n", "", 1);
    let ran = run_in(&broken, &["build-tailscale", "--dry-run", "--draft"]);
    assert_eq!(ran.status, 1, "{}", ran.transcript());
    assert!(ran.stderr.contains("[open-dependency]"), "{}", ran.stderr);
}

#[test]
fn frontier_starts_from_the_selection_of_each_target() {
    let ran = run_in(TWO_ROUTERS, &["measure", "frontier", "--budget", "1MB", "--format", "json"]);
    assert_eq!(ran.status, 1, "{}", ran.transcript());
    let document = document(&ran);
    let names = |target: &str, list: &Value, key: &str| -> Vec<String> {
        let list = list.as_array().unwrap_or_else(|| panic!("{target}: {}", ran.transcript()));
        list.iter().map(|one| one[key].as_str().unwrap().to_owned()).collect()
    };
    for (target, has_ssh) in [("openwrt", true), ("routeros", false)] {
        let found = &document["targets"][target];
        let drops = names(target, &found["lowest"]["drops"], "feature");
        // dbus takes ssh along.
        assert_eq!(drops.iter().any(|name| name == "dbus"), has_ssh, "{target}: {drops:?}");
        assert!(!drops.iter().any(|name| name == "cli"), "{target}: nobody could log in");
        let levers = names(target, &found["levers"], "setting");
        assert_eq!(levers.iter().any(|name| name == "symbols: none"), !has_ssh, "{target}: {levers:?}");
    }
}

#[test]
fn import_takes_the_reasons_of_a_target() {
    let folder = folder(TWO_ROUTERS);
    let tags = run(folder.path(), &["tags", "--target", "openwrt"]).stdout;
    let arguments = ["import", "--tags", tags.trim(), "--release", crate::common::RELEASE, "-o", "-"];
    let ran = run(folder.path(), &[&arguments[..], &["--reasons-from", "featureset.yaml"]].concat());
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stdout.contains("People log in on this router through Tailscale SSH"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("    keep:\n") && !ran.stdout.contains("    omit:\n"), "{}", ran.stdout);
}

#[test]
fn symbolize_asks_for_a_target_and_reads_its_binary() {
    let folder = folder(TWO_ROUTERS);
    std::fs::write(folder.path().join("trace"), "goroutine 1 [running]:\n").unwrap();
    let several = run(folder.path(), &["symbolize", "trace"]);
    assert!(several.stderr.contains("[several-targets]"), "{}", several.transcript());
    let own = run(folder.path(), &["symbolize", "trace", "--target", "openwrt"]);
    assert_eq!(own.status, 2, "{}", own.transcript());
    assert!(own.stderr.contains("[not-built]") && own.stderr.contains("openwrt"), "{}", own.transcript());
}

#[test]
fn audit_uses_the_decisions_of_a_target_of_the_policy() {
    let folder = folder(TWO_ROUTERS);
    let accepted = |target: &str| {
        let tags = run(folder.path(), &["tags", "--target", "routeros"]).stdout;
        let arguments = ["audit", "--tags", tags.trim(), "--policy", "featureset.yaml", "--target", target];
        let ran =
            run(folder.path(), &[&arguments[..], &["--release", crate::common::RELEASE, "--format", "json"]].concat());
        let document = document(&ran);
        let findings = document["sources"][0]["lists"][0]["findings"].as_array().unwrap().clone();
        let found = findings.into_iter().find(|finding| finding["code"] == "ssh-port22").unwrap();
        found["severity"].as_str().unwrap().to_owned()
    };
    assert_eq!(accepted("routeros"), "note");
    assert_ne!(accepted("openwrt"), "note", "its decision on ssh is another one, so the acceptance does not cover it");
    let ran = run(folder.path(), &["audit", "--tags", "", "--target", "openwrt"]);
    assert_eq!(ran.status, 2, "{}", ran.transcript());
}

#[test]
fn build_and_image_of_two_routers_follow_each_target() {
    if !full() {
        return;
    }
    // The reason of one target's own decision is missing.
    let text = changed("        keep: Needed by ssh.\n", "        keep:\n");
    let folder = folder(&text);
    let ran = run(folder.path(), &["build-tailscale", "--draft"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let manifest = |target: &str| -> Value {
        let path = folder.path().join("target/tailscale").join(target).join("manifest.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let has = |target: &str, feature: &str| manifest(target)["kept"].as_array().unwrap().contains(&feature.into());
    assert!(has("openwrt", "ssh") && !has("openwrt", "bakedroots"));
    assert!(!has("routeros", "ssh") && has("routeros", "bakedroots"));
    assert_eq!((&manifest("openwrt")["draft"], &manifest("routeros")["draft"]), (&true.into(), &Value::Null));
    let image = |arguments: &[&str]| run(folder.path(), &[&["image"], arguments].concat());
    assert_eq!(image(&[]).status, 1, "a reason is missing");
    let ran = image(&["--draft"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stderr.contains("openwrt: it has no image"), "{}", ran.stderr);
    let images = folder.path().join("target/image");
    let names: Vec<_> = std::fs::read_dir(&images).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["routeros"]);
    assert!(images.join("routeros").join(format!("tailscale-{}-routeros.tar", crate::common::RELEASE)).is_file());
    // With the reason, the manifest is no longer that of a draft; nothing is built again.
    std::fs::write(folder.path().join("featureset.yaml"), TWO_ROUTERS).unwrap();
    let ran = run(folder.path(), &["build-tailscale", "--target", "openwrt"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stderr.contains("only the mark of a draft has changed"), "{}", ran.stderr);
    assert_eq!(manifest("openwrt")["draft"], Value::Null);
}

#[test]
fn decide_and_accept_write_into_the_section_of_a_target() {
    let folder = folder(TWO_ROUTERS);
    let reason = ["--reason", "This router is behind another one that speaks no NAT-PMP."];
    let decide = |target: &str| {
        run(folder.path(), &[&["decide", "portmapper", "omit", "--target", target], &reason[..]].concat())
    };
    let ran = decide("openwrt");
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stderr.contains("portmapper: omitted on openwrt"), "{}", ran.stderr);
    let list = |target: &str| {
        let document = document(&run(folder.path(), &["list", "--target", target, "--format", "json"]));
        let features = document["features"].as_array().unwrap().clone();
        features.into_iter().find(|row| row["feature"] == "portmapper").unwrap()["decision"].clone()
    };
    assert_eq!((list("openwrt"), list("routeros")), ("omit".into(), "keep".into()));
    assert_eq!(run(folder.path(), &["check", "--deny", "warnings"]).status, 0);
    assert!(decide("openwr").stderr.contains("Did you mean `openwrt`?"));
    let ran = run(folder.path(), &[&["accept", "nc-dial", "--target", "openwrt"], &reason[..]].concat());
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let text = std::fs::read_to_string(folder.path().join("featureset.yaml")).unwrap();
    assert!(text.contains("      nc-dial: >-\n        This router is behind"), "{text}");
}
