//! Shared helpers: running the command, policies to run it on, and reporting skipped tests.

pub(crate) mod binary;
pub(crate) mod browser;
pub(crate) mod container;
pub(crate) mod fake_go;
pub(crate) mod git;
mod pins;
pub(crate) mod planted;
pub(crate) mod program;
pub(crate) mod registry;
mod skips;
pub(crate) mod tmux;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use featureset::upstream_data::UpstreamData;
use tailscale_featureset::cache::Cache;
use tailscale_featureset::test_variables::{FULL, REQUIRE_ALL};

pub(crate) use pins::{GO, RELEASE, TOOLCHAIN};

use pins::ACCEPTED;

/// The output and the exit status of a run.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// All of it, for a snapshot.
    pub(crate) fn transcript(&self) -> String {
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

/// Returns a function that runs the command as an unprivileged user in a folder that everyone can read; `None` if this user
/// can't become another one.
pub(crate) fn unprivileged(project: &Path) -> Option<impl Fn(&[&str]) -> Ran> {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    std::fs::set_permissions(project, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = project.join("program");
    std::fs::copy(env!("CARGO_BIN_EXE_tailscale-featureset"), &program).unwrap();
    Some(move |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(project).env("NO_COLOR", "1").uid(65534).gid(65534);
        finish(command)
    })
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

/// Polls until the condition holds; fails if it does not hold after 18,000 polls, which take at least a quarter of an hour.
pub(crate) fn wait_until(condition: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..18_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("this never happened: {condition}");
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// The folder that the repository's own commands build in.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// Returns a clean policy of [`RELEASE`] with one target that keeps these features and those that a working daemon needs.
pub(crate) fn policy(keeps: &[&str], target: &str) -> String {
    policy_of(RELEASE, GO, keeps, target)
}

/// Returns the same for another release and its Go. The accepted hazards are right for [`RELEASE`] only.
pub(crate) fn policy_of(release: &str, go: &str, keeps: &[&str], target: &str) -> String {
    let settings = format!(
        "device: {{ profile: openwrt, init: none, start: [], state: new, tpm: absent }}\ntargets:\n  one: {target}\n"
    );
    policy_with(release, go, &settings, keeps)
}

/// The features that [`router_policy`] keeps in addition to those that a working daemon needs.
const ROUTER_FEATURES: &[&str] = &[
    "advertiseexitnode",
    "advertiseroutes",
    "bakedroots",
    "c2n",
    "gro",
    "health",
    "iptables",
    "listenrawdisco",
    "peerapiclient",
    "peerapiserver",
    "portmapper",
    "useexitnode",
    "useroutes",
];

/// Returns a clean policy of a subnet router and exit node, with a target for every platform that RouterOS supports.
pub(crate) fn router_policy() -> String {
    let settings = "device: { profile: routeros-container, heap_limit: absent, storage: flash }\n\
                    build:\n  inlining: full\n  symbols: functions\n  pack: execpack\n\
                    image:\n  shell: mksh\n\
                    targets:\n  amd64: { platform: linux/amd64 }\n  arm: { platform: linux/arm/v7 }\n  \
                    arm64: { platform: linux/arm64 }\n  armv5: { platform: linux/arm/v5 }\n";
    policy_with(RELEASE, GO, settings, ROUTER_FEATURES)
}

fn policy_with(release: &str, go: &str, settings: &str, keeps: &[&str]) -> String {
    let registry = UpstreamData::embedded().registry(release.parse().unwrap()).unwrap();
    let needed = ["cli", "dns", "ipnbus", "netstack", "osrouter", "unixsocketidentity"];
    let mut text = format!("tailscale: {release}\ngo: {go}\n{settings}accepted:\n");
    for id in ACCEPTED {
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

/// Returns a project with [`router_policy`] that all tests share, so that each of its targets is built once.
pub(crate) fn router() -> &'static Path {
    static PROJECT: LazyLock<PathBuf> = LazyLock::new(|| {
        let project = target().join("test-projects/router");
        std::fs::create_dir_all(&project).unwrap();
        std::fs::write(project.join("featureset.yaml"), router_policy()).unwrap();
        project
    });
    &PROJECT
}

/// The lines that only one of two texts has, with `-` or `+`.
pub(crate) fn changed_lines(before: &str, after: &str) -> Vec<String> {
    let diff = similar::TextDiff::from_lines(before, after);
    let changes = diff.iter_all_changes().filter(|change| change.tag() != similar::ChangeTag::Equal);
    changes.map(|change| format!("{}{}", change.tag(), change.value().trim_end())).collect()
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
