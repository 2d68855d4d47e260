//! Packed programs run as they did before: real Go programs, natively and under emulators; damaged ones are refused.

use std::path::Path;
use std::process::Command;

use crate::common::program::{
    Mappings, Program, build, build_behaviour, go, host_goarch, process_output, run_when_not_busy,
};
use crate::common::{TOOLCHAIN, folder, full, policy, root, run, skip};
use execpack::{Loader, REVISION, pack, unpack};
use gobinary::pclntab::{Names, rewrite};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tailscale_featureset::files;
use tailscale_featureset::process::on_path;
use tailscale_featureset::tools::go::Go;

/// The status of a packed program that cannot be started.
const REFUSED: i32 = 126;

/// Processors other than this machine's, and what runs their programs.
pub(crate) const EMULATED: [(&str, &str); 3] =
    [("arm64", "qemu-aarch64-static"), ("arm", "qemu-arm-static"), ("mipsle", "qemu-mipsel-static")];

/// The cases that take little time under an emulator and are not flaky there.
const CASES: [&str; 8] =
    ["defers", "func-names", "nil-method", "panic", "recover", "reflect-call", "repanic", "callers"];

#[test]
fn every_processor_of_the_table_has_a_loader_and_no_other() {
    let mut loaders: Vec<&str> = Loader::ALL.iter().map(|loader| loader.name).collect();
    let mut platforms: Vec<&str> = featureset::platform::PLATFORMS
        .iter()
        .filter(|platform| platform.has_execpack_loader())
        .map(|platform| platform.goarch)
        .collect();
    platforms.dedup();
    loaders.sort_unstable();
    assert_eq!(loaders, platforms);
}

#[test]
fn loaders_have_their_recorded_digests() {
    let recorded = std::fs::read_to_string(root().join("crates/execpack/loader/built/SHA256SUMS")).unwrap();
    for loader in Loader::ALL {
        let line = format!("{}  {}.bin\n", files::sha256(loader.bytes), loader.name);
        assert!(recorded.contains(&line), "{}", loader.name);
    }
    // If only a digest changed, bump REVISION. Otherwise cached builds count as fresh.
    insta::assert_snapshot!(format!("{REVISION}\n{recorded}"));
}

#[test]
fn packed_programs_behave_as_they_did() {
    let Some(go) = go() else { return };
    let linked = build_behaviour(&go, host_goarch(), TOOLCHAIN);
    let before = Program::new(&linked, None);
    let cases = before.run("").1;
    for program in [linked.clone(), rewrite(&linked, Names::All).unwrap().bytes] {
        let packed = pack(&program).unwrap();
        assert!(packed.parts.iter().any(|part| part.kind == "function table"));
        assert_eq!(unpack(&packed.bytes).unwrap(), program);
        let (before, after) = (Program::new(&program, None), Program::new(&packed.bytes, None));
        for case in cases.lines().filter(|case| *case != "wait") {
            assert_eq!(before.run(case), after.run(case), "{case}");
        }
    }
}

#[test]
fn packed_programs_behave_as_they_did_on_other_processors() {
    let Some(go) = go() else { return };
    for (goarch, emulator) in EMULATED {
        if on_path(emulator).is_none() {
            skip(&format!("{emulator} is missing"));
            continue;
        }
        let linked = build_behaviour(&go, goarch, TOOLCHAIN);
        let packed = pack(&linked).unwrap();
        assert!(packed.parts.iter().any(|part| part.kind == "function table"), "{goarch}");
        let (before, after) = (Program::new(&linked, Some(emulator)), Program::new(&packed.bytes, Some(emulator)));
        for case in CASES {
            assert_eq!(before.run(case), after.run(case), "{goarch}: {case}");
        }
    }
}

/// The output of the process program, and its mappings below an address.
fn printed(program: &Program, end: u64) -> (Vec<String>, Mappings) {
    let output = run_when_not_busy(|| program.command("an argument").env("PROCESS", "a variable").output());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    process_output(&String::from_utf8(output.stdout).unwrap(), &program.path, end)
}

#[test]
fn a_packed_program_gets_what_the_kernel_gives() {
    let Some(go) = go() else { return };
    let linked = build(&go, "process", host_goarch(), TOOLCHAIN);
    let packed = pack(&linked).unwrap().bytes;
    // The packed file is mapped after the program.
    let loader = u64::from_le_bytes(packed[64 + 16..64 + 24].try_into().unwrap());
    let (before, after) = (Program::new(&linked, None), Program::new(&packed, None));
    let (was, is) = (printed(&before, loader), printed(&after, loader));
    assert_eq!(was.0, is.0);
    assert!(was.0.contains(&r#"arguments ["an argument"]"#.to_owned()) && was.0.len() > 8, "{:?}", was.0);
    assert_eq!(was.1, is.1, "the program's mappings");
    // Of the file only the pages with the loader stay.
    let (_, left) = printed(&after, u64::MAX);
    let loaders: Vec<_> = left.range(loader..loader + packed.len() as u64).collect();
    assert_eq!(loaders.len(), 1, "{loaders:?}");
    assert!(loaders[0].1.0 - loader <= 3 * 4096 && loaders[0].1.1 == "r-xp", "{loaders:?}");
}

/// Runs a packed program that was changed; returns its status and what it printed.
fn changed(folder: &Path, under: Option<&str>, bytes: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    let path = folder.join("changed");
    let _ = std::fs::remove_file(&path);
    files::write_executable(&path, bytes).unwrap();
    let mut command = Command::new(under.map_or(path.as_path(), Path::new));
    command.args(under.map(|_| &path)).arg("recover");
    let output = run_when_not_busy(|| match command.output() {
        // Not even the kernel takes it.
        Err(error) if error.raw_os_error() == Some(8) => Command::new("false").output(),
        ran => ran,
    });
    (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Changes a byte of a packed program, or cuts it off, so many times, and requires the loader to refuse it.
fn refuses_damage(packed: &[u8], under: Option<&str>, cases: u32) {
    let payload = packed.windows(4).position(|window| window == b"XPK\x02").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let right = changed(folder.path(), under, packed);
    assert_eq!(right.0, Some(0), "{}", right.2);
    let mut runner = TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    let change = (any::<prop::sample::Index>(), 1..=u8::MAX, proptest::bool::weighted(0.3));
    let ran = runner.run(&change, |(at, byte, cut)| {
        let (at, mut bytes) = (at.index(packed.len()), packed.to_vec());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= byte;
        }
        let (status, stdout, stderr) = changed(folder.path(), under, &bytes);
        // A changed loader may leave out its own checks, and the payload is still right; a changed payload never runs.
        prop_assert!(stdout.is_empty() || at < payload && stdout == right.1, "it ran, changed at {at}");
        // An emulator has its own way with a file that is cut off.
        if at >= payload && (under.is_none() || !cut) {
            prop_assert_eq!(status, Some(REFUSED), "changed at {}: {}", at, stderr);
            prop_assert!(stderr.starts_with("execpack: cannot start the packed program: "), "{stderr}");
        }
        Ok(())
    });
    ran.unwrap();
}

#[test]
fn a_damaged_program_is_refused_before_it_runs() {
    let Some(go) = go() else { return };
    let packed =
        pack(&rewrite(&build_behaviour(&go, host_goarch(), TOOLCHAIN), Names::All).unwrap().bytes).unwrap().bytes;
    refuses_damage(&packed, None, if full() { 10_000 } else { 60 });
}

#[test]
fn a_damaged_program_is_refused_on_other_processors() {
    let Some(go) = go() else { return };
    for (goarch, emulator) in EMULATED {
        if on_path(emulator).is_none() {
            skip(&format!("{emulator} is missing"));
            continue;
        }
        let packed = pack(&build_behaviour(&go, goarch, TOOLCHAIN)).unwrap().bytes;
        refuses_damage(&packed, Some(emulator), if full() { 500 } else { 8 });
    }
}

/// System calls that the loader needs, and those of sharing a copy, which may fail.
const OLD: [&str; 4] = ["mmap", "mprotect", "munmap", "rt_sigaction"];
const SHARING: [&str; 8] =
    ["close", "fcntl", "ftruncate", "getdents64", "getrlimit", "memfd_create", "newfstatat", "openat"];

#[test]
fn the_loader_needs_old_system_calls_and_never_code_that_can_be_written() {
    let Some(go) = go() else { return };
    let Some(strace) = on_path("strace") else { return skip("strace is missing") };
    let program = Program::new(&pack(&build_behaviour(&go, host_goarch(), TOOLCHAIN)).unwrap().bytes, None);
    let log = tempfile::NamedTempFile::new().unwrap();
    let output = run_when_not_busy(|| {
        Command::new(&strace).arg("-o").arg(log.path()).arg(&program.path).arg("recover").output()
    });
    if !output.status.success() {
        return skip(&format!("strace does not run here: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = std::fs::read_to_string(log.path()).unwrap();
    // From the handler for bus errors to the last pages of the file.
    let (mut names, mut handlers) = (Vec::new(), 0);
    for line in text.lines().skip(1) {
        assert!(!(line.contains("PROT_WRITE") && line.contains("PROT_EXEC")), "{line}");
        let name = line.split('(').next().unwrap();
        handlers += u32::from(name == "rt_sigaction");
        names.push(name);
        if handlers == 2 && name == "munmap" {
            break;
        }
    }
    names.sort_unstable();
    names.dedup();
    let (old, sharing): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| OLD.contains(name));
    assert_eq!(old, ["mmap", "munmap", "rt_sigaction"]);
    assert!(sharing.iter().all(|name| SHARING.contains(name)), "{sharing:?}");
}

/// Builds the restrict program.
pub(crate) fn build_restrict(go: &Go) -> Program {
    Program::new(&build(go, "restrict", host_goarch(), TOOLCHAIN), None)
}

/// Runs the behaviour program below limits that the restrict program sets; returns its status, stdout and stderr.
pub(crate) fn restricted(restrict: &Program, program: &Program, limits: &[&str]) -> (Option<i32>, String, String) {
    let output = run_when_not_busy(|| {
        let mut command = Command::new(&restrict.path);
        command.args(limits).arg("--").arg(&program.path).arg("recover").output()
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

const NO_MEMORY: &str = "execpack: cannot start the packed program: not enough memory\n";

#[test]
fn system_calls_younger_than_linux_3_10_are_not_needed() {
    let Some(go) = go() else { return };
    let linked = build_behaviour(&go, host_goarch(), TOOLCHAIN);
    let packed = Program::new(&pack(&linked).unwrap().bytes, None);
    assert_eq!(restricted(&build_restrict(&go), &packed, &["old-calls"]), Program::new(&linked, None).run("recover"));
}

#[test]
fn a_limited_address_space_holds_the_packed_program_if_it_holds_the_linked_one() {
    let Some(go) = go() else { return };
    let linked = build_behaviour(&go, host_goarch(), TOOLCHAIN);
    let [linked, packed] = [linked.clone(), pack(&linked).unwrap().bytes].map(|bytes| Program::new(&bytes, None));
    let restrict = build_restrict(&go);
    let limit = |bytes: u64| format!("memory={bytes}");
    // Go reserves address space as it starts, and for each thread; how many threads start depends on the machine's load.
    let holds = |bytes: &u64| (0..4).all(|_| restricted(&restrict, &linked, &[&limit(*bytes)]).0 == Some(0));
    let limit_of_linked = limit((1..).map(|step| step * 16_000_000).find(holds).unwrap());
    assert_eq!(restricted(&restrict, &packed, &[&limit_of_linked]), linked.run("recover"), "{limit_of_linked}");
    assert_eq!(
        restricted(&restrict, &packed, &[&limit(2_000_000)]),
        (Some(REFUSED), String::new(), NO_MEMORY.to_owned())
    );
}

#[test]
fn a_kernel_that_forbids_to_make_memory_executable_is_reported_without_memfd() {
    let Some(go) = go() else { return };
    let linked = build_behaviour(&go, host_goarch(), TOOLCHAIN);
    let program = Program::new(&pack(&linked).unwrap().bytes, None);
    let restrict = build_restrict(&go);
    let (status, stdout, stderr) = restricted(&restrict, &program, &["fixed-code"]);
    if status == Some(125) {
        return skip(&format!("the kernel is older than 6.3: {stderr}"));
    }
    assert_eq!((status, stdout, stderr), Program::new(&linked, None).run("recover"));
    let message = "execpack: cannot start the packed program: the kernel forbids to make decoded code executable\n";
    let refused = restricted(&restrict, &program, &["fixed-code", "memfd=38"]);
    assert_eq!(refused, (Some(REFUSED), String::new(), message.to_owned()));
}

#[test]
fn the_command_packs_and_unpacks_to_the_same_bytes() {
    let Some(go) = go() else { return };
    let place = tempfile::tempdir().unwrap();
    let linked = build_behaviour(&go, "arm64", TOOLCHAIN);
    std::fs::write(place.path().join("linked"), &linked).unwrap();
    let packed = run(place.path(), &["execpack", "pack", "linked", "--output", "packed"]);
    assert_eq!(packed.status, 0, "{}", packed.stderr);
    assert!(packed.stdout.lines().any(|line| line.contains("function table")), "{}", packed.stdout);
    let unpacked = run(place.path(), &["execpack", "unpack", "packed", "--output", "unpacked"]);
    assert_eq!(unpacked.status, 0, "{}", unpacked.stderr);
    assert_eq!(std::fs::read(place.path().join("unpacked")).unwrap(), linked);
}

#[test]
fn the_command_refuses_files_of_another_kind() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("text"), "plain text\n").unwrap();
    for action in ["pack", "unpack"] {
        let ran = run(place.path(), &["execpack", action, "text", "--output", "output"]);
        insta::assert_snapshot!(format!("{action}_of_text"), ran.transcript());
    }
    assert!(!place.path().join("output").exists());
}

#[test]
fn a_dry_run_prints_the_command_that_packs() {
    let folder = folder(&policy(&["cli"], "{ platform: linux/arm64, build: { pack: execpack } }"));
    let ran = run(folder.path(), &["build-tailscale", "--dry-run"]);
    let lines: Vec<&str> = ran.stdout.lines().filter(|line| line.contains("execpack pack ")).collect();
    assert!(lines.len() == 1 && lines[0].contains(" --output "), "{}", ran.transcript());
    assert!(!ran.stdout.contains("upx"), "{}", ran.stdout);
}
