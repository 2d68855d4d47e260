//! Images of a router, made with real Go, UPX and Debian's shells, and run: `cargo xtask ci --full` runs them.

#![allow(clippy::print_stderr, reason = "it reports measurements")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::common::container::{Foreign, Root, Running, Setting, obstacle, stdout};
use crate::common::{
    RELEASE, cache, command, finish, folder, full, root, router, router_policy, run, skip, wait_until,
};
use image::archive::{self, Image};
use image::helper::for_platform;
use image::platform::Platform;
use image::root::{Contents, Shell};
use image::shells::Kind;
use tailscale_featureset::commands::build_tailscale::Builder;
use tailscale_featureset::programs;
use tailscale_featureset::project::Project;
use tailscale_featureset::tools::debian::is_debian;
use tailscale_featureset::tools::qemu::{Runner, runner};

/// Returns whether Debian's packages are available; reports a skipped test if not.
fn debian() -> bool {
    let debian = is_debian();
    if !debian {
        skip("the pinned shells are packages of Debian, and this machine runs another system");
    }
    debian
}

/// Makes the image of a target of the router; returns the archive and the command's description of it.
fn made(name: &str) -> (PathBuf, serde_json::Value) {
    let ran = run(router(), &["image", "--target", name, "--format", "json"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let image = document["images"][name].clone();
    (PathBuf::from(image["archive"].as_str().unwrap()), image)
}

const ARGUMENTS: [&str; 3] =
    ["--statedir=/var/lib/tailscale", "--socket=/var/run/tailscale/two words.sock", "--port=0"];

/// Runs the image of a target: the entrypoint, the daemon it becomes, and the command line through its link.
fn works(name: &str, environment: &[&str]) {
    let (archive, image) = made(name);
    let unpacked = Root::unpack(&archive);
    assert_eq!(Some(unpacked.on_disk()), image["on_flash"].as_u64());
    eprintln!("{name}: {} bytes on disk by `du -sx`", unpacked.on_disk());
    let ends = ["TS_NO_LOGS_NO_SUPPORT=1", "TS_PANIC_IF_HIT_MAIN_CONTROL=1"];
    let setting = Setting { environment: [&ends, environment].concat(), ..Setting::default() };
    let mut container = unpacked.run(&ARGUMENTS, &setting);
    container.wait_for("Creating WireGuard device");
    assert!(container.output().contains("net.ipv6.conf.all.forwarding: off, turned on"), "{}", container.output());
    assert_eq!(container.in_network(&["cat", "/proc/sys/net/ipv6/conf/all/forwarding"]).trim(), "1");
    // An emulator precedes the arguments of the program itself.
    let words = container.arguments();
    let own = words.iter().position(|word| word == "/usr/local/bin/tailscaled").unwrap_or(0);
    assert!(words[own..].ends_with(&ARGUMENTS.map(str::to_owned)), "{words:?}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", container.process())).unwrap();
    let numbers = status.lines().find(|line| line.starts_with("NSpid:")).unwrap();
    assert!(numbers.ends_with("\t1"), "{numbers}");
    let (status, said) = container.exec(&["/usr/local/bin/tailscale", "version"]);
    assert_eq!(status, 0, "{status}: {said}");
    assert!(said.starts_with(&format!("{RELEASE}\n")), "{status}: {said}");
    let asked = ["/bin/sh", "-c", "tailscale --socket='/var/run/tailscale/two words.sock' status"];
    let (_, said) = container.exec(&asked);
    assert!(said.contains("Logged out."), "the command line reaches the daemon: {said}");
}

#[test]
fn image_runs_natively() {
    if !full() || !debian() {
        return;
    }
    match obstacle() {
        Some(why) => skip(&why),
        None if std::env::consts::ARCH != "x86_64" => skip("the machine is not an amd64"),
        None => works("amd64", &[]),
    }
}

/// Runs a foreign image whole where the kernel lets QEMU be registered; else the daemon alone under QEMU, and says so.
fn works_under_qemu(name: &str, architecture: &str, environment: &[&str]) {
    if !full() || !debian() {
        return;
    }
    let registered = match obstacle() {
        Some(why) => Err(why),
        None => Foreign::register(architecture),
    };
    match registered {
        Ok(_foreign) => works(name, environment),
        Err(why) => {
            eprintln!("{name}: the daemon alone, for {why}");
            let (archive, image) = made(name);
            let platform = image["platform"].as_str().unwrap();
            let runner = runner(featureset::platform::Platform::find(platform).unwrap());
            let unpacked = Root::unpack(&archive);
            if let Runner::Unavailable(why) = &runner {
                return skip(why);
            }
            let program = unpacked.path().join("usr/local/bin/tailscaled");
            assert!(
                stdout(&mut runner.command(&program, &["--version"]).unwrap()).starts_with(&format!("{RELEASE}\n"))
            );
        }
    }
}

// One after another: a handler is registered for the whole machine.
#[test]
fn image_for_arm_runs_under_qemu() {
    works_under_qemu("arm64", "arm64", &[]);
    works_under_qemu("armv5", "arm", &["QEMU_CPU=arm926"]);
    works_under_qemu("arm", "arm", &["QEMU_CPU=cortex-a15"]);
}

#[test]
fn image_lint_of_arm_v7_binary_in_v5_image_fails() {
    if !full() || !debian() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    for (name, status) in [("arm", 1), ("armv5", 0)] {
        made(name);
        let unpacked = router().join("target/tailscale").join(name).join("tailscaled.unpacked");
        let shell =
            Some(Shell { bytes: b"\x7fnot a program".to_vec(), kind: None, helper: for_platform(Platform::ArmV5) });
        let contents = Contents { program: std::fs::read(unpacked).unwrap(), shell };
        let parts = Image { platform: Platform::ArmV5, tag: "x:y".to_owned(), contents, labels: BTreeMap::new() };
        std::fs::write(place.path().join("image.tar"), archive::write(&parts).unwrap().bytes).unwrap();
        let ran = run(place.path(), &["image", "lint", "image.tar"]);
        assert_eq!(ran.status, status, "{}", ran.transcript());
        assert_eq!(ran.stderr.contains("the program needs more than arm v5 has"), status == 1, "{}", ran.transcript());
    }
}

#[test]
fn image_for_arm64_is_smaller_than_of_the_closest_peer() {
    if !full() || !debian() {
        return;
    }
    let on_flash = made("arm64").1["on_flash"].as_u64().unwrap();
    eprintln!("arm64: {on_flash} bytes on flash");
    assert!(on_flash < 3_600_000, "{on_flash}");
}

/// A project with the router's policy and another shell, and the artifacts that are built already.
fn with_shell(shell: &str, name: &str) -> tempfile::TempDir {
    made(name);
    let project = folder(&router_policy().replace("shell: mksh", &format!("shell: {shell}")));
    let place = project.path().join("target/tailscale");
    std::fs::create_dir_all(&place).unwrap();
    stdout(Command::new("cp").arg("-a").arg(router().join("target/tailscale").join(name)).arg(&place));
    project
}

fn archive_of(project: &Path, name: &str) -> PathBuf {
    project.join("target/image").join(name).join(format!("tailscale-{RELEASE}-{name}.tar"))
}

#[test]
fn image_in_two_folders_is_identical() {
    if !full() || !debian() {
        return;
    }
    let (archive, image) = made("amd64");
    let project = with_shell("mksh", "amd64");
    // A cache that knows the binaries and has no shell.
    let caches = tempfile::tempdir().unwrap();
    let other = caches.path().join("tailscale-featureset");
    std::fs::DirBuilder::new().mode(0o700).create(&other).unwrap();
    stdout(Command::new("cp").arg("-a").arg(cache().folder().unwrap().join("artifacts")).arg(&other));
    let mut again = command(project.path(), &["image", "--target", "amd64"]);
    again.env("XDG_CACHE_HOME", caches.path());
    let ran = finish(again);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stderr.contains("Fetched mksh for amd64"), "{}", ran.transcript());
    let again = archive_of(project.path(), "amd64");
    for end in ["tar", "tar.sha256", "cdx.json"] {
        let same = |path: &Path| std::fs::read(path.with_extension(end)).unwrap();
        assert!(same(&archive) == same(&again), "{end}");
    }
    let file = archive.with_extension("tar.sha256");
    let checked = stdout(Command::new("sha256sum").arg("--check").arg(&file).current_dir(file.parent().unwrap()));
    assert!(checked.contains(": OK"));
    assert!(std::fs::read_to_string(&file).unwrap().starts_with(image["sha256"].as_str().unwrap()));
    let bom: serde_json::Value =
        serde_json::from_slice(&std::fs::read(archive.with_extension("cdx.json")).unwrap()).unwrap();
    let names: Vec<&str> =
        bom["components"].as_array().unwrap().iter().map(|component| component["name"].as_str().unwrap()).collect();
    assert!(
        ["tailscale.com", "std", "github.com/tailscale/wireguard-go", "mksh"].iter().all(|name| names.contains(name))
    );
}

#[test]
fn entrypoint_with_busybox_adds_routes_to_the_main_table() {
    if !full() || !debian() {
        return;
    }
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    let project = with_shell("busybox", "amd64");
    let ran = run(project.path(), &["image", "--target", "amd64"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let unpacked = Root::unpack(&archive_of(project.path(), "amd64"));
    let environment = vec!["MAIN_ROUTES=yes", "TS_PANIC_IF_HIT_MAIN_CONTROL=1"];
    let mut container = unpacked.run(&ARGUMENTS[..1], &Setting { environment, ..Setting::default() });
    container.wait_for("Creating WireGuard device");
    // The daemon brings its device up once it is logged in; here a test does.
    container.in_network(&["ip", "link", "set", "tailscale0", "up"]);
    container.wait_for("tailscale0 is up: routes added to the main table");
    assert!(container.in_network(&["ip", "-4", "route"]).contains("100.64.0.0/10 dev tailscale0"));
    assert!(container.in_network(&["ip", "-6", "route"]).contains("fd7a:115c:a1e0::/48 dev tailscale0"));
    assert!(container.exec(&["/bin/sh", "-c", "ls / | head -n 1"]).1.starts_with("bin"));
}

#[test]
fn image_without_shell_and_with_shell_file() {
    if !full() || !debian() {
        return;
    }
    let project = with_shell("none", "amd64");
    let ran = run(project.path(), &["image", "--target", "amd64"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stderr.contains("without a shell nothing turns forwarding on"), "{}", ran.transcript());
    let archive = archive_of(project.path(), "amd64");
    let config =
        stdout(Command::new("skopeo").args(["inspect", "--config", &format!("docker-archive:{}", archive.display())]));
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/usr/local/bin/tailscaled"]));
    for (file, status, said) in [
        ("/bin/mksh-static", 0, "Assembled"),
        ("/bin/sh", 2, "it needs a dynamic linker"),
        ("/etc/os-release", 2, "not an ELF file"),
    ] {
        let ran = run(project.path(), &["image", "--target", "amd64", "--shell-file", file]);
        assert_eq!(ran.status, status, "{}", ran.transcript());
        assert!(ran.stderr.contains(said), "{}", ran.transcript());
    }
}

#[test]
fn image_with_hard_float_shell_for_v5_is_refused() {
    if !full() || !debian() {
        return;
    }
    made("arm");
    let table = image::shells::table().unwrap();
    let pin = table.find(Kind::Mksh, Platform::ArmV7).unwrap();
    let file = cache().folder().unwrap().join("shells").join(&pin.sha256);
    for (target, status) in [("armv5", 2), ("arm", 0)] {
        let project = with_shell("mksh", target);
        let ran = run(project.path(), &["image", "--target", target, "--shell-file", file.to_str().unwrap()]);
        assert_eq!(ran.status, status, "{}", ran.transcript());
        assert_eq!(ran.stderr.contains("it needs floating-point registers"), status == 2, "{}", ran.transcript());
    }
}

#[test]
fn image_pin_writes_the_same_table() {
    if !full() || !debian() {
        return;
    }
    let table = root().join("crates/image/shells.json");
    let before = std::fs::read_to_string(&table).unwrap();
    let mut pin = Command::new(env!("CARGO"));
    pin.args(["run", "--quiet", "--locked", "--package", "xtask", "--", "image", "pin"]).current_dir(root());
    crate::common::use_test_cache(&mut pin);
    let ran = finish(pin);
    let after = std::fs::read_to_string(&table).unwrap();
    std::fs::write(&table, &before).unwrap();
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert_eq!(after, before, "Debian has other ones: look at what changed and run `cargo xtask image pin`");
}

/// A network namespace with a control server in it, in which containers can run.
struct Tailnet {
    name: String,
    server: Child,
    /// The server ends when nobody reads its output any more.
    _output: BufReader<ChildStdout>,
}

impl Tailnet {
    const ADDRESS: &str = "10.91.0.1";

    /// Starts the control server, which asks for this auth key.
    fn start(key: &str) -> Self {
        let mut project = Project::open(Some(&router().join("featureset.yaml"))).unwrap();
        project.cache = cache();
        let builder = Builder::gather(&project, project.pinned().unwrap(), &[]).unwrap();
        let program = builder.upstream.build_program(&builder.go, &programs::CONTROL).unwrap();
        let name = format!("featureset-{}", std::process::id());
        let ip = |words: &str| stdout(Command::new("ip").args(words.split(' ')));
        ip(&format!("netns add {name}"));
        for words in [
            "link set lo up".to_owned(),
            "link add uplink type veth peer name unused".to_owned(),
            format!("address add {}/24 dev uplink", Self::ADDRESS),
            "link set unused up".to_owned(),
            "link set uplink up".to_owned(),
            "route add default dev uplink".to_owned(),
        ] {
            ip(&format!("-n {name} {words}"));
        }
        let mut server = Command::new("ip");
        server.args(["netns", "exec", &name]).arg(std::path::absolute(program).unwrap());
        server.args(["control", Self::ADDRESS, "9911", "tailnet.example"]).env("TS_AUTHKEY", key);
        let mut server = server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { name, server, _output: output }
    }

    /// Stops the control server from answering, or lets it go on.
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.server), signal).unwrap();
    }
}

impl Drop for Tailnet {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).output();
    }
}

/// The names and digests of the files of a state.
fn digests(state: &Path) -> BTreeMap<PathBuf, String> {
    let listed = stdout(Command::new("find").arg(state).args(["-type", "f"]));
    let digest = |path: &str| (PathBuf::from(path), image::sha256(&std::fs::read(path).unwrap()));
    listed.lines().map(digest).collect()
}

/// The state and the key of the node.
fn node(container: &Running) -> (String, String) {
    let (_, said) = container.exec(&["/usr/local/bin/tailscale", "status", "--json", "--peers=false"]);
    let status: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (text(&status["BackendState"]), text(&status["Self"]["PublicKey"]))
}

/// The containers of an installation and of two updates, with the variables and mounts of the scripts, in one network as on
/// a router: a login with an auth key, an update that connects, and one that does not.
#[test]
fn update_copies_the_state_and_goes_back_if_the_node_does_not_connect() {
    if !full() || !debian() {
        return;
    }
    match obstacle() {
        Some(why) => return skip(&why),
        None if std::env::consts::ARCH != "x86_64" => return skip("the machine is not an amd64"),
        None => {}
    }
    let (archive, _) = made("amd64");
    let tailnet = Tailnet::start("tskey-auth-one");
    let states = tempfile::tempdir().unwrap();
    let [state_a, state_b] = ["state", "state-b"].map(|name| states.path().join(name));
    for state in [&state_a, &state_b] {
        std::fs::create_dir(state).unwrap();
    }
    let own = "/var/lib/tailscale";
    let arguments = ["--statedir=/var/lib/tailscale", "--port=0"];
    let ends = ["TS_NO_LOGS_NO_SUPPORT=1", "TS_PANIC_IF_HIT_MAIN_CONTROL=1", "GOMEMLIMIT=96MiB"];
    let start = |root: &Root, environment: &[&str], mounts: &[(&Path, &str)]| {
        let network = Some(tailnet.name.as_str());
        let environment = [&ends, environment].concat();
        root.run(&arguments, &Setting { environment, network, mounts: mounts.to_vec(), ..Setting::default() })
    };
    let flags =
        format!("UP_FLAGS=--netfilter-mode=off --login-server=http://{}:9911 --hostname=router", Tailnet::ADDRESS);

    // The installation. The key comes from a file with a line break.
    let (root_a, root_b) = (Root::unpack(&archive), Root::unpack(&archive));
    let mut a = start(&root_a, &["AUTH_KEY=tskey-auth-one\n", &flags], &[(&state_a, own)]);
    a.wait_for("AUTH_KEY: logged in");
    let (state, key) = node(&a);
    assert_eq!((state.as_str(), key.starts_with("nodekey:")), ("Running", true), "{}", a.output());
    assert_eq!(a.exec(&["/usr/local/bin/node-helper", "health"]).0, 0, "{}", a.output());
    a.stop();

    // An update: the same node, on a copy. The report of an earlier container is gone before the daemon runs.
    let before = digests(&state_a);
    std::fs::write(state_b.join("ready"), "an earlier report").unwrap();
    let mounts_b: [(&Path, &str); 2] = [(&state_b, own), (&state_a, "/var/lib/tailscale-a")];
    let mut b = start(&root_b, &["ADOPT=a first"], &mounts_b);
    b.wait_for("the state is copied");
    wait_until("the node is connected", || std::fs::read(state_b.join("ready")).is_ok_and(|text| text == b"ready\n"));
    assert_eq!(node(&b), ("Running".to_owned(), key.clone()), "{}", b.output());
    assert_eq!(digests(&state_a), before, "the old state is unchanged");
    // A restart does not copy again.
    b.stop();
    let mut b = start(&root_b, &["ADOPT=a first"], &mounts_b);
    wait_until("the node is running", || node(&b).0 == "Running");
    assert!(!b.output().contains("the state is copied"), "{}", b.output());
    b.stop();

    // The next update, back to the first place, does not connect: the gate stays closed, and the old node goes on.
    let before = digests(&state_b);
    tailnet.signal(Signal::STOP);
    let mut a = start(&root_a, &["ADOPT=b second"], &[(&state_a, own), (&state_b, "/var/lib/tailscale-b")]);
    a.wait_for("the state is copied");
    std::thread::sleep(Duration::from_secs(15));
    assert!(!state_a.join("ready").exists(), "{}", a.output());
    a.stop();
    assert_eq!(digests(&state_b), before, "the old state is unchanged");
    tailnet.signal(Signal::CONT);
    let b = start(&root_b, &["ADOPT=b second"], &mounts_b);
    wait_until("the old node is running", || node(&b) == ("Running".to_owned(), key.clone()));
}
