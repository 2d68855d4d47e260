//! The command line as people and programs see it: help, output in every format, exit status.

use crate::common::{folder, policy, root, run};

/// Small, and wrong in many ways at once.
const WRONG: &str = "\
tailscale: 1.102.5
go: 1.26.5
device: { profile: routeros-container, storage: flsh }
build: { inlining: hot-paths }
targets:
  one: { platform: linux/arm, budget: 3.8 MB }
features:
  cachnetmap:
    omit: A misspelled one.
  advertiseroutes:
    keep: The router offers its network.
    refs: [tailscale/tailscale#17873]
  c2n:
    omit: TODO
  lazywg:
    omit: Peers are set up at once here.
";

/// The findings on one policy but for those on the many features that it leaves out.
fn without_undecided(text: &str) -> String {
    text.split_inclusive("\n\n").filter(|part| !part.contains("[undecided-feature]")).collect()
}

#[test]
fn help() {
    let mut shown = run(root(), &["--help"]).stdout;
    for command in [
        "check",
        "tags",
        "list",
        "explain",
        "build-tailscale",
        "registry",
        "review",
        "bump",
        "measure",
        "audit",
        "import",
        "symbolize",
        "bench",
        "docs",
        "ci",
        "programs",
        "fuzz",
    ] {
        shown += &format!("\n=== {command}\n{}", run(root(), &[command, "--help"]).stdout);
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn check_reports_everything_at_once() {
    let folder = folder(WRONG);
    let ran = run(folder.path(), &["check"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(without_undecided(&ran.stderr));
}

#[test]
fn check_for_programs() {
    let folder = folder(WRONG);
    let ran = run(folder.path(), &["check", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
    assert_eq!((&document["schema"], &document["policy"]), (&1.into(), &"featureset.yaml".into()));
    let findings = document["findings"].as_array().unwrap();
    let finding = |code: &str| findings.iter().find(|finding| finding["code"] == code).unwrap();
    insta::assert_snapshot!(format!("{:#}\n{:#}", finding("undecided-feature"), finding("open-dependency")));
}

#[test]
fn check_for_github() {
    let folder = folder(WRONG);
    let ran = run(folder.path(), &["check", "--format", "github"]);
    let shown: String = ran.stdout.split_inclusive('\n').filter(|line| !line.contains("undecided-feature")).collect();
    insta::assert_snapshot!(shown);
}

#[test]
fn a_warning_fails_only_when_denied() {
    let text = policy(&["cli"], "{ platform: linux/amd64 }")
        .replace("This device decides on ace.", "This device decides on acme.");
    let folder = folder(&text);
    assert_eq!(run(folder.path(), &["check"]).status, 0);
    assert_eq!(run(folder.path(), &["check", "--deny", "warnings"]).status, 1);
    assert_eq!(run(folder.path(), &["tags"]).status, 0);
}

#[test]
fn fix_sorts_and_inserts_stubs_and_then_has_nothing_to_do() {
    let clean = policy(&["cli"], "{ platform: linux/amd64 }");
    let folder = folder(&clean.replace("  doctor:\n    omit: This device decides on doctor.\n", ""));
    let first = run(folder.path(), &["check", "--fix"]);
    let fixed = std::fs::read_to_string(folder.path().join("featureset.yaml")).unwrap();
    assert_eq!(first.status, 1, "a stub decides nothing");
    assert_eq!(fixed, clean.replace("    omit: This device decides on doctor.\n", "    # keep: or omit:, and why.\n"));
    let second = run(folder.path(), &["check", "--fix"]);
    assert!(second.stderr.contains("nothing that --fix can do"), "{}", second.stderr);
    assert_eq!(std::fs::read_to_string(folder.path().join("featureset.yaml")).unwrap(), fixed);
}

#[test]
fn only_what_is_undecidable_holds_the_tags_back() {
    let clean = policy(&["cli", "dns"], "{ platform: linux/amd64, budget: big }");
    let bad = folder(&clean);
    let ran = run(bad.path(), &["tags"]);
    assert_eq!(ran.status, 0, "a bad budget is no part of the tag line: {}", ran.stderr);
    assert!(ran.stdout.starts_with("ts_include_cli,ts_omit_ace,") && ran.stdout.ends_with("ts_omit_webclient\n"));
    let open = folder(&clean.replace("  bird:\n    omit:", "  bird:\n    keep:"));
    let ran = run(open.path(), &["tags"]);
    assert!(ran.status == 0 && !ran.stdout.contains("ts_omit_bird"), "what is decided can be printed: {}", ran.stderr);
    assert!(run(open.path(), &["check"]).stderr.contains("open-dependency"));
}

#[test]
fn the_go_build_line_of_a_target() {
    let folder = folder(&policy(&["cli"], "{ platform: linux/arm/v5, inlining: none }"));
    insta::assert_snapshot!(run(folder.path(), &["tags", "--go-build"]).shown());
}

#[test]
fn the_dry_run_prints_what_would_run_and_touches_nothing() {
    let folder = folder(&policy(&["cli"], "{ platform: linux/arm64 }"));
    // An empty PATH: no emulator, whatever this machine has.
    let mut command = crate::common::command(folder.path(), &["build-tailscale", "--dry-run"]);
    command.env("PATH", "/nonexistent");
    let ran = crate::common::finish(command);
    let place = std::fs::canonicalize(folder.path()).unwrap();
    let shown =
        ran.shown().replace(place.to_str().unwrap(), "[FOLDER]").replace(folder.path().to_str().unwrap(), "[FOLDER]");
    insta::assert_snapshot!(shown.replace(crate::common::cache().folder().unwrap().to_str().unwrap(), "[CACHE]"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_list_fits_the_terminal() {
    let folder = folder(&policy(&["cli", "dns"], "{ platform: linux/amd64 }"));
    insta::assert_snapshot!(run(folder.path(), &["list", "--decision", "keep"]).shown());
    let whole = run(folder.path(), &["list"]).stdout;
    assert!(whole.lines().all(|line| line.chars().count() <= 100), "{whole}");
    let json: serde_json::Value =
        serde_json::from_str(&run(folder.path(), &["list", "--format", "json"]).stdout).unwrap();
    assert_eq!(json["features"].as_array().unwrap().len(), 79);
}

#[test]
fn explain_for_programs() {
    let folder = folder(&policy(&["cli", "c2n", "advertiseroutes"], "{ platform: linux/amd64 }"));
    insta::assert_snapshot!(run(folder.path(), &["explain", "advertiseroutes", "--format", "json"]).stdout.replace(
        // Upstream's words are shown where its module was downloaded, and never stand in this repository.
        &description(&folder, "advertiseroutes"),
        "null"
    ));
}

fn description(folder: &tempfile::TempDir, name: &str) -> String {
    let ran = run(folder.path(), &["explain", name, "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    document["explanation"]["description"].to_string()
}

#[test]
fn what_cannot_run_says_why_and_what_next() {
    let empty = tempfile::tempdir().unwrap();
    let good = folder(&policy(&["cli"], "{ platform: linux/amd64 }"));
    let shown = [
        run(empty.path(), &["--policy", "missing.yaml", "check"]),
        run(good.path(), &["build-tailscale", "--target", "two"]),
        run(good.path(), &["explain", "cachnetmap"]),
        run(good.path(), &["explain", "quic"]),
        run(good.path(), &["registry", "1.102"]),
        run(good.path(), &["chekc"]),
    ]
    .map(|ran| ran.shown().replace(good.path().to_str().unwrap(), "[FOLDER]"));
    insta::assert_snapshot!(shown.join("\n"));
    let ran = run(empty.path(), &["check"]);
    assert!(ran.status == 2 && ran.stderr.contains("there is no featureset.yaml"), "{}", ran.shown());
    let ran = run(empty.path(), &["check", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["problem"]["code"], "policy-missing");
}

#[test]
fn no_text_makes_it_panic() {
    for text in [
        "",
        "\0",
        "a: b: c",
        "[",
        "features: 1",
        "- - -",
        "\u{feff}tailscale: 1.102.5",
        "tailscale: 1.102.5\r\ngo: 1.26.8\r\n",
    ] {
        let folder = folder(text);
        for arguments in
            [&["check"][..], &["tags"], &["list"], &["explain", "dns"], &["check", "--fix"], &["build-tailscale"]]
        {
            let ran = run(folder.path(), arguments);
            // `list` and `explain` show what they can of a policy that pins a release.
            let shows = ["list", "explain"].contains(&arguments[0]) && ran.status == 0;
            assert!(ran.status == 1 || shows, "{text:?} {arguments:?}: {}", ran.stderr);
            assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("featureset.yaml")).unwrap(), text);
    }
    let binary = tempfile::tempdir().unwrap();
    std::fs::write(binary.path().join("featureset.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    assert_eq!(run(binary.path(), &["check"]).status, 2);
}

#[test]
fn the_repository_s_own_policy_is_clean() {
    let ran = run(root(), &["check", "--deny", "warnings"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}
