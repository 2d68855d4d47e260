//! Packed programs run on whole emulated machines with kernels of Debian: small Go programs and the daemon.
//!
//! `emulated/init.sh` is the first process of each machine. `cargo xtask ci --full --part emulated` runs this.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::common::program::{build, copy_of, end_of_segments, go, process_output};
use crate::common::{RELEASE, TOOLCHAIN, cache, full, policy, router, run, skip, target};
use anyhow::{Context, Result};
use execpack::{pack, unpack};
use tailscale_featureset::files;
use tailscale_featureset::process::{on_path, output_within};
use tailscale_featureset::tools::debian::Apt;
use tailscale_featureset::tools::go::Go;
use tailscale_featureset::tools::upx;

/// An emulated machine and the kernel that it boots.
struct Machine {
    /// Its name, also in the cache.
    name: &'static str,
    goarch: &'static str,
    /// The target of the router's policy whose binary runs here; `None` for mipsle, which RouterOS does not support.
    target: Option<&'static str>,
    /// Debian's release and architecture, and the package that depends on the kernel.
    suite: &'static str,
    architecture: &'static str,
    kernel: &'static str,
    /// The emulator and its arguments.
    emulator: &'static [&'static str],
    /// A device tree from the kernel's package.
    device_tree: Option<&'static str>,
    /// Arguments of the kernel: where it prints, and what it must not start.
    kernel_arguments: &'static str,
    /// Bytes in a page.
    page: u64,
    /// Whether the kernel knows `PR_SET_MDWE`, which is younger than Linux 6.1.
    has_fixed_code: bool,
}

const AMD64: Machine = Machine {
    name: "amd64",
    goarch: "amd64",
    target: Some("amd64"),
    suite: "bookworm",
    architecture: "amd64",
    kernel: "linux-image-amd64",
    emulator: &["qemu-system-x86_64", "-M", "pc", "-cpu", "max", "-m", "512"],
    device_tree: None,
    // The emulated timer may be late on a busy machine, and the kernel then stops.
    kernel_arguments: "console=ttyS0 no_timer_check",
    page: 4096,
    has_fixed_code: false,
};

const ARM64: Machine = Machine {
    name: "arm64",
    goarch: "arm64",
    target: Some("arm64"),
    architecture: "arm64",
    kernel: "linux-image-arm64",
    emulator: &["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-m", "512"],
    kernel_arguments: "console=ttyAMA0",
    ..AMD64
};

const ARM64_LARGE_PAGES: Machine = Machine {
    name: "arm64-16k",
    suite: "trixie",
    kernel: "linux-image-arm64-16k",
    // The older processors have no such pages.
    emulator: &["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a76", "-m", "512"],
    page: 16384,
    has_fixed_code: true,
    ..ARM64
};

const ARMHF: Machine = Machine {
    name: "armhf",
    goarch: "arm",
    target: Some("arm"),
    architecture: "armhf",
    kernel: "linux-image-armmp",
    emulator: &["qemu-system-arm", "-M", "virt", "-cpu", "cortex-a15", "-m", "512"],
    ..ARM64
};

/// The processor is an ARM1176. Debian has no kernel for an older one that QEMU has a board for.
const ARMEL: Machine = Machine {
    name: "armel",
    target: Some("armv5"),
    architecture: "armel",
    kernel: "linux-image-rpi",
    emulator: &["qemu-system-arm", "-M", "raspi1ap"],
    device_tree: Some("bcm2835-rpi-b-plus.dtb"),
    // QEMU does not have the board's power domains, and the driver crashes without them.
    kernel_arguments: "console=ttyAMA0,115200 initcall_blacklist=bcm2835_power_driver_init",
    ..ARMHF
};

const MIPSEL: Machine = Machine {
    name: "mipsel",
    goarch: "mipsle",
    target: None,
    architecture: "mipsel",
    kernel: "linux-image-4kc-malta",
    emulator: &["qemu-system-mipsel", "-M", "malta", "-m", "512"],
    ..AMD64
};

/// Cases of the behaviour program that take little time under an emulator and are not flaky there.
const CASES: &str = "defers func-names nil-method panic recover reflect-call repanic callers";

/// The most that a machine may take. The slowest takes 5 minutes if no other program is busy.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// A kernel, a device tree and a shell, in the cache.
struct Parts {
    kernel: PathBuf,
    device_tree: Option<PathBuf>,
    busybox: PathBuf,
}

/// Finds a file by the beginning of its name, below a folder.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().collect();
    let named = entries.iter().find(|entry| entry.file_name().to_string_lossy().starts_with(name));
    named.map(std::fs::DirEntry::path).or_else(|| {
        let folders = entries.iter().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.into_iter().find_map(|entry| find(&entry.path(), name))
    })
}

fn provide(machine: &Machine) -> Result<Parts> {
    let cache = cache();
    let kernel = cache.provide(&format!("linux-{}", machine.name), |folder| {
        let apt = Apt::for_suite(&cache, machine.suite, machine.architecture)?;
        let kernel = apt.dependencies(machine.kernel)?.into_iter().find(|name| name.starts_with("linux-image-"));
        apt.unpack(&[kernel.context("the kernel's package names none")?, "busybox-static".to_owned()], folder)?;
        // The modules are most of it, and nothing here is a module.
        for modules in ["lib/modules", "usr/lib/modules"] {
            let _ = std::fs::remove_dir_all(folder.join(modules));
        }
        let kernel = find(&folder.join("boot"), "vmlinu").context("the package has no kernel")?;
        Ok(kernel.strip_prefix(folder)?.to_owned())
    })?;
    let root = kernel.ancestors().nth(2).context("a file below boot")?;
    let device_tree = machine.device_tree.map(|name| find(&root.join("usr"), name).context("no device tree"));
    let busybox = find(&root.join("bin"), "busybox").or_else(|| find(&root.join("usr/bin"), "busybox"));
    Ok(Parts { device_tree: device_tree.transpose()?, busybox: busybox.context("no busybox")?, kernel })
}

/// An archive of the "newc" format, from which the kernel fills its first file system.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: usize,
}

impl Archive {
    fn add(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let fields = [self.entries, mode as usize, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        self.bytes.extend_from_slice(b"070701");
        fields.iter().for_each(|field| self.bytes.extend_from_slice(format!("{field:08x}").as_bytes()));
        for part in [format!("{name}\0").as_bytes(), content] {
            self.bytes.extend_from_slice(part);
            self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        }
    }

    fn folder(&mut self, name: &str) {
        self.add(name, 0o040_755, &[]);
    }

    fn program(&mut self, name: &str, content: &[u8]) {
        self.add(name, 0o100_755, content);
    }

    fn link(&mut self, name: &str, target: &str) {
        self.add(name, 0o120_777, target.as_bytes());
    }

    fn finish(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

/// Returns the daemon, packed by execpack.
fn daemon(machine: &Machine) -> Vec<u8> {
    let (project, target) = match machine.target {
        Some(target) => (router().to_owned(), target),
        None => {
            let project = target().join("test-projects/mipsle");
            std::fs::create_dir_all(&project).unwrap();
            let one = "{ platform: linux/mipsle/softfloat, build: { symbols: functions, pack: execpack } }";
            std::fs::write(project.join("featureset.yaml"), policy(&[], one)).unwrap();
            (project, "one")
        }
    };
    let built = run(&project, &["build-tailscale", "--target", target]);
    assert_eq!(built.status, 0, "{}", built.transcript());
    let packed = std::fs::read(project.join("target/tailscale").join(target).join("tailscaled")).unwrap();
    assert!(execpack::is_packed(&packed));
    packed
}

/// Returns the daemon, packed by UPX for comparison; `None` without UPX, and if UPX would break it.
#[expect(clippy::print_stderr, reason = "it reports why a measurement is missing")]
fn packed_by_upx(machine: &Machine, unpacked: &[u8]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let [raw, packed] = ["raw", "packed"].map(|name| folder.path().join(name));
    files::write_executable(&raw, unpacked).unwrap();
    match upx::find_or_provide(&cache()).and_then(|upx| upx.pack(&raw, &packed, machine.goarch)) {
        Ok(()) => Some(std::fs::read(packed).unwrap()),
        Err(error) => {
            eprintln!("{}: not packed by UPX: {error:#}", machine.name);
            None
        }
    }
}

/// Boots the machine; returns the exit status and the output of each step, by its name.
fn steps(machine: &Machine, emulator: &Path, parts: &Parts, archive: Vec<u8>) -> BTreeMap<String, (i32, String)> {
    let folder = tempfile::tempdir().unwrap();
    let archived = folder.path().join("archive");
    std::fs::write(&archived, archive).unwrap();
    let mut command = Command::new(emulator);
    command.args(&machine.emulator[1..]).arg("-kernel").arg(&parts.kernel).arg("-initrd").arg(&archived);
    if let Some(device_tree) = &parts.device_tree {
        command.arg("-dtb").arg(device_tree);
    }
    // The kernel restarts after a panic, which ends the emulator.
    command.arg("-append").arg(format!("{} panic=-1 quiet", machine.kernel_arguments));
    command.args(["-display", "none", "-serial", "stdio", "-monitor", "none", "-nic", "none", "-no-reboot"]);
    let text = output_within(command, Some(PATIENCE)).unwrap().stdout.replace('\r', "");
    assert!(text.contains("\nthe machine is done\n"), "{}: {text}", machine.name);
    let mut found = BTreeMap::new();
    let mut output = String::new();
    for line in text.lines() {
        // A program may end without a line break.
        match line.rsplit_once(">>> ").and_then(|(last, end)| Some((last, end.rsplit_once(' ')?))) {
            Some((last, (name, status))) => {
                let output = std::mem::take(&mut output) + last;
                found.insert(name.to_owned(), (status.parse().unwrap(), output));
            }
            None if line.starts_with("<<< ") => output.clear(),
            None => output += &format!("{line}\n"),
        }
    }
    found
}

/// The output of a program up to the traceback, which names addresses.
fn before_traceback(step: &(i32, String)) -> (i32, Vec<&str>) {
    (step.0, step.1.lines().take_while(|line| !line.starts_with("goroutine ")).collect())
}

fn run_machine(machine: &Machine) {
    if !full() {
        return;
    }
    let Some(go) = go() else { return };
    let Some(emulator) = on_path(machine.emulator[0]) else {
        return skip(&format!("{} is missing (Debian's qemu-system packages)", machine.emulator[0]));
    };
    let parts = match provide(machine) {
        Ok(parts) => parts,
        Err(error) => return skip(&format!("no kernel for {}: {error:#}", machine.name)),
    };
    let process = build(&go, "process", machine.goarch, TOOLCHAIN);
    let steps = steps(machine, &emulator, &parts, files(machine, &go, &parts, &process));
    judge(machine, &steps, &process);
}

/// Returns the machine's files: the programs linked and packed, and what runs them.
fn files(machine: &Machine, go: &Go, parts: &Parts, process: &[u8]) -> Vec<u8> {
    let program = |name: &str| build(go, name, machine.goarch, TOOLCHAIN);
    let behaviour = program("behaviour");
    let mut archive = Archive::default();
    ["bin", "dev", "proc", "unpacked", "upx"].iter().for_each(|folder| archive.folder(folder));
    archive.program("init", include_bytes!("emulated/init.sh"));
    archive.program("bin/busybox", &std::fs::read(&parts.busybox).unwrap());
    archive.program("restrict", &program("restrict"));
    archive.program("packed", &pack(&behaviour).unwrap().bytes);
    archive.program("process.packed", &pack(process).unwrap().bytes);
    archive.program("linked", &behaviour);
    archive.program("process.linked", process);
    let daemon = daemon(machine);
    let unpacked = unpack(&daemon).unwrap();
    let by_upx = packed_by_upx(machine, &unpacked);
    for (folder, daemon) in [("bin", Some(daemon)), ("unpacked", Some(unpacked)), ("upx", by_upx)] {
        if let Some(daemon) = daemon {
            archive.program(&format!("{folder}/tailscaled"), &daemon);
            archive.link(&format!("{folder}/tailscale"), "tailscaled");
        }
    }
    archive.program("entrypoint.sh", include_bytes!("../../crates/image/entrypoint.sh"));
    archive.program("cases", CASES.as_bytes());
    archive.finish()
}

/// Requires every step of the machine to have the right result.
#[expect(clippy::print_stderr, reason = "it reports measurements")]
fn judge(machine: &Machine, steps: &BTreeMap<String, (i32, String)>, process: &[u8]) {
    let step = |name: &str| steps.get(name).unwrap_or_else(|| panic!("{}: no {name}: {steps:?}", machine.name));
    let passes = |name: &str| assert_eq!(step(name).0, 0, "{}: {name}: {}", machine.name, step(name).1);

    for case in CASES.split(' ') {
        let (linked, packed) = (step(&format!("linked {case}")), step(&format!("packed {case}")));
        assert_eq!(before_traceback(linked), before_traceback(packed), "{}: {case}", machine.name);
    }
    let end = end_of_segments(process);
    let [linked, packed] = ["linked", "packed"].map(|kind| {
        let name = format!("{kind} process");
        passes(&name);
        process_output(&step(&name).1, Path::new(&format!("/process.{kind}")), end)
    });
    assert!(linked.0.contains(&format!("AT_PAGESZ {:#x}", machine.page)), "{:?}", linked.0);
    assert_eq!(linked, packed, "{}", machine.name);

    let copies: Vec<_> = step("shared copy").1.lines().map(copy_of).collect();
    assert!(copies.len() == 2 && copies[0].is_some() && copies[0] == copies[1], "{}: {copies:?}", machine.name);

    passes("old calls");
    assert_eq!(before_traceback(step("old calls")), before_traceback(step("linked recover")), "{}", machine.name);
    if machine.has_fixed_code {
        assert_eq!(before_traceback(step("fixed code")), before_traceback(step("linked recover")), "{}", machine.name);
    }
    let message = "execpack: cannot start the packed program: not enough memory\n";
    assert_eq!(step("little memory"), &(126, message.to_owned()), "{}", machine.name);

    // Some of Debian's kernels for old boards don't count memory.
    if step("controllers").1.split_whitespace().any(|name| name == "memory") {
        passes("entrypoint");
        assert!(step("entrypoint").1.contains("daemon: 72MiB"), "{}: {}", machine.name, step("entrypoint").1);
    } else {
        eprintln!("{}: the kernel has no memory controller", machine.name);
    }

    passes("version");
    assert_eq!(step("version").1.lines().next(), Some(RELEASE), "{}", machine.name);
    let restarts = (1..=5).map(|round| format!("restart {round}"));
    for name in ["daemon", "strict overcommit"].map(str::to_owned).into_iter().chain(restarts) {
        passes(&name);
        assert!(step(&name).1.contains("NeedsLogin"), "{}: {name}: {}", machine.name, step(&name).1);
    }
    passes("status");
    eprintln!("{}: Linux {}", machine.name, step("kernel").1);
    for kind in ["unpacked", "upx", "bin"].into_iter().filter(|kind| steps.contains_key(&format!("{kind} daemon"))) {
        assert!(step(&format!("{kind} daemon")).1.contains("NeedsLogin"), "{}: {kind}", machine.name);
        let [time, memory] = ["time", "memory"].map(|name| format!("{kind} {name}"));
        passes(&time);
        let time: Vec<&str> =
            step(&time).1.lines().filter(|line| line.starts_with("user") || line.starts_with("sys")).collect();
        let memory: Vec<&str> = step(&memory).1.lines().collect();
        assert_eq!((time.len(), memory.len()), (2, 2), "{}: {kind}", machine.name);
        eprintln!(
            "{}: {kind}: status {}, memory (private, shared) {}",
            machine.name,
            time.join(" "),
            memory.join(", daemon ")
        );
    }
}

#[test]
fn packed_programs_run_on_amd64_with_a_kernel_of_debian() {
    run_machine(&AMD64);
}

#[test]
fn packed_programs_run_on_arm64_with_a_kernel_of_debian() {
    run_machine(&ARM64);
}

#[test]
fn packed_programs_run_on_arm64_with_pages_of_16_kib() {
    run_machine(&ARM64_LARGE_PAGES);
}

#[test]
fn packed_programs_run_on_armhf_with_a_kernel_of_debian() {
    run_machine(&ARMHF);
}

#[test]
fn packed_programs_run_on_armel_with_a_kernel_of_debian() {
    run_machine(&ARMEL);
}

#[test]
fn packed_programs_run_on_mipsel_with_a_kernel_of_debian() {
    run_machine(&MIPSEL);
}
