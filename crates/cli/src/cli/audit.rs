//! Flags of `audit` and `import`.

use std::path::PathBuf;

use clap::Args;
use featureset::policy::device::PROFILES;
use featureset::release::Release;

use super::Deny;

/// Flags of `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// What is audited.
    #[command(flatten)]
    pub what: What,
    /// Where it will run. Without it, findings that depend on the device say so.
    #[arg(long, value_name = "PROFILE", value_parser = PROFILES.iter().map(|profile| profile.name).collect::<Vec<_>>())]
    pub device: Option<String>,
    /// A hazard that is lived with; can be repeated.
    #[arg(long = "accept", value_name = "ID")]
    pub accepted: Vec<String>,
    /// An older version of it, a file or a tag line: tell which features came and went.
    #[arg(long, value_name = "OTHER")]
    pub against: Option<String>,
    /// Make findings of this severity a failure too.
    #[arg(long, value_name = "SEVERITY", value_enum)]
    pub deny: Option<Deny>,
}

/// What `audit` and `import` look at.
#[derive(Debug, Args)]
pub struct What {
    /// A file: a build script, Dockerfile, Makefile, workflow or recipe in JSON, YAML or Nix, or a binary.
    #[arg(value_name = "WHAT", required_unless_present = "tags")]
    pub file: Option<PathBuf>,
    /// A tag line in the place of a file, as `go build -tags` takes it.
    #[arg(long, value_name = "TAGS", conflicts_with = "file")]
    pub tags: Option<String>,
    /// The release that it builds [default: what the file says, else the newest that is known].
    #[arg(long, value_name = "VERSION", value_parser = parse_release)]
    pub release: Option<Release>,
}

/// A release, with or without upstream's `v`.
fn parse_release(text: &str) -> Result<Release, String> {
    text.strip_prefix('v')
        .unwrap_or(text)
        .parse()
        .map_err(|error: featureset::release::InvalidVersion| error.to_string())
}

/// Flags of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// What the policy is made from.
    #[command(flatten)]
    pub what: What,
    /// Which of the lists in it, by the line where it stands [default: the only one].
    #[arg(long, value_name = "LINE")]
    pub line: Option<usize>,
    /// The policy to write; `-` is stdout.
    #[arg(long, short, value_name = "FILE", default_value = super::POLICY_FILE)]
    pub output: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
}
