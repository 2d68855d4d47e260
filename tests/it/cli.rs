//! The command line: help, output in every format, exit status.

use clap::CommandFactory;
use tailscale_featureset::cli::Cli;

use crate::common::{GO, RELEASE, folder, policy, root, run};

/// A short policy with many errors, but for its first line.
const WRONG: &str = "\
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

/// The short policy with many errors.
fn wrong() -> String {
    format!("tailscale: {RELEASE}\n{WRONG}")
}

/// The findings on one policy but for those on the many features that it leaves out.
fn without_undecided(text: &str) -> String {
    text.split_inclusive("\n\n").filter(|part| !part.contains("[undecided-feature]")).collect()
}

#[test]
fn help_of_every_command() {
    insta::assert_snapshot!("help", run(root(), &["--help"]).stdout);
    let commands = Cli::command();
    let shown = commands.get_subcommands().filter(|command| !command.is_hide_set());
    for command in shown.map(|command| command.get_name()).filter(|name| *name != "help") {
        insta::assert_snapshot!(format!("help_{command}"), run(root(), &[command, "--help"]).stdout);
    }
}

#[test]
fn check_of_many_errors_reports_all() {
    let folder = folder(&wrong());
    let ran = run(folder.path(), &["check"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(without_undecided(&ran.stderr));
}

#[test]
fn check_json_has_schema_and_findings() {
    let folder = folder(&wrong());
    let ran = run(folder.path(), &["check", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
    assert_eq!((&document["schema"], &document["policy"]), (&2.into(), &"featureset.yaml".into()));
    let findings = document["findings"].as_array().unwrap();
    let finding = |code: &str| findings.iter().find(|finding| finding["code"] == code).unwrap();
    insta::assert_snapshot!("check_json_undecided_feature", format!("{:#}", finding("undecided-feature")));
    insta::assert_snapshot!("check_json_open_dependency", format!("{:#}", finding("open-dependency")));
}

#[test]
fn check_github_annotates_every_finding() {
    let folder = folder(&wrong());
    let ran = run(folder.path(), &["check", "--format", "github"]);
    let shown: String = ran.stdout.split_inclusive('\n').filter(|line| !line.contains("undecided-feature")).collect();
    insta::assert_snapshot!(shown);
}

#[test]
fn check_with_a_warning_fails_only_if_denied() {
    let text = policy(&["cli"], "{ platform: linux/amd64 }")
        .replace("This device decides on ace.", "This device decides on acme.");
    let folder = folder(&text);
    assert_eq!(run(folder.path(), &["check"]).status, 0);
    assert_eq!(run(folder.path(), &["check", "--deny", "warnings"]).status, 1);
    assert_eq!(run(folder.path(), &["tags"]).status, 0);
}

#[test]
fn check_fix_sorts_and_inserts_stubs_once() {
    let clean = policy(&["cli"], "{ platform: linux/amd64 }");
    let folder = folder(&clean.replace("  doctor:\n    omit: This device decides on doctor.\n", ""));
    let first = run(folder.path(), &["check", "--fix"]);
    let fixed = std::fs::read_to_string(folder.path().join("featureset.yaml")).unwrap();
    assert_eq!(first.status, 1, "a stub decides nothing");
    assert_eq!(fixed, clean.replace("    omit: This device decides on doctor.\n", "    #: keep: or omit:, and why.\n"));
    let second = run(folder.path(), &["check", "--fix"]);
    assert!(second.stderr.contains("`--fix` has nothing to change"), "{}", second.stderr);
    assert_eq!(std::fs::read_to_string(folder.path().join("featureset.yaml")).unwrap(), fixed);
}

#[test]
fn tags_with_errors_fail_only_if_undecidable() {
    let clean = policy(&["cli", "dns"], "{ platform: linux/amd64, budget: big }");
    let bad = folder(&clean);
    let ran = run(bad.path(), &["tags"]);
    assert_eq!(ran.status, 0, "the tag line does not depend on an invalid budget: {}", ran.stderr);
    assert!(ran.stdout.starts_with("ts_include_cli,ts_omit_ace,"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("ts_omit_webclient\n"), "{}", ran.stdout);
    let open = folder(&clean.replace("  bird:\n    omit:", "  bird:\n    keep:"));
    let ran = run(open.path(), &["tags"]);
    assert!(ran.status == 0 && !ran.stdout.contains("ts_omit_bird"), "what is decided can be printed: {}", ran.stderr);
    assert!(run(open.path(), &["check"]).stderr.contains("open-dependency"));
}

#[test]
fn tags_go_build_prints_the_command_of_a_target() {
    let folder = folder(&policy(&["cli"], "{ platform: linux/arm/v5, build: { inlining: none } }"));
    insta::assert_snapshot!(run(folder.path(), &["tags", "--go-build"]).transcript());
}

#[test]
fn build_dry_run_prints_commands_and_writes_nothing() {
    let folder = folder(&policy(&["cli"], "{ platform: linux/arm64 }"));
    // An empty PATH, so that no emulator of this machine is found.
    let mut command = crate::common::command(folder.path(), &["build-tailscale", "--dry-run"]);
    command.env("PATH", "/nonexistent");
    let ran = crate::common::finish(command);
    let place = std::fs::canonicalize(folder.path()).unwrap();
    let shown = ran
        .transcript()
        .replace(place.to_str().unwrap(), "[FOLDER]")
        .replace(folder.path().to_str().unwrap(), "[FOLDER]");
    insta::assert_snapshot!(shown.replace(crate::common::cache().folder().unwrap().to_str().unwrap(), "[CACHE]"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn list_fits_the_terminal() {
    let folder = folder(&policy(&["cli", "dns"], "{ platform: linux/amd64 }"));
    insta::assert_snapshot!(run(folder.path(), &["list", "--decision", "keep"]).transcript());
    let whole = run(folder.path(), &["list"]).stdout;
    assert!(whole.lines().all(|line| line.chars().count() <= 100), "{whole}");
    let json: serde_json::Value =
        serde_json::from_str(&run(folder.path(), &["list", "--format", "json"]).stdout).unwrap();
    assert_eq!(json["features"].as_array().unwrap().len(), 79);
}

#[test]
fn explain_json_has_decision_and_dependencies() {
    let folder = folder(&policy(&["cli", "c2n", "advertiseroutes"], "{ platform: linux/amd64 }"));
    insta::assert_snapshot!(run(folder.path(), &["explain", "advertiseroutes", "--format", "json"]).stdout.replace(
        // Upstream's description is printed only if its module was downloaded, and this repository has no copy of it.
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
fn commands_that_cannot_run_report_the_next_step() {
    let empty = tempfile::tempdir().unwrap();
    let good = folder(&policy(&["cli"], "{ platform: linux/amd64 }"));
    for (case, folder, arguments) in [
        ("check_missing_policy", &empty, &["--policy", "missing.yaml", "check"][..]),
        ("build_unknown_target", &good, &["build-tailscale", "--target", "two"]),
        ("explain_misspelled_feature", &good, &["explain", "cachnetmap"]),
        ("explain_unknown_feature", &good, &["explain", "quic"]),
        ("registry_incomplete_version", &good, &["registry", "1.102"]),
        ("misspelled_command", &good, &["chekc"]),
    ] {
        let ran = run(folder.path(), arguments);
        assert_eq!(ran.status, 2, "{}", ran.transcript());
        insta::assert_snapshot!(case, ran.transcript().replace(folder.path().to_str().unwrap(), "[FOLDER]"));
    }
    let ran = run(empty.path(), &["check"]);
    assert_eq!(ran.status, 2, "{}", ran.transcript());
    assert!(ran.stderr.contains("there is no featureset.yaml"), "{}", ran.transcript());
    let ran = run(empty.path(), &["check", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["problem"]["code"], "policy-missing");
}

#[test]
fn commands_on_invalid_policies_do_not_panic() {
    for text in [
        "",
        "\0",
        "a: b: c",
        "[",
        "features: 1",
        "- - -",
        &format!("\u{feff}tailscale: {RELEASE}"),
        &format!("tailscale: {RELEASE}\r\ngo: {GO}\r\n"),
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
fn check_of_the_repository_policy_is_clean() {
    let ran = run(root(), &["check", "--deny", "warnings"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}
