//! What a run leaves behind: its files, its exit status, and a terminal and a log that no input can write commands to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test reports")]

#[path = "common/binary.rs"]
mod binary;
mod common;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Ran, command, finish, folder, policy, run, skip};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev, mknodat, setxattr};

const TARGET: &str = "{ platform: linux/amd64 }";

/// A policy with an error, and one that `check --fix` changes.
fn faulty() -> String {
    policy(&["cli"], TARGET).replace("  ace:\n    omit: This device decides on ace.\n", "  ace:\n    omit:\n")
}

fn unsorted() -> String {
    let entry = "  ace:\n    omit: This device decides on ace.\n";
    policy(&["cli"], TARGET).replace(entry, "") + entry
}

fn import<'a>(output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["import", "--tags", "ts_omit_aws", "--release", "1.102.5", "-o", output], more].concat()
}

/// Runs the command, which must end by itself within a minute: one that hangs is killed and told.
fn ends(mut command: Command) -> Ran {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..600 {
        if child.try_wait().unwrap().is_some() {
            let output = child.wait_with_output().unwrap();
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let status = output.status.code().unwrap_or(-1);
            return Ran { status, stdout: text(output.stdout), stderr: text(output.stderr) };
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    child.kill().unwrap();
    panic!("it hangs: {command:?}");
}

fn names_in(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

// Outputs

#[test]
fn an_output_that_is_no_regular_file_is_refused_and_not_read() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let mode = Mode::from_raw_mode(0o666);
    mknodat(CWD, path("pipe"), FileType::Fifo, mode, 0).unwrap();
    std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    std::fs::create_dir(path("folder")).unwrap();
    std::os::unix::fs::symlink("pipe", path("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("dangling")).unwrap();
    let mut names = vec!["pipe", "socket", "folder", "link", "dangling"];
    // A device node that is ours; only root can make one.
    let null = makedev(1, 3);
    match mknodat(CWD, path("device"), FileType::CharacterDevice, mode, null) {
        Ok(()) => names.push("device"),
        Err(why) => skip(&format!("no device node can be made: {why}")),
    }
    let before = names_in(place.path());
    let mut shown = Vec::new();
    for name in names {
        let ran = ends(command(place.path(), &import(name, &["--force"])));
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{name}: {}", ran.stderr);
        shown.push(ran.stderr);
        let ran = ends(command(place.path(), &import(name, &[])));
        assert!(ran.status == 2 && ran.stderr.contains("is there already"), "{name}: {}", ran.stderr);
    }
    assert_eq!(names_in(place.path()), before);
    assert!(std::fs::metadata(path("pipe")).unwrap().mode() & 0o170_000 == 0o010_000);
    shown.truncate(5);
    insta::assert_snapshot!(shown.join("\n"));
    // A pipe on stdout, by its name under /proc.
    let ran = ends(command(place.path(), &import("/proc/self/fd/1", &["--force"])));
    assert!(ran.status == 2 && ran.stderr.contains("error[file]"), "{}", ran.stderr);
}

#[test]
fn of_many_imports_at_once_exactly_one_writes() {
    let place = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let name = format!("new-{round}.yaml");
        let start = || {
            let mut command = command(place.path(), &import(&name, &[]));
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let children: Vec<_> = (0..8).map(|_| start()).collect();
        let codes: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect();
        assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
        assert_eq!(codes.iter().filter(|code| **code == 2).count(), 7, "{codes:?}");
    }
    assert_eq!(names_in(place.path()).len(), 4, "nothing temporary is left");
}

#[test]
fn a_dash_is_stdout() {
    let place = tempfile::tempdir().unwrap();
    let ran = run(place.path(), &import("-", &[]));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("# Made by `import`") && ran.stdout.ends_with(":\n"), "{}", ran.stdout);
    let json = run(place.path(), &import("-", &["--format", "json"]));
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["text"].as_str().unwrap(), ran.stdout);
    assert!(names_in(place.path()).is_empty());
    run(place.path(), &import("named.yaml", &[]));
    assert_eq!(std::fs::read_to_string(place.path().join("named.yaml")).unwrap(), ran.stdout);
}

#[test]
fn a_new_file_has_the_mode_that_the_umask_leaves() {
    let place = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_tailscale-featureset");
    let script = format!("umask 077; exec {program} {}", import("new.yaml", &[]).join(" "));
    let ran = ends({
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(place.path());
        shell
    });
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(std::fs::metadata(place.path().join("new.yaml")).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn an_edited_file_keeps_its_mode_its_other_names_and_its_attributes() {
    let place = folder(&unsorted());
    let path = place.path().join("featureset.yaml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::hard_link(&path, place.path().join("second.yaml")).unwrap();
    let attributes = setxattr(&path, "user.note", b"ours", XattrFlags::empty()).is_ok();
    if !attributes {
        skip("this file system has no extended attributes");
    }
    let inode = std::fs::metadata(&path).unwrap().ino();
    let ran = run(place.path(), &["check", "--fix"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let after = std::fs::metadata(&path).unwrap();
    assert_eq!((after.mode() & 0o777, after.nlink(), after.ino()), (0o640, 2, inode));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, policy(&["cli"], TARGET));
    assert_eq!(std::fs::read_to_string(place.path().join("second.yaml")).unwrap(), text);
    if attributes {
        let mut value = [0; 8];
        let length = rustix::fs::getxattr(&path, "user.note", &mut value).unwrap();
        assert_eq!(&value[..length], b"ours");
    }
    assert_eq!(names_in(place.path()), ["featureset.yaml", "second.yaml"], "nothing temporary is left");
}

#[test]
fn root_that_edits_another_s_file_leaves_it_to_its_owner() {
    let place = folder(&unsorted());
    let path = place.path().join("featureset.yaml");
    if let Err(why) = std::os::unix::fs::chown(&path, Some(1000), Some(1001)) {
        return skip(&format!("the owner of a file can't be changed: {why}"));
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let ran = run(place.path(), &["check", "--fix"]);
    assert!(ran.stderr.contains("Fixed"), "{}", ran.stderr);
    let after = std::fs::metadata(&path).unwrap();
    assert_eq!((after.uid(), after.gid(), after.mode() & 0o777), (1000, 1001, 0o640));
}

// Exit status

/// Runs the command with a stdout that nobody reads.
fn unread(mut command: Command) -> Ran {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    Ran {
        status: output.status.code().unwrap_or(-1),
        stdout: String::new(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the command as a shell with this redirection does.
fn redirected(folder: &Path, arguments: &str, redirection: &str) -> Ran {
    let program = env!("CARGO_BIN_EXE_tailscale-featureset");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec {program} {arguments} {redirection}")]).current_dir(folder).env("NO_COLOR", "1");
    finish(shell)
}

#[test]
fn a_reader_that_goes_away_changes_neither_the_status_nor_the_work() {
    let bad = folder(&faulty());
    for format in ["github", "json", "sarif"] {
        let ran = unread(command(bad.path(), &["check", "--format", format]));
        assert_eq!((ran.status, ran.stderr.as_str()), (1, ""), "{format}");
    }
    let good = folder(&policy(&["cli"], TARGET));
    for arguments in [&["tags"][..], &["list"], &["explain", "dns"], &["audit", "--tags", "netgo"]] {
        let (whole, unread) = (run(good.path(), arguments), unread(command(good.path(), arguments)));
        assert_eq!((unread.status, unread.stderr), (whole.status, whole.stderr), "{arguments:?}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    assert_eq!(unread(command(nowhere.path(), &["check", "--format", "json"])).status, 2);
    assert_eq!(unread(command(nowhere.path(), &["--help"])).status, 0);
    let unfixed = folder(&unsorted());
    assert_eq!(unread(command(unfixed.path(), &["check", "--fix", "--format", "json"])).status, 0);
    let text = std::fs::read_to_string(unfixed.path().join("featureset.yaml")).unwrap();
    assert_eq!(text, policy(&["cli"], TARGET));
    assert_eq!(unread(command(nowhere.path(), &import("new.yaml", &[]))).status, 0);
    assert_eq!(names_in(nowhere.path()), ["new.yaml"]);
}

#[test]
fn a_closed_or_full_stdout_is_status_2_with_the_reason() {
    let good = folder(&policy(&["cli"], TARGET));
    let mut shown = Vec::new();
    for (arguments, redirection) in [
        ("tags", ">&-"),
        ("tags", ">/dev/full"),
        ("tags", "1</dev/null"),
        ("list --format json", ">&-"),
        ("--version", ">&-"),
    ] {
        let ran = redirected(good.path(), arguments, redirection);
        assert_eq!(ran.status, 2, "{arguments} {redirection}: {}", ran.stderr);
        shown.push(format!("{arguments} {redirection}\n{}", ran.stderr));
    }
    insta::assert_snapshot!(shown.join("\n"));
    // The work is done all the same.
    let unfixed = folder(&unsorted());
    assert_eq!(redirected(unfixed.path(), "check --fix --format json", ">&-").status, 2);
    let text = std::fs::read_to_string(unfixed.path().join("featureset.yaml")).unwrap();
    assert_eq!(text, policy(&["cli"], TARGET));
    // What prints nothing there needs no stdout, and a user's own choice is right.
    for (arguments, redirection) in [("check", ">&-"), ("tags", ">/dev/null"), ("tags", "2>&-"), ("check", ">&- 2>&-")]
    {
        let ran = redirected(good.path(), arguments, redirection);
        assert_eq!(ran.status, 0, "{arguments} {redirection}: {}", ran.stderr);
    }
    // A daemon has /dev/null on every stream.
    assert_eq!(redirected(good.path(), "tags", "<>/dev/null 1<>/dev/null 2<>/dev/null").status, 0);
}

// Escaping

/// What no input may bring to a terminal or a log: a title, a cleared screen, C1, an order of letters, a new line, a command.
const HOSTILE: &str = "\u{1b}]0;PWNED\u{7}\u{1b}[2J\u{1b}[1;31mFAKE\u{9b}2J\u{202e}\u{2066}\u{200b}\u{feff}\u{2028}\u{7f}\r\n::error title=PWN::x\n ##[error]PWN";

/// As it may stand in a file's name or an argument.
const HOSTILE_NAME: &str = "\u{1b}]0;PWNED\u{7}\u{1b}[1;31mFAKE\u{9b}2J\u{202e}\n::error title=PWN::x\n##[error]PWN";

/// Every byte that comes out, with the colours that a terminal would get. Nothing of the input's controls is in it.
fn harmless(folder: &Path, arguments: &[&str]) -> Ran {
    let mut coloured = command(folder, arguments);
    coloured.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").stdin(Stdio::null());
    let output = coloured.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran =
        Ran { status: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) };
    let github = arguments.contains(&"github");
    for shown in [&ran.stdout, &ran.stderr] {
        let bad = |c: char| {
            (c.is_control() && !"\n\t\u{1b}".contains(c)) || "\u{202e}\u{2066}\u{200b}\u{feff}\u{2028}".contains(c)
        };
        assert!(!shown.contains(bad), "{arguments:?}: {shown:?}");
        for raw in ["\u{1b}]", "\u{1b}[2J", "\u{1b}[1;31mFAKE"] {
            assert!(!shown.contains(raw), "{arguments:?}: {shown:?}");
        }
        let plain = anstream::adapter::strip_str(shown).to_string();
        for line in plain.lines() {
            let ours = github
                && (line.starts_with("::error ") || line.starts_with("::warning ") || line.starts_with("::notice "));
            let command = line.trim_start().starts_with("::") && (!ours || line.starts_with("::error title=PWN"));
            assert!(!command && !line.contains("##["), "{arguments:?}: {line:?} in {shown}");
        }
    }
    ran
}

/// Every format that a command has.
fn in_every_format(folder: &Path, arguments: &[&str]) -> String {
    let formats = ["human", "json", "github", "sarif"];
    let all = formats.map(|format| {
        let ran = harmless(folder, &[arguments, &["--format", format]].concat());
        let refused = ran.status == 2 && format == "sarif";
        if ["json", "sarif"].contains(&format) && !refused {
            let document: serde_json::Value = serde_json::from_str(&ran.stdout)
                .unwrap_or_else(|error| panic!("{arguments:?} {format}: {error}: {}", ran.shown()));
            let whole = document.to_string();
            assert!(!whole.contains("u{1b}") && !whole.contains("u{9b}"), "the true value stands in it: {whole}");
        }
        ran.shown()
    });
    all.join("=====\n")
}

fn quoted(text: &str) -> String {
    // JSON's strings are YAML's.
    serde_json::to_string(text).unwrap()
}

#[test]
fn a_binary_s_build_information_reaches_no_terminal_and_no_log() {
    let place = tempfile::tempdir().unwrap();
    let one_line = HOSTILE.replace(['\n', '\r'], "");
    let records = [
        ("go", HOSTILE.to_owned(), binary::daemon("1.102.5", "ts_omit_aws")),
        (
            "path",
            "go1.26.8".to_owned(),
            format!(
                "path\ttailscale.com/cmd/tailscaled{one_line}\nmod\ttailscale.com\tv1.102.5\th1:sum=\nbuild\t-tags=ts_omit_aws\n"
            ),
        ),
        ("module", "go1.26.8".to_owned(), binary::daemon(&format!("1.102.5-{one_line}"), "ts_omit_aws")),
        ("tags", "go1.26.8".to_owned(), binary::daemon("1.102.5", &format!("ts_omit_aws,{one_line}"))),
        (
            "stamp",
            "go1.26.8".to_owned(),
            binary::daemon("1.102.5", "ts_omit_aws")
                + &format!("build\t-ldflags=\"-X tailscale.com/version.longStamp=1.102.5-{one_line}\"\n"),
        ),
    ];
    for (name, go, record) in records {
        std::fs::write(place.path().join(name), binary::binary(&go, &record)).unwrap();
        in_every_format(place.path(), &["audit", name]);
        harmless(place.path(), &["import", name, "-o", "-"]);
    }
    // Next to another program what is not Tailscale's is a warning.
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in [
        ("a", binary::binary("go1.26.8", &binary::daemon("1.102.5", "ts_omit_aws"))),
        ("b", binary::binary(HOSTILE, "path\texample.test/other\n")),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    std::fs::write(place.path().join("two.tar"), archive.into_inner().unwrap()).unwrap();
    let shown = in_every_format(place.path(), &["audit", "two.tar"]);
    assert!(shown.contains("\\u{1b}]0;PWNED"), "{shown}");
}

#[test]
fn a_policy_s_text_reaches_no_terminal_and_no_log() {
    let hostile = quoted(HOSTILE);
    let clean = policy(&["cli"], TARGET);
    let reason = clean
        .replace("omit: This device decides on ace.", &format!("omit: {hostile}\n    refs: [{hostile}]"))
        .replace("nc-dial: This device lives with it.", &format!("nc-dial: {hostile}"));
    let reason = folder(&reason);
    for arguments in [&["list"][..], &["explain", "ace"], &["explain", "nc-dial"], &["check"], &["docs", "--check"]] {
        in_every_format_of(reason.path(), arguments);
    }
    for text in [
        format!("{clean}{hostile}: 1\n"),
        format!("{hostile}: 1\n"),
        clean.replace("platform: linux/amd64", &format!("platform: {hostile}")),
        clean.replace("  one:", &format!("  {hostile}:")),
        clean.replace("tailscale: 1.102.5", &format!("tailscale: {hostile}")),
        clean.replace("  ace:\n", &format!("  {hostile}:\n    omit: {hostile}\n  ace:\n")),
        // As they are: YAML takes no controls, and what it says of them is shown too.
        format!("# {HOSTILE}\n{clean}"),
        clean.replace("decides on ace.", "decides on \u{202e}\u{200b}\u{9b}ace."),
    ] {
        let place = folder(&text);
        for arguments in [
            &["check"][..],
            &["tags"],
            &["tags", "--go-build"],
            &["list"],
            &["build-tailscale", "--dry-run"],
            &["image"],
            &["check", "--fix"],
        ] {
            if arguments != ["image"] || !text.contains("platform: linux/amd64") {
                in_every_format_of(place.path(), arguments);
            }
        }
    }
}

/// As [`in_every_format`], for commands some of which have one format only.
fn in_every_format_of(folder: &Path, arguments: &[&str]) {
    if arguments[0] == "docs" {
        harmless(folder, arguments);
    } else {
        in_every_format(folder, arguments);
    }
}

#[test]
fn a_review_of_hostile_text_reaches_no_terminal_and_no_log() {
    let clean = policy(&["cli"], TARGET);
    let place = folder(&clean);
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=A", "-c", "user.email=a@example.test", "-c", "commit.gpgsign=false"];
        let ran = Command::new("git").args(identity).args(arguments).current_dir(place.path()).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=base"]);
    let hostile = quoted(HOSTILE);
    let changed = clean
        .replace("omit: This device decides on ace.", &format!("keep: {hostile}\n    refs: [{hostile}]"))
        .replace("omit: This device decides on aws.", &format!("omit: {hostile}"))
        .replace("nc-dial: This device lives with it.", &format!("nc-dial: {hostile}"))
        .replace("  one:", &format!("  {hostile}: {TARGET}\n  one:"));
    std::fs::write(place.path().join("featureset.yaml"), changed).unwrap();
    let shown = in_every_format(place.path(), &["review", "--base", "HEAD"]);
    assert!(shown.contains("\\u{1b}]0;PWNED"), "{shown}");
    in_every_format(place.path(), &["review", "--base", HOSTILE_NAME]);
}

#[test]
fn a_name_on_the_command_line_or_of_a_file_reaches_no_terminal_and_no_log() {
    let place = folder(&policy(&["cli"], TARGET));
    std::fs::write(place.path().join(HOSTILE_NAME), "go build -tags ts_omit_aws,ts_omit_serv ./cmd/tailscaled\n")
        .unwrap();
    for arguments in [
        &["audit", HOSTILE_NAME][..],
        &["audit", "--tags", HOSTILE],
        &["audit", "--tags", "netgo", "--against", HOSTILE_NAME],
        &["audit", "--tags", "netgo", "--accept", HOSTILE_NAME],
        &["audit", "missing\u{1b}[2J"],
        &["check", "--policy", HOSTILE_NAME],
        &["explain", HOSTILE_NAME],
        &["tags", "--target", HOSTILE_NAME],
        &["image", "lint", HOSTILE_NAME],
        &["image", "script", "--routeros", "7.21", "--name", HOSTILE_NAME],
        &["symbolize", HOSTILE_NAME],
        &["symbolize", "x", "--binary", HOSTILE_NAME],
        &["verify", "--check", HOSTILE_NAME],
        &["measure", "frontier", "--budget", "1 MB", "--target", HOSTILE_NAME],
        &["bump", HOSTILE_NAME],
        &["list", "--by", HOSTILE_NAME],
        &[HOSTILE_NAME],
        &["check", HOSTILE_NAME],
    ] {
        for format in ["human", "github"] {
            let ran = harmless(place.path(), &[arguments, &["--format", format]].concat());
            assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        }
    }
    // And what is written of it.
    let ran = harmless(place.path(), &["import", HOSTILE_NAME, "-o", "-"]);
    assert!(ran.status == 0 && serde_yaml::from_str::<serde_yaml::Value>(&ran.stdout).is_ok(), "{}", ran.shown());
    assert!(!ran.stdout.lines().any(|line| line.starts_with("::") || line.contains("PWN") && !line.starts_with('#')));
}

#[test]
fn a_traceback_reaches_no_terminal_and_no_log() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("trace"), format!("{HOSTILE}\n")).unwrap();
    let Some(linked) = go_binary(place.path()) else { return skip("there is no Go") };
    let ran = harmless(place.path(), &["symbolize", "trace", "--binary", &linked]);
    assert!(ran.status == 0 && ran.stdout.contains("\\u{1b}]0;PWNED"), "{}", ran.shown());
}

/// A small binary as Go links it, if there is a Go.
fn go_binary(folder: &Path) -> Option<String> {
    std::fs::write(folder.join("main.go"), "package main\n\nfunc main() {}\n").unwrap();
    let mut go = Command::new("go");
    go.args(["build", "-ldflags=-s -w", "-o", "linked", "main.go"]).current_dir(folder).env("GOFLAGS", "-mod=mod");
    go.output()
        .ok()
        .filter(|output| output.status.success())
        .map(|_| folder.join("linked").to_str().unwrap().to_owned())
}

// SARIF

#[test]
fn sarif_is_one_document_or_refused() {
    let text = policy(&["cli"], TARGET).replace("This device decides on ace.", "This device decides on acme.");
    let place = folder(&text);
    for arguments in [&["check"][..], &["audit", "--tags", "ts_omit_serv"]] {
        let ran = run(place.path(), &[arguments, &["--format", "sarif"]].concat());
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(document["version"], "2.1.0");
    }
    let mut shown = Vec::new();
    for arguments in [
        &["build-tailscale", "--dry-run"][..],
        &["image"],
        &["tags"],
        &["list"],
        &["explain", "dns"],
        &["docs", "--check"],
    ] {
        let ran = run(place.path(), &[arguments, &["--format", "sarif"]].concat());
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{arguments:?}: {}", ran.stderr);
        shown.push(ran.stderr);
    }
    insta::assert_snapshot!(shown[0]);
}
