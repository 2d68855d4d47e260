//! Images that RouterOS imports: written, read with suspicion, and installed; and the packages of others, looked into.
//!
//! Bytes come in, bytes and values go out. Files, processes, the network and the clock belong to `xtask`; tests/it/tidy.rs holds
//! the crate to that. The modules in reading order:
//!
//! - [`platform`]: the processors that RouterOS runs containers on
//! - [`shells`]: the shells that an image can hold, pinned in one table
//! - [`root`]: the root file system as one layer, and what each part of it costs
//! - [`archive`]: that layer as the archive that `/container/add file=…` takes
//! - [`sbom`]: the list of what is inside, for programs that look for known holes
//! - [`lint`]: a verdict on any archive, hostile ones included
//! - [`unpack`]: the programs in what others ship: packages, images and archives
//! - [`limits`]: how much of an archive both read
//! - [`routeros`]: the commands that install an image on a router, for each version of RouterOS

pub mod archive;
pub mod limits;
pub mod lint;
pub mod platform;
pub mod root;
pub mod routeros;
pub mod sbom;
pub mod shells;
mod tape;
pub mod unpack;

use sha2::{Digest, Sha256};

/// The SHA-256 of bytes, in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
