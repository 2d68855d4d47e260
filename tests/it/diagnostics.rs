//! The table of codes: every code is triggered by a test, and SARIF logs match the SARIF schema.

use std::path::Path;

use diagnostics::{Area, Code};

use crate::common::binary::{binary, daemon};
use crate::common::{root, run};

/// Returns the codes of the findings of a command, without repetitions.
fn codes(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let ran = run(folder, &[arguments, &["--format", "json"]].concat());
    let document: serde_json::Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.transcript()));
    let lists = document["sources"].as_array().unwrap().iter().flat_map(|source| source["lists"].as_array().unwrap());
    lists
        .flat_map(|list| list["findings"].as_array().unwrap())
        .map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn audit_of_a_repeated_tag_reports_repeated_tag() {
    let folder = tempfile::tempdir().unwrap();
    let found = codes(folder.path(), &["audit", "--tags", "ts_omit_aws,ts_omit_aws", "--release", "1.102.5"]);
    assert!(found.contains(&"repeated-tag".to_owned()), "{found:?}");
}

#[test]
fn audit_of_tailscale_go_reports_breaking_tag() {
    let folder = tempfile::tempdir().unwrap();
    let found = codes(folder.path(), &["audit", "--tags", "tailscale_go", "--release", "1.102.5"]);
    assert!(found.contains(&"breaking-tag".to_owned()), "{found:?}");
}

#[test]
fn audit_of_a_fork_reports_replaced_module() {
    let folder = tempfile::tempdir().unwrap();
    let record = daemon("1.102.5", "ts_omit_aws").replace("\th1:sum=\n", "\n=>\t../fork\t(devel)\t\n");
    std::fs::write(folder.path().join("tailscaled"), binary("go1.26.8", &record)).unwrap();
    let found = codes(folder.path(), &["audit", "tailscaled"]);
    assert!(found.contains(&"replaced-module".to_owned()), "{found:?}");
}

/// Returns the text of every snapshot and of every Rust file that contains tests.
fn tests() -> String {
    let listed = std::process::Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap();
    let paths = String::from_utf8(listed.stdout).unwrap();
    let is_test = |path: &&str| {
        path.ends_with(".snap")
            || (path.ends_with(".rs")
                && (path.contains("tests") || path.ends_with("audit/recipe/field.rs") || path.starts_with("xtask")))
    };
    let sources = paths.lines().filter(is_test);
    let mut text: String = sources.filter_map(|path| std::fs::read_to_string(root().join(path)).ok()).collect();
    // Unit tests are at the end of their module.
    for path in paths.lines().filter(|path| path.ends_with(".rs") && path.starts_with("crates/cli/src")) {
        let source = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        text += source.split_once("#[cfg(test)]").map_or("", |(_, tests)| tests);
    }
    text
}

#[test]
fn every_code_is_named_by_a_test() {
    // The tests of featureset and image trigger every code of these areas, by exhaustive matches.
    let exhaustive = [Area::Format, Area::Policy, Area::Image];
    let tests = tests();
    let is_named = |code: &Code| {
        let forms = [
            format!("Code::{code:?}"),
            format!("[{code}]"),
            format!("\"{code}\""),
            format!("title={code}"),
            format!("`{code}`"),
            format!("{code}: "),
        ];
        forms.iter().any(|form| tests.contains(form))
    };
    let missing: Vec<&Code> =
        Code::ALL.iter().filter(|code| !exhaustive.contains(&code.area()) && !is_named(code)).collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
}
