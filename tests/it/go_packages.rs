//! Go's own tests of the packages that a daemon uses, as linked, and with the function table rewritten and packed by execpack:
//! the same tests pass, except those that compare removed tables. Go's own programs that crash have the same exit status.
//! `cargo xtask ci --full` runs it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::{RELEASE, TOOLCHAIN, cache, full, skip};
use execpack::{pack, unpack};
use gobinary::pclntab::{Names, rewrite};
use tailscale_featureset::files;
use tailscale_featureset::process::output_within;
use tailscale_featureset::tools::go::{self, Go};
use tailscale_featureset::upstream;

/// A package, and its tests that compare source positions, lines of a traceback or inlined frames, each with the reason.
struct Package {
    path: &'static str,
    differing: &'static [(&'static str, &'static str)],
    /// Tests that are left out, as an expression.
    skip: &'static str,
}

const fn alike(path: &'static str) -> Package {
    Package { path, differing: &[], skip: "" }
}

const PACKAGES: &[Package] = &[
    alike("context"),
    alike("crypto/tls"),
    alike("encoding/json"),
    alike("errors"),
    alike("fmt"),
    alike("github.com/tailscale/wireguard-go/device"),
    alike("net"),
    Package {
        path: "net/http",
        differing: &[
            ("TestRegisterErr", "the message names the line where a pattern was registered"),
            ("TestWriteHeaderNoCodeCheck", "the log names the line of the second WriteHeader"),
            ("TestWriteHeaderNoCodeCheck_h1hijack", "the same"),
        ],
        skip: "",
    },
    alike("os/signal"),
    alike("reflect"),
    Package {
        path: "runtime",
        differing: &[
            ("ExampleFrames", "inlined frames in the result of Callers"),
            ("TestCaller", "the line in the result of Caller"),
            ("TestCallers", "lines"),
            ("TestCallersEndlineno", "lines"),
            ("TestCallersPanic", "lines"),
            ("TestDebugLogSym", "the line in the debug log"),
            ("TestInlineUnwinder", "inlined frames are what it counts"),
            ("TestLineNumber", "lines"),
            ("TestPanicInlined", "the inlined frame in a traceback"),
            ("TestStartLineAsm", "the first line of a function"),
            ("TestTracebackArgs", "arguments in a traceback"),
            ("TestTracebackElision", "lines in a traceback"),
            ("TestTracebackGeneric", "lines in a traceback"),
            ("TestTracebackInlined", "inlined frames in a traceback"),
            ("TestTracebackSystem", "lines in a traceback"),
        ],
        // The first ends all others with a panic where an inlined frame is not seen; the second has the go command
        // disassemble its own binary, which is stripped.
        skip: "^(TestStartLine|TestUnsafePoint)$",
    },
    alike("strconv"),
    alike("sync"),
];

/// Builds the tests of a package; it builds them for this machine if `goarch` is empty. Tests of another module are built with the
/// dependencies of the release.
fn built(go: &Go, package: &str, goarch: &str, folder: &Path) -> Vec<u8> {
    let output = folder.join("test");
    let foreign = package.contains('.');
    let mut arguments = vec!["test", "-c", "-ldflags=-s -w", "-o", output.to_str().unwrap()];
    arguments.extend(foreign.then_some("-mod=mod").into_iter().chain([package]));
    let mut variables = go::plain(TOOLCHAIN);
    variables.extend((!goarch.is_empty()).then(|| ("GOARCH".to_owned(), goarch.to_owned())));
    let mut command = go.command(&arguments, &variables);
    // The module with the program that reads the registry: its go.mod may gain what a test needs.
    command.current_dir(if foreign { module(go).join("registry") } else { source(go) });
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{package}: {}", String::from_utf8_lossy(&ran.stderr));
    std::fs::read(output).unwrap()
}

/// The generated module of a release.
fn module(go: &Go) -> PathBuf {
    upstream::fetch(go, &cache(), RELEASE.parse().unwrap(), None).unwrap().module
}

/// The folder in which a package's tests expect to run: that of its source.
fn place(go: &Go, package: &str) -> PathBuf {
    if !package.contains('.') {
        return source(go).join(package);
    }
    let mut command = go.command(&["list", "-mod=mod", "-f", "{{.Dir}}", package], &go::plain(TOOLCHAIN));
    command.current_dir(module(go).join("registry"));
    Path::new(String::from_utf8(command.output().unwrap().stdout).unwrap().trim()).to_owned()
}

fn source(go: &Go) -> PathBuf {
    let output = go.command(&["env", "GOROOT"], &go::plain(TOOLCHAIN)).output().unwrap();
    Path::new(String::from_utf8(output.stdout).unwrap().trim()).join("src")
}

/// A program as it ships: with the function table rewritten, and packed.
fn shipped(linked: &[u8], names: Names) -> Vec<u8> {
    let rewritten = rewrite(linked, names).unwrap().bytes;
    let packed = pack(&rewritten).unwrap();
    assert!(packed.parts.iter().any(|part| part.kind == "function table"));
    assert!(unpack(&packed.bytes).unwrap() == rewritten);
    packed.bytes
}

/// The tests at the top level that passed and those that failed.
fn results(command: &mut Command, folder: &Path, skip: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    command.args(["-test.short", "-test.v", "-test.timeout=10m", "-test.skip", skip]);
    command.current_dir(folder).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let named = |mark: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
        lines.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    };
    (named("--- PASS: "), named("--- FAIL: "))
}

#[test]
fn rewriting_and_packing_keep_the_results_of_go_tests() {
    if !full() {
        return;
    }
    let go = go::find_or_provide(&cache()).unwrap();
    for package in PACKAGES {
        let folder = tempfile::tempdir().unwrap();
        let linked = built(&go, package.path, "", folder.path());
        let (before, after) = (folder.path().join("before"), folder.path().join("after"));
        files::write_executable(&before, &linked).unwrap();
        files::write_executable(&after, &shipped(&linked, Names::All)).unwrap();
        let place = place(&go, package.path);
        let run = |program: &Path| results(&mut Command::new(program), &place, package.skip);
        let ((passed, failed), (passed_after, failed_after)) = (run(&before), run(&after));
        assert!(passed.len() > 10, "{}: {passed:?}", package.path);
        let differing: BTreeSet<String> = package.differing.iter().map(|(name, _)| (*name).to_owned()).collect();
        let expected: BTreeSet<String> = failed.union(&differing).cloned().collect();
        assert_eq!(failed_after, expected, "{}", package.path);
        let lost: Vec<&String> = passed.difference(&passed_after).filter(|name| !differing.contains(*name)).collect();
        assert!(lost.is_empty(), "{}: {lost:?}", package.path);
        eprintln!("{}: {} of {} pass rewritten and packed", package.path, passed_after.len(), passed.len());
    }
}

#[test]
fn rewriting_and_packing_keep_the_results_of_go_tests_on_arm() {
    if !full() {
        return;
    }
    let go = go::find_or_provide(&cache()).unwrap();
    for (goarch, emulator) in [("arm64", "qemu-aarch64-static"), ("arm", "qemu-arm-static")] {
        if tailscale_featureset::process::on_path(emulator).is_none() {
            return skip(&format!("{emulator} is not installed"));
        }
        // The others take long under an emulator, or need of the kernel what it does not give.
        for package in ["context", "encoding/json", "errors", "fmt", "reflect", "strconv", "sync"] {
            let folder = tempfile::tempdir().unwrap();
            let linked = built(&go, package, goarch, folder.path());
            let (before, after) = (folder.path().join("before"), folder.path().join("after"));
            files::write_executable(&before, &linked).unwrap();
            files::write_executable(&after, &shipped(&linked, Names::All)).unwrap();
            let run = |program: &Path| results(Command::new(emulator).arg(program), &place(&go, package), "");
            let (was, is) = (run(&before), run(&after));
            assert!(was.0.len() > 5, "{goarch} {package}: {was:?}");
            assert_eq!(was, is, "{goarch}: {package}");
            eprintln!("{goarch} {package}: {} pass as before", is.0.len());
        }
    }
}

/// Runs a test program of Go's runtime; returns its exit status or signal. It is killed after `patience`.
fn ended(program: &Path, name: &str, folder: &Path, patience: Duration) -> String {
    let mut command = Command::new(program);
    command.arg(name).current_dir(folder);
    tailscale_featureset::netlab::host::ended(output_within(command, Some(patience)).unwrap().status)
}

#[test]
fn rewriting_and_packing_keep_the_exit_status_of_crashing_go_programs() {
    if !full() {
        return;
    }
    let go = go::find_or_provide(&cache()).unwrap();
    let place = source(&go).join("runtime/testdata/testprog");
    if !place.is_dir() {
        return skip("this Go comes without the test programs of its runtime");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("linked");
    let mut command =
        go.command(&["build", "-ldflags=-s -w", "-o", output.to_str().unwrap(), "."], &go::plain(TOOLCHAIN));
    let built = command.current_dir(&place).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let linked = std::fs::read(&output).unwrap();
    let registered = regex::Regex::new(r#"register(?:Init)?\("(\w+)""#).unwrap();
    let sources = std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path());
    let text: String = sources.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    let names: BTreeSet<&str> = registered.captures_iter(&text).map(|found| found.get(1).unwrap().as_str()).collect();
    let (patience, longer) = (Duration::from_secs(5), Duration::from_secs(40));
    let mut statuses = std::collections::BTreeMap::<String, usize>::new();
    for which in [Names::All, Names::Runtime] {
        let packed = folder.path().join(format!("{which:?}"));
        files::write_executable(&packed, &shipped(&linked, which)).unwrap();
        let run = |program: &Path, name: &str, patience| ended(program, name, folder.path(), patience);
        for name in &names {
            let (was, is) = (run(&output, name, patience), run(&packed, name, patience));
            *statuses.entry(was.clone()).or_default() += 1;
            // Some end by chance, and on a busy machine some take long: those may show it once more.
            let alike = was == is || (0..3).any(|_| run(&output, name, longer) == run(&packed, name, longer));
            assert!(alike, "{name}, {which:?}: {was} and {is}");
        }
    }
    eprintln!("{} programs: {statuses:?}", names.len());
    // Programs for Windows and for the race detector are unknown here and exit with 0.
    assert!(names.len() > 100, "{statuses:?}");
    assert!(statuses.get("exit 2").is_some_and(|count| *count > 80), "{statuses:?}");
}
