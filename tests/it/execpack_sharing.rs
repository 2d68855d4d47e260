//! Processes of a packed program share one decoded copy, and each refuses a copy that it must not trust.
//!
//! The process program prints its mappings: two processes share a copy if the inode of its memory is the same.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use crate::common::program::{
    Program, build, build_behaviour, copy_of, go, host_goarch, process_output, run_when_not_busy,
};
use crate::common::{TOOLCHAIN, cache, full, router, run, skip, wait_until};
use crate::execpack::{EMULATED, build_restrict, restricted};
use execpack::{pack, unpack};
use tailscale_featureset::files;
use tailscale_featureset::process::on_path;
use tailscale_featureset::tools::upx;

/// The process program, as linked and packed.
static PROCESS: LazyLock<Option<[Vec<u8>; 2]>> = LazyLock::new(|| {
    let linked = build(&go()?, "process", host_goarch(), TOOLCHAIN);
    let packed = pack(&linked).unwrap().bytes;
    Some([linked, packed])
});

/// A new file of the packed process program: processes of other tests have other files, so they never share a copy.
fn packed() -> Option<Program> {
    let [_, packed] = PROCESS.as_ref()?;
    let program = Program::new(packed, None);
    std::fs::set_permissions(program.path.parent().unwrap(), std::fs::Permissions::from_mode(0o755)).unwrap();
    Some(program)
}

/// A process that waits.
struct Waiting {
    child: Child,
    stdout: BufReader<ChildStdout>,
    output: String,
}

impl Waiting {
    /// Starts a command that ends with the program; `argument` makes it wait.
    fn start(mut command: Command, argument: &str) -> Self {
        command.arg(argument).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = run_when_not_busy(|| command.spawn());
        let mut waiting = Self { stdout: BufReader::new(child.stdout.take().unwrap()), child, output: String::new() };
        while !waiting.output.ends_with("waiting\n") {
            assert_ne!(waiting.stdout.read_line(&mut waiting.output).unwrap(), 0, "{}", waiting.output);
        }
        waiting
    }

    fn copy(&self) -> u64 {
        copy_of(&self.output).unwrap_or_else(|| panic!("no copy: {}", self.output))
    }

    /// Ends the process, which must have gone on well.
    fn end(mut self) {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.stdout.read_line(&mut rest).unwrap();
        assert_eq!((rest.as_str(), self.child.wait().unwrap().code()), ("done\n", Some(0)));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command of the process program to its end; returns its output.
fn output(mut command: Command) -> String {
    let output = run_when_not_busy(|| command.output());
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn plain(program: &Program) -> Command {
    program.command("")
}

/// The program below limits of the restrict program.
fn limited(restrict: &Program, program: &Program, limits: &[&str]) -> Command {
    let mut command = Command::new(&restrict.path);
    command.args(limits).arg("--").arg(&program.path).stdin(Stdio::null());
    command
}

/// The program as another user.
fn unprivileged(program: &Program) -> Command {
    let mut command = plain(program);
    command.uid(65534).gid(65534);
    command
}

/// The program in other namespaces; `None` if they cannot be made here.
fn unshared(program: &Program, arguments: &[&str]) -> Option<Command> {
    let mut command = Command::new(on_path("unshare")?);
    command.args(arguments);
    let works = Command::new(on_path("unshare")?).args(arguments).arg("true").output().unwrap().status.success();
    command.arg(&program.path);
    works.then_some(command)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn processes_of_a_program_share_a_copy() {
    let Some(program) = packed() else { return };
    let first = Waiting::start(plain(&program), "wait");
    let second = Waiting::start(plain(&program), "wait");
    assert_eq!(second.copy(), first.copy());
    // By another name of the same file, and when the process that decoded the copy has ended.
    let other_name = program.path.with_file_name("other-name");
    std::fs::hard_link(&program.path, &other_name).unwrap();
    let copied = first.copy();
    first.end();
    assert_eq!(copy_of(&output(Command::new(&other_name))), Some(copied));
    second.end();
    assert_ne!(copy_of(&output(plain(&program))), None);
}

#[test]
fn processes_on_other_processors_share_a_copy() {
    let Some(go) = go() else { return };
    for (goarch, emulator) in EMULATED {
        if on_path(emulator).is_none() {
            skip(&format!("{emulator} is missing"));
            continue;
        }
        let packed = pack(&build(&go, "process", goarch, TOOLCHAIN)).unwrap().bytes;
        // The emulator is the file of both processes.
        let program = Program::new(&packed, Some(emulator));
        let first = Waiting::start(plain(&program), "wait");
        assert_eq!(copy_of(&output(plain(&program))), Some(first.copy()), "{goarch}");
    }
}

#[test]
fn a_copy_of_another_user_is_refused() {
    let Some(program) = packed() else { return };
    if !is_root() {
        return skip("only root can become another user");
    }
    let of_root = Waiting::start(plain(&program), "wait");
    let of_user = Waiting::start(unprivileged(&program), "wait");
    assert_ne!(of_user.copy(), of_root.copy());
    assert_eq!(copy_of(&output(unprivileged(&program))), Some(of_user.copy()));
    of_root.end();
    // Root could open it.
    assert_ne!(copy_of(&output(plain(&program))), Some(of_user.copy()));
}

#[test]
fn a_copy_in_other_namespaces_is_refused() {
    let Some(program) = packed() else { return };
    // Root of another user namespace has the number 0 here too if root made that.
    let namespaces = [&["--user", "--map-root-user"][..], &["--mount"], &["--pid", "--fork"]];
    for arguments in namespaces {
        let Some(there) = unshared(&program, arguments) else {
            skip(&format!("unshare {arguments:?} does not work here"));
            continue;
        };
        let there = Waiting::start(there, "wait");
        let here = Waiting::start(plain(&program), "wait");
        assert_ne!(here.copy(), there.copy(), "{arguments:?}");
        let there = Waiting::start(unshared(&program, arguments).unwrap(), "wait");
        assert_ne!(there.copy(), here.copy(), "{arguments:?}");
    }
}

#[test]
fn only_the_same_sealed_bytes_are_mapped() {
    let Some(program) = packed() else { return };
    for (kind, is_mapped) in [("plant-same", true), ("plant-unsealed", false), ("plant-other", false)] {
        let planter = Waiting::start(plain(&program), kind);
        let planted = planter.output.lines().find_map(|line| line.strip_prefix("copy ")).unwrap();
        let link = format!("/proc/{}/fd/{planted}", planter.child.id());
        let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&link).unwrap());
        let text = output(plain(&program));
        assert_eq!(copy_of(&text) == Some(inode), is_mapped, "{kind}: {text}");
        assert_ne!(copy_of(&text), Some(planter.copy()), "{kind}: the planter closed it");
        planter.end();
    }
}

#[test]
fn a_copy_of_a_replaced_file_is_refused() {
    let Some(program) = packed() else { return };
    let before = Waiting::start(plain(&program), "wait");
    let new = program.path.with_extension("new");
    std::fs::copy(&program.path, &new).unwrap();
    std::fs::rename(&new, &program.path).unwrap();
    let after = copy_of(&output(plain(&program)));
    assert!(after.is_some() && after != Some(before.copy()), "{after:?}");
    std::fs::remove_file(&program.path).unwrap();
    before.end();
}

#[test]
fn a_process_that_ends_meanwhile_does_no_harm() {
    let Some(program) = packed() else { return };
    for _ in 0..10 {
        let mut ends = Waiting::start(plain(&program), "wait");
        let running = {
            let mut command = plain(&program);
            run_when_not_busy(|| command.stdout(Stdio::piped()).spawn())
        };
        ends.child.kill().unwrap();
        let output = running.wait_with_output().unwrap();
        assert!(output.status.success() && copy_of(&String::from_utf8(output.stdout).unwrap()).is_some());
    }
}

#[test]
fn a_program_runs_without_proc() {
    let Some(program) = packed() else { return };
    let _first = Waiting::start(plain(&program), "wait");
    let Some(mut command) = on_path("unshare").map(Command::new) else { return skip("unshare is missing") };
    let script = "mount -t tmpfs none /proc && exec \"$0\"";
    command.args(["--mount", "--", "sh", "-c", script]).arg(&program.path);
    let ran = run_when_not_busy(|| command.output());
    let (stdout, stderr) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    if stdout.is_empty() && !stderr.contains("execpack") {
        return skip(&format!("/proc cannot be covered here: {stderr}"));
    }
    assert!(ran.status.success() && stdout.contains("maps open /proc/self/maps: no such file"), "{stdout}{stderr}");
}

#[test]
fn too_few_descriptors_only_prevent_sharing() {
    let (Some(go), Some(program)) = (go(), packed()) else { return };
    let restrict = build_restrict(&go);
    let linked = build_behaviour(&go, host_goarch(), TOOLCHAIN);
    let [linked, packed] = [linked.clone(), pack(&linked).unwrap().bytes].map(|bytes| Program::new(&bytes, None));
    for files in ["3", "4", "5", "6", "7", "63", "64"] {
        let limit = format!("files={files}");
        let [linked, packed] = [&linked, &packed].map(|program| restricted(&restrict, program, &[&limit]));
        assert_eq!((packed.0, linked), (Some(0), packed), "{limit}");
    }
    // The descriptor of a copy has a number from 63 on, so this process leaves none.
    let few = Waiting::start(limited(&restrict, &program, &["files=63"]), "wait");
    assert!(!few.output.contains("\ncopy "), "{}", few.output);
    assert_ne!(copy_of(&output(plain(&program))), Some(few.copy()));
}

#[test]
fn inherited_descriptors_stay_as_they_are() {
    let (Some(go), Some(program)) = (go(), packed()) else { return };
    let [linked, _] = PROCESS.as_ref().unwrap();
    let (restrict, linked) = (build_restrict(&go), Program::new(linked, None));
    for limits in [&["open=3", "open=5", "open=63", "open=64"][..], &["closed=0", "open=62"], &["closed=0", "closed=2"]]
    {
        let [was, is] = [&linked, &program].map(|program| output(limited(&restrict, program, limits)));
        assert_eq!(process_output(&was, &linked.path, 0).0, process_output(&is, &program.path, 0).0, "{limits:?}");
        let number = is.lines().find_map(|line| line.strip_prefix("copy ")).unwrap();
        assert_eq!(number, if limits.contains(&"open=63") { "65" } else { "63" });
    }
}

#[test]
fn a_kernel_that_refuses_memfd_create_only_prevents_sharing() {
    let (Some(go), Some(program)) = (go(), packed()) else { return };
    let restrict = build_restrict(&go);
    // ENOSYS and EPERM, and a limit that ftruncate would end the process for.
    for limit in ["memfd=38", "memfd=1", "size=100000"] {
        let text = output(limited(&restrict, &program, &[limit]));
        assert!(copy_of(&text).is_none() && !text.contains("\ncopy "), "{limit}: {text}");
    }
    // It can map the copy of another process.
    let first = Waiting::start(plain(&program), "wait");
    assert_eq!(copy_of(&output(limited(&restrict, &program, &["memfd=1"]))), Some(first.copy()));
}

#[test]
fn a_process_with_raised_privileges_shares_nothing() {
    let Some(program) = packed() else { return };
    if !is_root() {
        return skip("only root can make a file of root");
    }
    std::fs::set_permissions(&program.path, std::fs::Permissions::from_mode(0o4755)).unwrap();
    let _first = Waiting::start(plain(&program), "wait");
    let text = output(unprivileged(&program));
    if !text.contains("AT_SECURE 0x1") {
        return skip("the file system of temporary files ignores set-user-ID");
    }
    assert_eq!(copy_of(&text), None);
}

/// A daemon of the router's policy and the command line next to it, from one file or from two.
struct Pair {
    name: &'static str,
    daemon: PathBuf,
    command_line: PathBuf,
    running: Child,
}

impl Pair {
    fn start(folder: &Path, name: &'static str, bytes: &[u8], files: usize) -> Self {
        let place = folder.join(name);
        std::fs::create_dir(&place).unwrap();
        let (daemon, command_line) = (place.join("tailscaled"), place.join("tailscale"));
        files::write_executable(&daemon, bytes).unwrap();
        if files == 2 {
            files::write_executable(&command_line, bytes).unwrap();
        } else {
            std::os::unix::fs::symlink(&daemon, &command_line).unwrap();
        }
        let mut command = Command::new(&daemon);
        command.args(["--tun=userspace-networking", "--no-logs-no-support", "--state=mem:", "--port=0", "--statedir"]);
        command.arg(&place).arg("--socket").arg(place.join("socket"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let running = run_when_not_busy(|| command.spawn());
        Self { name, daemon, command_line, running }
    }

    fn status(&self, socket: &Path) -> Command {
        let mut command = Command::new(&self.command_line);
        command.arg("--socket").arg(socket).arg("status").stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    fn answers(&self) -> bool {
        let output = self.status(&self.daemon.with_file_name("socket")).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains("Logged out")
    }

    /// Processor time of one `tailscale status`, from ten.
    fn processor_time(&self) -> f64 {
        let script = "for i in 0 1 2 3 4 5 6 7 8 9; do \"$0\" --socket \"$1\" status >/dev/null; done; times";
        let socket = self.daemon.with_file_name("socket");
        let output = Command::new("sh").args(["-c", script]).arg(&self.command_line).arg(socket).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        // The last line is of the children: 0m0.080000s 0m0.020000s.
        let seconds = |time: &str| {
            let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
            minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
        };
        text.lines().last().unwrap().split_whitespace().map(seconds).sum::<f64>() / 10.0
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}

/// Kilobytes of a process that only it has, and that it shares.
fn memory(process: u32) -> (u64, u64) {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let sum = |kind: &str| {
        let lines = text.lines().filter(|line| line.starts_with(kind) && !line.contains("Hugetlb"));
        lines.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum()
    };
    (sum("Private_"), sum("Shared_"))
}

#[test]
fn a_second_process_takes_at_most_a_fifth_of_the_time_with_upx() {
    if !full() {
        return;
    }
    let built = run(router(), &["build-tailscale", "--target", "amd64"]);
    assert_eq!(built.status, 0, "{}", built.transcript());
    let packed = std::fs::read(router().join("target/tailscale/amd64/tailscaled")).unwrap();
    let unpacked = unpack(&packed).unwrap();
    let upx = match upx::find_or_provide(&cache()) {
        Ok(upx) => upx,
        Err(error) => return skip(&format!("no UPX: {error:#}")),
    };
    let folder = tempfile::tempdir().unwrap();
    let [raw, by_upx] = ["raw", "by-upx"].map(|name| folder.path().join(name));
    files::write_executable(&raw, &unpacked).unwrap();
    upx.pack(&raw, &by_upx, "amd64").unwrap();
    let by_upx = std::fs::read(by_upx).unwrap();
    let kinds: [(_, &[u8], _); 4] =
        [("unpacked", &unpacked, 1), ("upx", &by_upx, 1), ("two-files", &packed, 2), ("shared", &packed, 1)];
    let pairs = kinds.map(|(name, bytes, files)| Pair::start(folder.path(), name, bytes, files));
    for pair in &pairs {
        wait_until(pair.name, || pair.answers());
    }
    let mut times = [const { Vec::new() }; 4];
    for _ in 0..7 {
        for (pair, times) in pairs.iter().zip(&mut times) {
            times.push(pair.processor_time());
        }
    }
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    // A socket that nobody answers: the command line waits while its memory is read.
    let mute = folder.path().join("mute");
    let _listener = UnixListener::bind(&mute).unwrap();
    for (pair, time) in pairs.iter().zip(medians) {
        let mut status = pair.status(&mute).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(5));
        let [status_memory, daemon_memory] = [status.id(), pair.running.id()].map(memory);
        status.kill().unwrap();
        status.wait().unwrap();
        eprintln!("{}: {time:.4} s, kB private and shared: {status_memory:?}, daemon {daemon_memory:?}", pair.name);
    }
    assert!(medians[3] <= medians[1] / 5.0, "{medians:?}");
}
