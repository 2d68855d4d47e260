//! Shared helpers: running the command, policies to run it on, and reporting skipped tests.

pub(crate) mod binary;
pub(crate) mod container;
pub(crate) mod planted;
mod skips;

use std::path::{Path, PathBuf};
use std::process::Command;

use featureset::facts::Facts;
use tailscale_featureset::cache::Cache;
use tailscale_featureset::test_variables::{FULL, REQUIRE_ALL};

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
    use_test_cache(&mut command);
    command
}

/// Keeps a command out of the user's own cache: the tests share one, in which a tool is provided once. Go goes on with the
/// user's cache of builds.
pub(crate) fn use_test_cache(command: &mut Command) {
    let caches = ["XDG_CACHE_HOME", "HOME"].map(|name| std::env::var_os(name).map(PathBuf::from));
    let [own, home] = caches.map(|path| path.filter(|path| path.is_absolute()));
    let go = own.or_else(|| home.map(|home| home.join(".cache"))).map(|caches| caches.join("go-build"));
    if let (Some(go), None) = (go, std::env::var_os("GOCACHE")) {
        command.env("GOCACHE", go);
    }
    command.env("XDG_CACHE_HOME", caches_of_tests());
}

fn caches_of_tests() -> PathBuf {
    target().join("test-caches")
}

/// The cache that the tests share.
pub(crate) fn cache() -> Cache {
    Cache::at(caches_of_tests().join("tailscale-featureset"))
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
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
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

/// Reports that a test is skipped and why; fails if everything must run.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os(REQUIRE_ALL).is_none(), "required, but would be skipped: {reason}");
    record_skip(reason);
}

/// Returns whether the long tests run too; reports a skipped test if not.
pub(crate) fn full() -> bool {
    let full = std::env::var_os(FULL).is_some();
    if !full {
        record_skip("takes long; `cargo xtask ci --full` runs it");
    }
    full
}

/// Records the reason for the report at the end of the run.
fn record_skip(reason: &str) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(skips::file()).unwrap();
    writeln!(file, "{}", reason.replace('\n', " ")).unwrap();
}
