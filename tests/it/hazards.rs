//! Hazards on whole policies: the right finding or none, on a release that has it and on one that differs.

use crate::common::{GO, RELEASE, folder, policy, root, run};

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
    let text = policy(&["cachenetmap"], TARGET)
        .replace("device: { profile: openwrt, init: none, start: [], state: new, tpm: absent }\n", "");
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

/// The findings of `check` as JSON.
fn findings(text: &str) -> Vec<serde_json::Value> {
    let folder = folder(text);
    let ran = run(folder.path(), &["check", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    document["findings"].as_array().unwrap().clone()
}

/// The severity of a finding, if there is one.
fn severity(text: &str, code: &str) -> Option<String> {
    let found = findings(text).into_iter().find(|finding| finding["code"] == code)?;
    Some(found["severity"].as_str().unwrap().to_owned())
}

const DEVICE: &str = "device: { profile: openwrt, init: none, start: [], state: new, tpm: absent }\n";

fn on(text: &str, device: &str) -> String {
    assert!(text.contains(DEVICE));
    text.replace(DEVICE, &format!("device: {device}\n"))
}

/// Deletes the acceptance of a hazard.
fn unaccepted(text: &str, id: &str) -> String {
    let line = format!("  {id}: This device lives with it.\n");
    assert!(text.contains(&line), "{id}");
    text.replace(&line, "")
}

#[test]
fn check_decides_hazards_by_device_facts() {
    let clean = policy(&[], TARGET);
    for (id, known, unknown, present, severity_if_present) in [
        (
            "tpm-state",
            "{ profile: openwrt, start: [], state: new, tpm: absent }",
            "{ profile: openwrt, start: [] }",
            "{ profile: openwrt, start: [], tpm: present }",
            "error",
        ),
        (
            "flags-vanish",
            "{ profile: openwrt, start: [--no-logs-no-support], tpm: absent }",
            "{ profile: openwrt, tpm: absent }",
            "{ profile: openwrt, start: [\"--debug=:8080\"], tpm: absent }",
            "error",
        ),
        (
            "flags-vanish-newer",
            "{ profile: openwrt, start: [], state: new, tpm: absent }",
            "{ profile: openwrt, tpm: absent }",
            "{ profile: openwrt, start: [--syslog], tpm: absent }",
            "error",
        ),
        (
            "syspolicy-failopen",
            "{ profile: openwrt, start: [], state: new, tpm: absent }",
            "{ profile: systemd-host, start: [], state: new, tpm: absent }",
            "{ profile: openwrt, policy_file: present, start: [], state: new, tpm: absent }",
            "error",
        ),
        (
            "iptables-forced",
            "{ profile: openwrt, start: [TS_DEBUG_FIREWALL_MODE=nftables], tpm: absent }",
            "{ profile: openwrt, tpm: absent }",
            "{ profile: openwrt, start: [TS_DEBUG_FIREWALL_MODE=iptables], tpm: absent }",
            "error",
        ),
    ] {
        assert_eq!(severity(&on(&clean, known), id), None, "{id}");
        assert_eq!(severity(&on(&clean, unknown), id).as_deref(), Some("warning"), "{id}");
        assert_eq!(severity(&on(&clean, present), id).as_deref(), Some(severity_if_present), "{id}");
    }
}

#[test]
fn check_asks_only_for_the_flag_that_the_start_command_passes() {
    let text = on(&policy(&[], TARGET), "{ profile: openwrt, start: [\"--debug=:8080\"], tpm: absent }");
    let found = findings(&text).into_iter().find(|finding| finding["code"] == "flags-vanish").unwrap();
    assert_eq!(found["next"], "Keep `debug`. It cannot be accepted.");
    assert_eq!(found["effect"], "does-not-start");
    assert_eq!(found["edits"].as_array().unwrap().len(), 1);
}

#[test]
fn check_with_a_start_setting_that_is_not_one_is_an_error() {
    for (device, code) in [
        ("{ profile: openwrt, start: [debug] }", "unknown-device-fact"),
        ("{ profile: openwrt, start: --debug }", "wrong-type"),
    ] {
        assert_eq!(severity(&on(&policy(&[], TARGET), device), code).as_deref(), Some("error"), "{device}");
    }
}

#[test]
fn check_warns_of_a_hazard_that_a_fact_about_the_tailnet_decides() {
    let text = unaccepted(&policy(&[], TARGET), "tailnetlock-unsigned-peers");
    let found = findings(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["severity"], "warning");
    assert_eq!(found[0]["effect"], "insecure");
    assert!(found[0]["message"].as_str().unwrap().ends_with(", if the tailnet uses Tailnet Lock"), "{found:?}");
}

#[test]
fn check_offers_the_remedy_and_the_acceptance() {
    let text = unaccepted(&policy(&[], TARGET), "ssh-port22");
    let found = findings(&text);
    let edits = found[0]["edits"].as_array().unwrap();
    let titles: Vec<&str> = edits.iter().map(|edit| edit["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["keep `ssh`, and write why", "accept `ssh-port22`, and write why"]);
    // With the stub inserted, the only finding is that it has no reason.
    let line = edits[1]["place"]["line"].as_u64().unwrap() as usize - 1;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(line, edits[1]["replacement"].as_str().unwrap().trim_end());
    let codes: Vec<String> =
        findings(&(lines.join("\n") + "\n")).iter().map(|finding| finding["code"].to_string()).collect();
    assert_eq!(codes, ["\"empty-reason\""]);
}

#[test]
fn check_orders_findings_by_severity_and_effect() {
    let text = unaccepted(&unaccepted(&policy(&["posture"], TARGET), "ssh-port22"), "clientupdate-disabled");
    let text = flipped(&flipped(&text, "osrouter"), "unixsocketidentity");
    let found: Vec<String> = findings(&text).iter().map(|finding| finding["effect"].to_string()).collect();
    assert_eq!(
        found,
        ["\"does-not-start\"", "\"unusable\"", "\"broken\"", "\"broken\"", "\"silent\""],
        "clientupdate-disabled depends on the tailnet and posture-c2n is silent: warnings after the errors"
    );
}

#[test]
fn check_counts_notes_and_shows_them_if_asked() {
    let folder = folder(&policy(&[], TARGET));
    let counted = run(folder.path(), &["check"]).stderr;
    let count: usize = counted.split("no findings, ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(count > 2 && counted.ends_with(&format!("{count} notes (`--notes` shows them)\n")), "{counted}");
    let shown = run(folder.path(), &["check", "--notes"]).stderr;
    assert_eq!(shown.matches("note[").count(), count, "{shown}");
    assert!(shown.ends_with(&format!("no findings, {count} notes\n")), "{shown}");
}

#[test]
fn check_fix_deletes_acceptances_that_no_longer_apply() {
    let text = policy(&["ssh"], TARGET).replace("  ssh-port22:", "  # Above the entry.\n  ssh-port22:");
    let folder = folder(&text);
    let ran = run(folder.path(), &["check", "--fix"]);
    assert!(ran.stderr.contains("acceptances deleted: nc-dial, ssh-port22"), "{}", ran.stderr);
    let after = std::fs::read_to_string(folder.path().join("featureset.yaml")).unwrap();
    let without = |line: &str| {
        !line.contains("nc-dial:") && !line.contains("ssh-port22:") && !line.contains("# Above the entry.")
    };
    let expected: String = text.lines().filter(|line| without(line)).map(|line| format!("{line}\n")).collect();
    assert_eq!(after, expected);
}

#[test]
fn check_fix_deletes_the_section_with_its_last_acceptance() {
    let text = policy(&[], TARGET);
    let (head, rest) = text.split_once("accepted:\n").unwrap();
    let (_, features) = rest.split_once("features:\n").unwrap();
    let folder = folder(&format!("{head}accepted:\n  osrouter-tun: It is not started.\nfeatures:\n{features}"));
    run(folder.path(), &["check", "--fix"]);
    let after = std::fs::read_to_string(folder.path().join("featureset.yaml")).unwrap();
    assert_eq!(after, format!("{head}features:\n{features}"));
}

#[test]
fn check_on_1_104_without_direct_connections_is_an_error() {
    let text = policy(&[], TARGET);
    let moved = at_release(&text, "1.104.5", "1.27.3");
    let moved =
        moved.replace("  ssh-port22", "  udptransport-derp-only: Everything is relayed on purpose.\n  ssh-port22");
    for (keeps, expected) in [(&["udptransport"][..], true), (&["nattraversal", "udptransport"], false)] {
        let text = keeps.iter().fold(moved.clone(), |text, name| flipped(&text, name));
        assert_eq!(errors(&text, "1.104.5", "1.27.3").contains(&"nattraversal-derp".to_owned()), expected, "{keeps:?}");
    }
}

#[test]
fn check_of_writes_to_flash_is_an_error() {
    for (name, id) in [("cachenetmap", "cachenetmap-flash-wear"), ("logtail", "logtail-flash-wear")] {
        let text = policy(&[name], TARGET);
        assert_eq!(severity(&text, id).as_deref(), Some("error"), "{id}");
    }
}

/// The policy with decisions inverted, on a device.
fn changed(names: &[&str], device: &str) -> String {
    on(&names.iter().fold(policy(&[], TARGET), |text, name| flipped(&text, name)), device)
}

#[test]
fn check_reports_defects_of_releases_and_toolchains() {
    let severity = |text: &str, id: &str| severity(text, id);
    let warning = Some("warning".to_owned());
    let leak = unaccepted(&policy(&[], TARGET), "allowedips-leak");
    assert_eq!(severity(&leak, "allowedips-leak"), warning);
    assert_eq!(severity(&at_release(&leak, "1.104.5", "1.27.3"), "allowedips-leak"), None);
    assert_eq!(severity(&at_release(&leak, "1.96.5", GO), "allowedips-leak"), None);
    let load = unaccepted(&policy(&[], TARGET), "load-unbounded-memory");
    for (memory, expected) in [("256 MB", warning.clone()), ("1000 MB", None)] {
        let text = on(&load, &format!("{{ profile: openwrt, memory: {memory}, start: [], state: new, tpm: absent }}"));
        assert_eq!(severity(&text, "load-unbounded-memory"), expected, "{memory}");
    }
    assert_eq!(severity(&load, "load-unbounded-memory"), warning, "the memory is not stated");
    let mips = |go: &str| at_release(&policy(&[], "{ platform: linux/mipsle/softfloat }"), "1.96.5", go);
    for (go, futex, heap) in [("1.26.1", true, true), ("1.26.2", false, true), ("1.26.5", false, false)] {
        assert_eq!(severity(&mips(go), "go-mips-futex").is_some(), futex, "{go}");
        assert_eq!(severity(&mips(go), "go-32bit-heap").is_some(), heap, "{go}");
    }
    let arm64 = at_release(&policy(&[], TARGET), "1.96.5", "1.26.1");
    assert_eq!((severity(&arm64, "go-mips-futex"), severity(&arm64, "go-32bit-heap")), (None, None));
    for (fpu, expected) in [("absent", Some("error".to_owned())), ("present", None)] {
        let device = format!("{{ profile: openwrt, fpu: {fpu}, start: [], state: new, tpm: absent }}");
        let text = policy(&[], "{ platform: linux/mipsle/hardfloat, pack: none }");
        assert_eq!(severity(&on(&text, &device), "mips-hardfloat"), expected);
        assert_eq!(severity(&changed(&[], &device), "mips-hardfloat"), None);
    }
}

#[test]
fn check_reports_hazards_of_decisions_on_devices() {
    let device = |facts: &str| format!("{{ profile: openwrt, start: [], state: new, tpm: absent{facts} }}");
    let plain = device("");
    for (id, names, triggers, clear) in [
        ("iptables-nftables-only", &["iptables"][..], plain.clone(), device(", firewall: iptables")),
        ("iptables-legacy-kernel", &[], device(", firewall: iptables"), plain.clone()),
        ("magicdns-lan-resolver", &[], device(", dns_server: present"), plain.clone()),
        ("ssh-no-users", &["ssh"], device(", users: absent"), plain.clone()),
    ] {
        assert!(severity(&changed(names, &triggers), id).is_some(), "{id}");
        assert_eq!(severity(&changed(names, &clear), id), None, "{id}");
    }
    let at = |text: &str, release: &str, go: &str, id: &str| severity(&at_release(text, release, go), id);
    let moved = changed(&[], "{ profile: openwrt, start: [], state: moved, tpm: absent }");
    assert_eq!(at(&moved, "1.100.0", GO, "exit-node-route-stays").as_deref(), Some("warning"));
    assert_eq!(at(&changed(&[], &plain), "1.100.0", GO, "exit-node-route-stays"), None);
    assert_eq!(severity(&moved, "exit-node-route-stays"), None, "1.102 blocks the traffic without the feature");
    let tpm = changed(&["tpm"], "{ profile: openwrt, start: [], state: new, tpm: present }");
    assert_eq!(at(&tpm, "1.90.9", GO, "tpm-sealed-by-default").as_deref(), Some("warning"));
    assert_eq!(at(&tpm, "1.94.2", GO, "tpm-sealed-by-default"), None);
    let off =
        on(&policy(&[], TARGET), "{ profile: openwrt, start: [\"TS_DISABLE_FEATURE=dns\"], state: new, tpm: absent }");
    assert_eq!(at(&off, "1.104.5", "1.27.3", "feature-off-at-run-time").as_deref(), Some("warning"));
    assert_eq!(severity(&off, "feature-off-at-run-time"), None, "1.102 does not know the variable");
    let moved = at_release(&policy(&[], TARGET), "1.104.5", "1.27.3");
    assert_eq!(severity(&moved, "dnsresolvecache-flash"), None);
    assert_eq!(severity(&flipped(&moved, "dnsresolvecache"), "dnsresolvecache-flash").as_deref(), Some("warning"));
}

/// The codes of the findings of `check` on this repository's policy, changed, without its acceptances; and whether a fact
/// about the device would decide the hazard.
fn without_acceptances(change: impl Fn(&str) -> String) -> Vec<(String, bool)> {
    let text = change(&std::fs::read_to_string(root().join("featureset.yaml")).unwrap());
    let (head, rest) = text.split_once("accepted:\n").unwrap();
    let (_, features) = rest.split_once("features:\n").unwrap();
    let found = findings(&format!("{head}features:\n{features}"));
    let mut found: Vec<(String, bool)> = found
        .iter()
        .map(|finding| (finding["code"].as_str().unwrap(), finding["next"].as_str().unwrap()))
        .map(|(code, next)| (code.to_owned(), next.contains("state `device.")))
        .collect();
    found.sort();
    found
}

#[test]
fn no_acceptance_of_this_repository_could_be_a_fact() {
    let found = without_acceptances(str::to_owned);
    let text = std::fs::read_to_string(root().join("featureset.yaml")).unwrap();
    let (_, accepted) = text.split_once("accepted:\n").unwrap();
    let (accepted, _) = accepted.split_once("\n\n").unwrap();
    let names = accepted.lines().filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    let names: Vec<(String, bool)> = names.map(|line| (line.split(':').next().unwrap().to_owned(), false)).collect();
    assert!(!names.is_empty());
    assert_eq!(found, names, "each is a hazard of the policy, and no fact decides it");
    let unknown = without_acceptances(|text| text.replace("  profile: routeros-container\n", ""));
    assert!(unknown.contains(&("tpm-state".to_owned(), true)), "{unknown:?}");
}

/// The codes of the hazards that `audit` reports for a recipe.
fn audited(file: &str, recipe: &str) -> Vec<String> {
    let folder = folder("");
    std::fs::write(folder.path().join(file), recipe).unwrap();
    let ran = run(folder.path(), &["audit", file, "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let findings = document["sources"][0]["lists"][0]["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn audit_takes_the_toolchain_and_the_packer_from_the_recipe() {
    let recipe = |go: &str, upx: &str, goarch: &str| {
        format!(
            "FROM golang:{go}\nRUN git clone -b v1.98.4 https://github.com/tailscale/tailscale /src\nWORKDIR /src\n\
             RUN curl -L https://github.com/upx/upx/releases/download/v{upx}/upx-{upx}-amd64_linux.tar.xz | tar xJ\n\
             RUN GOOS=linux GOARCH={goarch} go build -tags ts_include_cli -o tailscaled ./cmd/tailscaled\n\
             RUN upx --lzma tailscaled\n"
        )
    };
    let has = |found: &[String], id: &str| found.iter().any(|code| code == id);
    let arm = audited("Dockerfile", &recipe("1.26.3", "4.2.2", "arm"));
    assert!(has(&arm, "go-32bit-heap") && has(&arm, "upx-arm-whole-pages") && has(&arm, "allowedips-leak"), "{arm:?}");
    assert!(!has(&arm, "upx-memfd") && !has(&arm, "go-mips-futex"), "{arm:?}");
    let newer = audited("Dockerfile", &recipe("1.26.5", "5.2.1", "arm"));
    assert!(!has(&newer, "go-32bit-heap") && !has(&newer, "upx-arm-whole-pages"), "{newer:?}");
    assert!(has(&newer, "upx-memfd"), "{newer:?}");
    let arm64 = audited("Dockerfile", &recipe("1.26.3", "4.2.2", "arm64"));
    assert!(!has(&arm64, "go-32bit-heap") && !has(&arm64, "upx-arm-whole-pages"), "{arm64:?}");
}

#[test]
fn audit_of_a_tsnet_program_needs_ipnbus() {
    let recipe = |tags: &str| format!("go get tailscale.com@v1.102.5\ngo build -tags {tags} -o prog ./cmd/prog\n");
    let found = audited("build.sh", &recipe("ts_omit_ipnbus,ts_omit_ssh"));
    assert!(found.contains(&"ipnbus-tsnet".to_owned()) && !found.contains(&"ipnbus-up".to_owned()), "{found:?}");
    assert!(!audited("build.sh", &recipe("ts_omit_aws,ts_omit_ssh")).contains(&"ipnbus-tsnet".to_owned()));
}
