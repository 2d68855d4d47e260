//! The command line: commands and their flags.

mod audit;
mod bench;
mod execpack;
mod image;
mod init;
mod publish;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::format::{FindingsFormat, Format};

pub use audit::{Audit, Import, What};
pub use bench::{Bench, Load};
pub use execpack::Execpack;
pub use image::{Access, Image, ImageAction, ImageLint, ImageScript};
pub use init::Init;
pub use publish::Publish;
pub use values::{Deny, POLICY_FILE};

use crate::shard::Shard;

/// Manages an allowlist of Tailscale features: checks the decisions in featureset.yaml, builds from them and verifies the result.
///
/// Exit status: 0 clean, 1 findings or code that does not compile, 2 could not run.
#[derive(Debug, Parser)]
#[command(name = "tailscale-featureset", version, max_term_width = 100)]
pub struct Cli {
    /// The policy file [default: the nearest featureset.yaml in this folder or above].
    #[arg(long, value_name = "FILE", global = true)]
    pub policy: Option<PathBuf>,

    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Returns the chosen format, in which failures are reported too.
    #[must_use]
    pub fn format(&self) -> FindingsFormat {
        match &self.command {
            Command::Check(given) => given.format,
            Command::Audit(given) => given.format,
            Command::Review(given) => given.format,
            Command::Bump(given) => given.format,
            Command::Tags(given) => given.format.into(),
            Command::List(given) => given.format.into(),
            Command::Explain(given) => given.format.into(),
            Command::BuildTailscale(given) => given.format.into(),
            Command::Image(given) => given.format.into(),
            Command::Publish(given) => given.format.into(),
            Command::Registry(given) => given.format.into(),
            Command::Verify(given) => given.format.into(),
            Command::Bench(given) => given.format.into(),
            Command::Measure(given) => given.format.into(),
            Command::Import(given) => given.format.into(),
            Command::Hazards(Hazards::List(given)) => given.format.into(),
            Command::Decide(given) => given.format.into(),
            Command::Accept(given) => given.format.into(),
            Command::Init(given) => given.format.into(),
            Command::Symbolize(given) => given.format.into(),
            Command::Docs(given) => given.format.into(),
            Command::Edit(_)
            | Command::Explore(_)
            | Command::Execpack(_)
            | Command::VerifyInside { .. }
            | Command::BenchInside { .. }
            | Command::MeasureInside { .. } => FindingsFormat::Human,
        }
    }
}

/// The flags of a command and its output format.
#[derive(Debug, Args)]
pub struct Formatted<A: Args, F = Format>
where
    F: ValueEnum + Clone + Send + Sync + 'static,
{
    /// The flags of the command itself.
    #[command(flatten)]
    pub flags: A,
    /// The format of findings and results.
    #[arg(long, value_enum, default_value = "human", global = true)]
    pub format: F,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a policy for a device and its purpose, every decision with its reason
    Init(Formatted<Init>),
    /// Check the policy and report every finding
    Check(Formatted<Check, FindingsFormat>),
    /// Print the policy's build tags, or the whole `go build` command
    Tags(Formatted<Tags>),
    /// List the features of the pinned release with their decisions
    List(Formatted<List>),
    /// List the known hazards
    #[command(subcommand)]
    Hazards(Hazards),
    /// Decide one feature in the policy and report what follows
    Decide(Formatted<Decide>),
    /// Accept one hazard in the policy
    Accept(Formatted<Accept>),
    /// Explain one feature or hazard
    Explain(Formatted<Explain>),
    /// Look at the policy and change its decisions on the terminal
    Edit(Edit),
    /// Write a page for the browser on which to look at the policy and try decisions
    Explore(Explore),
    /// Build, verify and pack the binaries of the policy's targets
    BuildTailscale(Formatted<BuildTailscale>),
    /// Make images for RouterOS, lint an archive, or print installation commands
    Image(Formatted<Image>),
    /// Push the images of all targets to a registry, as one image
    Publish(Formatted<Publish>),
    /// Read the feature registry of releases from upstream's modules and write it to files
    Registry(Formatted<Registry>),
    /// Run the shipped daemon in a test network and check it against the policy
    Verify(Formatted<Verify>),
    /// Internal: the process of `verify` inside its namespaces
    #[command(hide = true)]
    VerifyInside {
        /// The plan, as JSON
        plan: String,
    },
    /// Benchmark the shipped binary against an unmodified Go build
    Bench(Formatted<Bench>),
    /// Internal: the process of `bench` inside its namespaces
    #[command(hide = true)]
    BenchInside {
        /// The plan, as JSON
        plan: String,
    },
    /// Internal: the process of `measure --memory` inside its namespaces
    #[command(hide = true)]
    MeasureInside {
        /// The plan, as JSON
        plan: String,
    },
    /// Explain a change of the policy as Markdown for a pull request
    Review(Formatted<Review, FindingsFormat>),
    /// Pin another release and list the decisions that it requires
    Bump(Bump),
    /// Measure the size of each feature, or find what to omit to fit a budget
    Measure(Formatted<Measure>),
    /// Audit a tag list, build script or binary
    Audit(Formatted<Audit, FindingsFormat>),
    /// Generate a policy from a tag list, build script or binary (reasons left as TODO)
    Import(Formatted<Import>),
    /// Add files, lines and inlined frames to a traceback of a shipped binary
    Symbolize(Formatted<Symbolize>),
    /// Pack or unpack one executable with execpack
    #[command(subcommand)]
    Execpack(Execpack),
    /// Write every generated file
    Docs(Formatted<Docs>),
}

/// Flags of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Sort the features, insert a stub for each undecided feature and delete acceptances that no longer apply; change
    /// nothing else.
    #[arg(long)]
    pub fix: bool,
    /// Show each finding by itself, also those that differ only in the feature.
    #[arg(long)]
    pub all: bool,
    /// Also show notes: hazards that the reasons of the decisions cover, and hazards without effect.
    #[arg(long)]
    pub notes: bool,
    /// Also fail on findings of this severity.
    #[arg(long, value_name = "SEVERITY", value_enum)]
    pub deny: Option<Deny>,
}

/// Flags of `tags`.
#[derive(Debug, Args)]
pub struct Tags {
    /// The target to print tags for; required if the targets do not have the same tags.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Print the whole `go build` command with its variables, for one target.
    #[arg(long)]
    pub go_build: bool,
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Only features with this decision.
    #[arg(long, value_enum, value_name = "DECISION")]
    pub decision: Option<DecisionFilter>,
    /// The order: by name, or by measured size, largest first.
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = Order::Name)]
    pub by: Order,
    /// The target to list decisions and sizes for [default: the common decisions, with the sizes of arm64 or of the first
    /// target].
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Only features with this text in the name or the reason.
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// Only features that a hazard of the pinned release is about.
    #[arg(long)]
    pub hazard: bool,
    /// Only features that this feature needs.
    #[arg(long, value_name = "FEATURE")]
    pub needed_by: Option<String>,
    /// Only features that were added in this release line or later, such as 1.104.
    #[arg(long, value_name = "LINE")]
    pub since: Option<featureset::release::ReleaseLine>,
    /// Only features of at least this size, such as 50kB.
    #[arg(long, value_name = "SIZE", value_parser = values::parse_size)]
    pub size: Option<u64>,
}

/// Values of `list --by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// Alphabetically.
    Name,
    /// By measured size; features without a measurement come last.
    Cost,
}

/// Values of `list --decision`.
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
    /// The feature, such as `cachenetmap`, or the id of a hazard.
    pub name: String,
    /// The target whose decision to explain [default: the common decision, with the targets that override it].
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
}

/// Flags of `edit`.
#[derive(Debug, Args)]
pub struct Edit {
    /// A revision to compare with: a branch, tag or commit.
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
}

/// Flags of `explore`.
#[derive(Debug, Args)]
pub struct Explore {
    /// The page to write; `-` is stdout.
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// A revision to compare with: a branch, tag or commit.
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
    /// Also write upstream's description of each feature, read from the downloaded module.
    #[arg(long)]
    pub descriptions: bool,
}

/// Subcommands of `hazards`.
#[derive(Debug, Subcommand)]
pub enum Hazards {
    /// List the hazards of the pinned release, and which of them apply
    List(Formatted<HazardsList>),
}

/// Flags of `hazards list`.
#[derive(Debug, Args)]
pub struct HazardsList {
    /// Only hazards that apply to the policy, or may.
    #[arg(long)]
    pub applying: bool,
    /// Only hazards with this text in the id, the title or the condition.
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
}

/// Flags of `decide`.
#[derive(Debug, Args)]
pub struct Decide {
    /// The feature, such as `cachenetmap`.
    #[arg(value_name = "FEATURE")]
    pub feature: String,
    /// The decision.
    #[arg(value_enum, value_name = "DECISION")]
    pub decision: DecisionArgument,
    /// The reason: what it changes on this device.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The target that decides differently [default: the common decision].
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
}

/// A decision on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DecisionArgument {
    /// The feature is in the binary.
    Keep,
    /// The feature is left out.
    Omit,
}

/// Flags of `accept`.
#[derive(Debug, Args)]
pub struct Accept {
    /// The id of the hazard, such as `nc-dial`.
    #[arg(value_name = "HAZARD")]
    pub hazard: String,
    /// The reason: why this device can live with it.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The target that accepts it [default: the common acceptance].
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
}

/// Flags of `build-tailscale`.
#[derive(Debug, Args)]
pub struct BuildTailscale {
    /// A target of the policy; can be repeated [default: all].
    #[arg(long = "target", value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Print the commands without running them.
    #[arg(long)]
    pub dry_run: bool,
    /// Build although reasons are still missing; the manifests and images are marked as drafts.
    #[arg(long)]
    pub draft: bool,
}

/// Flags of `registry`.
#[derive(Debug, Args)]
pub struct Registry {
    /// Releases, such as 1.102.5.
    #[arg(required = true, value_name = "VERSION")]
    pub versions: Vec<featureset::release::Release>,
}

/// Flags of `review`.
#[derive(Debug, Args)]
pub struct Review {
    /// The revision to compare with: a branch, tag or commit.
    #[arg(long, value_name = "REV")]
    pub base: String,
}

/// Flags of `bump`.
#[derive(Debug, Args)]
pub struct Bump {
    /// A stable release, such as 1.104.5, or `latest`.
    #[arg(value_name = "VERSION", value_parser = parse_destination, required_unless_present = "check")]
    pub to: Option<Destination>,
    /// Change nothing; fail if upstream has a newer stable release than the pinned one.
    #[arg(long, conflicts_with_all = ["to", "dry_run"], required_if_eq("format", "sarif"))]
    pub check: bool,
    /// Report the consequences without changing anything.
    #[arg(long)]
    pub dry_run: bool,
    /// The format of findings and results; `sarif` only with `--check`.
    #[arg(long, value_enum, default_value = "human")]
    pub format: FindingsFormat,
}

/// The release that `bump` pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The newest stable release.
    Latest,
    /// This release.
    Release(featureset::release::Release),
}

/// Parses a stable release, with or without upstream's `v`, or `latest`.
///
/// # Errors
/// What is expected instead.
pub fn parse_destination(text: &str) -> Result<Destination, String> {
    if text == "latest" {
        return Ok(Destination::Latest);
    }
    let version = text.strip_prefix('v').unwrap_or(text);
    let release: featureset::release::Release =
        version.parse().map_err(|error| format!("{error}; name one, or `latest`"))?;
    if release.is_stable() {
        return Ok(Destination::Release(release));
    }
    Err("upstream's unstable releases have an odd second number; name a stable one, or `latest`".to_owned())
}

/// Flags of `measure`.
#[derive(Debug, Args)]
pub struct Measure {
    /// A command that uses existing measurements.
    #[command(subcommand)]
    pub what: Option<MeasureWhat>,
    /// A target of the policy; can be repeated [default: all].
    #[arg(long = "target", value_name = "TARGET", global = true)]
    pub targets: Vec<String>,
    /// A feature; can be repeated [default: all].
    #[arg(long = "feature", value_name = "FEATURE")]
    pub features: Vec<String>,
    /// Measure only one of N parts, such as 1/4; the results of all parts are collected under target/.
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    pub shard: Shard,
    /// Continue an interrupted run and keep its measurements.
    #[arg(long)]
    pub resume: bool,
    /// Also measure the memory of each daemon after its login; this has the requirements of `verify`.
    #[arg(long)]
    pub idle_memory: bool,
    /// Instead of features, measure one target under load in control groups of several sizes; needs what `verify` needs.
    #[arg(long, conflicts_with_all = ["features", "shard", "idle_memory", "soak"])]
    pub memory: bool,
    /// Instead of features, put one target under load for this many minutes, with little memory: with the limit of the
    /// image's entrypoint, and without it.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=1440), conflicts_with_all = ["features", "shard", "idle_memory"])]
    pub soak: Option<u64>,
    /// Fail if `--memory` or `--soak` can't run here.
    #[arg(long)]
    pub require_all: bool,
}

/// Commands that use existing measurements.
#[derive(Debug, Subcommand)]
pub enum MeasureWhat {
    /// Find the features to omit so that a target fits a budget.
    Frontier {
        /// The size of the packed binary, such as `3.4 MB`.
        #[arg(long, value_name = "SIZE", value_parser = values::parse_size)]
        budget: u64,
    },
}

/// Flags of `symbolize`.
#[derive(Debug, Args)]
pub struct Symbolize {
    /// The file with the traceback, or `-` for standard input.
    #[arg(value_name = "FILE")]
    pub traceback: PathBuf,
    /// The target of the binary [default: the only one].
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// The binary as Go linked it, instead of a target's.
    #[arg(long, value_name = "FILE", conflicts_with = "target")]
    pub binary: Option<PathBuf>,
}

/// Flags of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The target to run [default: the first for this machine's processor]. It is built unless it is fresh.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// A check; can be repeated [default: all].
    #[arg(long = "check", value_name = "NAME")]
    pub checks: Vec<String>,
    /// List the checks without running them.
    #[arg(long)]
    pub list: bool,
    /// Mutation test: invert each decision that a check covers and require the check to fail.
    #[arg(long)]
    pub mutants: bool,
    /// Instead of the checks, provoke every runtime hazard, on a binary with it and on one without it.
    #[arg(long, conflicts_with_all = ["checks", "mutants", "soak"])]
    pub hazards: bool,
    /// As --hazards, but only this hazard; can be repeated.
    #[arg(long, value_name = "ID", conflicts_with_all = ["checks", "mutants", "soak"])]
    pub hazard: Vec<String>,
    /// Run only one of N parts of the mutants or hazards, such as 1/4.
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    pub shard: Shard,
    /// Log in at this control server, https://NAME or http://NAME:PORT, with your auth key. This makes connections from this
    /// machine to the server and its relays.
    #[arg(long, value_name = "URL", conflicts_with_all = ["mutants", "hazards", "hazard"])]
    pub control: Option<String>,
    /// The file with the auth key for `--control`; it must be reusable and should be ephemeral [default: the variable TS_AUTHKEY].
    #[arg(long, value_name = "FILE", requires = "control")]
    pub auth_key_file: Option<PathBuf>,
    /// Write the results to docs/proof/TARGET.json; in this program's own repository with --hazards, to the proofs of the
    /// hazards. Without it, no file outside of target/ changes.
    #[arg(long, conflicts_with = "control")]
    pub record: bool,
    /// Continue the traffic of `load` for this time.
    #[arg(long, value_name = "MINUTES", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=10_080))]
    pub soak: u64,
    /// Fail if a check is skipped because of a missing privilege or device.
    #[arg(long)]
    pub require_all: bool,
}

/// Flags of `docs`.
#[derive(Debug, Args)]
pub struct Docs {
    /// Write nothing; fail if a file is out of date.
    #[arg(long)]
    pub check: bool,
}
