//! The entrypoint's limit of the heap, in each shell that can run it. The kernel's files are crafted and mounted over the real
//! ones, so the script needs no variables for tests.

use std::path::Path;
use std::process::Command;

use crate::common::{root, skip};
use featureset::memory::{ENTRYPOINT_EIGHTHS, ENTRYPOINT_FLOOR};
use tailscale_featureset::process::on_path;

/// The line of a control group without a limit, of version 1.
const UNLIMITED: &str = "9223372036854771712";

/// Runs the entrypoint with its arguments in a mount namespace.
const RUN: &str = r#"
mount --bind "$1/proc" /proc && mount --bind "$1/sys" /sys && mount --bind "$1/bin" /usr/local/bin || exit 9
folder=$1 shell=$2
shift 2
exec env -i "$@" "$shell" "$folder/entrypoint.sh"
"#;

/// Replaces the daemon.
const DAEMON: &str = "#!/bin/sh\necho \"daemon: ${GOMEMLIMIT-not set}\"\n";

/// A shell, by the path of its program and, for busybox, its link.
fn shells() -> Vec<&'static str> {
    ["mksh", "mksh-static", "dash", "busybox"].into_iter().filter(|name| on_path(name).is_some()).collect()
}

#[test]
fn share_and_floor_are_those_of_the_predictions() {
    let script = std::fs::read_to_string(root().join("crates/image/entrypoint.sh")).unwrap();
    assert!(script.contains(&format!("GOMEMLIMIT=$((memory * {ENTRYPOINT_EIGHTHS} / 8))MiB")));
    assert!(script.contains(&format!("[ \"$memory\" -lt {ENTRYPOINT_FLOOR} ]")));
}

fn obstacle() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can mount files over the kernel's".to_owned());
    }
    ["unshare", "mount", "env", "mksh"]
        .into_iter()
        .find(|tool| on_path(tool).is_none())
        .map(|tool| format!("{tool} is not installed"))
}

/// Runs the entrypoint in every shell with these files and variables. Returns the daemon's GOMEMLIMIT and the entrypoint's line
/// about it, which are the same in all shells.
fn limit(files: &[(&str, &str)], variables: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for (name, text) in files {
        write(name, text);
    }
    for kept in ["proc", "sys", "bin"] {
        std::fs::create_dir_all(folder.path().join(kept)).unwrap();
    }
    std::fs::copy(root().join("crates/image/entrypoint.sh"), folder.path().join("entrypoint.sh")).unwrap();
    write("bin/tailscaled", DAEMON);
    executable(&folder.path().join("bin/tailscaled"));
    let mut answers: Vec<(String, String)> =
        shells().iter().map(|shell| run(folder.path(), shell, variables)).collect();
    let first = answers.remove(0);
    assert!(answers.iter().all(|answer| *answer == first), "{:?}: {first:?}, {answers:?}", shells());
    first
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn run(folder: &Path, shell: &str, variables: &[&str]) -> (String, String) {
    let mut program = on_path(shell).unwrap();
    if shell == "busybox" {
        // Called under this name, it is a shell.
        let link = folder.join("sh");
        let _ = std::os::unix::fs::symlink(&program, &link);
        program = link;
    }
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "sh", "-c", RUN, "sh"])
        .arg(folder)
        .arg(program)
        .args(variables);
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{shell}: {stdout}{stderr}");
    // Only the switches of forwarding and this line are reported: no message of the shell itself.
    let own: Vec<&str> = stderr.lines().filter(|line| !line.contains("this kernel has no such switch")).collect();
    let value =
        stdout.trim_end_matches('\n').strip_prefix("daemon: ").unwrap_or_else(|| panic!("{shell}: {stdout}{stderr}"));
    (value.to_owned(), own.join("\n"))
}

const TEN_GIGABYTES: (&str, &str) = ("proc/meminfo", "MemTotal:       10485760 kB\nMemFree:         1 kB\n");
const V1: (&str, &str) = ("proc/self/cgroup", "9:name=systemd:/a\n4:cpu,memory:/a/b\n");
const V2: (&str, &str) = ("proc/self/cgroup", "0::/a/b\n");

/// Files of the kernel, and their contents.
type Files = &'static [(&'static str, &'static str)];

const SMALL_MACHINE: (&str, &str) = ("proc/meminfo", "MemTotal:         262144 kB\n");
const LIMIT: &str = "134217728\n";

/// The kernel's files, and the entrypoint's answer.
const CASES: [(Files, &str); 12] = [
    // The machine, in groups of both versions without a limit.
    (&[SMALL_MACHINE, V2], "192MiB of 256"),
    (&[SMALL_MACHINE, V1, ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", UNLIMITED)], "192MiB of 256"),
    // Version 1: its own group, the group above, and a container in which its own group is mounted.
    (&[TEN_GIGABYTES, V1, ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", LIMIT)], "96MiB of 128"),
    (
        &[
            TEN_GIGABYTES,
            V1,
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", LIMIT),
            ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", UNLIMITED),
        ],
        "96MiB of 128",
    ),
    (&[TEN_GIGABYTES, V1, ("sys/fs/cgroup/memory/memory.limit_in_bytes", LIMIT)], "96MiB of 128"),
    // Version 2: its own group, the group above, a namespace, and the limit at which the kernel slows programs down.
    (&[TEN_GIGABYTES, V2, ("sys/fs/cgroup/a/b/memory.max", LIMIT)], "96MiB of 128"),
    (
        &[TEN_GIGABYTES, V2, ("sys/fs/cgroup/a/b/memory.max", "max\n"), ("sys/fs/cgroup/a/memory.max", LIMIT)],
        "96MiB of 128",
    ),
    (&[TEN_GIGABYTES, ("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", LIMIT)], "96MiB of 128"),
    (
        &[TEN_GIGABYTES, V2, ("sys/fs/cgroup/a/b/memory.max", "max\n"), ("sys/fs/cgroup/a/b/memory.high", LIMIT)],
        "96MiB of 128",
    ),
    // More than 31 and 32 bits, and the largest number that counts.
    (&[TEN_GIGABYTES, V2, ("sys/fs/cgroup/a/b/memory.max", "3221225472\n")], "2303MiB of 3071"),
    (&[TEN_GIGABYTES, V2, ("sys/fs/cgroup/a/b/memory.max", "8589934592\n")], "6143MiB of 8191"),
    (&[V2, ("sys/fs/cgroup/a/b/memory.max", "999999999999\n")], "715255MiB of 953674"),
];

fn assert_limit(files: &[(&str, &str)], variables: &[&str], expected: &str) {
    let (value, message) = limit(files, variables);
    assert_eq!(value, expected.split_once(' ').unwrap().0, "{files:?}: {message}");
    assert_eq!(message, format!("entrypoint: GOMEMLIMIT: {expected} MiB of memory"), "{files:?}");
}

#[test]
fn heap_is_limited_by_the_smallest_size() {
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    for (files, expected) in CASES {
        assert_limit(files, &[], expected);
    }
    // The size in the script for the router.
    let group = [TEN_GIGABYTES, V2, ("sys/fs/cgroup/a/b/memory.max", LIMIT)];
    assert_limit(&group, &["MEMORY_LIMIT=256"], "96MiB of 128");
    assert_limit(&group, &["MEMORY_LIMIT=48"], "36MiB of 48");
    assert_limit(&[], &["MEMORY_LIMIT=128"], "96MiB of 128");
}

#[test]
fn heap_is_not_limited_if_the_memory_is_too_small_or_unknown() {
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    let small = [TEN_GIGABYTES, V2, ("sys/fs/cgroup/a/b/memory.max", "50331647\n")];
    let message =
        "entrypoint: GOMEMLIMIT: not set: 47 MiB of memory are too few for the daemon under load with any limit";
    assert_eq!(limit(&small, &[]), ("not set".to_owned(), message.to_owned()));
    let unknown =
        ("not set".to_owned(), "entrypoint: GOMEMLIMIT: not set: the size of the memory is not known".to_owned());
    assert_eq!(limit(&[], &[]), unknown);
    // A terabyte and more, and files that are not as the kernel writes them.
    for value in ["1000000000000", UNLIMITED, "max", "", "-1", "0x10", "007", "0", "1e9", "$(echo 1)", "a[1]"] {
        let files = [
            ("proc/self/cgroup", "0::/a/b\n4:memory:a\nx\n\n"),
            ("sys/fs/cgroup/a/b/memory.max", value),
            ("proc/meminfo", &format!("MemTotal: {value} kB\nMemTotal:\n\n")),
        ];
        let variable = format!("MEMORY_LIMIT={value}");
        assert_eq!(limit(&files, &[&variable]), unknown, "{value}");
    }
}

#[test]
fn limit_of_the_user_stays() {
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    for value in ["100MiB", "off", ""] {
        let variable = format!("GOMEMLIMIT={value}");
        assert_eq!(limit(&[TEN_GIGABYTES, V2], &[&variable, "MEMORY_LIMIT=128"]), (value.to_owned(), String::new()));
    }
}
