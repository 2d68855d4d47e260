//! Values of flags that several commands have.

use clap::ValueEnum;
use featureset::release::Release;

/// The name of the policy's file.
pub const POLICY_FILE: &str = "featureset.yaml";

/// Values of `--deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// Warnings fail like errors.
    Warnings,
}

/// A release, with or without upstream's `v`.
pub(super) fn parse_release(text: &str) -> Result<Release, String> {
    text.strip_prefix('v')
        .unwrap_or(text)
        .parse()
        .map_err(|error: featureset::release::InvalidVersion| error.to_string())
}

/// Parses a size with its unit.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    featureset::policy::parse_size(text).ok_or_else(|| "write it as 3.4MB, 900kB or 900000B".to_owned())
}
