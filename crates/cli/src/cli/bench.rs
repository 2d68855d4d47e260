//! Flags of `bench`.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// Flags of `bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// The target to run [default: the first for this machine's processor]. It is built if it is not fresh.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// A kind of traffic; can be repeated [default: all].
    #[arg(long = "load", value_name = "LOAD", value_enum)]
    pub loads: Vec<Load>,
    /// The number of pairs of runs, at least six.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(6..=500))]
    pub pairs: u64,
    /// The largest acceptable ratio of processor time to the reference.
    #[arg(long, value_name = "RATIO", default_value_t = 1.05)]
    pub limit: f64,
    /// Fail if this machine can't run the benchmark or is too noisy for a result.
    #[arg(long)]
    pub require_all: bool,
}

/// A kind of traffic through the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Load {
    /// One TCP connection.
    OneStream,
    /// Sixteen TCP connections.
    ManyStreams,
    /// UDP packets of 100 bytes in both directions, 64 in flight.
    SmallPackets,
}

impl Load {
    /// Returns its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
