//! The rules of the house, held as tests.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a panic is how a test reports")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::root;

fn tracked() -> Vec<PathBuf> {
    let output = Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(PathBuf::from)
        .filter(|path| root().join(path).is_file())
        .collect()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}

#[test]
fn every_source_file_begins_with_what_lives_in_it() {
    let sources: Vec<PathBuf> =
        tracked().into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs")).collect();
    assert!(sources.len() > 40);
    for path in sources {
        assert!(text(&path).starts_with("//! "), "{}", path.display());
    }
}

#[test]
fn no_source_file_is_longer_than_a_newcomer_reads() {
    for path in tracked().iter().filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let lines = text(path).lines().count();
        assert!(lines <= 450, "{} has {lines} lines", path.display());
    }
}

#[test]
fn no_path_of_one_machine_stands_in_the_repository() {
    // Put together here, or this file would be the first to be found.
    let homes = ["/ro", "/home/", "/Us"].iter().zip(["ot/", "", "ers/"]).map(|(a, b)| format!("{a}{b}"));
    let homes: Vec<String> = homes.collect();
    for path in tracked().iter().filter(|path| !path.ends_with("Cargo.lock") && !path.starts_with("tests")) {
        let text = text(path);
        for home in &homes {
            assert!(!text.contains(home.as_str()), "{} names {home}", path.display());
        }
    }
}

#[test]
fn every_dependency_is_used() {
    let manifest = text(Path::new("Cargo.toml"));
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let names = section.lines().filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.split_once(" =")?.0));
    let sources: String = tracked()
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .map(|path| text(path))
        .collect();
    for name in names {
        let module = name.replace('-', "_");
        let used = [format!("{module}::"), format!("use {module}"), format!("{module}!")]
            .iter()
            .any(|word| sources.contains(word));
        assert!(used, "{name} is not used");
    }
}

/// The crates that take bytes and values and give such, and what of the world each must not name. `std::io` has the traits of
/// compressors and of archives that are written into memory; the tests of gobinary read the binary that they are in.
const PURE: [(&str, &[&str]); 4] = [
    ("execpack", &["fs", "process", "net", "env", "time", "thread"]),
    ("featureset", &["fs", "process", "net", "env", "time", "io", "thread"]),
    ("gobinary", &["fs", "process", "net", "env", "time", "io", "thread"]),
    ("image", &["fs", "process", "net::Tcp", "net::Udp", "env", "time", "thread"]),
];

#[test]
fn the_pure_crates_never_touch_the_world() {
    for (name, effects) in PURE {
        let folder = format!("crates/{name}/src");
        let own = |path: &PathBuf| path.starts_with(&folder) && path.extension().is_some_and(|end| end == "rs");
        let sources: Vec<PathBuf> = tracked().into_iter().filter(own).collect();
        assert!(sources.len() > 8, "{name}");
        for path in sources {
            let whole = text(&path);
            let code = if name == "gobinary" { whole.split("#[cfg(test)]").next().unwrap() } else { &whole };
            for effect in effects {
                assert!(!code.contains(&format!("std::{effect}")), "{} uses {effect}", path.display());
            }
        }
    }
}

#[test]
fn the_pure_crates_do_not_depend_on_one_another() {
    for (name, _) in PURE {
        let manifest = text(Path::new(&format!("crates/{name}/Cargo.toml")));
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
        for other in PURE.map(|(other, _)| other).into_iter().chain(["xtask"]).filter(|other| *other != name) {
            assert!(!dependencies.lines().any(|line| line.starts_with(other)), "{name} depends on {other}");
        }
    }
}
