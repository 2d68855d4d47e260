//! Real Go builds that take long: `cargo xtask ci --full` runs them.

use std::path::Path;

use crate::common::{RELEASE, Ran, TOOLCHAIN, cache, command, finish, folder, full, router_policy, run};
use object::{Object, ObjectSection};
use tailscale_featureset::commands::build_tailscale;
use tailscale_featureset::process;
use tailscale_featureset::tools::{go, upx};

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
fn build_in_two_folders_with_empty_caches_is_identical() {
    if !full() {
        return;
    }
    let text = router_policy();
    let digests: Vec<serde_json::Value> = (0..2)
        .map(|_| {
            let (project, cache) = (folder(&text), tempfile::tempdir().unwrap());
            let ran = build(project.path(), "amd64", cache.path());
            assert_eq!(ran.status, 0, "{}", ran.transcript());
            let manifest = manifest(project.path(), "amd64");
            assert_eq!(manifest["executed"]["tailscale"], RELEASE);
            serde_json::json!([manifest["unpacked"], manifest["binary"]])
        })
        .collect();
    assert_eq!(digests[0], digests[1]);
}

/// The size of the closest peer's recipe with our keeps: its flags, inside upstream's own module, packed by UPX.
fn peers_packed_size(tags: &str, variables: &[(&str, &str)]) -> u64 {
    let (go, upx) = (go::find_or_provide(&cache()).unwrap(), upx::find_or_provide(&cache()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (raw, packed) = (folder.path().join("raw"), folder.path().join("packed"));
    let (tags, output) = (format!("-tags={tags}"), format!("-o={}", raw.display()));
    let arguments = ["build", "-trimpath", "-ldflags=-s -w", "-gcflags=all=-l", &tags, &output, "./cmd/tailscaled"];
    let platform = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>();
    let mut command = go.command(&arguments, &[go::plain(TOOLCHAIN), platform].concat());
    command.current_dir(go.module_cache().unwrap().join(format!("tailscale.com@v{RELEASE}")));
    process::stdout(command, "").unwrap();
    // The peer's own arguments, not ours.
    let mut pack = std::process::Command::new(&upx.program);
    pack.args(["-q", "-q", "--lzma", "--best", "-o"]).args([&packed, &raw]);
    process::stdout(pack, "").unwrap();
    std::fs::metadata(packed).unwrap().len()
}

/// Asserts that the machine code of the binary is unchanged, and at the same address, since Go linked it.
fn runs_the_code_that_was_linked(folder: &Path, target: &str) {
    let shrunk = std::fs::read(folder.join("target/tailscale").join(target).join("tailscaled.unpacked")).unwrap();
    let linked = std::fs::read(build_tailscale::unstripped_path(&folder.join("target"), &shrunk).unwrap()).unwrap();
    let text = |bytes: &[u8]| {
        let file = object::File::parse(bytes).unwrap();
        let text = file.section_by_name(".text").unwrap();
        (text.address(), text.data().unwrap().to_vec())
    };
    assert!(text(&linked).1.len() > 5_000_000);
    assert!(text(&linked) == text(&shrunk), "{target}: the code differs");
    assert_ne!(linked.len(), shrunk.len());
}

type Variables = &'static [(&'static str, &'static str)];

/// The largest size of each target's packed binary, in hundredths of the closest peer's: with function names, and without.
const OF_THE_PEERS: [(&str, Variables, u64, u64); 4] = [
    ("amd64", &[("GOOS", "linux"), ("GOARCH", "amd64")], 73, 71),
    ("arm", &[("GOOS", "linux"), ("GOARCH", "arm"), ("GOARM", "7")], 84, 82),
    ("arm64", &[("GOOS", "linux"), ("GOARCH", "arm64")], 78, 76),
    ("armv5", &[("GOOS", "linux"), ("GOARCH", "arm"), ("GOARM", "5")], 84, 82),
];

#[test]
fn build_with_inlining_and_names_is_smaller_than_of_the_closest_peer() {
    if !full() {
        return;
    }
    let text = router_policy();
    assert!(text.contains("  inlining: full\n  symbols: functions\n"));
    let (named, nameless) = (folder(&text), folder(&text.replace("symbols: functions", "symbols: none")));
    for project in [&named, &nameless] {
        let ran = run(project.path(), &["build-tailscale"]);
        assert_eq!(ran.status, 0, "{}", ran.transcript());
    }
    let tags = run(named.path(), &["tags"]).stdout;
    for (target, variables, most, most_nameless) in OF_THE_PEERS {
        let size = |folder: &Path| manifest(folder, target)["binary"]["bytes"].as_u64().unwrap();
        let (ours, bare) = (size(named.path()), size(nameless.path()));
        let peers = peers_packed_size(tags.trim(), variables);
        eprintln!("packed {target}: functions {ours}, none {bare}, the peer's recipe {peers}");
        for project in [named.path(), nameless.path()] {
            runs_the_code_that_was_linked(project, target);
        }
        assert!(ours * 100 <= peers * most, "{target}: {ours}, {bare} of {peers}");
        assert!(bare * 100 <= peers * most_nameless, "{target}: {ours}, {bare} of {peers}");
    }
    assert!(manifest(named.path(), "arm64")["binary"]["bytes"].as_u64().unwrap() < 2_950_000);
}
