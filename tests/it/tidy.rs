//! Rules about the repository itself: module graphs, prose, paths, dependencies.

mod modules;
mod style;

use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

use crate::common::root;

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
fn every_path_that_a_page_names_exists() {
    let path = Regex::new(r"`((?:crates|xtask|tests|fuzz|docs)/[A-Za-z0-9_./-]+)`").unwrap();
    let pages = tracked().into_iter().filter(|path| path.extension().is_some_and(|end| end == "md"));
    // Records name paths of their time.
    let current = pages.filter(|page| !page.starts_with("docs/decisions") && !page.ends_with("CHANGELOG.md"));
    let mut checked = 0;
    for page in current {
        // Capitals are placeholders, as in `docs/proof/TARGET.json`.
        let names = |found: &regex::Captures<'_>| !found[1].contains(|c: char| c.is_ascii_uppercase());
        for found in path.captures_iter(&text(&page)).filter(names) {
            assert!(root().join(&found[1]).exists(), "{} names {}, which does not exist", page.display(), &found[1]);
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
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

/// The crates that take bytes and values and give such, and what of the world each must not name. `std::io` has the
/// traits of compressors and of archives that are written into memory; the tests of gobinary read the binary that they are in.
const PURE: [(&str, &[&str]); 6] = [
    ("execpack", &["fs", "process", "net", "env", "time", "thread"]),
    ("featureset", &["fs", "process", "net", "env", "time", "io", "thread"]),
    ("gobinary", &["fs", "process", "net", "env", "time", "io", "thread"]),
    ("spanned_yaml", &["fs", "process", "net", "env", "time", "io", "thread"]),
    ("tagscan", &["fs", "process", "net", "env", "time", "io", "thread"]),
    ("image", &["fs", "process", "net::Tcp", "net::Udp", "env", "time", "thread"]),
];

#[test]
fn the_pure_crates_never_touch_the_world() {
    for (name, effects) in PURE {
        let folder = format!("crates/{name}/src");
        let own = |path: &PathBuf| path.starts_with(&folder) && path.extension().is_some_and(|end| end == "rs");
        let sources: Vec<PathBuf> = tracked().into_iter().filter(own).collect();
        assert!(!sources.is_empty(), "{name}");
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
        let allowed = [("featureset", "tagscan"), ("featureset", "spanned_yaml"), ("tagscan", "spanned_yaml")];
        let is_allowed = |other: &&str| *other == name || allowed.contains(&(name, *other));
        for other in PURE.map(|(other, _)| other).into_iter().chain(["xtask"]).filter(|other| !is_allowed(other)) {
            assert!(!dependencies.lines().any(|line| line.starts_with(other)), "{name} depends on {other}");
        }
    }
}

#[test]
fn module_graphs_have_no_cycles() {
    let crates = std::fs::read_dir(root().join("crates")).unwrap().map(|folder| folder.unwrap().path());
    for folder in crates.chain(["xtask", "fuzz"].map(|name| root().join(name))) {
        let cycles = modules::cycles(&folder.join("src"));
        assert!(cycles.is_empty(), "{}: {cycles:#?}", folder.display());
    }
}

/// How many habits may be left in the repository. Lower it whenever you can.
const HABITS_LEFT: usize = 45;

#[test]
fn prose_is_plain() {
    let described = ["tests/it/tidy/style.rs", "docs/style.md"];
    let searched = tracked().into_iter().filter(|path| !described.iter().any(|own| path.ends_with(own)));
    let hits: Vec<String> = searched
        .flat_map(|path| {
            let hits = style::hits(&path, &text(&path));
            let line = |hit: style::Hit| format!("{}:{}: {} → {}", path.display(), hit.line, hit.text, hit.plain);
            hits.into_iter().map(line).collect::<Vec<_>>()
        })
        .collect();
    assert!(hits.len() <= HABITS_LEFT, "{} habits, {HABITS_LEFT} allowed:\n{}", hits.len(), hits.join("\n"));
}
