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
    /// How often both are run, in turn; fewer than six tell nothing.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(6..=500))]
    pub pairs: u64,
    /// How many times as much time as the reference the binary may take.
    #[arg(long, value_name = "RATIO", default_value_t = 1.05)]
    pub limit: f64,
    /// Make a machine that can't run it, or that is too noisy to tell, a failure.
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
    /// UDP packets of 100 bytes there and back, 64 on their way at a time.
    SmallPackets,
}

impl Load {
    /// Returns its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
