//! The installed program, run outside a checkout of this repository.

use std::path::PathBuf;
use std::process::Command;

use crate::common::{RELEASE, Ran, finish, full, root, router_policy, skip};
use tailscale_featureset::tools::go;

/// A project elsewhere, and the program as it is installed.
struct Home {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Home {
    fn new() -> Self {
        Self::with(&router_policy())
    }

    fn with(policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bin/tailscale-featureset");
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_tailscale-featureset"), &program).unwrap();
        std::fs::create_dir_all(folder.path().join("project/deep/down")).unwrap();
        std::fs::write(folder.path().join("project/featureset.yaml"), policy).unwrap();
        Self { folder, program }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("project").join(name)
    }

    /// The program as the owner of the project runs it, without variables that cargo sets.
    fn command(&self, folder: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.path(folder)).env("NO_COLOR", "1").env("COLUMNS", "100");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO")) {
            command.env_remove(name);
        }
        crate::common::use_test_cache(&mut command);
        command
    }

    fn run(&self, folder: &str, arguments: &[&str]) -> Ran {
        finish(self.command(folder, arguments))
    }

    fn transcript(&self, ran: &Ran) -> String {
        ran.transcript().replace(self.folder.path().to_str().unwrap(), "[HOME]")
    }
}

#[test]
fn policy_is_found_in_parent_folders() {
    let home = Home::new();
    for (folder, arguments) in
        [("", &["check"][..]), ("deep/down", &["check"]), ("..", &["check", "--policy", "project/featureset.yaml"])]
    {
        let ran = home.run(folder, arguments);
        assert_eq!(ran.status, 0, "{}", ran.transcript());
        assert!(ran.stderr.contains("featureset.yaml: no findings"), "{}", ran.transcript());
    }
    let tags = home.run("deep", &["tags"]);
    assert_eq!(tags.stdout, home.run("", &["tags"]).stdout);
    insta::assert_snapshot!(home.transcript(&home.run("..", &["check"])));
}

#[test]
fn next_step_names_the_program_as_called() {
    let home = Home::with(&router_policy().replace(RELEASE, "1.102.99"));
    let ran = home.run("", &["check"]);
    assert!(ran.stderr.contains("Run `tailscale-featureset registry 1.102.99`"), "{}", ran.transcript());
    let ran = home.run("", &["check", "--format", "json"]);
    assert!(ran.stdout.contains("Run `tailscale-featureset registry 1.102.99`"), "{}", ran.transcript());
    let mut through_cargo = home.command("", &["check", "--format", "github"]);
    through_cargo.env("CARGO_PKG_NAME", "xtask");
    let ran = finish(through_cargo);
    assert!(ran.stdout.contains("Run `cargo xtask registry 1.102.99`"), "{}", ran.transcript());
}

#[test]
fn outputs_are_written_next_to_the_policy() {
    let home = Home::new();
    let ran = home.run("deep", &["docs"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let names = ["device.md", "diagnostics.md", "explore.html", "features.md", "featureset.schema.json", "hazards.md"];
    assert_eq!(ran.stdout, names.map(|name| format!("docs/{name}\n")).concat());
    assert_eq!(home.run("", &["docs", "--check"]).status, 0);
    let page = std::fs::read_to_string(home.path("docs/features.md")).unwrap();
    assert!(page.contains("| `ipnbus` |"));
    std::fs::write(home.path("docs/features.md"), page.replace("ipnbus", "bus")).unwrap();
    let ran = home.run("", &["docs", "--check"]);
    assert_eq!(ran.status, 1, "{}", ran.transcript());
    assert!(ran.stderr.contains("Run `tailscale-featureset docs`"), "{}", ran.transcript());
    assert!(ran.stderr.contains("error[stale-page]"), "{}", ran.transcript());
    let plan = home.run("deep", &["build-tailscale", "--dry-run", "--target", "amd64"]);
    let target = home.path("target/tailscale/amd64/.work").display().to_string();
    assert_eq!(plan.status, 0, "{}", plan.transcript());
    assert!(plan.stdout.contains(&target), "{}", plan.transcript());
}

#[test]
fn docs_with_a_handwritten_page_is_refused() {
    let home = Home::new();
    std::fs::create_dir(home.path("docs")).unwrap();
    std::fs::write(home.path("docs/features.md"), "# What our router does\n").unwrap();
    for arguments in [&["docs"][..], &["docs", "--check"]] {
        let ran = home.run("", arguments);
        assert_eq!(ran.status, 2, "{}", ran.transcript());
        assert!(ran.stderr.contains("error[not-generated]"), "{}", ran.transcript());
    }
    assert_eq!(std::fs::read_dir(home.path("docs")).unwrap().count(), 1, "nothing was written");
    assert_eq!(std::fs::read_to_string(home.path("docs/features.md")).unwrap(), "# What our router does\n");
}

#[test]
fn registry_of_a_release_writes_into_the_project() {
    if !full() {
        return;
    }
    if go::find_or_provide(&crate::common::cache()).is_err() {
        return skip("Go is not available");
    }
    let home = Home::new();
    let ran = home.run("deep", &["registry", "1.102.4"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let registry = std::fs::read_to_string(home.path("registry/1.102.json")).unwrap();
    assert!(registry.contains("\"generated_by\": \"tailscale-featureset registry\""), "{registry}");
    assert_eq!(home.run("", &["check"]).status, 0);
}

#[test]
fn cargo_install_provides_the_program() {
    if !full() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let ran = Command::new(env!("CARGO"))
        .args(["install", "--debug", "--locked", "--path", "xtask", "--root"])
        .arg(place.path())
        .current_dir(root())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let home = Home { program: place.path().join("bin/tailscale-featureset"), ..Home::new() };
    assert_eq!(home.run("", &["check"]).status, 0);
}

#[test]
fn guide_moving_over_works_as_written() {
    let guide = std::fs::read_to_string(root().join("docs/moving-over.md")).unwrap();
    let block = |kind: &str| {
        let (_, rest) = guide.split_once(&format!("```{kind}\n")).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    let home = Home::new();
    std::fs::remove_file(home.path("featureset.yaml")).unwrap();
    let cases = [
        ("build.sh", "sh", "openwrt", "ipnbus-up"),
        ("Dockerfile", "dockerfile", "routeros-container", "bakedroots-no-ca"),
    ];
    for (name, kind, device, hazard) in cases {
        std::fs::write(home.path(name), block(kind)).unwrap();
        let audit = home.run("", &["audit", name, "--device", device]);
        assert_eq!(audit.status, 1, "{}", audit.transcript());
        assert!(audit.stderr.contains(&format!("error[{hazard}]")), "{}", audit.transcript());
        let import = home.run("", &["import", name, "--force"]);
        assert_eq!((import.status, import.stdout.as_str()), (0, "featureset.yaml\n"), "{}", import.transcript());
        let check = home.run("", &["check"]);
        assert_eq!(check.status, 1, "{}", check.transcript());
        assert!(check.stderr.contains("error[empty-reason]"), "{}", check.transcript());
        assert_eq!(home.run("", &["tags"]).status, 0);
        let summary = import.stderr.trim_start().trim_start_matches("Wrote ").to_owned();
        if name == "build.sh" {
            assert!(guide.contains(summary.trim()), "{summary}");
        }
    }
}
