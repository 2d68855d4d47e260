//! What the tests of the whole share: running the command, policies to run it on, and skipping out loud.

#![allow(dead_code, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "tests")]

pub(crate) mod program;

use std::path::{Path, PathBuf};
use std::process::Command;

use featureset::facts::Facts;
use xtask::commands::ci::{FULL, REQUIRE_ALL};

/// What a run printed and how it ended.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// All of it, for a snapshot.
    pub(crate) fn shown(&self) -> String {
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.status, self.stdout, self.stderr)
    }
}

/// The command under test, without colours and at a fixed width.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tailscale-featureset"));
    command.args(arguments).current_dir(folder).env("NO_COLOR", "1").env("COLUMNS", "100").env_remove("CLICOLOR_FORCE");
    command
}

/// Runs the command to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Ran {
    finish(command(folder, arguments))
}

/// Runs a prepared command to its end.
pub(crate) fn finish(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { status: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folder that the repository's own commands build in.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// A clean policy of 1.102.5 with one target, that keeps these features and what a working daemon needs.
pub(crate) fn policy(keeps: &[&str], target: &str) -> String {
    policy_of("1.102.5", "1.26.8", keeps, target)
}

/// The same for another release and the Go that builds it. What it accepts is right for 1.102.5 alone.
pub(crate) fn policy_of(release: &str, go: &str, keeps: &[&str], target: &str) -> String {
    let registry = Facts::embedded().registry(release.parse().unwrap()).unwrap();
    let needed = ["cli", "dns", "ipnbus", "netstack", "osrouter", "unixsocketidentity"];
    let accepted = [
        "clientupdate-disabled",
        "debug-idtoken",
        "flags-vanish",
        "flags-vanish-newer",
        "iptables-forced",
        "nc-dial",
        "ssh-port22",
        "syspolicy-failopen",
        "tailnetlock-unsigned-peers",
        "tpm-state",
    ];
    let mut text = format!(
        "tailscale: {release}\ngo: {go}\ndevice: {{ profile: openwrt, init: none }}\ntargets:\n  one: {target}\naccepted:\n"
    );
    for id in accepted {
        text += &format!("  {id}: This device lives with it.\n");
    }
    text += "features:\n";
    for name in registry.features.keys() {
        let kept = keeps.contains(&name.as_str()) || needed.contains(&name.as_str());
        let verdict = if kept { "keep" } else { "omit" };
        text += &format!("  {name}:\n    {verdict}: This device decides on {name}.\n");
    }
    text
}

/// A folder that holds this policy.
pub(crate) fn folder(policy: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("featureset.yaml"), policy).unwrap();
    folder
}

/// Says that a test is skipped and why; fails instead where everything must run.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os(REQUIRE_ALL).is_none(), "required, but would be skipped: {reason}");
    eprintln!("SKIPPED: {reason}");
}

/// Whether the long tests run too; says so where they don't.
pub(crate) fn full() -> bool {
    let full = std::env::var_os(FULL).is_some();
    if !full {
        eprintln!("SKIPPED: takes long; `cargo xtask ci --full` runs it");
    }
    full
}
