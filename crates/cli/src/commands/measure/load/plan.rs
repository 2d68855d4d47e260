//! The plan for the process in the test network, and its events.

use std::path::PathBuf;

use featureset::memory::{Observed, Setting};
use serde::{Deserialize, Serialize};

/// The plan for the process inside the test network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) lab: PathBuf,
    pub(super) platform: String,
    /// The name of the control group.
    pub(super) group: String,
    pub(super) packed: PathBuf,
    pub(super) unpacked: PathBuf,
    pub(super) runs: Vec<How>,
    pub(super) seconds: u64,
    pub(super) status_each: u64,
}

/// How the daemon of a run is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum How {
    /// With these settings.
    With(Setting),
    /// By the image's entrypoint, in a group of this many MiB, with its limit or with `GOMEMLIMIT=off`.
    Entrypoint { memory: u64, limited: bool },
}

/// An event of the process inside, one per line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event {
    /// A run has ended.
    Ended { how: How, observed: Observed },
    /// The test network failed.
    Failed { why: String },
}
