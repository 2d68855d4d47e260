//! `decide` and `accept`: one entry of the policy is written, and nothing else changes.

use std::path::Path;

use crate::common::{changed_lines, folder, router_policy, run};

fn policy_in(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("featureset.yaml")).unwrap()
}

#[test]
fn decide_writes_one_entry_and_reports_what_follows() {
    let folder = folder(&router_policy().replace("linux/arm64 }", "linux/arm64, budget: 3.4 MB }"));
    let before = policy_in(folder.path());
    let ran = run(folder.path(), &["decide", "ssh", "keep", "--reason", "People log in. They have keys."]);
    insta::assert_snapshot!("decide", ran.transcript());
    let lines = changed_lines(&before, &policy_in(folder.path()));
    insta::assert_snapshot!("decide_lines", lines.join("\n"));
    let back =
        run(folder.path(), &["decide", "ts_omit_ssh", "omit", "--reason", "Nobody logs in.", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&back.stdout).unwrap();
    let sizes = &document["estimated_bytes"]["arm64"];
    assert!(sizes["before"].as_u64() > sizes["after"].as_u64(), "{}", back.stdout);
}

#[test]
fn accept_writes_one_entry() {
    let folder = folder(&router_policy());
    let before = policy_in(folder.path());
    let ran = run(folder.path(), &["accept", "nc-dial", "--reason", "Nobody connects onward."]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let after = policy_in(folder.path());
    assert!(after.contains("nc-dial: >-\n    Nobody connects onward.\n"), "{after}");
    assert!(changed_lines(&before, &after).len() <= 4, "{:?}", changed_lines(&before, &after));
}

#[test]
fn decide_and_accept_refuse_what_they_cannot_write() {
    let folder = folder(&router_policy());
    let before = policy_in(folder.path());
    let shown = [
        &["decide", "shh", "omit", "--reason", "x"][..],
        &["decide", "ssh", "omit", "--reason", " "],
        &["accept", "nc-dail", "--reason", "x"],
        &["accept", "osrouter-tun", "--reason", "x"],
    ]
    .map(|arguments| run(folder.path(), arguments).transcript());
    insta::assert_snapshot!("decide_refused", shown.join("=====\n"));
    assert_eq!(policy_in(folder.path()), before);
    let flow = before
        .replace("features:\n", "features: # {\n")
        .replace("  ssh:\n    omit: ", "  ssh:\n    omit: # why\n      ");
    std::fs::write(folder.path().join("featureset.yaml"), &flow).unwrap();
    let ran = run(folder.path(), &["decide", "ssh", "keep", "--reason", "x"]);
    assert!(ran.status == 2 && ran.stderr.contains("[entry-not-editable]"), "{}", ran.transcript());
    assert_eq!(policy_in(folder.path()), flow);
}
