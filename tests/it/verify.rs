//! `verify`: checks on a real daemon in namespaces, of which no trace remains on the machine.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{
    RELEASE, cache, command, finish, folder, full, policy, router, run, skip, unprivileged, wait_until,
};
use tailscale_featureset::netlab::sandbox::missing_requirement;

/// The state of this machine that a run could change: interfaces, resolver, switches, and files of daemons.
fn machine() -> Vec<String> {
    let names = |folder: &str| {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().path().display().to_string()).collect();
        names.sort();
        names
    };
    let mut found =
        [names("/sys/class/net"), names("/run/netns"), names("/var/lib/tailscale"), names("/run/netlab")].concat();
    found.extend(
        ["/etc/resolv.conf", "/proc/sys/net/ipv4/ip_forward", "/proc/self/mountinfo", "/proc/net/route"]
            .map(|path| format!("{path}: {}", std::fs::read_to_string(path).unwrap_or_default())),
    );
    found
}

/// The checks of a run: name, outcome, and observation.
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
fn verify_twice_at_once_passes() {
    if let Some(why) = missing_requirement() {
        return skip(&why);
    }
    let before = machine();
    let beside = std::thread::spawn(|| run(router(), &["verify", "--check", "login", "--format", "json"]));
    let ran = run(router(), &["verify", "--check", "cli", "--check", "login", "--format", "json", "--require-all"]);
    let beside = beside.join().unwrap();
    assert_eq!((ran.status, beside.status), (0, 0), "{}\n{}", ran.transcript(), beside.transcript());
    let passed: Vec<(String, String)> = outcomes(&ran.stdout).into_iter().map(|(name, how, _)| (name, how)).collect();
    assert_eq!(passed, [("cli".into(), "passed".into()), ("login".into(), "passed".into())]);
    assert_eq!(machine(), before);
}

#[test]
fn verify_interrupted_leaves_nothing() {
    if let Some(why) = missing_requirement() {
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
fn verify_of_unprivileged_user_is_skipped() {
    let project = folder(&policy(&[], "{ platform: linux/amd64 }"));
    let Some(run) = unprivileged(project.path()) else { return skip("only root can become another user") };
    let verify = |arguments: &[&str]| run(&[&["verify"], arguments].concat());
    let ran = verify(&["--check", "login"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    insta::assert_snapshot!(ran.transcript());
    assert_eq!(verify(&["--check", "login", "--require-all"]).status, 1);
    let staged = verify(&["--hazard", "ipnbus-up", "--hazard", "nattraversal-rebind"]);
    insta::assert_snapshot!("hazards_of_unprivileged_user", staged.transcript());
    assert_eq!((staged.status, verify(&["--hazard", "ipnbus-up", "--require-all"]).status), (0, 1));
}

#[test]
fn verify_with_control_server_needs_the_right_key() {
    if !full() {
        return;
    }
    if let Some(why) = missing_requirement() {
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
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(outcomes(&ran.stdout)[0].2.contains("only our own control server"), "{}", ran.transcript());
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
    assert_eq!(wrong.status, 1, "{}", wrong.transcript());
    assert!(seen[0].2.contains("invalid authkey"), "{}", wrong.transcript());
    let passed: Vec<(String, String)> = outcomes(&right.stdout).into_iter().map(|(name, how, _)| (name, how)).collect();
    assert_eq!(
        passed,
        [("cli".into(), "passed".into()), ("restart".into(), "passed".into())],
        "{}",
        right.transcript()
    );
    assert!(right.stderr.contains(&format!("Reached 10.90.0.1:{port}")), "{}", right.transcript());
    assert_eq!(machine(), before);
}

#[test]
fn verify_control_with_invalid_arguments_is_refused() {
    let project = folder(&policy(&[], "{ platform: linux/amd64 }"));
    std::fs::write(project.path().join("key"), "\n").unwrap();
    for (case, arguments) in [
        ("control_without_key", &["--control", "https://control.example"][..]),
        ("control_with_empty_key", &["--control", "https://control.example", "--auth-key-file", "key"]),
        ("control_with_path", &["--control", "control.example/path"]),
        ("key_without_control", &["--auth-key-file", "other"]),
    ] {
        let mut command = command(project.path(), &[&["verify", "--check", "cli"], arguments].concat());
        command.env_remove("TS_AUTHKEY");
        insta::assert_snapshot!(case, finish(command).transcript());
    }
}

#[test]
fn verify_lists_checks_and_reports_unknown_names() {
    let project = folder(&policy(&[], "{ platform: linux/amd64 }"));
    for (case, arguments) in [
        ("list", &["verify", "--list"][..]),
        ("unknown_check", &["verify", "--check", "x"]),
        ("hazard_not_staged", &["verify", "--hazard", "iptables-legacy-kernel"]),
        ("unknown_hazard", &["verify", "--hazard", "x"]),
    ] {
        insta::assert_snapshot!(case, run(project.path(), arguments).transcript());
    }
}
