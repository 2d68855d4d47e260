//! `init`: a policy from nothing, and looking around without a policy.

use featureset::upstream_data::UpstreamData;

use crate::common::{root, run};

/// The flags that the head of a policy records.
fn recorded_command(policy: &str) -> Vec<String> {
    let line = policy.lines().find_map(|line| line.strip_prefix("# tailscale-featureset ")).unwrap();
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn init_with_the_recorded_flags_writes_the_repository_policy() {
    let policy = std::fs::read_to_string(root().join("featureset.yaml")).unwrap();
    let arguments = recorded_command(&policy);
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let written = std::fs::read_to_string(folder.path().join("featureset.yaml")).unwrap();
    assert!(policy == written, "featureset.yaml is not what its head says; run the command and compare");
}

#[test]
fn init_in_an_empty_folder_writes_a_clean_policy() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--device", "openwrt", "--for", "subnet-router", "--platform", "linux/mipsle/softfloat"];
    let ran = run(folder.path(), &[&["init", "--release", "1.104.5"], &arguments[..]].concat());
    insta::assert_snapshot!("init", ran.transcript());
    let checked = run(folder.path(), &["check", "--deny", "warnings"]);
    assert_eq!((checked.status, checked.stdout.as_str()), (0, ""), "{}", checked.transcript());
    let written = std::fs::read_to_string(folder.path().join("featureset.yaml")).unwrap();
    let head: String = written.split_inclusive('\n').take_while(|line| !line.starts_with("features:")).collect();
    insta::assert_snapshot!("init_policy", head);
    let again = run(folder.path(), &["init", "--device", "openwrt", "--for", "client"]);
    assert_eq!(again.status, 2);
    assert!(again.stderr.contains("error[policy-exists]"), "{}", again.stderr);
    assert_eq!(std::fs::read_to_string(folder.path().join("featureset.yaml")).unwrap(), written);
}

#[test]
fn init_without_a_terminal_names_the_missing_flag() {
    let folder = tempfile::tempdir().unwrap();
    let shown =
        [&["init"][..], &["init", "--device", "openwrt"]].map(|arguments| run(folder.path(), arguments).transcript());
    assert!(shown.iter().all(|text| text.contains("[init-answer-missing]")), "{shown:?}");
    insta::assert_snapshot!("init_missing", shown.join("=====\n"));
}

#[test]
fn init_refuses_what_it_cannot_justify() {
    let folder = tempfile::tempdir().unwrap();
    let with = |flags: &[&str]| {
        let device = ["init", "--device", "openwrt", "--for", "subnet-router"];
        run(folder.path(), &[&device[..], flags].concat()).transcript()
    };
    let shown = [
        with(&["--without", "ipnbus"]),
        with(&["--without", "tailnetlok"]),
        with(&["--without", "c2n"]),
        with(&["--release", "1.1.1"]),
        with(&["--platform", "linux/mipsle"]),
        with(&["--platform", "linux/arm64=3.4"]),
    ];
    insta::assert_snapshot!("init_refused", shown.join("=====\n"));
    for code in ["[init-refused]", "[unknown-feature]"] {
        assert!(shown.iter().any(|text| text.contains(code)), "{code}");
    }
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "a refused policy was written");
}

#[test]
fn hazards_list_names_what_applies() {
    let folder = tempfile::tempdir().unwrap();
    let all = run(folder.path(), &["hazards", "list"]);
    assert_eq!(all.status, 0, "{}", all.transcript());
    assert!(all.stdout.contains(" ipnbus-up ") && all.stdout.contains(": 0 applying, 0 accepted"), "{}", all.stdout);
    let made = run(folder.path(), &["init", "--device", "openwrt", "--for", "subnet-router", "--release", "1.102.5"]);
    assert_eq!(made.status, 0, "{}", made.transcript());
    let applying = run(folder.path(), &["hazards", "list", "--applying"]);
    insta::assert_snapshot!("hazards_list", applying.transcript());
    let found = run(folder.path(), &["hazards", "list", "--text", "resolv.conf", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    assert!(document["total"].as_u64() > Some(40), "{}", found.stdout);
}

#[test]
fn explain_and_list_without_a_policy_use_the_newest_release() {
    let folder = tempfile::tempdir().unwrap();
    let explained = run(folder.path(), &["explain", "ssh"]);
    assert_eq!(explained.status, 0, "{}", explained.transcript());
    let newest = UpstreamData::embedded().newest_releases().last().copied().unwrap();
    assert!(explained.stdout.starts_with(&format!("ssh  undecided in Tailscale {newest}\n")), "{}", explained.stdout);
    let hazard = run(folder.path(), &["explain", "ipnbus-up"]);
    assert_eq!(hazard.status, 0, "{}", hazard.transcript());
    let listed = run(folder.path(), &["list"]);
    assert_eq!(listed.status, 0, "{}", listed.transcript());
    let features = UpstreamData::embedded().registry(newest).unwrap().features.len();
    assert!(listed.stdout.contains(&format!("{features} undecided")), "{}", listed.stdout);
    let checked = run(folder.path(), &["check"]);
    assert_eq!(checked.status, 2);
    assert!(checked.stderr.contains("tailscale-featureset init`"), "{}", checked.stderr);
    let named = run(folder.path(), &["list", "--policy", "nosuch.yaml"]);
    assert_eq!(named.status, 2, "a named policy must exist: {}", named.transcript());
}
