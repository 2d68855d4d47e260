//! The binaries of a benchmark and the plan for the process in the test network.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cli::Load;

/// A binary of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Side {
    /// Unpacked, fully inlined, with the whole function table.
    Reference,
    /// Packed like the shipped binary, but with the whole function table; only its memory is compared.
    PackedAsLinked,
    /// The shipped binary.
    Shipped,
}

impl Side {
    pub(super) const ALL: [Self; 3] = [Self::Reference, Self::PackedAsLinked, Self::Shipped];

    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Reference => "reference: unpacked, as linked",
            Self::PackedAsLinked => "packed, as linked",
            Self::Shipped => "shipped",
        }
    }
}

/// The plan for the process inside the test network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) lab: PathBuf,
    pub(super) platform: String,
    pub(super) binaries: Vec<(Side, PathBuf)>,
    pub(super) loads: Vec<Load>,
    pub(super) pairs: u64,
}
