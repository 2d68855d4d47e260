//! Images that RouterOS imports: written, read with suspicion, and installed.
//!
//! Bytes come in, bytes and values go out. Files, processes, the network and the clock belong to `xtask`; a test at the
//! end of this file holds the crate to that. The modules in reading order:
//!
//! - [`platform`]: the processors that RouterOS runs containers on
//! - [`shells`]: the shells that an image can hold, pinned in one table
//! - [`root`]: the root file system as one layer, and what each part of it costs
//! - [`archive`]: that layer as the archive that `/container/add file=…` takes
//! - [`sbom`]: the list of what is inside, for programs that look for known holes
//! - [`lint`]: a verdict on any archive, hostile ones included
//! - [`routeros`]: the commands that install an image on a router, for each version of RouterOS

pub mod archive;
pub mod lint;
pub mod platform;
pub mod root;
pub mod routeros;
pub mod sbom;
pub mod shells;

use sha2::{Digest, Sha256};

/// The SHA-256 of bytes, in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

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
    fn the_crate_never_touches_the_world() {
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
        assert!(files.len() > 8);
        let effects = ["fs", "process", "net::Tcp", "net::Udp", "env", "time", "thread"];
        let effects = effects.map(|module| format!("std::{module}"));
        for file in files.iter().filter(|file| !file.ends_with("lib.rs")) {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            for effect in &effects {
                assert!(!text.contains(effect), "{} uses {effect}", file.display());
            }
        }
    }

    #[test]
    fn the_three_crates_do_not_depend_on_one_another() {
        let manifest = include_str!("../Cargo.toml");
        assert!(!["featureset", "gobinary", "xtask"].iter().any(|name| manifest.contains(name)));
    }
}
