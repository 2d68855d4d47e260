//! The workflows without GitHub: every one is checked, and the scripts of the release run with programs in the place of those
//! that need GitHub.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{RELEASE, Ran, finish, full, root, skip};
use tailscale_featureset::files;
use tailscale_featureset::process::on_path;

/// The version of actionlint, a module of Go.
const ACTIONLINT: &str = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";

fn workflows() -> Vec<PathBuf> {
    let listed = std::fs::read_dir(root().join(".github/workflows")).unwrap();
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn parsed(path: &Path) -> Value {
    serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn steps(workflow: &Value) -> Vec<Value> {
    let jobs = workflow["jobs"].as_object().unwrap().values();
    jobs.flat_map(|job| job["steps"].as_array().unwrap().clone()).collect()
}

#[test]
fn actions_and_images_are_pinned_by_digest() {
    let is_digest = |text: &str, length| text.len() == length && text.chars().all(|c| c.is_ascii_hexdigit());
    let mut pins = 0;
    for path in workflows().into_iter().chain([root().join("action.yml")]) {
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let line = line.trim().trim_start_matches("- ");
            if let Some(uses) = line.strip_prefix("uses: ") {
                let (action, version) = uses.split_once(" # ").unwrap_or((uses, ""));
                let digest = action.rsplit_once('@').map_or("", |(_, digest)| digest);
                assert!(is_digest(digest, 40) && version.starts_with('v'), "{}: {line}", path.display());
                pins += 1;
            } else if let Some(image) = line.strip_prefix("image: ") {
                let digest = image.rsplit_once("@sha256:").map_or("", |(_, digest)| digest);
                assert!(is_digest(digest, 64), "{}: {line}", path.display());
            }
        }
    }
    assert!(pins > 20, "{pins}");
}

#[test]
fn scripts_of_workflows_pass_shellcheck() {
    if on_path("shellcheck").is_none() {
        return skip("shellcheck is not installed");
    }
    for path in workflows() {
        for script in steps(&parsed(&path)).iter().filter_map(|step| step["run"].as_str()) {
            // GitHub replaces expressions before the shell reads the script.
            let script = script.replace("${{ matrix.shard }}", "1");
            assert!(!script.contains("${{"), "{}: {script}", path.display());
            let mut child =
                Command::new("shellcheck").args(["--shell=bash", "-"]).stdin(Stdio::piped()).spawn().unwrap();
            let script = format!("#!/bin/bash -e\nset -o pipefail\n{script}");
            child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success(), "{}: {script}", path.display());
        }
    }
}

#[test]
fn workflows_pass_actionlint() {
    if !full() {
        return;
    }
    let Some(go) = on_path("go") else { return skip("go is not installed") };
    let folder = tempfile::tempdir().unwrap();
    let mut lint = Command::new(go);
    lint.args(["run", ACTIONLINT]).args(workflows()).current_dir(&folder);
    let ran = finish(lint);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
}

#[test]
fn release_gives_each_job_the_least_rights() {
    let release = parsed(&root().join(".github/workflows/release.yml"));
    assert_eq!(release["permissions"], serde_json::json!({}));
    for (name, job) in release["jobs"].as_object().unwrap() {
        let may_write: Vec<&str> = job["permissions"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, right)| *right == "write")
            .map(|(what, _)| what.as_str())
            .collect();
        let expected: &[&str] = match name.as_str() {
            "publish" => &["packages", "id-token", "attestations"],
            "release" => &["contents"],
            _ => &[],
        };
        assert_eq!(may_write, expected, "{name}");
    }
    // The job that may write the release runs no code of the repository.
    let last = release["jobs"]["release"]["steps"].to_string();
    assert!(!last.contains("checkout") && !last.contains("cargo"), "{last}");
}

/// A machine of GitHub's, as far as the scripts of the release see one.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for name in ["work", "bin", "temp"] {
            std::fs::create_dir(machine.path(name)).unwrap();
        }
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        files::write(&self.path("work").join(name), text).unwrap();
    }

    /// Puts a program in the place of one that does not work here. It records its arguments and what it reads.
    fn replace(&self, program: &str, script: &str) {
        let calls = self.path("calls").display().to_string();
        let text = format!("#!/bin/sh\necho {program} \"$@\" >>{calls}\n{script}\n");
        files::write_executable(&self.path("bin").join(program), text.as_bytes()).unwrap();
    }

    fn calls(&self) -> String {
        std::fs::read_to_string(self.path("calls")).unwrap_or_default()
    }

    /// Runs the script of a step; returns what it did and its outputs.
    fn step(&self, id: &str, variables: &[(&str, &str)]) -> (Ran, BTreeMap<String, String>) {
        let release = parsed(&root().join(".github/workflows/release.yml"));
        let step = steps(&release).into_iter().find(|step| step["id"] == id).unwrap();
        let outputs = self.path("outputs");
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()]);
        bash.current_dir(self.path("work")).env_clear();
        bash.env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display())).env("HOME", self.path("temp"));
        bash.env("GITHUB_OUTPUT", &outputs)
            .env("GITHUB_REPOSITORY_OWNER", "Some-Owner")
            .envs(variables.iter().copied());
        let ran = finish(bash);
        let text = std::fs::read_to_string(outputs).unwrap_or_default();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        (ran, pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

#[test]
fn release_tag_must_name_the_pinned_release() {
    let machine = Machine::new();
    machine.write("featureset.yaml", &format!("tailscale: {RELEASE}   # pinned\n"));
    let (ran, outputs) = machine.step("name", &[("GITHUB_REF_NAME", &format!("v{RELEASE}-2"))]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert_eq!(outputs["name"], "ghcr.io/some-owner/tailscale-routeros");
    assert_eq!(outputs["tag"], format!("{RELEASE}-2"));
    for tag in [format!("v{RELEASE}"), format!("v{RELEASE}-0"), "v1.0.0-1".to_owned(), "v-1".to_owned()] {
        let (ran, _) = machine.step("name", &[("GITHUB_REF_NAME", &tag)]);
        assert_eq!(ran.status, 1, "{tag}: {}", ran.transcript());
        assert!(ran.stdout.contains(&format!("must be v{RELEASE}-1")), "{}", ran.transcript());
    }
}

#[test]
fn release_verifies_every_target_and_publishes_once() {
    let machine = Machine::new();
    for target in ["amd64", "armv5"] {
        machine.write(&format!("target/tailscale/{target}/tailscaled"), target);
    }
    machine.replace("cargo", "");
    assert_eq!(machine.step("verify", &[]).0.status, 0);
    let digest = format!("sha256:{}", "0a".repeat(32));
    machine.replace(
        "cargo",
        &format!("printf '{{\\n  \"tag\": \"1\",\\n  \"digest\": \"{digest}\",\\n  \"moved\": []\\n}}\\n'"),
    );
    let given = [("NAME", "ghcr.io/some-owner/tailscale-routeros"), ("TAG", "1-2")];
    let (ran, outputs) = machine.step("publish", &given);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert_eq!(outputs["digest"], digest);
    insta::assert_snapshot!(machine.calls());
    machine.replace("cargo", "exit 2");
    assert_eq!(machine.step("publish", &given).0.status, 2);
}

#[test]
fn release_refuses_a_build_that_is_not_reproduced() {
    let machine = Machine::new();
    machine.write("target/tailscale/arm64/tailscaled", "x");
    let sum = image::sha256(b"x");
    machine.write("target/reference.txt", &format!("{sum}  target/tailscale/arm64/tailscaled\n"));
    assert_eq!(machine.step("reproduced", &[]).0.status, 0);
    machine.write("target/tailscale/arm64/tailscaled", "y");
    assert_eq!(machine.step("reproduced", &[]).0.status, 1);
}

#[test]
fn release_has_every_file_and_their_sums() {
    let machine = Machine::new();
    for target in ["arm64", "armv5"] {
        for file in ["tailscaled", "tailscaled.unpacked", "manifest.json"] {
            machine.write(&format!("target/tailscale/{target}/{file}"), file);
        }
        for end in ["tar", "cdx.json", "tar.sha256"] {
            machine.write(&format!("target/image/{target}/tailscale-1-{target}.{end}"), end);
        }
    }
    machine.write("target/image/index/index.json", "{}");
    let (ran, _) = machine.step("collect", &[]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    machine.write("target/release/tailscale-featureset-x86_64-unknown-linux-musl", "program");
    let (ran, _) = machine.step("sums", &[]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let sums = std::fs::read_to_string(machine.path("work/target/release/SHA256SUMS")).unwrap();
    let names: Vec<&str> = sums.lines().filter_map(|line| line.split_once("  ")).map(|(_, name)| name).collect();
    insta::assert_snapshot!(names.join("\n"));
    // The job of the release gets these files.
    std::fs::rename(machine.path("work/target/release"), machine.path("work/files")).unwrap();
    machine.replace("gh", "[ \"$2\" != view ]");
    let given = [
        ("GITHUB_REF_NAME", "v1-2"),
        ("GH_REPO", "owner/repository"),
        ("NAME", "ghcr.io/owner/tailscale-routeros"),
        ("TAG", "1-2"),
        ("DIGEST", "sha256:00"),
    ];
    let (ran, _) = machine.step("release", &given);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let notes = std::fs::read_to_string(machine.path("work/notes.md")).unwrap();
    insta::assert_snapshot!(format!("{}\n{notes}", machine.calls()));
    // A file that was damaged on the way.
    machine.write("files/tailscaled-arm64", "other");
    assert_ne!(machine.step("release", &given).0.status, 0);
}
