//! Go's own tests of what a daemon stands on, as linked and with the function table rewritten: the same ones fail, but for
//! those that compare what was left out. `cargo xtask ci --full` runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{full, target};
use gobinary::slim::{Names, slim};
use xtask::files;
use xtask::tools::go::{self, Go};

/// A package, and its tests that compare source positions, lines of a traceback or inlined frames, each with the reason.
struct Package {
    path: &'static str,
    differing: &'static [(&'static str, &'static str)],
}

const PACKAGES: &[Package] = &[
    Package { path: "context", differing: &[] },
    Package { path: "crypto/tls", differing: &[] },
    Package { path: "encoding/json", differing: &[] },
    Package { path: "errors", differing: &[] },
    Package { path: "fmt", differing: &[] },
    Package { path: "net", differing: &[] },
    Package {
        path: "net/http",
        differing: &[
            ("TestRegisterErr", "the message names the line where a pattern was registered"),
            ("TestWriteHeaderNoCodeCheck", "the log names the line of the second WriteHeader"),
            ("TestWriteHeaderNoCodeCheck_h1hijack", "the same"),
        ],
    },
    Package { path: "os/signal", differing: &[] },
    Package { path: "reflect", differing: &[] },
    Package { path: "strconv", differing: &[] },
    Package { path: "sync", differing: &[] },
];

/// Builds a package's tests as linked.
fn built(go: &Go, package: &str, folder: &Path) -> Vec<u8> {
    let output = folder.join("test");
    let mut command =
        go.command(&["test", "-c", "-ldflags=-s -w", "-o", output.to_str().unwrap(), package], &go::plain("local"));
    command.current_dir(source(go));
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{package}: {}", String::from_utf8_lossy(&ran.stderr));
    std::fs::read(output).unwrap()
}

fn source(go: &Go) -> PathBuf {
    let output = go.command(&["env", "GOROOT"], &go::plain("local")).output().unwrap();
    Path::new(String::from_utf8(output.stdout).unwrap().trim()).join("src")
}

/// The tests at the top level that passed and those that failed.
fn results(program: &Path, folder: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut command = Command::new(program);
    command.args(["-test.short", "-test.v", "-test.timeout=10m"]).current_dir(folder).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let named = |mark: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
        lines.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    };
    (named("--- PASS: "), named("--- FAIL: "))
}

#[test]
fn the_same_tests_fail_but_those_that_compare_what_was_left_out() {
    if !full() {
        return;
    }
    let go = go::find_or_provide(&target()).unwrap();
    for package in PACKAGES {
        let folder = tempfile::tempdir().unwrap();
        let linked = built(&go, package.path, folder.path());
        let (before, after) = (folder.path().join("before"), folder.path().join("after"));
        files::write_executable(&before, &linked).unwrap();
        files::write_executable(&after, &slim(&linked, Names::All).unwrap().bytes).unwrap();
        let place = source(&go).join(package.path);
        let ((passed, failed), (passed_after, failed_after)) = (results(&before, &place), results(&after, &place));
        assert!(passed.len() > 10, "{}: {passed:?}", package.path);
        let differing: BTreeSet<String> = package.differing.iter().map(|(name, _)| (*name).to_owned()).collect();
        let expected: BTreeSet<String> = failed.union(&differing).cloned().collect();
        assert_eq!(failed_after, expected, "{}", package.path);
        let lost: Vec<&String> = passed.difference(&passed_after).filter(|name| !differing.contains(*name)).collect();
        assert!(lost.is_empty(), "{}: {lost:?}", package.path);
        eprintln!("{}: {} of {} pass rewritten", package.path, passed_after.len(), passed.len());
    }
}
