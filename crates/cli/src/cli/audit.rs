//! Flags of `audit` and `import`.

use std::path::PathBuf;

use clap::Args;
use featureset::policy::device::PROFILES;
use featureset::release::Release;

use super::values::{Deny, POLICY_FILE, parse_release};

/// Flags of `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// The input.
    #[command(flatten)]
    pub what: What,
    /// The device that runs the binary. Without it, findings that depend on the device say so.
    #[arg(long, value_name = "PROFILE", value_parser = PROFILES.iter().map(|profile| profile.name).collect::<Vec<_>>())]
    pub device: Option<String>,
    /// The target of the policy that `--policy` names: its device, acceptances and decisions are used [default: the common
    /// ones].
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// A hazard to accept; can be repeated.
    #[arg(long = "accept", value_name = "ID")]
    pub accepted: Vec<String>,
    /// An older version, a file or a tag list: report the features that were added and removed.
    #[arg(long, value_name = "OTHER")]
    pub against: Option<String>,
    /// Show each finding by itself, also those that differ only in the feature.
    #[arg(long)]
    pub all: bool,
    /// Also fail on findings of this severity.
    #[arg(long, value_name = "SEVERITY", value_enum)]
    pub deny: Option<Deny>,
}

/// The input of `audit` and `import`.
#[derive(Debug, Args)]
pub struct What {
    /// A file: a build script, Dockerfile, Makefile, workflow or recipe in JSON, YAML or Nix, or a binary. Several files, or a
    /// folder, are read as one project.
    #[arg(value_name = "WHAT", required_unless_present = "tags")]
    pub files: Vec<PathBuf>,
    /// A tag list instead of a file, as for `go build -tags`.
    #[arg(long, value_name = "TAGS", conflicts_with = "files")]
    pub tags: Option<String>,
    /// The release that it builds [default: the one in the file, else the newest known one].
    #[arg(long, value_name = "VERSION", value_parser = parse_release)]
    pub release: Option<Release>,
}

/// Flags of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The input.
    #[command(flatten)]
    pub what: What,
    /// The line of the tag list in the file [default: the only list].
    #[arg(long, value_name = "LINE")]
    pub line: Option<usize>,
    /// The profile of the device that it runs on.
    #[arg(long, value_name = "PROFILE", value_parser = PROFILES.iter().map(|profile| profile.name).collect::<Vec<_>>())]
    pub device: Option<String>,
    /// A policy whose reasons are taken over for the decisions that are the same.
    #[arg(long, value_name = "FILE")]
    pub reasons_from: Option<PathBuf>,
    /// The policy to write; `-` is stdout.
    #[arg(long, short, value_name = "FILE", default_value = POLICY_FILE)]
    pub output: PathBuf,
    /// Replace an existing file.
    #[arg(long)]
    pub force: bool,
}
