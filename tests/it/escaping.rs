//! Text from outside controls no terminal and writes no commands into a log, in any format.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::git::repository;
use crate::common::{RELEASE, Ran, TOOLCHAIN, command, folder, policy, skip};

const TARGET: &str = "{ platform: linux/amd64 }";

/// Everything that must not reach a terminal or a log: a window title, a cleared screen, C1, bidirectional marks, a new
/// line, a workflow command.
const HOSTILE: &str = "\u{1b}]0;PWNED\u{7}\u{1b}[2J\u{1b}[1;31mFAKE\u{9b}2J\u{202e}\u{2066}\u{200b}\u{feff}\u{2028}\u{7f}\r\n::error title=PWN::x\n ##[error]PWN";

/// The part of it that a file name or an argument can hold.
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
            assert!(!command, "{arguments:?}: {line:?} in {shown}");
            assert!(!line.contains("##["), "{arguments:?}: {line:?} in {shown}");
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
                .unwrap_or_else(|error| panic!("{arguments:?} {format}: {error}: {}", ran.transcript()));
            let whole = document.to_string();
            assert!(!whole.contains("u{1b}"), "the value must be the true one: {whole}");
            assert!(!whole.contains("u{9b}"), "the value must be the true one: {whole}");
        }
        ran.transcript()
    });
    all.join("=====\n")
}

fn quoted(text: &str) -> String {
    // JSON's strings are YAML's.
    serde_json::to_string(text).unwrap()
}

#[test]
fn audit_of_hostile_build_information_is_escaped() {
    let place = tempfile::tempdir().unwrap();
    let one_line = HOSTILE.replace(['\n', '\r'], "");
    let records = [
        ("go", HOSTILE.to_owned(), crate::common::binary::daemon(RELEASE, "ts_omit_aws")),
        (
            "path",
            TOOLCHAIN.to_owned(),
            format!(
                "path\ttailscale.com/cmd/tailscaled{one_line}\nmod\ttailscale.com\tv{RELEASE}\th1:sum=\nbuild\t-tags=ts_omit_aws\n"
            ),
        ),
        (
            "module",
            TOOLCHAIN.to_owned(),
            crate::common::binary::daemon(&format!("{RELEASE}-{one_line}"), "ts_omit_aws"),
        ),
        ("tags", TOOLCHAIN.to_owned(), crate::common::binary::daemon(RELEASE, &format!("ts_omit_aws,{one_line}"))),
        (
            "stamp",
            TOOLCHAIN.to_owned(),
            crate::common::binary::daemon(RELEASE, "ts_omit_aws")
                + &format!("build\t-ldflags=\"-X tailscale.com/version.longStamp={RELEASE}-{one_line}\"\n"),
        ),
    ];
    for (name, go, record) in records {
        std::fs::write(place.path().join(name), crate::common::binary::binary(&go, &record)).unwrap();
        in_every_format(place.path(), &["audit", name]);
        harmless(place.path(), &["import", name, "-o", "-"]);
    }
    // Next to another program what is not Tailscale's is a warning.
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in [
        ("a", crate::common::binary::binary(TOOLCHAIN, &crate::common::binary::daemon(RELEASE, "ts_omit_aws"))),
        ("b", crate::common::binary::binary(HOSTILE, "path\texample.test/other\n")),
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
fn commands_on_hostile_policies_are_escaped() {
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
        clean.replace(&format!("tailscale: {RELEASE}"), &format!("tailscale: {hostile}")),
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
fn review_of_hostile_policies_is_escaped() {
    let clean = policy(&["cli"], TARGET);
    let place = repository(&clean);
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
fn commands_with_hostile_arguments_are_escaped() {
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
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(serde_yaml::from_str::<serde_yaml::Value>(&ran.stdout).is_ok(), "{}", ran.transcript());
    assert!(!ran.stdout.lines().any(|line| line.starts_with("::") || line.contains("PWN") && !line.starts_with('#')));
}

#[test]
fn symbolize_of_hostile_traceback_is_escaped() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("trace"), format!("{HOSTILE}\n")).unwrap();
    let Some(linked) = go_binary(place.path()) else { return skip("Go is not installed") };
    let ran = harmless(place.path(), &["symbolize", "trace", "--binary", &linked]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stdout.contains("\\u{1b}]0;PWNED"), "{}", ran.transcript());
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
