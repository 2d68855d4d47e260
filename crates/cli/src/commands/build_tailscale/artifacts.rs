//! The files of a target's build, and what identifies them.

use std::path::{Path, PathBuf};

use featureset::policy::{Pack, Symbols};
use featureset::recipe::Recipe;
use serde::{Deserialize, Serialize};

use crate::files;
use crate::project::Project;
use crate::tools::upx;

/// The packed daemon. Called through the link `tailscale`, it is the command-line client.
pub const PACKED: &str = "tailscaled";
/// The link to the daemon that starts the command-line client.
pub(super) const LINK: &str = "tailscale";
/// The binary before packing, which removes the build information.
pub const UNPACKED: &str = "tailscaled.unpacked";

/// Returns the folder of a target's artifacts.
#[must_use]
pub fn folder(project: &Project, target: &str) -> PathBuf {
    project.target().join("tailscale").join(target)
}

/// A file: its size in bytes and its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Artifact {
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: files::sha256(bytes) }
    }

    /// Whether a file has this size and digest.
    pub(super) fn is_in(&self, path: &Path) -> bool {
        std::fs::read(path).is_ok_and(|bytes| files::sha256(&bytes) == self.sha256)
    }
}

/// Returns the digest of a recipe and of the revision of the function table's rewriting.
pub(super) fn recipe_digest(recipe: &Recipe) -> String {
    let parts = [
        format!("{:?}", recipe.environment()),
        format!("{:?}", recipe.arguments("")),
        match recipe.build.pack {
            Pack::Execpack => format!("{} {}", Pack::Execpack, execpack::REVISION),
            Pack::Upx => upx::arguments(recipe.platform.goarch).join(" "),
            Pack::None => Pack::None.to_string(),
        },
        match recipe.build.symbols {
            Symbols::All => Symbols::All.to_string(),
            symbols => format!("{symbols} {}", gobinary::pclntab::REVISION),
        },
    ];
    files::sha256(parts.join("\n").as_bytes())
}
