//! Images read by other people's tools, run by runc, and judged through the command.
//!
//! A script stands in for the daemon here, so that no Go is needed; the real one is in `image_real.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::container::{Root, Setting, obstacle, stdout};
use crate::common::{finish, root, run, skip};
use image::archive::{self, BINARY_LABEL, Image};
use image::platform::Platform;
use image::root::{Contents, Shell, parts};
use tailscale_featureset::process::on_path;

/// Stands in for the daemon: tells who it is, what it was given and what the kernel's switches are, and stays.
const DAEMON: &str = r#"#!/bin/sh
# runc carries the two streams apart: only one of them keeps its order.
exec >&2
echo "process $$"
for argument; do echo "argument [$argument]"; done
for switch in ipv4/ip_forward ipv6/conf/all/forwarding; do
    # The kernel gives the digit and then, byte by byte, nothing: the line has no end, and read says so.
    read -r value </proc/sys/net/$switch || true
    echo "$switch $value"
done
echo started
while :; do read -r nothing </dev/tty || sleep 1; done 2>/dev/null
"#;

/// An image of this machine with a shell of its own packages, and the script in the daemon's place.
fn image() -> Option<Image> {
    let Some(shell) = on_path("mksh-static") else {
        skip("mksh-static is not installed (Debian's mksh)");
        return None;
    };
    let platform = match std::env::consts::ARCH {
        "x86_64" => Platform::Amd64,
        "aarch64" => Platform::Arm64,
        other => {
            skip(&format!("RouterOS has no containers on {other}"));
            return None;
        }
    };
    let shell = Some(Shell { bytes: std::fs::read(shell).unwrap(), kind: None });
    let contents = Contents { program: DAEMON.as_bytes().to_vec(), shell };
    let labels = [(BINARY_LABEL.to_owned(), image::sha256(&contents.program))].into();
    Some(Image { platform, tag: "tailscale-routeros:test".to_owned(), contents, labels })
}

fn written(image: &Image) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    std::fs::write(&path, archive::write(image).unwrap().bytes).unwrap();
    (folder, path)
}

#[test]
fn shellcheck_has_nothing_to_say_of_the_entrypoint() {
    if on_path("shellcheck").is_none() {
        return skip("shellcheck is not installed");
    }
    let script = root().join("crates/image/entrypoint.sh");
    assert_eq!(stdout(Command::new("shellcheck").args(["--shell=sh", "--severity=style"]).arg(script)), "");
}

#[test]
fn skopeo_reads_it_and_copies_it_to_an_oci_layout() {
    let Some(image) = image() else { return };
    if on_path("skopeo").is_none() {
        return skip("skopeo is not installed");
    }
    let (folder, path) = written(&image);
    let source = format!("docker-archive:{}", path.display());
    let inspected: serde_json::Value =
        serde_json::from_str(&stdout(Command::new("skopeo").args(["inspect", &source]))).unwrap();
    assert_eq!(inspected["Architecture"], image.platform.architecture());
    assert_eq!(inspected["Labels"][BINARY_LABEL], image.labels[BINARY_LABEL]);
    let layers = inspected["Layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1);
    let oci = folder.path().join("oci");
    stdout(Command::new("skopeo").args(["copy", "--quiet", &source, &format!("oci:{}:x", oci.display())]));
    assert!(oci.join("index.json").is_file());
}

#[test]
fn what_skopeo_writes_is_judged() {
    let Some(image) = image() else { return };
    if on_path("skopeo").is_none() {
        return skip("skopeo is not installed");
    }
    let (folder, path) = written(&image);
    let verdict = |kind: &str| {
        let copy = folder.path().join(kind);
        let (from, to) = (format!("docker-archive:{}", path.display()), format!("{kind}:{}:x/y:z", copy.display()));
        stdout(Command::new("skopeo").args(["copy", "--quiet", &from, &to]));
        run(folder.path(), &["image", "lint", kind])
    };
    let same = verdict("docker-archive");
    assert!(
        same.status == 0 && same.stderr.contains("1 layer") && same.stderr.contains("no findings"),
        "{}",
        same.shown()
    );
    let other = verdict("oci-archive");
    assert!(other.status == 1 && other.stderr.contains("error[oci-layout]"), "{}", other.shown());
}

#[test]
fn podman_loads_it() {
    let Some(image) = image() else { return };
    if on_path("podman").is_none() {
        return skip("podman is not installed");
    }
    if !rustix::process::geteuid().is_root() {
        return skip("podman unpacks it as root");
    }
    let (folder, path) = written(&image);
    let podman = || {
        let mut command = Command::new("podman");
        command.arg("--root").arg(folder.path().join("storage")).arg("--runroot").arg(folder.path().join("run"));
        command.args(["--storage-driver", "vfs"]);
        command
    };
    stdout(podman().args(["load", "--quiet", "--input"]).arg(&path));
    let form = "{{.Architecture}} {{.Config.Entrypoint}} {{.Config.Cmd}} {{.Config.Volumes}}";
    let said = stdout(podman().args(["image", "inspect", "--format", form, "localhost/tailscale-routeros:test"]));
    let expected = "[/usr/local/bin/entrypoint.sh] [--statedir=/var/lib/tailscale] map[/var/lib/tailscale:{}]";
    assert_eq!(said.trim(), format!("{} {expected}", image.platform.architecture()));
}

#[test]
fn the_unpacked_root_takes_what_the_parts_say() {
    let Some(image) = image() else { return };
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    let unpacked = Root::unpack(&written(&image).1);
    assert_eq!(unpacked.on_disk(), parts(&image.contents).iter().map(|part| part.disk).sum::<u64>());
    assert_eq!(std::fs::read_link(unpacked.path().join("bin")).unwrap(), Path::new("usr/local/bin"));
}

/// A new network takes the IPv4 switch over from the machine's own, where it may be on already.
fn without_inherited(said: &str) -> String {
    said.lines().filter(|line| !line.contains("ipv4")).map(|line| format!("{line}\n")).collect()
}

const ARGUMENTS: &[&str] = &["--statedir=/var/lib/tailscale", "two words", "", "$HOME `x` \"'", "*"];

#[test]
fn the_entrypoint_turns_forwarding_on_and_becomes_the_daemon() {
    let Some(image) = image() else { return };
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    let unpacked = Root::unpack(&written(&image).1);
    let mut container = unpacked.run(ARGUMENTS, &Setting::default());
    container.wait_for("started");
    insta::assert_snapshot!(without_inherited(&container.said()));
    assert_eq!(
        container.exec(&["/bin/sh", "-c", "echo $0 \"$(</proc/sys/net/ipv6/conf/all/forwarding)\""]).1,
        "/bin/sh 1\n"
    );
}

#[test]
fn what_the_entrypoint_can_t_set_it_reports_and_goes_on() {
    let Some(image) = image() else { return };
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    let unpacked = Root::unpack(&written(&image).1);
    let setting = Setting { read_only_switches: true, environment: vec!["MAIN_ROUTES=yes"], ..Setting::default() };
    let mut container = unpacked.run(&["--port=0"], &setting);
    container.wait_for("started");
    insta::assert_snapshot!(without_inherited(&container.said()));
}

#[test]
fn what_is_on_already_is_left_alone() {
    let Some(image) = image() else { return };
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    let unpacked = Root::unpack(&written(&image).1);
    let mut container = unpacked.run(&[], &Setting { forwarding: true, ..Setting::default() });
    container.wait_for("started");
    let expected = "process 1\nipv4/ip_forward 1\nipv6/conf/all/forwarding 1\nstarted\n";
    assert_eq!(container.said(), expected, "and no argument is made up");
}

/// A small archive with two things wrong.
fn broken() -> (tempfile::TempDir, PathBuf) {
    let contents = Contents { program: b"#!".to_vec(), shell: None };
    let labels = [(BINARY_LABEL.to_owned(), "00".to_owned())].into();
    written(&Image { platform: Platform::ArmV5, tag: "x:y".to_owned(), contents, labels })
}

#[test]
fn a_verdict_for_people_for_programs_and_for_github() {
    let (folder, _) = broken();
    let shown = ["human", "json", "github"].map(|format| {
        let ran = run(folder.path(), &["image", "lint", "image.tar", "--format", format]);
        ran.shown()
    });
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn what_is_no_archive_is_told_and_what_has_no_end_is_not_read_to_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), "no archive").unwrap();
    let ran = run(folder.path(), &["image", "lint", "text"]);
    assert!(ran.status == 1 && ran.stderr.contains("unreadable"), "{}", ran.shown());
    for (file, code) in [("none", "error[file-error]"), ("/dev/zero", "error[file-error]"), (".", "error[file-error]")]
    {
        let ran = run(folder.path(), &["image", "lint", file]);
        assert!(ran.status == 2 && ran.stderr.contains(code), "{}", ran.shown());
    }
}

#[test]
fn what_keeps_an_image_from_being_made() {
    let mips = crate::common::folder(&crate::common::policy(&[], "{ platform: linux/mipsle/softfloat }"));
    let shown = [
        run(mips.path(), &["image"]),
        run(mips.path(), &["image", "--target", "two"]),
        run(mips.path(), &["image", "lint", "featureset.yaml", "--target", "one"]),
        run(root(), &["image", "--shell-file", "/bin/sh"]),
        run(root(), &["image", "script", "--routeros", "7.14"]),
        run(root(), &["image", "script", "--routeros", "7.21", "--interface", "x; /system/reboot"]),
        run(root(), &["image", "script", "--routeros", "new"]),
    ]
    .map(|ran| ran.shown().replace(mips.path().to_str().unwrap(), "[FOLDER]"));
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_script_goes_to_stdout_and_its_warning_to_stderr() {
    let arguments = ["image", "script", "--routeros", "7.30.1", "--routes", "10.0.0.0/8,fd00::/8", "--env", "A=b=c"];
    let ran = run(root(), &arguments);
    assert!(ran.status == 0 && ran.stderr.contains("newer than what is known here"), "{}", ran.shown());
    assert!(ran.stdout.contains("--advertise-routes=10.0.0.0/8,fd00::/8") && ran.stdout.contains("value=\"b=c\""));
    let mut json = crate::common::command(root(), &arguments);
    json.args(["--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&finish(json).stdout).unwrap();
    assert_eq!(document["script"].as_str().unwrap(), ran.stdout);
}
