//! Judges an allowlist of Tailscale features.
//!
//! Tailscale can be built without most of its features: each has a Go build tag `ts_omit_NAME`. A
//! *policy* (featureset.yaml) decides each of them and says why; this crate holds what is known of upstream
//! and judges the one by the other. It is pure: strings come in, values go out. Files, processes, the
//! network and the clock belong to `xtask`; a test at the end of this file holds the crate to that.
//!
//! Data flows one way:
//!
//! ```text
//! featureset.yaml → Policy → Selection → Recipe
//!   Registry, Hazards ↗
//! ```
//!
//! The modules in reading order:
//!
//! - [`name`], [`release`], [`platform`]: what things are called
//! - [`registry`], [`hazard`], [`proof`], [`facts`]: what upstream declares, what goes wrong, and what showed it
//! - [`policy`]: what the owner decides, read from the text with the place of everything
//! - [`finding`], [`rules`]: what is wrong with a policy, and why
//! - [`selection`], [`recipe`]: what follows from it: tags, and the whole build
//! - [`explain`]: everything that is known of one feature
//! - [`change`]: what a reviewer must know of the step from one policy to another
//! - [`cost`]: what each decision weighs, as it was measured, and what to drop to fit a budget
//! - [`upgrade`]: what moving the pin to another release forces

pub mod change;
pub mod cost;
pub mod explain;
pub mod facts;
pub mod finding;
pub mod hazard;
pub mod name;
pub mod platform;
pub mod policy;
pub mod proof;
pub mod recipe;
pub mod registry;
pub mod release;
pub mod rules;
pub mod schema;
pub mod selection;
pub mod upgrade;

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.push(path);
            }
        }
    }

    #[test]
    fn the_core_never_touches_the_world() {
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
        assert!(files.len() > 20);
        let effects = ["fs", "process", "net", "env", "time", "io", "thread"].map(|module| format!("std::{module}"));
        for file in files.iter().filter(|file| !file.ends_with("lib.rs")) {
            let text = std::fs::read_to_string(file).unwrap();
            for effect in &effects {
                assert!(!text.contains(effect), "{} uses {effect}", file.display());
            }
        }
    }

    #[test]
    fn the_three_crates_do_not_depend_on_one_another() {
        let manifest = include_str!("../Cargo.toml");
        assert!(!manifest.contains("gobinary") && !manifest.contains("xtask"));
    }
}
