//! Binaries with their function table rewritten behave as they did: programs of ours, real Go, run as linked and rewritten.
//! Also: what is taken for granted of Go's source is what its source says; mutilated files are refused and never garbled.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use common::program::{Program, behaviour, go, patiently, std_goarch};
use common::skip;
use gobinary::slim::{Names, Refused, prove, slim};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use xtask::files;
use xtask::tools::go::{self, Go};

/// The toolchain that the policy pins, whatever Go is at hand.
const PINNED: &str = "go1.26.8";

/// The oldest and the newest whose layouts are known.
const OLDEST: &str = "go1.25.7";
const NEWEST: &str = "go1.27.3";

fn same_behaviour(linked: &[u8], under: Option<&'static str>) {
    let before = Program::new(linked, under);
    let cases = before.run("").1;
    assert!(cases.lines().count() > 12, "{cases}");
    for names in [Names::All, Names::Runtime] {
        let after = Program::new(&slim(linked, names).unwrap().bytes, under);
        for case in cases.lines().filter(|case| *case != "wait") {
            let (mut was, is) = (before.run(case), after.run(case));
            if names == Names::Runtime && case == "nil-method" {
                // The runtime finds a method's form in the wrapper's name, and no method.
                assert_eq!((is.0, is.1.as_str()), (was.0, "value method ?.?.? called using nil *? pointer\n"));
                was.1.clone_from(&is.1);
            }
            if names == Names::Runtime && ["callers", "func-names"].contains(&case) {
                // Names of functions are what went.
                (was.1, was.2) = (is.1.clone(), is.2.clone());
            }
            assert_eq!(was, is, "{case}, {names:?}");
        }
    }
}

#[test]
fn programs_behave_as_they_did() {
    let Some(go) = go() else { return };
    same_behaviour(&behaviour(&go, std_goarch(), PINNED), None);
}

#[test]
fn programs_behave_as_they_did_on_arm() {
    let Some(go) = go() else { return };
    for (goarch, emulator) in [("arm64", "qemu-aarch64-static"), ("arm", "qemu-arm-static")] {
        if xtask::process::on_path(emulator).is_none() {
            return skip(&format!("there is no {emulator}"));
        }
        let linked = behaviour(&go, goarch, PINNED);
        let (before, names) = (Program::new(&linked, Some(emulator)), Names::All);
        let after = Program::new(&slim(&linked, names).unwrap().bytes, Some(emulator));
        // The others take long under an emulator, or are flaky there.
        for case in ["defers", "func-names", "nil-method", "panic", "recover", "reflect-call", "repanic", "callers"] {
            assert_eq!(before.run(case), after.run(case), "{goarch}: {case}");
        }
    }
}

#[test]
fn a_traceback_names_functions_and_offsets() {
    let Some(go) = go() else { return };
    let linked = behaviour(&go, std_goarch(), PINNED);
    for names in [Names::All, Names::Runtime] {
        let program = Program::new(&slim(&linked, names).unwrap().bytes, None);
        let start = || program.command("wait").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = patiently(start);
        let mut ready = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        // From the line that it printed to its sleep.
        std::thread::sleep(std::time::Duration::from_millis(300));
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::QUIT).unwrap();
        let output = child.wait_with_output().unwrap();
        let dump = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{dump}");
        assert!(dump.contains("SIGQUIT: quit") && dump.contains("[sleep]:"), "{dump}");
        assert_eq!(dump.contains("main.wait"), names == Names::All, "{dump}");
        assert!(dump.contains("?:0 +0x"), "an offset in the place of a line: {dump}");
        assert!(!dump.contains("main.go:"), "{dump}");
    }
}

#[test]
fn the_layouts_that_are_known_and_no_other() {
    let Some(go) = go() else { return };
    // 1.25 has the data of functions among the read-only data, 1.27 types behind the table: the segment is split.
    for toolchain in [OLDEST, NEWEST] {
        let linked = behaviour(&go, std_goarch(), toolchain);
        same_behaviour(&linked, None);
        let small = slim(&linked, Names::All).unwrap();
        assert!(small.bytes.len() + 100_000 < linked.len(), "{toolchain}: the freed bytes are gone from the file");
        assert_eq!(slim(&small.bytes, Names::All), Err(Refused::Already), "{toolchain}");
        garbled(&linked, &small.bytes, 64);
    }
    // And with words of 32 bits.
    let narrow = behaviour(&go, "arm", OLDEST);
    assert!(slim(&narrow, Names::Runtime).unwrap().bytes.len() + 100_000 < narrow.len());
}

#[test]
fn the_result_is_smaller_the_same_every_time_and_not_rewritten_twice() {
    let Some(go) = go() else { return };
    for goarch in ["386", "amd64", "arm", "arm64", "loong64", "mipsle", "mips64le", "ppc64le", "riscv64"] {
        let linked = behaviour(&go, goarch, PINNED);
        let (all, runtime) = (slim(&linked, Names::All).unwrap(), slim(&linked, Names::Runtime).unwrap());
        assert_eq!(slim(&linked, Names::All).unwrap(), all, "{goarch}");
        assert!(runtime.table_after < all.table_after && all.bytes.len() < linked.len(), "{goarch}");
        assert!(all.table_after * 10 < all.table_before * 8, "{goarch}: {} of {}", all.table_after, all.table_before);
        assert_eq!(slim(&all.bytes, Names::All), Err(Refused::Already), "{goarch}");
        assert_eq!(gobinary::build_info(&all.bytes), gobinary::build_info(&linked));
        assert_eq!(gobinary::build_id(&all.bytes), gobinary::build_id(&linked));
    }
    for goarch in ["mips", "ppc64", "s390x"] {
        let big = behaviour(&go, goarch, PINNED);
        assert_eq!(slim(&big, Names::All), Err(Refused::Kind("not a little-endian ELF file")), "{goarch}");
    }
}

#[test]
fn other_bytes_come_out_only_with_another_revision() {
    let Some(go) = go() else { return };
    let linked = behaviour(&go, "amd64", PINNED);
    let digest = |names| files::sha256(&slim(&linked, names).unwrap().bytes);
    // Where the second line has changed, raise REVISION: else binaries that stand already count as fresh.
    insta::assert_snapshot!(format!("{}\n{}", gobinary::slim::REVISION, digest(Names::All) + &digest(Names::Runtime)));
}

#[test]
fn what_was_garbled_does_not_stand_the_proof() {
    let Some(go) = go() else { return };
    let linked = behaviour(&go, std_goarch(), PINNED);
    let good = slim(&linked, Names::All).unwrap().bytes;
    assert_eq!(prove(&linked, &good, Names::All), Ok(()));
    assert!(prove(&linked, &good, Names::Runtime).is_err(), "names that should have gone are there");
    assert!(prove(&linked, &linked, Names::All).is_err(), "nothing was taken out");
    garbled(&linked, &good, 256);
}

/// Flips a byte of a rewritten file, so many times: the proof fails.
fn garbled(linked: &[u8], good: &[u8], cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let places = (any::<prop::sample::Index>(), 1_u8..=255);
    let headers = 0x190 + 16 * 64;
    let outcome = runner.run(&places, |(place, flip)| {
        let mut garbled = good.to_vec();
        // Behind the headers and notes nothing is padding but what aligns segments and sections.
        let at = headers + place.index(garbled.len() - headers);
        let before = garbled[at];
        garbled[at] ^= flip;
        prop_assert!(before == 0 || prove(linked, &garbled, Names::All).is_err(), "byte {at:#x} of {:#x}", good.len());
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn mutilated_files_are_refused_or_rewritten_truly() {
    let Some(go) = go() else { return };
    let linked = behaviour(&go, std_goarch(), PINNED);
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
        // No panic; and what comes out stands the proof against what came in.
        if let Ok(small) = slim(&bytes, Names::All) {
            prop_assert_eq!(prove(&bytes, &small.bytes, Names::All), Ok(()));
        }
        Ok(())
    });
    outcome.unwrap();
    // The headers and the table decide everything: there every byte is tried that is likely to matter.
    for at in (0..0x600).chain((linked.len() - 0x200)..linked.len()) {
        let mut bytes = linked.clone();
        bytes[at] ^= 0xff;
        let _ = slim(&bytes, Names::All);
    }
}

/// The numbers of words before the fields of the runtime's record, by Go's own source.
fn record_of(source: &str) -> BTreeMap<String, usize> {
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
        // Behind these nothing is used, and not everything is a word.
        if names.contains("ptab") {
            break;
        }
    }
    found
}

fn source_of(go: &Go, toolchain: &str) -> PathBuf {
    let output = go.command(&["env", "GOROOT"], &go::plain(toolchain)).output().unwrap();
    Path::new(String::from_utf8(output.stdout).unwrap().trim()).join("src/runtime")
}

#[test]
fn the_record_is_laid_out_as_go_s_source_has_it() {
    let Some(go) = go() else { return };
    for (toolchain, version) in [(OLDEST, "go1.25"), (PINNED, "go1.26"), (NEWEST, "go1.27")] {
        let source = std::fs::read_to_string(source_of(&go, toolchain).join("symtab.go")).unwrap();
        let record = record_of(&source);
        let taken = gobinary::slim::assumed(version).unwrap();
        for (field, word) in taken {
            assert_eq!(record.get(field), Some(&word), "{version}: {field}");
        }
        assert_eq!(record.contains_key("epclntab"), version != "go1.25");
    }
}

#[test]
fn everything_in_the_runtime_that_reads_names_is_known() {
    let Some(go) = go() else { return };
    let reads = regex::Regex::new(r"funcname\(|funcNameForPrint\(|\.srcFunc\([a-z]*\)\.name\(\)|sf\.name\(\)|fi\.name")
        .unwrap();
    let mut told = String::new();
    for toolchain in [OLDEST, PINNED, NEWEST] {
        told += &format!("{}\n", &toolchain[..6]);
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(source_of(&go, toolchain)).unwrap().map(|entry| entry.unwrap().path()).collect();
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
                // What only prints the name doesn't need it.
                let prints = ["print(", "println(", "dumpstr("].iter().any(|call| code.contains(call));
                let entry = format!("  {name}: {function}\n");
                if reads.is_match(code) && !prints && !code.starts_with("func ") && last != entry {
                    told += &entry;
                    last = entry;
                }
            }
        }
    }
    // A Go that reads names somewhere else is looked at before it is trusted: see crates/gobinary/src/slim/select.rs.
    insta::assert_snapshot!(told);
}

/// Runs a case of the behaviour program to its end and gives its traceback.
fn traceback(bytes: &[u8], case: &str) -> String {
    let program = Program::new(bytes, None);
    let output = patiently(|| program.command(case).env("GOTRACEBACK", "all").output());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A traceback without what differs from run to run: addresses, arguments, numbers of goroutines.
fn settled(text: &str) -> String {
    let text = regex::Regex::new(r" \+0x[0-9a-f]+( fp=.*)?").unwrap().replace_all(text, "").into_owned();
    let text = regex::Regex::new(r"\([^()\n]*0x[^()\n]*\)|\(\{[^\n]*\}\)|\(\.\.\.\)")
        .unwrap()
        .replace_all(&text, "()")
        .into_owned();
    regex::Regex::new(r"0x[0-9a-f]+|goroutine \d+").unwrap().replace_all(&text, "…").into_owned()
}

#[test]
fn a_traceback_is_read_back_as_it_would_have_been() {
    let Some(go) = go() else { return };
    let linked = behaviour(&go, std_goarch(), PINNED);
    let small = slim(&linked, Names::All).unwrap().bytes;
    let folder = tempfile::tempdir().unwrap();
    let (binary, file) = (folder.path().join("linked"), folder.path().join("traceback.txt"));
    std::fs::write(&binary, &linked).unwrap();
    for case in ["panic", "nil-pointer", "repanic", "panic-in-defer", "fatal"] {
        let whole = traceback(&linked, case);
        assert!(whole.contains("main.go:"), "{whole}");
        std::fs::write(&file, traceback(&small, case)).unwrap();
        let ran = common::run(folder.path(), &["symbolize", "traceback.txt", "--binary", "linked"]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
        assert_eq!(settled(&ran.stdout), settled(&whole), "{case}");
    }
    // Without names the addresses tell, where the runtime prints them.
    let bare = Program::new(&slim(&linked, Names::Runtime).unwrap().bytes, None);
    let output = patiently(|| bare.command("nil-pointer").env("GOTRACEBACK", "system").output());
    std::fs::write(&file, &output.stderr).unwrap();
    let ran = common::run(folder.path(), &["symbolize", "traceback.txt", "--binary", "linked"]);
    assert!(ran.stdout.contains("main.nilPointer()\n\tfeatureset.invalid/behaviour/main.go:"), "{}", ran.stdout);
    // A text that is no traceback, and a binary that can't tell.
    std::fs::write(&file, "hello\n").unwrap();
    let ran = common::run(folder.path(), &["symbolize", "traceback.txt", "--binary", "linked"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "hello\n"));
    assert!(ran.stderr.contains("no frame of this binary"), "{}", ran.stderr);
    std::fs::write(&binary, &small).unwrap();
    let ran = common::run(folder.path(), &["symbolize", "traceback.txt", "--binary", "linked"]);
    assert!(ran.status == 2 && ran.stderr.contains("error[no-symbols]"), "{}", ran.stderr);
}
