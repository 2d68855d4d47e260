//! `verify`: checks on a real daemon in namespaces of their own, which leave nothing behind.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{RELEASE, cache, command, finish, folder, full, policy, router, run, skip, wait_until};
use tailscale_featureset::world::entrance::lacking;

/// What of this machine a run could touch: its interfaces, its resolver, and what daemons leave.
fn machine() -> Vec<String> {
    let names = |folder: &str| {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().path().display().to_string()).collect();
        names.sort();
        names
    };
    let mut found =
        [names("/sys/class/net"), names("/run/netns"), names("/var/lib/tailscale"), names("/run/world")].concat();
    found.extend(
        ["/etc/resolv.conf", "/proc/sys/net/ipv4/ip_forward", "/proc/self/mountinfo", "/proc/net/route"]
            .map(|path| format!("{path}: {}", std::fs::read_to_string(path).unwrap_or_default())),
    );
    found
}

/// The checks of a run: name, outcome, and what was seen.
fn outcomes(stdout: &str) -> Vec<(String, String, String)> {
    let document: serde_json::Value = serde_json::from_str(stdout).unwrap();
    let checks = document["checks"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    checks
        .map(|check| {
            let seen = check.get("observed").or(check.get("why")).unwrap_or(&check["outcome"]);
            (text(&check["check"]), text(&check["outcome"]), text(seen))
        })
        .collect()
}

#[test]
fn the_binary_that_ships_logs_in_and_obeys_with_a_second_run_beside_it() {
    if let Some(why) = lacking() {
        return skip(&why);
    }
    let before = machine();
    let beside = std::thread::spawn(|| run(router(), &["verify", "--check", "login", "--format", "json"]));
    let ran = run(router(), &["verify", "--check", "cli", "--check", "login", "--format", "json", "--require-all"]);
    let beside = beside.join().unwrap();
    assert_eq!((ran.status, beside.status), (0, 0), "{}\n{}", ran.shown(), beside.shown());
    let passed: Vec<(String, String)> = outcomes(&ran.stdout).into_iter().map(|(name, how, _)| (name, how)).collect();
    assert_eq!(passed, [("cli".into(), "passed".into()), ("login".into(), "passed".into())]);
    assert_eq!(machine(), before);
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    if let Some(why) = lacking() {
        return skip(&why);
    }
    let before = machine();
    let mut command = command(router(), &["verify", "--check", "cli"]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(stderr.any(|line| line.contains("Checking cli")));
    let is_daemon =
        |id: &u32| std::fs::read_to_string(format!("/proc/{id}/cmdline")).is_ok_and(|line| line.contains("tailscaled"));
    wait_until("hosts, servers and a daemon run", || {
        let inside = below(child.id());
        inside.len() >= 5 && inside.iter().any(is_daemon)
    });
    let inside = below(child.id());
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(stderr.filter(|line| line.contains("interrupted")).count(), 1);
    let left: Vec<&u32> = inside.iter().filter(|id| Path::new(&format!("/proc/{id}")).exists()).collect();
    assert!(left.is_empty(), "{left:?} still run");
    assert_eq!(machine(), before);
}

/// Every process below another.
fn below(id: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().map(|task| task.unwrap().path());
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.join("children")).ok());
    let children: Vec<u32> =
        children.flat_map(|text| text.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>()).collect();
    children.iter().copied().chain(children.iter().flat_map(|child| below(*child))).collect()
}

#[test]
fn without_the_right_to_it_a_check_is_skipped_and_never_passed() {
    // As somebody else, from a place that everyone can read.
    if !rustix::process::geteuid().is_root() {
        return skip("not root, so it can't become somebody else");
    }
    let project = folder(&policy(&[], "{ platform: linux/amd64 }"));
    std::fs::set_permissions(project.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = project.path().join("program");
    std::fs::copy(env!("CARGO_BIN_EXE_tailscale-featureset"), &program).unwrap();
    let verify = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("verify").args(arguments).current_dir(project.path()).env("NO_COLOR", "1").uid(65534).gid(65534);
        finish(command)
    };
    let ran = verify(&["--check", "login"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    insta::assert_snapshot!(ran.shown());
    assert_eq!(verify(&["--check", "login", "--require-all"]).status, 1);
    let staged = verify(&["--hazard", "ipnbus-up", "--hazard", "nattraversal-rebind"]);
    insta::assert_snapshot!("a_staging_is_skipped", staged.shown());
    assert_eq!((staged.status, verify(&["--hazard", "ipnbus-up", "--require-all"]).status), (0, 1));
}

#[test]
fn another_control_server_is_asked_with_a_key_and_refuses_a_wrong_one() {
    if !full() {
        return;
    }
    if let Some(why) = lacking() {
        return skip(&why);
    }
    let (before, place) = (machine(), tempfile::tempdir().unwrap());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let verify = |key: &str, checks: &[&str]| {
        let file = place.path().join("key");
        std::fs::write(&file, key).unwrap();
        let fixed = ["verify", "--format", "json", "--control", &url, "--auth-key-file", file.to_str().unwrap()];
        run(router(), &[&fixed, checks].concat())
    };
    // This also builds the program whose control server then runs on the machine itself.
    let ran = verify("right", &["--check", "dns"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    assert!(outcomes(&ran.stdout)[0].2.contains("only our own control server"), "{}", ran.shown());
    let lab = cache().folder().unwrap().join(format!("modules/{RELEASE}/control.program"));
    let mut server = Command::new(lab);
    server.args(["control", "127.0.0.1", &port.to_string(), "tailnet.example"]).env("TS_AUTHKEY", "right");
    let mut server = server.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(BufReader::new(server.stdout.take().unwrap()).lines().next().unwrap().unwrap(), "ready");

    let wrong = verify("wrong", &["--check", "cli"]);
    let right = verify("right", &["--check", "cli", "--check", "restart"]);
    server.kill().unwrap();
    server.wait().unwrap();
    let seen = outcomes(&wrong.stdout);
    assert!(wrong.status == 1 && seen[0].2.contains("invalid authkey"), "{}", wrong.shown());
    let passed: Vec<(String, String)> = outcomes(&right.stdout).into_iter().map(|(name, how, _)| (name, how)).collect();
    assert_eq!(passed, [("cli".into(), "passed".into()), ("restart".into(), "passed".into())], "{}", right.shown());
    assert!(right.stderr.contains(&format!("Reached 10.90.0.1:{port}")), "{}", right.shown());
    assert_eq!(machine(), before);
}

#[test]
fn another_control_server_takes_a_key_and_an_address() {
    let project = folder(&policy(&[], "{ platform: linux/amd64 }"));
    std::fs::write(project.path().join("key"), "\n").unwrap();
    let shown = [
        &["--control", "https://control.example"][..],
        &["--control", "https://control.example", "--auth-key-file", "key"],
        &["--control", "control.example/path"],
        &["--auth-key-file", "other"],
    ]
    .map(|arguments| {
        let mut command = command(project.path(), &[&["verify", "--check", "cli"], arguments].concat());
        command.env_remove("TS_AUTHKEY");
        finish(command).shown()
    });
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn the_checks_are_listed_and_an_unknown_one_is_named() {
    let project = folder(&policy(&[], "{ platform: linux/amd64 }"));
    let (listed, unknown) =
        (run(project.path(), &["verify", "--list"]), run(project.path(), &["verify", "--check", "x"]));
    insta::assert_snapshot!(format!("{}\n{}", listed.shown(), unknown.shown()));
    let told = |hazard: &str| run(project.path(), &["verify", "--hazard", hazard]).shown();
    insta::assert_snapshot!("not_staged", format!("{}\n{}", told("tpm-state"), told("x")));
}
