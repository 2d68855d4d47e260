//! Real Go builds that take long: `cargo xtask ci --full` runs them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a panic is how a test reports")]

mod common;

use std::path::Path;

use common::{Ran, command, finish, folder, full, policy, root, run};

fn manifest(folder: &Path, target: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(folder.join("target/tailscale").join(target).join("manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn build(folder: &Path, target: &str, cache: &Path) -> Ran {
    let mut command = command(folder, &["build-tailscale", "--target", target]);
    command.env("GOCACHE", cache);
    finish(command)
}

#[test]
fn two_folders_and_two_empty_caches_give_the_same_bytes() {
    if !full() {
        return;
    }
    let text = std::fs::read_to_string(root().join("featureset.yaml")).unwrap();
    let digests: Vec<serde_json::Value> = (0..2)
        .map(|_| {
            let (project, cache) = (folder(&text), tempfile::tempdir().unwrap());
            let ran = build(project.path(), "amd64", cache.path());
            assert_eq!(ran.status, 0, "{}", ran.shown());
            let manifest = manifest(project.path(), "amd64");
            assert_eq!(manifest["executed"]["tailscale"], "1.102.5");
            serde_json::json!([manifest["unpacked"], manifest["binary"]])
        })
        .collect();
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_pair_that_upstream_does_not_compile_is_explained() {
    if !full() {
        return;
    }
    for (keep, wanted) in [("syspolicy", "clientmetrics"), ("acme", "serve")] {
        let project = folder(&policy(&["cli", keep], "{ platform: linux/amd64, pack: none }"));
        let ran = run(project.path(), &["build-tailscale"]);
        assert_eq!(ran.status, 1, "{}", ran.shown());
        let (kept, omitted) = (format!("omit `{keep}`"), format!("keep `{wanted}`"));
        let named =
            ran.stderr.contains("does-not-compile") && ran.stderr.contains(&kept) && ran.stderr.contains(&omitted);
        assert!(named, "{}", ran.shown());
    }
}

#[test]
fn the_packed_arm64_binary_is_within_one_percent_of_the_closest_peer_s_recipe() {
    if !full() {
        return;
    }
    // The peer's flags: `-gcflags=all=-l`, `-s -w`, `-trimpath`; the same keeps, and both built in this run.
    let text = std::fs::read_to_string(root().join("featureset.yaml")).unwrap();
    let (ours, peers) = (folder(&text), folder(&text.replace("inlining: full", "inlining: none")));
    for project in [&ours, &peers] {
        let ran = run(project.path(), &["build-tailscale", "--target", "arm64"]);
        assert_eq!(ran.status, 0, "{}", ran.shown());
    }
    let bytes = |project: &tempfile::TempDir| manifest(project.path(), "arm64")["binary"]["bytes"].as_f64().unwrap();
    let ratio = bytes(&ours) / bytes(&peers);
    assert!(ratio <= 1.01, "{ratio}");
    assert!(bytes(&ours) <= 3_800_000.0);
}
