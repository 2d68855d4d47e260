//! The flags of the maintainers' commands.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use tailscale_featureset::cli::{Destination, parse_destination};
use tailscale_featureset::shard::Shard;

use crate::ci::parts::PARTS;

/// The commands that only this repository has.
#[derive(Debug, Subcommand)]
pub(crate) enum Maintenance {
    /// Run everything that CI runs.
    Ci(Ci),
    /// Type-check our Go programs against releases, without linking.
    Programs(Programs),
    /// Search for inputs that break a property of a fuzz target.
    Fuzz(Fuzz),
}

/// Flags of `ci`.
#[derive(Debug, Args)]
pub(crate) struct Ci {
    /// Run every part, however long it takes. Steps that passed on the same files before are skipped.
    #[arg(long)]
    pub(crate) full: bool,
    /// Run only this part of `--full`; can be given several times.
    #[arg(long, value_name = "NAME", requires = "full", value_parser = PossibleValuesParser::new(PARTS.iter().map(|part| part.name)))]
    pub(crate) part: Vec<String>,
    /// Run steps again that passed before.
    #[arg(long, requires = "full")]
    pub(crate) again: bool,
    /// List the parts of `--full`, their planned minutes and their steps.
    #[arg(long, conflicts_with = "full")]
    pub(crate) list_parts: bool,
    /// Make a test that is skipped for want of a tool or a right a failure.
    #[arg(long)]
    pub(crate) require_all: bool,
}

/// Flags of `programs`.
#[derive(Debug, Args)]
pub(crate) struct Programs {
    /// Releases, such as 1.104.5, or `latest` [default: the newest known of every line].
    #[arg(value_name = "VERSION", value_parser = parse_destination)]
    pub(crate) versions: Vec<Destination>,
}

/// Flags of `fuzz`.
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// The time for all targets together, in seconds; the targets share it evenly.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub(crate) seconds: u64,
    /// Run only this target; can be given several times [default: every folder of fuzz/corpus].
    #[arg(long, value_name = "TARGET")]
    pub(crate) only: Vec<String>,
    /// The seed of the search [default: from the clock; it is printed].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u32>,
    /// Run the target of `--only` on this one input and stop.
    #[arg(long, value_name = "FILE", requires = "only")]
    pub(crate) input: Option<PathBuf>,
}

/// Flags of `execpack loaders` and `image helper`.
#[derive(Debug, Args)]
pub(crate) struct Built {
    /// Write nothing; fail if a checked-in program differs from what its sources build to.
    #[arg(long)]
    pub(crate) check: bool,
}

/// Flags of `measure estimates`.
#[derive(Debug, Args)]
pub(crate) struct Estimates {
    /// Write nothing; fail if a size differs from the recorded one.
    #[arg(long, conflicts_with = "seeds")]
    pub(crate) check: bool,
    /// Another seed; can be repeated. The result is only printed.
    #[arg(long = "seed", value_name = "NUMBER")]
    pub(crate) seeds: Vec<u64>,
}

/// Subcommands of `hazards`.
#[derive(Debug, Subcommand)]
pub(crate) enum Hazards {
    /// Show that the offending selection does not compile and the remedied one does, and write the proof.
    Prove {
        /// Hazards that do not compile [default: all of them].
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// A release to try; can be repeated [default: the newest of every known line].
        #[arg(long = "release", value_name = "VERSION")]
        releases: Vec<featureset::release::Release>,
        /// Build for real what the type-check passes too, not only what it fails.
        #[arg(long)]
        build: bool,
    },
    /// Type-check every single omission, every feature alone, and every pair that shares a gated file.
    Sweep {
        /// Only a part of it, such as 1/4; the parts add up under target/.
        #[arg(long, value_name = "I/N", default_value = "1/1")]
        shard: Shard,
    },
}
