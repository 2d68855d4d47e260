//! Images for RouterOS: writing, linting and installing them; and scanning other projects' packages.
//!
//! The functions take and return bytes and values. Files, processes, the network and the clock belong to the command-line
//! crate; tests/it/tidy.rs enforces that. The modules in reading order:
//!
//! - [`platform`]: the processors that RouterOS runs containers on
//! - [`shells`]: the shells that an image can hold, pinned in one table
//! - [`helper`]: the program that does what such a shell cannot do
//! - [`root`]: the root file system as one layer, and the size of each part
//! - [`archive`]: that layer as the archive that `/container/add file=…` takes
//! - [`index`]: the images of several platforms as one OCI layout for registries; [`reference`]: a name in a registry
//! - [`sbom`]: the list of components, for vulnerability scanners
//! - [`lint`]: checks of any archive, including hostile ones
//! - [`scan`]: finds programs in packages, images and archives of other projects
//! - [`limits`]: limits on archives
//! - [`routeros`]: the commands that install an image on a router, for each version of RouterOS

pub mod archive;
pub mod helper;
pub mod index;
pub mod limits;
pub mod lint;
pub mod platform;
mod printable;
pub mod reference;
pub mod root;
pub mod routeros;
pub mod sbom;
pub mod scan;
pub mod shells;
mod tar_records;

use sha2::{Digest, Sha256};

/// Returns the SHA-256 of bytes, in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
