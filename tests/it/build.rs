//! `build-tailscale` with a fake `go`: its arguments and environment, the checks of its output, and interrupted builds.
//!
//! The fake serves a binary that holds build information and nothing else, for a processor that no emulator on
//! its PATH runs. Real Go and real UPX are in `real_builds.rs` and in the `build` step of `cargo xtask ci`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::common::{RELEASE, Ran, TOOLCHAIN, command, finish, wait_until};
use featureset::policy::read;
use featureset::recipe::Recipe;
use featureset::selection::Selection;
use featureset::upstream_data::UpstreamData;

const TARGET: &str = "{ platform: linux/riscv64, build: { pack: none } }";
const KEEPS: &[&str] = &["portlist"];

/// A project, and a PATH that holds nothing but a fake go.
struct World {
    folder: tempfile::TempDir,
    policy: String,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), policy: crate::common::policy(KEEPS, TARGET) };
        world.decide(&world.policy);
        let upstream = world.place(&format!("modules/tailscale.com@v{RELEASE}"));
        std::fs::create_dir_all(&upstream).unwrap();
        std::fs::write(upstream.join("go.sum"), "go4.org/mem v0.1.0 h1:x=\n").unwrap();
        std::fs::write(world.place("go.mod"), "module tailscale.com\n\ngo 1.26.6\n\ntool example.com/x\n").unwrap();
        world.serve(&world.recipe());
        world.go("/bin/cp \"$binary\" \"$out\"");
        world
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn decide(&self, policy: &str) {
        std::fs::create_dir_all(self.place("project")).unwrap();
        std::fs::write(self.place("project/featureset.yaml"), policy).unwrap();
    }

    fn recipe(&self) -> Recipe {
        let policy = read(&self.policy).policy.unwrap();
        let registry = UpstreamData::embedded().registry(policy.tailscale.unwrap()).unwrap();
        let target = policy.for_target("one").unwrap();
        Recipe::new(target, &Selection::new(target, registry), Some("0123456789abcdef")).unwrap()
    }

    /// The binary that the fake go will build.
    fn serve(&self, recipe: &Recipe) {
        std::fs::write(self.place("binary"), binary(recipe)).unwrap();
    }

    /// A go whose `build` does this with `$binary` and `$out`. It logs its calls and, for `build`, its environment.
    fn go(&self, build: &str) {
        let at = self.folder.path().display();
        let script = format!(
            r#"#!/bin/sh
echo "$@" >> {at}/calls
case "$1 $2" in
"env -json") echo '{{"GOCACHE":"{at}/cache","GOMODCACHE":"{at}/modules","GOPROXY":"https://proxy.example","GOSUMDB":"'${{FAKE_SUMDB-sums.example}}'","GOVERSION":"'${{FAKE_GO-{TOOLCHAIN}}}'"}}' ;;
"mod download") echo '{{"GoMod":"{at}/go.mod","Dir":"{at}/modules/tailscale.com@v{RELEASE}","Sum":"h1:sum=","GoModSum":"h1:mod=","Origin":{{"Hash":"0123456789abcdef"}}}}' ;;
"list -deps") case "$3" in *ts_omit_portlist*) ;; *) echo tailscale.com/feature/portlist ;; esac ;;
build*)
  /usr/bin/env > {at}/environment
  for argument; do [ "$last" = -o ] && out=$argument; last=$argument; done
  binary={at}/binary
  {build} ;;
esac
"#
        );
        self.write_program("go", &script);
    }

    /// A program on the PATH that does this.
    fn program(&self, name: &str, script: &str) {
        self.write_program(name, &format!("#!/bin/sh\n{script}\n"));
    }

    fn write_program(&self, name: &str, script: &str) {
        std::fs::create_dir_all(self.place("bin")).unwrap();
        let program = self.place("bin").join(name);
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A build that was started, and the process of its go, which leaves its number next to what it builds.
    fn started(&self) -> (Child, u32) {
        let mut command = self.command(&["build-tailscale"]);
        let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let pid = self.place("project/target/tailscale/one/.work/pid");
        wait_until("go has started", || !std::fs::read_to_string(&pid).unwrap_or_default().trim().is_empty());
        (child, std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap())
    }

    /// The command with the fake go and a cache that no other world knows.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.place("project"), arguments);
        command.env("PATH", self.place("bin")).env("XDG_CACHE_HOME", self.place("caches"));
        command
    }

    fn build_with(&self, variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command(&["build-tailscale"]);
        command.envs(variables.iter().copied());
        finish(command)
    }

    fn build(&self) -> Ran {
        self.build_with(&[])
    }

    fn artefacts(&self) -> Vec<(String, Vec<u8>)> {
        let folder = self.place("project/target/tailscale/one");
        let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_name() != ".work")
            .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
            .collect();
        found.sort();
        found
    }

    fn transcript(&self, ran: &Ran) -> String {
        ran.transcript().replace(self.folder.path().to_str().unwrap(), "[WORLD]")
    }
}

/// An ELF file of RISC-V with the build information that a recipe asks for.
fn binary(recipe: &Recipe) -> Vec<u8> {
    let settings: String =
        recipe.build_settings().iter().map(|(key, value)| format!("build\t{key}={value}\n")).collect();
    let record = format!("path\ttailscale.com/cmd/tailscaled\nmod\ttailscale.com\tv{RELEASE}\th1:sum=\n{settings}");
    crate::common::binary::binary(TOOLCHAIN, &record)
}

#[test]
fn build_repeated_without_changes_starts_no_tool() {
    let world = World::new();
    let first = world.build();
    assert_eq!(first.status, 0, "{}", first.stderr);
    assert!(first.stderr.contains("was not executed: qemu-riscv64 is not installed"), "{}", first.stderr);
    let artefacts = world.artefacts();
    let names: Vec<&str> = artefacts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["manifest.json", "tailscale", "tailscaled", "tailscaled.unpacked"]);
    insta::assert_snapshot!(String::from_utf8(artefacts[0].1.clone()).unwrap());
    std::fs::remove_file(world.place("calls")).unwrap();
    let second = world.build();
    let unexecuted = "the binary for linux/riscv64 was not executed: qemu-riscv64 is not installed";
    assert_eq!(second.status, 0);
    assert!(second.stderr.contains("Fresh one: nothing has changed"), "{}", second.stderr);
    assert!(second.stderr.contains(unexecuted), "the warning is repeated: {}", second.stderr);
    assert!(!world.place("calls").exists(), "no tool is started");
    assert_eq!(world.artefacts(), artefacts);
}

#[test]
fn build_after_a_changed_decision_or_damaged_file_runs_again() {
    let mut world = World::new();
    assert_eq!(world.build().status, 0);
    std::fs::write(world.place("project/target/tailscale/one/tailscaled"), "damaged").unwrap();
    assert!(world.build().stderr.contains("Building"));
    world.policy = crate::common::policy(&["gro"], TARGET);
    world.decide(&world.policy);
    world.serve(&world.recipe());
    assert!(world.build().stderr.contains("Building"));
    assert!(world.build().stderr.contains("Fresh"));
}

#[test]
fn build_after_an_altered_byte_runs_again() {
    let world = World::new();
    assert_eq!(world.build().status, 0);
    let whole = world.artefacts();
    for name in ["tailscaled", "tailscaled.unpacked", "manifest.json"] {
        let path = world.place("project/target/tailscale/one").join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(world.build().stderr.contains("Building one"), "{name}");
        assert_eq!(world.artefacts(), whole);
    }
}

#[test]
fn build_with_artifacts_of_another_user_runs_again() {
    let world = World::new();
    assert_eq!(world.build().status, 0);
    // As on another machine, or where they came with the policy: they fit in every way, and nothing is known of them.
    std::fs::rename(world.place("caches"), world.place("caches-elsewhere")).unwrap();
    let ran = world.build();
    let told = world.transcript(&ran).lines().filter(|line| line.contains("Rebuilding")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(told);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("Building one"), "{}", ran.stderr);
    assert!(world.build().stderr.contains("Fresh one"));
}

#[test]
fn build_with_a_linked_lock_is_refused() {
    let world = World::new();
    let lock = world.place("project/target/tailscale/.lock");
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(world.place("victim"), "important").unwrap();
    std::os::unix::fs::symlink(world.place("victim"), &lock).unwrap();
    let ran = world.build();
    assert_eq!(ran.status, 2);
    insta::assert_snapshot!(world.transcript(&ran));
    assert_eq!(std::fs::read_to_string(world.place("victim")).unwrap(), "important");
}

#[test]
fn build_on_a_full_disk_reports_it() {
    let world = World::new();
    world.go("echo 'go: writing archive: no space left on device' >&2; exit 1");
    let ran = world.build();
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("error[disk-full]"), "{}", ran.stderr);
    // It is so while UPX is provided, too.
    world.decide(&crate::common::policy(KEEPS, "{ platform: linux/arm/v5 }"));
    for name in ["apt-get", "apt-cache", "dpkg-deb"] {
        world.program(name, "echo 'x: No space left on device' >&2; exit 100");
    }
    let ran = world.build();
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("error[disk-full]"), "{}", ran.stderr);
}

#[test]
fn build_killed_ends_go() {
    let Some(setpriv) = tailscale_featureset::process::on_path("setpriv") else {
        return crate::common::skip("setpriv is not installed");
    };
    let world = World::new();
    std::os::unix::fs::symlink(setpriv, world.place("bin/setpriv")).unwrap();
    world.go("echo $$ > \"${out%/*}/pid\"; exec /bin/sleep 600");
    let (mut child, go) = world.started();
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("go has ended", || !Path::new(&format!("/proc/{go}")).exists());
}

#[test]
fn build_passes_a_clean_environment_to_go() {
    let world = World::new();
    let meddling = [
        ("GOFLAGS", "-mod=vendor"),
        ("GOEXPERIMENT", "newinliner"),
        ("GOARM", "7"),
        ("GODEBUG", "x=1"),
        ("CC", "clang"),
        ("HOME", "/home/x"),
    ];
    let ran = world.build_with(&meddling);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let environment = std::fs::read_to_string(world.place("environment")).unwrap();
    // Variables that are passed through from this machine or set by the shell are left out.
    let foreign = ["PATH=", "TMPDIR=", "PWD=", "SHLVL=", "_=", "OLDPWD=", "SSL_CERT_"];
    let mut lines: Vec<&str> = environment
        .lines()
        .filter(|line| !foreign.iter().any(|name| line.starts_with(name)) && !line.to_lowercase().contains("_proxy="))
        .collect();
    lines.sort_unstable();
    insta::assert_snapshot!(lines.join("\n").replace(world.folder.path().to_str().unwrap(), "[WORLD]"));
}

#[test]
fn build_with_unexpected_build_information_replaces_nothing() {
    let world = World::new();
    assert_eq!(world.build().status, 0);
    let before = world.artefacts();
    world.decide(&crate::common::policy(&[], TARGET));
    let ran = world.build();
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("build-mismatch"), "{}", ran.stderr);
    assert!(ran.stderr.contains("why: -tags is"), "{}", ran.stderr);
    assert_eq!(world.artefacts(), before);
}

#[test]
fn build_that_does_not_compile_names_the_decisions() {
    let world = World::new();
    let upstream = world.place(&format!("modules/tailscale.com@v{RELEASE}"));
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(upstream.join(name).parent().unwrap()).unwrap();
        std::fs::write(upstream.join(name), text).unwrap();
    };
    write("feature/portlist/poll.go", "package portlist\n\nimport \"tailscale.com/ipn/ipnlocal\"\n");
    write(
        "ipn/ipnlocal/serve.go",
        "//go:build !ts_omit_serve\n\npackage ipnlocal\n\nfunc (b *LocalBackend) ServeConfig() int {\n",
    );
    write("ipn/ipnlocal/other.go", "//go:build !ts_omit_ssh\n\npackage ipnlocal\n\nfunc Other() {\n");
    let complaint = format!(
        "# tailscale.com/feature/portlist\\ntailscale.com@v{RELEASE}/feature/portlist/poll.go:85:11: b.ServeConfig undefined \
         (type *ipnlocal.LocalBackend has no field or method ServeConfig)"
    );
    world.go(&format!("printf '{complaint}\\n' >&2; exit 1"));
    let ran = world.build();
    insta::assert_snapshot!(world.transcript(&ran));
    assert!(world.artefacts().is_empty());
}

#[test]
fn build_with_failing_go_reports_its_output() {
    let world = World::new();
    world.go("echo 'dial tcp: no route to host' >&2; exit 1");
    let ran = world.build();
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("go-failed"), "{}", ran.stderr);
    assert!(ran.stderr.contains("no route to host"), "{}", ran.stderr);
}

#[test]
fn build_interrupted_keeps_the_old_artifacts() {
    let mut world = World::new();
    assert_eq!(world.build().status, 0);
    let before = world.artefacts();
    world.go("/bin/cp \"$binary\" \"$out\"; echo $$ > \"${out%/*}/pid\"; exec /bin/sleep 60");
    world.policy = crate::common::policy(&[], TARGET);
    world.decide(&world.policy);
    let (child, go) = world.started();
    let group = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(group, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted; existing files are unchanged"));
    assert!(!Path::new(&format!("/proc/{go}")).exists(), "go itself was ended too");
    assert_eq!(world.artefacts(), before);
    world.serve(&world.recipe());
    world.go("/bin/cp \"$binary\" \"$out\"");
    assert_eq!(world.build().status, 0, "the next run goes on");
}

#[test]
fn build_without_checksum_database_is_refused() {
    let world = World::new();
    let ran = world.build_with(&[("FAKE_SUMDB", "off")]);
    assert_eq!(ran.status, 2);
    insta::assert_snapshot!(world.transcript(&ran));
}

#[test]
fn build_with_old_go_says_what_to_install() {
    let world = World::new();
    let ran = world.build_with(&[("FAKE_GO", "go1.19.8")]);
    assert_eq!(ran.status, 2);
    insta::assert_snapshot!(world.transcript(&ran));
}

#[test]
fn build_over_budget_keeps_the_binary_and_reports_it() {
    let world = World::new();
    world.decide(&crate::common::policy(KEEPS, "{ platform: linux/riscv64, build: { pack: none }, budget: 1 kB }"));
    for _ in 0..2 {
        let ran = world.build();
        assert_eq!(ran.status, 1);
        assert!(ran.stderr.contains("over-budget"), "{}", ran.stderr);
    }
    assert_eq!(world.artefacts().len(), 4);
}

#[test]
fn build_json_has_findings_and_manifests() {
    let world = World::new();
    world.decide(&crate::common::policy(KEEPS, "{ platform: linux/riscv64, build: { pack: none }, budget: 1 kB }"));
    let ran = finish(world.command(&["build-tailscale", "--format", "json"]));
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let codes: Vec<&str> =
        document["findings"].as_array().unwrap().iter().filter_map(|finding| finding["code"].as_str()).collect();
    assert_eq!((ran.status, &codes[..]), (1, &["budget-predicted", "over-budget"][..]));
    assert_eq!(document["targets"]["one"]["manifest"]["release"], RELEASE);
}
