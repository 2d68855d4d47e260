//! Images read by other tools, run by runc, and linted.
//!
//! A script replaces the daemon, so that no Go is needed; `image_real.rs` runs the real one.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::container::{Root, Setting, obstacle, stdout};
use crate::common::{finish, root, run, skip, wait_until};
use image::archive::{self, BINARY_LABEL, Image};
use image::helper::for_platform;
use image::platform::Platform;
use image::root::{Contents, Shell, parts};
use tailscale_featureset::process::on_path;

/// Replaces the daemon: prints its process ID, its arguments and the kernel's switches, and keeps running.
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

/// An image for this machine with its own packaged shell, and with the script in place of the daemon.
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
    let shell = Some(Shell { bytes: std::fs::read(shell).unwrap(), kind: None, helper: for_platform(platform) });
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
fn entrypoint_passes_shellcheck() {
    if on_path("shellcheck").is_none() {
        return skip("shellcheck is not installed");
    }
    let script = root().join("crates/image/entrypoint.sh");
    assert_eq!(stdout(Command::new("shellcheck").args(["--shell=sh", "--severity=style"]).arg(script)), "");
}

#[test]
fn image_is_copied_to_oci_layout_by_skopeo() {
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
fn image_lint_of_archives_of_skopeo_accepts_docker_and_refuses_oci() {
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
    assert_eq!(same.status, 0, "{}", same.transcript());
    assert!(same.stderr.contains("1 layer"), "{}", same.transcript());
    assert!(same.stderr.contains("no findings"), "{}", same.transcript());
    let other = verdict("oci-archive");
    assert_eq!(other.status, 1, "{}", other.transcript());
    assert!(other.stderr.contains("error[oci-layout]"), "{}", other.transcript());
}

#[test]
fn image_is_loaded_by_podman() {
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
fn image_unpacked_has_the_reported_size() {
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

/// The tests of `entrypoint.rs` are about the limit of the heap, which depends on this machine's memory.
const NO_LIMIT: &str = "GOMEMLIMIT=off";

const ARGUMENTS: &[&str] = &["--statedir=/var/lib/tailscale", "two words", "", "$HOME `x` \"'", "*"];

#[test]
fn entrypoint_enables_forwarding_and_becomes_the_daemon() {
    let Some(image) = image() else { return };
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    let unpacked = Root::unpack(&written(&image).1);
    let mut container = unpacked.run(ARGUMENTS, &Setting { environment: vec![NO_LIMIT], ..Setting::default() });
    container.wait_for("started");
    insta::assert_snapshot!(without_inherited(&container.output()));
    assert_eq!(
        container.exec(&["/bin/sh", "-c", "echo $0 \"$(</proc/sys/net/ipv6/conf/all/forwarding)\""]).1,
        "/bin/sh 1\n"
    );
}

#[test]
fn entrypoint_with_read_only_switches_reports_them_and_continues() {
    let Some(image) = image() else { return };
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    let unpacked = Root::unpack(&written(&image).1);
    let setting =
        Setting { read_only_switches: true, environment: vec!["MAIN_ROUTES=yes", NO_LIMIT], ..Setting::default() };
    let mut container = unpacked.run(&["--port=0"], &setting);
    container.wait_for("started");
    insta::assert_snapshot!(without_inherited(&container.output()));
}

#[test]
fn entrypoint_without_ip_keeps_routes_in_the_main_table() {
    let Some(image) = image() else { return };
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    let unpacked = Root::unpack(&written(&image).1);
    let environment = vec!["MAIN_ROUTES=100.64.0.0/10 10.1.0.0/16 fd7a:115c:a1e0::/48"];
    let mut container = unpacked.run(&[], &Setting { environment, ..Setting::default() });
    container.wait_for("started");
    container.in_network(&["ip", "link", "add", "tailscale0", "type", "veth", "peer", "name", "other"]);
    container.in_network(&["ip", "link", "set", "tailscale0", "up"]);
    container.wait_for("tailscale0 is up: routes added to the main table");
    let routes = container.in_network(&["ip", "-4", "route"]);
    assert!(
        routes.contains("100.64.0.0/10 dev tailscale0") && routes.contains("10.1.0.0/16 dev tailscale0"),
        "{routes}"
    );
    // The daemon takes its device down with `tailscale down`, and the kernel removes the routes with it.
    container.in_network(&["ip", "link", "set", "tailscale0", "down"]);
    assert!(!container.in_network(&["ip", "-4", "route"]).contains("tailscale0"));
    container.in_network(&["ip", "link", "set", "tailscale0", "up"]);
    wait_until("the routes are there again", || {
        container.in_network(&["ip", "-4", "route"]).contains("10.1.0.0/16 dev tailscale0")
    });
}

#[test]
fn entrypoint_with_forwarding_on_changes_nothing() {
    let Some(image) = image() else { return };
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    let unpacked = Root::unpack(&written(&image).1);
    let mut container =
        unpacked.run(&[], &Setting { forwarding: true, environment: vec![NO_LIMIT], ..Setting::default() });
    container.wait_for("started");
    let expected = "process 1\nipv4/ip_forward 1\nipv6/conf/all/forwarding 1\nstarted\n";
    assert_eq!(container.output(), expected, "and no argument is made up");
}

/// A small archive with two things wrong.
fn broken() -> (tempfile::TempDir, PathBuf) {
    let contents = Contents { program: b"#!".to_vec(), shell: None };
    let labels = [(BINARY_LABEL.to_owned(), "00".to_owned())].into();
    written(&Image { platform: Platform::ArmV5, tag: "x:y".to_owned(), contents, labels })
}

#[test]
fn image_lint_of_a_broken_archive_in_each_format() {
    let (folder, _) = broken();
    for format in ["human", "json", "github"] {
        let ran = run(folder.path(), &["image", "lint", "image.tar", "--format", format]);
        insta::assert_snapshot!(format!("lint_{format}"), ran.transcript());
    }
}

#[test]
fn image_lint_of_other_files_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), "no archive").unwrap();
    let ran = run(folder.path(), &["image", "lint", "text"]);
    assert_eq!(ran.status, 1, "{}", ran.transcript());
    assert!(ran.stderr.contains("not-an-archive"), "{}", ran.transcript());
    for (file, code) in [("none", "error[file-error]"), ("/dev/zero", "error[file-error]"), (".", "error[file-error]")]
    {
        let ran = run(folder.path(), &["image", "lint", file]);
        assert_eq!(ran.status, 2, "{}", ran.transcript());
        assert!(ran.stderr.contains(code), "{}", ran.transcript());
    }
}

#[test]
fn image_with_invalid_arguments_reports_the_next_step() {
    let mips = crate::common::folder(&crate::common::policy(
        &[],
        "{ platform: linux/mipsle/softfloat, image: { shell: mksh } }",
    ));
    let router = crate::common::folder(&crate::common::router_policy());
    for (case, folder, arguments) in [
        ("platform_without_routeros", &mips, &["image"][..]),
        ("unknown_target", &mips, &["image", "--target", "two"]),
        ("lint_target_not_built", &mips, &["image", "lint", "featureset.yaml", "--target", "one"]),
        ("shell_file_for_several_targets", &router, &["image", "--shell-file", "/bin/sh"]),
        ("script_old_routeros", &router, &["image", "script", "--routeros", "7.14"]),
        (
            "script_hostile_name",
            &router,
            &["image", "script", "--routeros", "7.21", "--interface", "x; /system/reboot"],
        ),
        ("script_invalid_version", &router, &["image", "script", "--routeros", "new"]),
    ] {
        let ran = run(folder.path(), arguments);
        assert_eq!(ran.status, 2, "{}", ran.transcript());
        insta::assert_snapshot!(case, ran.transcript().replace(folder.path().to_str().unwrap(), "[FOLDER]"));
    }
}

#[test]
fn image_script_for_newer_routeros_warns_on_stderr() {
    let arguments = ["image", "script", "--routeros", "7.30.1", "--routes", "10.0.0.0/8,fd00::/8", "--env", "A=b=c"];
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &arguments);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stderr.contains("newer than what is known here"), "{}", ran.transcript());
    assert!(ran.stdout.contains("--advertise-routes=10.0.0.0/8,fd00::/8"));
    assert!(ran.stdout.contains("value=\"b=c\""));
    let mut json = crate::common::command(folder.path(), &arguments);
    json.args(["--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&finish(json).stdout).unwrap();
    assert_eq!(document["script"].as_str().unwrap(), ran.stdout);
}

#[test]
fn first_installation_in_docs_is_the_script() {
    let page = std::fs::read_to_string(root().join("docs/first-installation.md")).unwrap();
    let command = page.lines().find_map(|line| line.trim().strip_prefix("$ cargo xtask image script ")).unwrap();
    let (flags, _) = command.split_once(" > ").unwrap();
    let folder = crate::common::folder(&crate::common::router_policy());
    let arguments: Vec<&str> = ["image", "script"].into_iter().chain(flags.split(' ')).collect();
    let ran = run(folder.path(), &arguments);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let printed: Vec<&str> = ran.stdout.lines().filter(is_code).collect();
    let blocks = page.split("```routeros\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let explained: Vec<&str> = blocks.flat_map(str::lines).collect();
    for (explained, printed) in explained.iter().zip(&printed) {
        assert_eq!(explained, printed, "docs/first-installation.md explains another script");
    }
    assert_eq!(explained.len(), printed.len());
}

/// The policy of the router with one decision, or one other text, replaced.
fn router_without(from: &str, to: &str) -> tempfile::TempDir {
    let policy = crate::common::router_policy();
    assert!(policy.contains(from), "{from}");
    crate::common::folder(&policy.replace(from, to))
}

#[test]
fn script_that_asks_for_what_the_image_cannot_do_is_refused() {
    let omitted =
        |feature: &str| router_without(&format!("  {feature}:\n    keep"), &format!("  {feature}:\n    omit"));
    let without_shell = router_without("shell: mksh", "shell: none");
    let cases: [(&str, &tempfile::TempDir, &[&str]); 6] = [
        ("script_routes", &omitted("advertiseroutes"), &["--routeros", "7.21", "--routes", "10.0.0.0/8"]),
        ("script_exit_node", &omitted("advertiseexitnode"), &["--routeros", "7.21", "--exit-node"]),
        ("script_accept_routes", &omitted("useroutes"), &["--routeros", "7.21", "--accept-routes", "10.1.0.0/16"]),
        ("script_main_routes_without_shell", &without_shell, &["--routeros", "7.22"]),
        ("script_auth_key_without_shell", &without_shell, &["--routeros", "7.21", "--auth-key-file", "key"]),
        ("script_update_without_shell", &without_shell, &["--routeros", "7.21", "--update"]),
    ];
    for (case, folder, arguments) in cases {
        let ran = run(folder.path(), &[&["image", "script"], arguments].concat());
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{}", ran.transcript());
        insta::assert_snapshot!(case, ran.stderr);
    }
    // A request that the image can follow is not refused: older versions need no program that adds routes.
    let ran = run(without_shell.path(), &["image", "script", "--routeros", "7.21"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    // One target that keeps the feature is enough, because the script does not name a target.
    let one = omitted("useroutes");
    let policy = std::fs::read_to_string(one.path().join("featureset.yaml")).unwrap();
    let target = "amd64: { platform: linux/amd64 }";
    assert!(policy.contains(target));
    let keeps =
        "amd64:\n    platform: linux/amd64\n    features:\n      useroutes:\n        keep: This router uses routes.";
    std::fs::write(one.path().join("featureset.yaml"), policy.replace(target, keeps)).unwrap();
    let ran = run(one.path(), &["image", "script", "--routeros", "7.21", "--accept-routes", "10.1.0.0/16"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
}
