//! The files that a run writes, and its exit status if stdout is closed, full or not read.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{RELEASE, Ran, command, finish, folder, policy, run, skip, wait_until};
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
    [&["import", "--tags", "ts_omit_aws", "--release", RELEASE, "-o", output], more].concat()
}

/// Runs the command, which must end although nobody reads the pipes and sockets that it is pointed at.
fn ends(mut command: Command) -> Ran {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until(&format!("{command:?} ends"), || child.try_wait().unwrap().is_some());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { status: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn names_in(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

// Outputs

#[test]
fn import_to_special_files_is_refused() {
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
    for name in names {
        let ran = ends(command(place.path(), &import(name, &["--force"])));
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{name}: {}", ran.stderr);
        insta::assert_snapshot!(format!("import_to_{name}"), ran.stderr);
        let ran = ends(command(place.path(), &import(name, &[])));
        assert_eq!(ran.status, 2, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains("is there already"), "{name}: {}", ran.stderr);
    }
    assert_eq!(names_in(place.path()), before);
    assert!(std::fs::metadata(path("pipe")).unwrap().mode() & 0o170_000 == 0o010_000);
    // A pipe on stdout, by its name under /proc.
    let ran = ends(command(place.path(), &import("/proc/self/fd/1", &["--force"])));
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("error[file-error]"), "{}", ran.stderr);
}

#[test]
fn imports_to_one_file_at_once_write_it_once() {
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
fn import_to_dash_writes_to_stdout() {
    let place = tempfile::tempdir().unwrap();
    let ran = run(place.path(), &import("-", &[]));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("\n# Made by `import`"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with(":\n"), "{}", ran.stdout);
    let json = run(place.path(), &import("-", &["--format", "json"]));
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["text"].as_str().unwrap(), ran.stdout);
    assert!(names_in(place.path()).is_empty());
    run(place.path(), &import("named.yaml", &[]));
    assert_eq!(std::fs::read_to_string(place.path().join("named.yaml")).unwrap(), ran.stdout);
}

#[test]
fn import_creates_files_with_the_umask() {
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
fn check_fix_keeps_mode_links_and_attributes() {
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
fn check_fix_by_root_keeps_the_owner() {
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
fn commands_with_unread_stdout_keep_status_and_work() {
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
fn commands_with_closed_or_full_stdout_exit_2() {
    let good = folder(&policy(&["cli"], TARGET));
    for (stdout, redirection) in [("closed", ">&-"), ("full", ">/dev/full"), ("not_writable", "1</dev/null")] {
        let ran = redirected(good.path(), "tags", redirection);
        assert_eq!(ran.status, 2, "{redirection}: {}", ran.stderr);
        insta::assert_snapshot!(format!("stdout_{stdout}"), ran.stderr);
    }
    let closed = redirected(good.path(), "tags", ">&-").stderr;
    for arguments in ["list --format json", "--version"] {
        let ran = redirected(good.path(), arguments, ">&-");
        assert_eq!((ran.status, &ran.stderr), (2, &closed), "{arguments}");
    }
    // The work is done all the same.
    let unfixed = folder(&unsorted());
    assert_eq!(redirected(unfixed.path(), "check --fix --format json", ">&-").status, 2);
    let text = std::fs::read_to_string(unfixed.path().join("featureset.yaml")).unwrap();
    assert_eq!(text, policy(&["cli"], TARGET));
    // A command that prints nothing to stdout does not need it, and a user's own /dev/null is fine.
    for (arguments, redirection) in [("check", ">&-"), ("tags", ">/dev/null"), ("tags", "2>&-"), ("check", ">&- 2>&-")]
    {
        let ran = redirected(good.path(), arguments, redirection);
        assert_eq!(ran.status, 0, "{arguments} {redirection}: {}", ran.stderr);
    }
    // Python's and Node's libraries open /dev/null for reading and writing; a daemon has it on every stream.
    for redirection in ["1<>/dev/null", "<>/dev/null 1<>/dev/null 2<>/dev/null", "<&- 1<>/dev/null"] {
        assert_eq!(redirected(good.path(), "tags", redirection).status, 0, "{redirection}");
    }
    assert_eq!(redirected(good.path(), "tags", "<&- >&-").status, 2);
}
