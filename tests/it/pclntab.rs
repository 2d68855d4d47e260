//! Tests of the rewritten pclntab with binaries from real Go toolchains: programs behave as before,
//! assumptions about Go match Go's source, and damaged files are refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::program::{Program, build_behaviour, go, host_goarch, run_when_not_busy};
use crate::common::{TOOLCHAIN, skip, wait_until};
use gobinary::Refused;
use gobinary::pclntab::{Names, REVISION, moduledata_fields, rewrite, verify};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tailscale_featureset::tools::go::{self, Go};
use tailscale_featureset::{files, limits};

/// The oldest and the newest toolchain with a known layout.
const OLDEST: &str = "go1.25.7";
const NEWEST: &str = "go1.27.3";

fn assert_same_behaviour(linked: &[u8], emulator: Option<&'static str>) {
    let before = Program::new(linked, emulator);
    let cases = before.run("").1;
    assert!(cases.lines().count() > 12, "{cases}");
    for names in [Names::All, Names::Runtime] {
        let after = Program::new(&rewrite(linked, names).unwrap().bytes, emulator);
        for case in cases.lines().filter(|case| *case != "wait") {
            let (mut expected, actual) = (before.run(case), after.run(case));
            match (names, case) {
                // The runtime parses the shared name of wrappers, `?.(*?).?`.
                (Names::Runtime, "nil-method") => {
                    expected.1 = "value method ?.?.? called using nil *? pointer\n".to_owned();
                }
                // These cases print function names, which are removed.
                (Names::Runtime, "callers" | "func-names") => {
                    (expected.1, expected.2) = (actual.1.clone(), actual.2.clone())
                }
                _ => {}
            }
            assert_eq!(expected, actual, "{case}, {names:?}");
        }
    }
}

#[test]
fn rewrite_keeps_the_behaviour_of_programs() {
    let Some(go) = go() else { return };
    assert_same_behaviour(&build_behaviour(&go, host_goarch(), TOOLCHAIN), None);
}

#[test]
fn rewrite_keeps_the_behaviour_of_programs_on_arm() {
    let Some(go) = go() else { return };
    for (goarch, emulator) in [("arm64", "qemu-aarch64-static"), ("arm", "qemu-arm-static")] {
        if tailscale_featureset::process::on_path(emulator).is_none() {
            return skip(&format!("{emulator} is not installed"));
        }
        let linked = build_behaviour(&go, goarch, TOOLCHAIN);
        let (before, names) = (Program::new(&linked, Some(emulator)), Names::All);
        let after = Program::new(&rewrite(&linked, names).unwrap().bytes, Some(emulator));
        // The other cases are slow or unreliable under an emulator.
        for case in ["defers", "func-names", "nil-method", "panic", "recover", "reflect-call", "repanic", "callers"] {
            assert_eq!(before.run(case), after.run(case), "{goarch}: {case}");
        }
    }
}

/// Returns whether every thread of a process sleeps, so that the main goroutine does too.
fn is_sleeping(process: u32) -> bool {
    let mut threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap().map(|thread| thread.unwrap().path());
    threads.all(|thread| std::fs::read_to_string(thread.join("stat")).is_ok_and(|stat| stat.contains(") S ")))
}

#[test]
fn traceback_of_a_rewritten_program_has_functions_and_offsets() {
    let Some(go) = go() else { return };
    let linked = build_behaviour(&go, host_goarch(), TOOLCHAIN);
    for names in [Names::All, Names::Runtime] {
        let program = Program::new(&rewrite(&linked, names).unwrap().bytes, None);
        let start = || program.command("wait").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = run_when_not_busy(start);
        let mut ready = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        wait_until("the program sleeps", || is_sleeping(child.id()));
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::QUIT).unwrap();
        let output = child.wait_with_output().unwrap();
        let dump = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{dump}");
        assert!(dump.contains("SIGQUIT: quit"), "{dump}");
        assert!(dump.contains("[sleep]:"), "{dump}");
        assert_eq!(dump.contains("main.wait"), names == Names::All, "{dump}");
        assert!(dump.contains("?:0 +0x"), "an offset instead of a line: {dump}");
        assert!(!dump.contains("main.go:"), "{dump}");
    }
}

#[test]
fn rewrite_supports_the_oldest_and_the_newest_go() {
    let Some(go) = go() else { return };
    // Go 1.25 has funcdata in `.rodata`. Go 1.27 has types after the pclntab, so the segment is
    // split.
    for toolchain in [OLDEST, NEWEST] {
        let linked = build_behaviour(&go, host_goarch(), toolchain);
        assert_same_behaviour(&linked, None);
        let small = rewrite(&linked, Names::All).unwrap();
        assert!(small.bytes.len() + 100_000 < linked.len(), "{toolchain}: the file is smaller");
        assert_eq!(rewrite(&small.bytes, Names::All), Err(Refused::AlreadyRewritten), "{toolchain}");
        assert_flipped_bytes_fail_verification(&linked, &small.bytes, 64);
    }
    // A 32-bit processor.
    let narrow = build_behaviour(&go, "arm", OLDEST);
    assert!(rewrite(&narrow, Names::Runtime).unwrap().bytes.len() + 100_000 < narrow.len());
}

#[test]
fn rewrite_is_deterministic_smaller_and_not_repeatable() {
    let Some(go) = go() else { return };
    for goarch in ["386", "amd64", "arm", "arm64", "loong64", "mipsle", "mips64le", "ppc64le", "riscv64"] {
        let linked = build_behaviour(&go, goarch, TOOLCHAIN);
        let (all, runtime) = (rewrite(&linked, Names::All).unwrap(), rewrite(&linked, Names::Runtime).unwrap());
        assert_eq!(rewrite(&linked, Names::All).unwrap(), all, "{goarch}");
        assert!(runtime.pclntab_after < all.pclntab_after, "{goarch}");
        assert!(all.bytes.len() < linked.len(), "{goarch}");
        assert!(
            all.pclntab_after * 10 < all.pclntab_before * 8,
            "{goarch}: {} of {}",
            all.pclntab_after,
            all.pclntab_before
        );
        assert_eq!(rewrite(&all.bytes, Names::All), Err(Refused::AlreadyRewritten), "{goarch}");
        assert_eq!(gobinary::build_info(&all.bytes), gobinary::build_info(&linked));
        assert_eq!(gobinary::build_id(&all.bytes), gobinary::build_id(&linked));
    }
    for goarch in ["mips", "ppc64", "s390x"] {
        let big = build_behaviour(&go, goarch, TOOLCHAIN);
        assert_eq!(rewrite(&big, Names::All), Err(Refused::Unsupported("not a little-endian ELF file")), "{goarch}");
    }
}

#[test]
fn rewrite_output_and_revision() {
    let Some(go) = go() else { return };
    let linked = build_behaviour(&go, "amd64", TOOLCHAIN);
    let digest = |names| files::sha256(&rewrite(&linked, names).unwrap().bytes);
    // If only the digest changed, bump REVISION. Otherwise cached builds count as fresh.
    insta::assert_snapshot!(format!("{}\n{}", REVISION, digest(Names::All) + &digest(Names::Runtime)));
}

#[test]
fn verify_of_other_files_fails() {
    let Some(go) = go() else { return };
    let linked = build_behaviour(&go, host_goarch(), TOOLCHAIN);
    let good = rewrite(&linked, Names::All).unwrap().bytes;
    assert_eq!(verify(&linked, &good, Names::All), Ok(()));
    assert!(verify(&linked, &good, Names::Runtime).is_err(), "the names are not removed");
    assert!(verify(&linked, &linked, Names::All).is_err(), "nothing is removed");
    assert_flipped_bytes_fail_verification(&linked, &good, 256);
}

/// Changes a byte of a rewritten file, `cases` times, and requires verification to fail.
fn assert_flipped_bytes_fail_verification(linked: &[u8], good: &[u8], cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let places = (any::<prop::sample::Index>(), 1_u8..=255);
    let headers = 0x190 + 16 * 64;
    let outcome = runner.run(&places, |(place, flip)| {
        let mut garbled = good.to_vec();
        // After the headers and notes only alignment is padding, which is zero.
        let at = headers + place.index(garbled.len() - headers);
        let before = garbled[at];
        garbled[at] ^= flip;
        prop_assert!(before == 0 || verify(linked, &garbled, Names::All).is_err(), "byte {at:#x} of {:#x}", good.len());
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn rewrite_of_damaged_files_is_refused_or_correct() {
    let Some(go) = go() else { return };
    let linked = build_behaviour(&go, host_goarch(), TOOLCHAIN);
    let mut runner = TestRunner::new(Config { cases: 256, failure_persistence: None, ..Config::default() });
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let outcome = runner.run(&(edits, any::<prop::sample::Index>(), any::<bool>()), |(edits, cut, whole)| {
        let mut bytes = linked.clone();
        if !whole {
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        for (place, value) in &edits {
            let at = place.index(bytes.len());
            bytes[at] = *value;
        }
        // No panic, and any output passes verification.
        if let Ok(small) = rewrite(&bytes, Names::All) {
            prop_assert_eq!(verify(&bytes, &small.bytes, Names::All), Ok(()));
        }
        Ok(())
    });
    outcome.unwrap();
    // Every byte of the headers.
    for at in (0..0x600).chain((linked.len() - 0x200)..linked.len()) {
        let mut bytes = linked.clone();
        bytes[at] ^= 0xff;
        let _ = rewrite(&bytes, Names::All);
    }
}

/// Parses `moduledata` in Go's source. Returns the number of words before each field.
fn parse_moduledata(source: &str) -> BTreeMap<String, usize> {
    let body = source.split("type moduledata struct {").nth(1).unwrap().split("\n}").next().unwrap();
    let mut words = 0;
    let mut found = BTreeMap::new();
    for line in body.lines() {
        let line = line.split("//").next().unwrap().trim();
        let Some((names, kind)) = line.rsplit_once(' ') else { continue };
        for name in names.split(',') {
            found.insert(name.trim().to_owned(), words);
            words += if kind.starts_with("[]") { 3 } else { 1 };
        }
        // Later fields are not used, and not all of them are words.
        if names.contains("ptab") {
            break;
        }
    }
    found
}

fn runtime_source(go: &Go, toolchain: &str) -> PathBuf {
    let output = go.command(&["env", "GOROOT"], &go::plain(toolchain)).output().unwrap();
    Path::new(String::from_utf8(output.stdout).unwrap().trim()).join("src/runtime")
}

#[test]
fn moduledata_fields_match_the_source_of_go() {
    let Some(go) = go() else { return };
    for (toolchain, version) in [(OLDEST, "go1.25"), (TOOLCHAIN, "go1.26"), (NEWEST, "go1.27")] {
        let source = std::fs::read_to_string(runtime_source(&go, toolchain).join("symtab.go")).unwrap();
        let fields = parse_moduledata(&source);
        for (field, word) in moduledata_fields(version).unwrap() {
            assert_eq!(fields.get(field), Some(&word), "{version}: {field}");
        }
        assert_eq!(fields.contains_key("epclntab"), version != "go1.25");
    }
}

#[test]
fn runtime_functions_that_read_names() {
    let Some(go) = go() else { return };
    let reads = regex::Regex::new(r"funcname\(|funcNameForPrint\(|\.srcFunc\([a-z]*\)\.name\(\)|sf\.name\(\)|fi\.name")
        .unwrap();
    let mut found = String::new();
    for toolchain in [OLDEST, TOOLCHAIN, NEWEST] {
        found += &format!("{}\n", &toolchain[..6]);
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(runtime_source(&go, toolchain)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for path in files {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if !name.ends_with(".go") || name.ends_with("_test.go") {
                continue;
            }
            let mut function = String::new();
            let mut last = String::new();
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                if let Some(rest) = line.strip_prefix("func ") {
                    function =
                        rest.split('{').next().unwrap().split('(').find(|part| !part.is_empty()).unwrap().to_owned();
                    function = if rest.starts_with('(') {
                        rest.split(") ").nth(1).unwrap_or(&function).to_owned()
                    } else {
                        function
                    };
                    function = function.split('(').next().unwrap().to_owned();
                }
                let code = line.split("//").next().unwrap();
                // A function that only prints the name doesn't need it.
                let prints = ["print(", "println(", "dumpstr("].iter().any(|call| code.contains(call));
                let entry = format!("  {name}: {function}\n");
                if reads.is_match(code) && !prints && !code.starts_with("func ") && last != entry {
                    found += &entry;
                    last = entry;
                }
            }
        }
    }
    // If a new Go reads names elsewhere, review it before accepting:
    // crates/gobinary/src/pclntab/retain.rs.
    insta::assert_snapshot!(found);
}

/// Runs a case of the behaviour program and returns its traceback.
fn traceback(bytes: &[u8], case: &str) -> String {
    let program = Program::new(bytes, None);
    let output = run_when_not_busy(|| program.command(case).env("GOTRACEBACK", "all").output());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Removes addresses, arguments and goroutine numbers, which differ between runs.
fn normalize(text: &str) -> String {
    let text = regex::Regex::new(r" \+0x[0-9a-f]+( fp=.*)?").unwrap().replace_all(text, "").into_owned();
    let text = regex::Regex::new(r"\([^()\n]*0x[^()\n]*\)|\(\{[^\n]*\}\)|\(\.\.\.\)")
        .unwrap()
        .replace_all(&text, "()")
        .into_owned();
    regex::Regex::new(r"0x[0-9a-f]+|goroutine \d+").unwrap().replace_all(&text, "…").into_owned()
}

#[test]
fn symbolize_restores_the_traceback_of_the_linked_binary() {
    let Some(go) = go() else { return };
    let linked = build_behaviour(&go, host_goarch(), TOOLCHAIN);
    let small = rewrite(&linked, Names::All).unwrap().bytes;
    let folder = tempfile::tempdir().unwrap();
    let (binary, file) = (folder.path().join("linked"), folder.path().join("traceback.txt"));
    std::fs::write(&binary, &linked).unwrap();
    for case in ["panic", "nil-pointer", "repanic", "panic-in-defer", "fatal"] {
        let whole = traceback(&linked, case);
        assert!(whole.contains("main.go:"), "{whole}");
        std::fs::write(&file, traceback(&small, case)).unwrap();
        let ran = crate::common::run(folder.path(), &["symbolize", "traceback.txt", "--binary", "linked"]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
        assert_eq!(normalize(&ran.stdout), normalize(&whole), "{case}");
    }
    // Without names, addresses are used if the runtime prints them.
    let bare = Program::new(&rewrite(&linked, Names::Runtime).unwrap().bytes, None);
    let output = run_when_not_busy(|| bare.command("nil-pointer").env("GOTRACEBACK", "system").output());
    std::fs::write(&file, &output.stderr).unwrap();
    let ran = crate::common::run(folder.path(), &["symbolize", "traceback.txt", "--binary", "linked"]);
    assert!(ran.stdout.contains("main.nilPointer()\n\tfeatureset.invalid/behaviour/main.go:"), "{}", ran.stdout);
    // More frames than are named: the rest stays as it is, and that is reported.
    let frame = "main.main()\n\t?:0 +0x4\n";
    std::fs::write(&file, frame.repeat(limits::FRAMES + 3)).unwrap();
    let ran = crate::common::run(folder.path(), &["symbolize", "traceback.txt", "--binary", "linked"]);
    assert_eq!(ran.stdout.matches(frame).count(), 3);
    assert!(ran.stderr.contains("3 frames after the first 10000 are unchanged"), "{}", ran.stderr);
    // A text that is not a traceback, and a rewritten binary.
    std::fs::write(&file, "hello\n").unwrap();
    let ran = crate::common::run(folder.path(), &["symbolize", "traceback.txt", "--binary", "linked"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "hello\n"));
    assert!(ran.stderr.contains("no frame of this binary"), "{}", ran.stderr);
    std::fs::write(&binary, &small).unwrap();
    let ran = crate::common::run(folder.path(), &["symbolize", "traceback.txt", "--binary", "linked"]);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("error[no-symbols]"), "{}", ran.stderr);
}
