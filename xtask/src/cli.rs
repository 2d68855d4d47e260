//! Every flag of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Manages an allowlist of Tailscale features: featureset.yaml decides and says why, this builds and proves it.
///
/// Exit status: 0 clean, 1 findings or code that does not compile, 2 could not run.
#[derive(Debug, Parser)]
#[command(name = "tailscale-featureset", version, max_term_width = 100)]
pub struct Cli {
    /// The policy [default: the nearest featureset.yaml from here upwards].
    #[arg(long, value_name = "FILE", global = true)]
    pub policy: Option<PathBuf>,

    /// How findings and results are printed.
    #[arg(long, value_enum, default_value_t = Format::Human, global = true)]
    pub format: Format,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How findings and results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// For programs: one JSON document on stdout.
    Json,
    /// For GitHub: workflow commands that annotate a pull request.
    Github,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge the policy: every finding at once.
    Check(Check),
    /// Print the build tags of the policy, or the whole `go build` line.
    Tags(Tags),
    /// List every feature of the pinned release and its decision.
    List(List),
    /// Tell everything that is known of one feature.
    Explain(Explain),
    /// Build, verify and pack the binaries of the policy's targets.
    BuildTailscale(BuildTailscale),
    /// Read the registry of releases from the real modules, and write the data.
    Registry(Registry),
    /// Put hazards to the test, or look for new ones.
    #[command(subcommand)]
    Hazards(Hazards),
    /// Show on the running daemon what the policy claims.
    Verify(Verify),
    /// What `verify` runs in its own namespaces.
    #[command(hide = true)]
    VerifyInside {
        /// What to do, as JSON.
        plan: String,
    },
    /// Tell a reviewer what a change of the policy means: Markdown for a pull request.
    Review(Review),
    /// Write every generated file of this repository.
    Docs(Docs),
    /// Run what CI runs.
    Ci(Ci),
}

/// Flags of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Sort the features and insert a stub for each undecided one; nothing else is touched.
    #[arg(long)]
    pub fix: bool,
    /// Make findings of this severity a failure too.
    #[arg(long, value_name = "SEVERITY", value_enum)]
    pub deny: Option<Deny>,
}

/// What `--deny` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// Warnings fail as errors do.
    Warnings,
}

/// Flags of `tags`.
#[derive(Debug, Args)]
pub struct Tags {
    /// The target whose tags are printed: they differ only where a target has extra tags.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Print the whole `go build` line, variables included, for one target.
    #[arg(long)]
    pub go_build: bool,
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Only features with this decision.
    #[arg(long, value_enum, value_name = "DECISION")]
    pub decision: Option<DecisionFilter>,
}

/// What `list --decision` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DecisionFilter {
    /// Kept features.
    Keep,
    /// Omitted features.
    Omit,
    /// Features without a decision.
    Undecided,
}

/// Flags of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The feature, such as `cachenetmap`.
    pub name: String,
}

/// Flags of `build-tailscale`.
#[derive(Debug, Args)]
pub struct BuildTailscale {
    /// A target of the policy; can be repeated [default: all].
    #[arg(long = "target", value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Print what would run, and touch nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of `registry`.
#[derive(Debug, Args)]
pub struct Registry {
    /// Releases, such as 1.102.5.
    #[arg(required = true, value_name = "VERSION")]
    pub versions: Vec<featureset::release::Release>,
}

/// What `hazards` does.
#[derive(Debug, Subcommand)]
pub enum Hazards {
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
        #[arg(long, value_name = "I/N", value_parser = parse_shard, default_value = "1/1")]
        shard: (usize, usize),
    },
}

/// A part of a whole: `2/4` is the second of four.
fn parse_shard(text: &str) -> Result<(usize, usize), String> {
    let parsed = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    parsed.filter(|(part, of)| (1..=*of).contains(part)).ok_or_else(|| "write it as 1/4: the first of four".to_owned())
}

/// Flags of `review`.
#[derive(Debug, Args)]
pub struct Review {
    /// The revision whose policy this one is compared with: a branch, tag or commit.
    #[arg(long, value_name = "REV")]
    pub base: String,
}

/// Flags of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The target to run [default: the first for this machine's processor]. It is built if it is not fresh.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// A check; can be repeated [default: all].
    #[arg(long = "check", value_name = "NAME")]
    pub checks: Vec<String>,
    /// List the checks, and run nothing.
    #[arg(long)]
    pub list: bool,
    /// Turn round each decision that the checks prove, one at a time, and show that the check then fails.
    #[arg(long)]
    pub mutants: bool,
    /// Only a part of the mutants, such as 1/4.
    #[arg(long, value_name = "I/N", value_parser = parse_shard, default_value = "1/1", requires = "mutants")]
    pub shard: (usize, usize),
    /// Make a check that is skipped for want of a right or a device a failure.
    #[arg(long)]
    pub require_all: bool,
}

/// Flags of `docs`.
#[derive(Debug, Args)]
pub struct Docs {
    /// Write nothing; fail if a file is not what would be written.
    #[arg(long)]
    pub check: bool,
}

/// Flags of `ci`.
#[derive(Debug, Args)]
pub struct Ci {
    /// Everything, however long it takes.
    #[arg(long)]
    pub full: bool,
    /// Make a test that is skipped for want of a tool or a right a failure.
    #[arg(long)]
    pub require_all: bool,
}
