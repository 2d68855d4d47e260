//! Hostile input: small files that would take much memory or endless work, and endless files.
//!
//! No test reads a clock: without a bound, these would run for hours. Counted work is tested in the
//! tests of the crates. Memory is the maximum resident set size of the command, as the kernel counts it.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{RELEASE, Ran, TOOLCHAIN, cache, policy, run, skip};
use nix::sys::resource::{UsageWho, getrusage};
use tailscale_featureset::limits;
use tailscale_featureset::process::on_path;
use tailscale_featureset::tools::upx;

/// Where hostile files are written.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        run(self.0.path(), arguments)
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let ran = self.run(&[arguments, &["--format", "json"]].concat());
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {}", ran.transcript()))
    }
}

/// A member of a tar archive.
fn member(name: &str, kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut member = [&header(name, kind, bytes.len())[..], bytes].concat();
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

/// The header of a member.
fn header(name: &str, kind: u8, length: usize) -> [u8; 512] {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000755\0");
    header[124..136].copy_from_slice(format!("{length:011o}\0").as_bytes());
    header[148..156].fill(b' ');
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut all: Vec<u8> = members.iter().flat_map(|(name, bytes)| member(name, b'0', bytes)).collect();
    all.resize(all.len() + 1024, 0);
    all
}

/// An image of one layer.
fn image(layer: &[(&str, &[u8])]) -> Vec<u8> {
    let layer = tar(layer);
    let digest = image::sha256(&layer);
    let config = format!(
        "{{\"os\":\"linux\",\"architecture\":\"arm64\",\"config\":{{\"Entrypoint\":[\"/bin/sh\"]}},\
         \"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"sha256:{digest}\"]}}}}"
    );
    let manifest = b"[{\"Config\":\"config.json\",\"Layers\":[\"0.tar\"]}]";
    tar(&[("manifest.json", manifest), ("config.json", config.as_bytes()), ("0.tar", &layer)])
}

fn tags(count: usize) -> String {
    (0..count).map(|n| format!("ts_omit_zz{n}")).collect::<Vec<_>>().join(",")
}

fn daemon(tags: &str) -> Vec<u8> {
    crate::common::binary::binary(TOOLCHAIN, &crate::common::binary::daemon(RELEASE, tags))
}

/// The most memory, in MB, that a command took that has ended.
fn peak() -> i64 {
    getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() / 1000
}

/// Files of at most a megabyte, and what is run on each.
fn small(folder: &Folder) -> Vec<Vec<&'static str>> {
    let unknown = "x".repeat(400_000);
    let build = "go build -tags \"$T\" ./cmd/tailscaled\n";
    let stages: String = (0..4000).map(|n| format!("FROM s{n} AS s{}\nENV B{n}=x\n", n + 1)).collect();
    folder.write("tags.sh", format!("go build -tags \"{}\" tailscale.com/cmd/tailscaled", tags(60_000)));
    folder.write("tags.elf", daemon(&tags(15_000)));
    folder.write("sed.sh", format!("T=$(echo ts_omit_aws{})\n{build}", "|sed s/ts_omit_a0//".repeat(30_000)));
    folder.write("unknown.sh", format!("A=\"${{{{ {unknown} }}}}\"\n{}{build}", "T=\"$T$A\"\n".repeat(20_000)));
    folder.write("doubled.sh", format!("A=\"${{{{ {unknown} }}}}\"\n{}{build}", "A=\"$A$A\"\n".repeat(16)));
    folder.write("braces.sh", format!("echo {unknown}{{{}}}\n{build}", ",".repeat(400_000)));
    folder.write("Dockerfile", format!("FROM x AS s0\nENV A={}\n{stages}", "a".repeat(60_000)));
    folder.write("programs.tar", member("p", b'0', &daemon("ts_omit_aws")).repeat(800));
    let many = |entry: &dyn Fn(usize) -> String, count: usize| (0..count).map(entry).collect::<Vec<_>>().join(",");
    folder.write("flow.yaml", format!("features: {{{}}}", many(&|n| format!("a{n}: b"), 50_000)));
    folder.write("twice.yaml", format!("features: {{{}}}", "a,".repeat(59_000)));
    folder.write(
        "product.yaml",
        format!(
            "build: {{extra_tags: {{{}}}}}\ntargets: {{{}}}",
            many(&|n| format!("t{n}: x"), 20_000),
            many(&|n| format!("a{n}: {{platform: linux/amd64}}"), 20_000)
        ),
    );
    let clean = policy(&[], "{ platform: linux/amd64 }");
    folder.write("word.yaml", clean.replacen("This device decides", &"A".repeat(1_000_000), 1));
    let numbers = format!("[{}1]", "1,".repeat(500_000));
    folder.write("numbers.tar", tar(&[("manifest.json", numbers.as_bytes())]));
    vec![
        vec!["audit", "tags.sh", "--format", "json"],
        vec!["audit", "tags.elf"],
        vec!["audit", "sed.sh", "--format", "json"],
        vec!["audit", "unknown.sh"],
        vec!["audit", "doubled.sh"],
        vec!["audit", "braces.sh"],
        vec!["audit", "Dockerfile"],
        vec!["audit", "programs.tar"],
        vec!["check", "--policy", "flow.yaml", "--fix"],
        vec!["check", "--policy", "flow.yaml", "--format", "json"],
        vec!["check", "--policy", "twice.yaml", "--format", "json"],
        vec!["check", "--policy", "product.yaml", "--format", "json"],
        vec!["list", "--policy", "word.yaml"],
        vec!["explain", "ace", "--policy", "word.yaml"],
        vec!["image", "lint", "numbers.tar", "--format", "json"],
    ]
}

/// Larger files.
fn large(folder: &Folder) -> Vec<Vec<&'static str>> {
    let modules = "dep\n".repeat(8 << 20);
    let program = crate::common::binary::binary(
        TOOLCHAIN,
        &format!("{}{modules}", crate::common::binary::daemon(RELEASE, "ts_omit_aws")),
    );
    folder.write("modules.elf", &program);
    folder.write("modules.tar", image(&[("bin/sh", &program)]));
    folder.write("tag.elf", daemon(&format!("ts_omit_{}", "z".repeat(20_000_000))));
    // As large as is linted: one file of zeros.
    let mut file = std::fs::File::create(folder.path("largest.tar")).unwrap();
    let length = (256 << 20) - 512 - 1024;
    file.write_all(&header("zeros", b'0', length)).unwrap();
    file.set_len(256 << 20).unwrap();
    std::fs::File::create(folder.path("gigabyte.tar")).unwrap().set_len(1 << 30).unwrap();
    vec![
        vec!["audit", "modules.elf"],
        vec!["image", "lint", "modules.tar"],
        vec!["audit", "tag.elf"],
        vec!["image", "lint", "largest.tar"],
        vec!["image", "lint", "gigabyte.tar"],
        vec!["image", "lint", "/dev/zero"],
        vec!["audit", "gigabyte.tar"],
    ]
}

#[test]
fn hostile_inputs_stay_within_the_memory_limit() {
    // The kernel counts the memory of all children of a process together, so the test runs in a separate process.
    if std::env::var_os("FEATURESET_MEMORY_TEST").is_none() {
        let mut own = Command::new(std::env::current_exe().unwrap());
        own.args(["bounds::hostile_inputs_stay_within_the_memory_limit", "--exact"]);
        let output = own.env("FEATURESET_MEMORY_TEST", "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let folder = Folder::new();
    let mut held = Vec::new();
    let within = |commands: Vec<Vec<&'static str>>, most: i64, held: &mut Vec<String>| {
        for command in commands {
            let before = peak();
            let ran = folder.run(&command);
            assert!((0..=2).contains(&ran.status), "{command:?}: {}", ran.transcript());
            if peak() > most && peak() > before {
                held.push(format!("{command:?}: {} MB", peak()));
            }
        }
    };
    within(small(&folder), 200, &mut held);
    within(large(&folder), 400, &mut held);
    assert!(held.is_empty(), "{held:#?}");
}

#[test]
fn check_with_many_findings_prints_a_hundred_and_counts_all() {
    let folder = Folder::new();
    let entries = |count: usize| (0..count).map(|n| format!("a{n}: b")).collect::<Vec<_>>().join(",");
    folder.write("many.yaml", format!("features: {{{}}}", entries(50_000)));
    let human = folder.run(&["check", "--policy", "many.yaml"]);
    let shown = human.stderr.matches("\n  = why: ").count();
    let total = human.stderr.lines().last().unwrap().to_owned();
    assert_eq!((human.status, shown), (1, limits::SHOWN), "{total}");
    let github = folder.run(&["check", "--policy", "many.yaml", "--format", "github"]).stdout;
    assert_eq!(github.lines().filter(|line| line.starts_with("::error ")).count(), limits::SHOWN);
    let json = folder.json(&["check", "--policy", "many.yaml"]);
    let errors = json["errors"].as_u64().unwrap();
    assert!(errors > 50_000, "{total}");
    assert!(total.contains(&format!("{errors} errors")), "{total}");
    let more = format!("and {} more findings", errors - limits::SHOWN as u64);
    assert!(human.stderr.contains(&more), "{}", github.lines().last().unwrap());
    assert!(github.contains(&more), "{}", github.lines().last().unwrap());
    let written = json["findings"].as_array().unwrap().len() as u64;
    assert_eq!((written, json["findings_left_out"].as_u64().unwrap()), (limits::WRITTEN as u64, errors - written));
    let sarif: serde_json::Value =
        serde_json::from_str(&folder.run(&["check", "--policy", "many.yaml", "--format", "sarif"]).stdout).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), limits::WRITTEN);
    let said = run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(said.contains("more findings"), "{said}");
    folder.write("too-many.yaml", format!("features: {{{}}}", "a,".repeat(60_001)));
    let refused = folder.json(&["check", "--policy", "too-many.yaml"]);
    assert_eq!(refused["findings"][0]["code"], "unsupported-yaml");
}

#[test]
fn audit_of_too_large_input_reports_that_it_is_incomplete() {
    let folder = Folder::new();
    folder.write(
        "nested.sh",
        format!("{}x\n{}go build -tags ts_omit_aws ./cmd/tailscaled\n", "if a; then\n".repeat(60), "fi\n".repeat(60)),
    );
    folder.write("tags.sh", format!("go build -tags \"{}\" tailscale.com/cmd/tailscaled\n", tags(8000)));
    folder.write("programs.tar", member("p", b'0', &daemon("ts_omit_aws")).repeat(100));
    for (case, arguments) in [
        ("audit_too_deep", &["audit", "nested.sh"][..]),
        ("audit_too_deep_json", &["audit", "nested.sh", "--format", "json"]),
        ("import_too_many_tags", &["import", "tags.sh", "-o", "x"]),
    ] {
        insta::assert_snapshot!(case, folder.run(arguments).transcript());
    }
    let list = folder.json(&["audit", "tags.sh"])["sources"][0]["lists"][0].clone();
    let codes = |list: &serde_json::Value| -> Vec<String> {
        list["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list["complete"], false);
    assert!(codes(&list).contains(&"incomplete-analysis".to_owned()));
    let programs = folder.json(&["audit", "programs.tar"]);
    assert_eq!(programs["sources"].as_array().unwrap().len(), limits::BINARIES);
    let not_judged = programs["not_judged"].as_array().unwrap();
    assert_eq!(not_judged.len(), limits::OTHERS + 1);
    assert_eq!(not_judged[limits::OTHERS]["message"], "20 more members of programs.tar were not judged");
}

#[test]
fn audit_and_lint_of_sparse_members_report_them() {
    let folder = Folder::new();
    let program = daemon("ts_omit_aws");
    let other = member("clean", b'0', &program);
    folder.write("sparse.tar", [member("tailscaled", b'S', &program), other.clone()].concat());
    folder.write("only.tar", member("tailscaled", b'S', &program));
    insta::assert_snapshot!("audit_sparse_member", folder.run(&["audit", "only.tar"]).transcript());
    insta::assert_snapshot!("lint_sparse_member", folder.run(&["image", "lint", "only.tar"]).transcript());
    let others = folder.run(&["audit", "sparse.tar"]).stderr;
    assert!(others.contains("sparse.tar: tailscaled is a sparse file, which is not read"), "{others}");
    assert_eq!(folder.json(&["audit", "sparse.tar"])["not_judged"][0]["code"], "unread-member");
}

#[test]
fn check_list_and_explain_read_only_regular_files() {
    let clean = policy(&[], "{ platform: linux/amd64 }");
    for (name, command) in [
        ("featureset.yaml", &["check", "--policy", "featureset.yaml"][..]),
        ("registry/1.106.json", &["check"]),
        ("registry/1.106.json", &["list"]),
        ("docs/costs/one.json", &["list"]),
        ("docs/costs/one.json", &["explain", "ace"]),
        ("docs/proof/one.json", &["explain", "ace"]),
    ] {
        for what in ["device", "pipe", "large"] {
            let folder = Folder::new();
            folder.write("featureset.yaml", &clean);
            let path = folder.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let _ = std::fs::remove_file(&path);
            match what {
                "device" => symlink("/dev/zero", &path).unwrap(),
                "pipe" => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
                _ => std::fs::File::create(&path).unwrap().set_len((1 << 20) + 1).unwrap(),
            }
            let ran = folder.run(command);
            // Proofs are not part of a policy: a file that can't be read is ignored.
            if name.starts_with("docs/proof") {
                assert_eq!(ran.status, 0, "{name} {what}: {}", ran.transcript());
                continue;
            }
            let why = if what == "large" { "is larger than 1.05 MB" } else { "it is not a regular file" };
            assert_eq!(ran.status, 2, "{name} {what}: {}", ran.transcript());
            assert!(ran.stderr.contains(why), "{name} {what}: {}", ran.transcript());
        }
    }
}

#[test]
fn audit_of_many_packed_programs_unpacks_a_few() {
    let Ok(upx) = upx::find_or_provide(&cache()) else { return skip("UPX is not available") };
    let Some(static_program) = on_path("mksh-static") else { return skip("mksh-static is not installed") };
    let folder = Folder::new();
    let mut pack = Command::new(upx.program);
    pack.args(["-1", "-q", "-q", "-o", "packed"])
        .arg(static_program.canonicalize().unwrap())
        .current_dir(folder.0.path());
    assert!(pack.status().unwrap().success());
    let program = std::fs::read(folder.path("packed")).unwrap();
    folder.write("many.tar", member("p", b'0', &program).repeat(limits::PACKED + 3));
    let ran = folder.run(&["audit", "many.tar", "--format", "json"]);
    let problem: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let why = problem["problem"]["why"].as_str().unwrap();
    assert_eq!(why.matches("is packed and was not unpacked").count(), 3, "{why}");
}

#[test]
fn image_script_with_prefix_length_0_is_refused() {
    for address in [["--address6", "::2/0"], ["--address", "10.0.0.2/0"]] {
        let ran = run(Path::new("/"), &[&["image", "script", "--routeros", "7.21"], &address[..]].concat());
        assert_eq!(ran.status, 2, "{}", ran.transcript());
        assert!(ran.stderr.contains("with a length of 1 to"), "{}", ran.transcript());
    }
}
