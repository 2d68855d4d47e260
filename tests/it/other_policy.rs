//! The tests of the repository do not depend on its featureset.yaml: they pass in a copy with another one.

use std::path::Path;
use std::process::Command;

use crate::common::{finish, folder, full, policy, root, run, target};

/// The test of this repository's own policy, whose head records the command that writes it.
const OWN_TEST: &str = "init_with_the_recorded_flags_writes_the_repository_policy";

/// A program that must succeed; returns its output.
fn output(program: &str, arguments: &[&str], folder: &Path) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    let ran = finish(command);
    assert_eq!(ran.status, 0, "{program} {arguments:?}: {}", ran.transcript());
    ran.stdout
}

/// Copies the files of the repository that git does not ignore, committed or not.
fn copy_repository(copy: &Path) {
    std::fs::create_dir_all(copy).unwrap();
    for entry in std::fs::read_dir(copy).unwrap().map(Result::unwrap) {
        let is_folder = entry.file_type().unwrap().is_dir();
        match entry.file_name().to_str() {
            // Reuses the results of earlier compilations.
            Some("target") => {}
            _ if is_folder => std::fs::remove_dir_all(entry.path()).unwrap(),
            _ => std::fs::remove_file(entry.path()).unwrap(),
        }
    }
    let files = output("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"], root());
    for file in files.split('\0').filter(|file| root().join(file).is_file()) {
        std::fs::create_dir_all(copy.join(file).parent().unwrap()).unwrap();
        std::fs::copy(root().join(file), copy.join(file)).unwrap();
    }
}

/// Gives the copy the tools that the tests of this repository have provided already.
fn share_provided_tools(copy: &Path) {
    let caches = target().join("test-caches");
    std::fs::create_dir_all(&caches).unwrap();
    std::fs::create_dir_all(copy.join("target")).unwrap();
    let _ = std::fs::remove_file(copy.join("target/test-caches"));
    std::os::unix::fs::symlink(caches, copy.join("target/test-caches")).unwrap();
}

/// Returns a clean policy that keeps ssh and what it needs, so that two hazards do not apply.
fn other_policy() -> String {
    let text = policy(&["c2n", "dbus", "ssh"], "{ platform: linux/mipsle/softfloat }");
    let is_needed = |line: &&str| !line.starts_with("  nc-dial:") && !line.starts_with("  ssh-port22:");
    text.lines().filter(is_needed).map(|line| format!("{line}\n")).collect()
}

#[test]
fn other_policy_is_clean() {
    let checked = run(folder(&other_policy()).path(), &["check", "--deny", "warnings"]);
    assert_eq!(checked.status, 0, "{}", checked.transcript());
}

#[test]
fn workspace_tests_with_another_policy_pass() {
    if !full() {
        return;
    }
    let other = other_policy();
    let copy = target().join("other-policy");
    copy_repository(&copy);
    std::fs::write(copy.join("featureset.yaml"), other).unwrap();
    output("git", &["init", "--quiet"], &copy);
    output("git", &["add", "--all"], &copy);
    share_provided_tools(&copy);
    let mut tests = Command::new(env!("CARGO"));
    tests.args(["test", "--locked", "--workspace", "--no-fail-fast", "--", "--skip", OWN_TEST]).current_dir(&copy);
    // The long tests run once, in the repository itself.
    tests.env_remove(tailscale_featureset::test_variables::FULL).env_remove("CARGO_TARGET_DIR");
    let ran = finish(tests);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
}
