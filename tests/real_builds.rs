//! Real Go builds that take long: `cargo xtask ci --full` runs them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a panic is how a test reports")]

mod common;

use std::path::Path;

use common::{Ran, command, finish, folder, full, root, run, target};
use xtask::process;
use xtask::tools::{go, upx};

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

/// The size of the closest peer's recipe with our keeps: its flags, inside upstream's own module, packed by the same UPX.
fn peers_packed_size(tags: &str) -> u64 {
    let (go, upx) = (go::find_or_provide(&target()).unwrap(), upx::find_or_provide(&target()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (raw, packed) = (folder.path().join("raw"), folder.path().join("packed"));
    let (tags, output) = (format!("-tags={tags}"), format!("-o={}", raw.display()));
    let arguments = ["build", "-trimpath", "-ldflags=-s -w", "-gcflags=all=-l", &tags, &output, "./cmd/tailscaled"];
    let platform = [("GOOS", "linux"), ("GOARCH", "arm64")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut command = go.command(&arguments, &[go::plain("go1.26.8"), platform.to_vec()].concat());
    command.current_dir(go.module_cache().unwrap().join("tailscale.com@v1.102.5"));
    process::stdout(command, "").unwrap();
    process::stdout(upx.pack(&raw, &packed), "").unwrap();
    std::fs::metadata(packed).unwrap().len()
}

#[test]
fn the_packed_arm64_binary_is_within_one_percent_of_the_closest_peer_s_recipe() {
    if !full() {
        return;
    }
    let ours = folder(&std::fs::read_to_string(root().join("featureset.yaml")).unwrap());
    let ran = run(ours.path(), &["build-tailscale", "--target", "arm64"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    let ours_packed = manifest(ours.path(), "arm64")["binary"]["bytes"].as_u64().unwrap();
    let tags = run(ours.path(), &["tags"]).stdout;
    let peers = peers_packed_size(tags.trim());
    eprintln!("packed arm64: ours {ours_packed}, the peer's recipe {peers}");
    assert!(ours_packed * 100 <= peers * 101, "{ours_packed} against {peers}");
    assert!(ours_packed <= 3_800_000, "{ours_packed}");
}
