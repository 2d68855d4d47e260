//! Every flag of the command line.

mod audit;
mod bench;
mod execpack;
mod image;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use audit::{Audit, Import, What};
pub use bench::Bench;
pub use execpack::Execpack;
pub use image::{Image, ImageAction, ImageLint, ImageScript};

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
    /// For code scanning: one SARIF 2.1.0 log on stdout. Commands that find nothing in a file take it as `github`.
    Sarif,
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
    /// Make the archives that RouterOS imports, judge any archive, or print the commands that install one.
    Image(Image),
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
    /// Measure what the binary that ships costs in time and memory, beside what Go links without the rewrite.
    Bench(Bench),
    /// What `bench` runs in its own namespaces.
    #[command(hide = true)]
    BenchInside {
        /// What to do, as JSON.
        plan: String,
    },
    /// Tell a reviewer what a change of the policy means: Markdown for a pull request.
    Review(Review),
    /// Move the pin to another release, and tell what that forces to be decided.
    Bump(Bump),
    /// Measure what each decision weighs, or tell what to drop to fit a budget.
    Measure(Measure),
    /// Tell what anyone's tag line, recipe or binary has in it, and what is wrong with it.
    Audit(Audit),
    /// Make a policy of anyone's tag line, recipe or binary, every reason left to be written.
    Import(Import),
    /// Name the files, lines and inlined frames in the traceback of a binary that ships.
    Symbolize(Symbolize),
    /// Pack or unpack one executable, or build the loaders that packed executables begin with.
    #[command(subcommand)]
    Execpack(Execpack),
    /// Write every generated file.
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
    /// The order: by name, or by what was measured, the heaviest first.
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = Order::Name)]
    pub by: Order,
    /// The target whose measured costs are shown [default: arm64 if it was measured, else the first].
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
}

/// What `list --by` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// Alphabetically.
    Name,
    /// By measured cost; what was not measured comes last.
    Cost,
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

/// Flags of `bump`.
#[derive(Debug, Args)]
pub struct Bump {
    /// A stable release, such as 1.104.5, or `latest`.
    #[arg(value_name = "VERSION", value_parser = parse_destination, required_unless_present = "check")]
    pub to: Option<Destination>,
    /// Change nothing; fail if upstream has a newer stable release than the pinned one.
    #[arg(long, conflicts_with_all = ["to", "dry_run"])]
    pub check: bool,
    /// Tell what it would mean, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Where `bump` moves the pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The newest stable release.
    Latest,
    /// This release.
    Release(featureset::release::Release),
}

/// A stable release, with or without upstream's `v`, or `latest`.
fn parse_destination(text: &str) -> Result<Destination, String> {
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
    /// What else to do with what was measured.
    #[command(subcommand)]
    pub what: Option<MeasureWhat>,
    /// A target of the policy; can be repeated [default: all].
    #[arg(long = "target", value_name = "TARGET", global = true)]
    pub targets: Vec<String>,
    /// A feature; can be repeated [default: all].
    #[arg(long = "feature", value_name = "FEATURE")]
    pub features: Vec<String>,
    /// Only a part of it, such as 1/4; the parts add up under target/.
    #[arg(long, value_name = "I/N", value_parser = parse_shard, default_value = "1/1")]
    pub shard: (usize, usize),
    /// Go on where an earlier run was stopped: what it measured stands.
    #[arg(long)]
    pub resume: bool,
    /// Start each daemon, too, and see what memory it takes once it has logged in; this needs what `verify` needs.
    #[arg(long)]
    pub memory: bool,
}

/// What `measure` can do with what was measured.
#[derive(Debug, Subcommand)]
pub enum MeasureWhat {
    /// Tell what would have to go so that a target fits a budget.
    Frontier {
        /// The size of the packed binary, such as `3.4 MB`.
        #[arg(long, value_name = "SIZE", value_parser = parse_budget)]
        budget: u64,
    },
}

/// A size with its unit.
fn parse_budget(text: &str) -> Result<u64, String> {
    featureset::policy::parse_size(text).ok_or_else(|| "write it as 3.4MB, 900kB or 900000B".to_owned())
}

/// Flags of `symbolize`.
#[derive(Debug, Args)]
pub struct Symbolize {
    /// The file with the traceback, or `-` for standard input.
    #[arg(value_name = "FILE")]
    pub traceback: PathBuf,
    /// The target whose binary it is from [default: the only one].
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// The binary as Go linked it, in the place of a target's.
    #[arg(long, value_name = "FILE", conflicts_with = "target")]
    pub binary: Option<PathBuf>,
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
    /// In the place of checks: stage every hazard that shows at run time, on a binary that has it and on one that does not.
    #[arg(long, conflicts_with_all = ["checks", "mutants", "soak"])]
    pub hazards: bool,
    /// As --hazards, for this hazard only; can be repeated.
    #[arg(long, value_name = "ID", conflicts_with_all = ["checks", "mutants", "soak"])]
    pub hazard: Vec<String>,
    /// Only a part of the mutants or hazards, such as 1/4.
    #[arg(long, value_name = "I/N", value_parser = parse_shard, default_value = "1/1")]
    pub shard: (usize, usize),
    /// Log in at this control server, https://NAME or http://NAME:PORT, with a key of yours. Connections to it and to the
    /// relays that it names leave this machine.
    #[arg(long, value_name = "URL", conflicts_with_all = ["mutants", "hazards", "hazard"])]
    pub control: Option<String>,
    /// The file with the key for `--control`: reusable, ephemeral at best [default: the variable TS_AUTHKEY].
    #[arg(long, value_name = "FILE", requires = "control")]
    pub auth_key_file: Option<PathBuf>,
    /// Keep the traffic of `load` up for so long.
    #[arg(long, value_name = "MINUTES", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=10_080))]
    pub soak: u64,
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
