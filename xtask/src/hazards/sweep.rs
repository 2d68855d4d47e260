//! `hazards sweep`: looks for selections that do not compile, over a whole release.
//!
//! Every selection is type-checked on three processors; each that fails is confirmed by a real build, and so is one
//! in twenty of those that pass, on one of the processors. Each answer is kept under target/ as it comes, so an interrupted sweep goes on where it
//! was, and shards add up.

use diagnostics::{Code, Diagnostic};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::hazard::{BuildFacts, Circumstances, Effect, trial};
use featureset::name::FeatureName;
use featureset::registry::Registry;
use featureset::release::{GoVersion, Release};
use featureset::upstream_data::UpstreamData;
use serde::{Deserialize, Serialize};

use super::compile::{CompilerVerdict, built, judged};
use tailscale_featureset::commands::{Outcome, registry};
use tailscale_featureset::project::Project;
use tailscale_featureset::shard::Shard;
use tailscale_featureset::tools::go::{self, Go};
use tailscale_featureset::typecheck::{Job, TypeChecker};
use tailscale_featureset::upstream::{self, Upstream};
use tailscale_featureset::{files, process, progress};

/// Where the result is kept.
const FOLDER: &str = "crates/featureset/sweeps";
const PROCESSORS: &[&str] = &["amd64", "arm64", "arm"];

/// An interruption loses at most so many answers.
const AT_ONCE: usize = 12;

/// One in so many passing selections is built for real.
const SAMPLED: u64 = 20;

/// What is known of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    id: String,
    complaint: Option<String>,
    /// Whether a real build agreed; `None` if none was run.
    confirmed: Option<bool>,
}

/// The result of a whole sweep.
#[derive(Debug, Serialize)]
struct Report {
    generated_by: &'static str,
    release: Release,
    go: GoVersion,
    processors: &'static [&'static str],
    selections: usize,
    checks: usize,
    failures: Vec<Failure>,
    /// Real builds of selections that fail, and of those that pass; each said the same as the type-check.
    confirmed_failing: usize,
    confirmed_passing: usize,
}

/// A selection that does not compile.
#[derive(Debug, Serialize)]
struct Failure {
    selection: String,
    processors: Vec<String>,
    complaint: String,
    /// The hazards that say so; none is a new one.
    hazards: Vec<String>,
}

/// A release under the sweep.
struct Sweep<'a> {
    go: &'a Go,
    upstream: &'a Upstream,
    registry: &'a Registry,
    selections: BTreeMap<String, BTreeSet<FeatureName>>,
    state: PathBuf,
}

/// Runs the command; findings are failures that no hazard explains, and builds that say otherwise.
pub(super) fn run(policy: Option<&Path>, shard: Shard) -> Result<Outcome> {
    let root = registry::repository(policy)?;
    let project = Project::open(policy)?;
    let Some(pinned) = project.pinned() else {
        return Err(
            Diagnostic::failure(Code::PolicyUnusable, "the policy pins no known release", "", "Run `check`.").into()
        );
    };
    let go = go::find_or_provide(&project.cache)?;
    let upstream = upstream::fetch(&go, &project.cache, pinned.release, pinned.policy.go)?;
    let source = upstream.source(&go)?;
    let pairs = trial::gated_pairs(pinned.registry, constraints(&source)?.iter().map(String::as_str));
    let sweep = Sweep {
        go: &go,
        upstream: &upstream,
        registry: pinned.registry,
        selections: trial::sweep(pinned.registry, &pairs),
        state: project.target().join("tailscale/.sweep").join(format!("{}.jsonl", pinned.release)),
    };
    let jobs = sweep.jobs();
    let own: Vec<&Job> = shard.select(&jobs).collect();
    sweep.check(&own)?;
    sweep.confirm(&own)?;
    sweep.report(&root, &jobs)
}

/// The build constraints of every Go file below a folder, tests apart.
fn constraints(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(constraints(&path)?);
        } else if name.ends_with(".go") && !name.ends_with("_test.go") {
            let text = files::read(&path)?;
            found.extend(text.lines().find(|line| line.starts_with("//go:build ")).map(str::to_owned));
        }
    }
    Ok(found)
}

/// A number that depends only on the text, and picks the sample.
fn dice(text: &str) -> u64 {
    u64::from_str_radix(&files::sha256(text.as_bytes())[..8], 16).unwrap_or(0)
}

/// Whether a job is the one that stands for a selection of the sample: the same ones on every machine.
fn is_sampled(job: &Job) -> bool {
    let dice = dice(selection_of(job));
    let processor = usize::try_from(dice / SAMPLED).unwrap_or(0) % PROCESSORS.len();
    dice.is_multiple_of(SAMPLED) && PROCESSORS[processor] == job.goarch
}

/// The name of a job's selection: its id is that after the processor.
fn selection_of(job: &Job) -> &str {
    job.id.split_once(' ').map_or("", |(_, name)| name)
}

impl Sweep<'_> {
    fn jobs(&self) -> Vec<Job> {
        let job = |name: &String, kept: &BTreeSet<FeatureName>, goarch: &str| Job {
            id: format!("{goarch} {name}"),
            tags: self.registry.tags(kept).join(","),
            goos: "linux".to_owned(),
            goarch: goarch.to_owned(),
            folder: None,
        };
        let each =
            |goarch: &&str| self.selections.iter().map(|(name, kept)| job(name, kept, goarch)).collect::<Vec<_>>();
        PROCESSORS.iter().flat_map(each).collect()
    }

    /// The newest word on each job.
    fn seen(&self) -> BTreeMap<String, Seen> {
        let text = std::fs::read_to_string(&self.state).unwrap_or_default();
        // A line that was cut off by an interruption is asked for again.
        text.lines()
            .filter_map(|line| serde_json::from_str::<Seen>(line).ok())
            .map(|seen| (seen.id.clone(), seen))
            .collect()
    }

    fn remember(&self, all: &[Seen]) -> Result<()> {
        files::make_folder(self.state.parent().context("a folder")?)?;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.state)?;
        let lines: Result<Vec<String>, _> = all.iter().map(serde_json::to_string).collect();
        file.write_all((lines?.join("\n") + "\n").as_bytes()).context("keeping the answers")
    }

    fn check(&self, jobs: &[&Job]) -> Result<()> {
        let seen = self.seen();
        let open: Vec<Job> = jobs.iter().filter(|job| !seen.contains_key(&job.id)).map(|job| (*job).clone()).collect();
        let known = jobs.len() - open.len();
        let checked = |count: usize| format!("{} of {} selections", known + count, jobs.len());
        let step = progress::step("Checking", checked(0));
        let checker = TypeChecker::new(self.go, self.upstream)?;
        for (index, chunk) in open.chunks(AT_ONCE).enumerate() {
            let mut answers = Vec::new();
            for answer in checker.check(chunk)? {
                let complaint = match judged(&answer.complaints)? {
                    CompilerVerdict::Passes => None,
                    CompilerVerdict::Fails(complaint) => Some(complaint),
                    CompilerVerdict::Nothing(why) => anyhow::bail!("{} could not be judged: {why}", answer.id),
                };
                answers.push(Seen { id: answer.id, complaint, confirmed: None });
            }
            self.remember(&answers)?;
            step.update(&checked(index * AT_ONCE + chunk.len()));
        }
        step.done("Checked", "type-checked");
        Ok(())
    }

    /// Real builds of what fails on the first processor, and of the sample of what passes.
    fn confirm(&self, jobs: &[&Job]) -> Result<()> {
        let seen = self.seen();
        let fails = |goarch: &str, name: &str| {
            seen.get(&format!("{goarch} {name}")).is_some_and(|seen| seen.complaint.is_some())
        };
        let wanted = |job: &&&Job| {
            let Some(own) = seen.get(&job.id) else { return false };
            // A selection that fails is built on the first processor that it fails on.
            let first = PROCESSORS.iter().find(|goarch| fails(goarch, selection_of(job)));
            let failing = first.is_some_and(|goarch| *goarch == job.goarch);
            own.confirmed.is_none() && (failing || (own.complaint.is_none() && is_sampled(job)))
        };
        for job in jobs.iter().filter(wanted) {
            process::check_interrupt()?;
            let step = progress::step("Building", job.id.clone());
            let fails = match built(self.go, self.upstream, job)? {
                CompilerVerdict::Passes => false,
                CompilerVerdict::Fails(_) => true,
                CompilerVerdict::Nothing(why) => anyhow::bail!("{} could not be built: {why}", job.id),
            };
            let Some(old) = seen.get(&job.id) else { continue };
            self.remember(&[Seen { confirmed: Some(fails == old.complaint.is_some()), ..old.clone() }])?;
            step.done("Built", if fails { "does not compile" } else { "compiles" });
        }
        Ok(())
    }

    fn report(&self, root: &Path, jobs: &[Job]) -> Result<Outcome> {
        let seen = self.seen();
        let report = self.summary(jobs, &seen)?;
        let mut outcome = Outcome::Clean;
        for failure in report.failures.iter().filter(|failure| failure.hazards.is_empty()) {
            progress::warn(&format!("no hazard describes it: {}: {}", failure.selection, failure.complaint));
            outcome = Outcome::Findings;
        }
        for wrong in seen.values().filter(|seen| seen.confirmed == Some(false)) {
            progress::warn(&format!("a real build says otherwise than the type-check: {}", wrong.id));
            outcome = Outcome::Findings;
        }
        let left = jobs.iter().filter(|job| !seen.contains_key(&job.id)).count();
        if left > 0 {
            progress::line("Open", &format!("{left} of {} checks are left to other shards", jobs.len()));
            return Ok(outcome);
        }
        let path = root.join(FOLDER).join(format!("{}.json", self.upstream.release));
        files::write(&path, &(serde_json::to_string_pretty(&report)? + "\n"))?;
        let failures = report.failures.len();
        progress::line("Wrote", &format!("{FOLDER}/{}.json: {failures} failures", self.upstream.release));
        Ok(outcome)
    }

    fn summary(&self, jobs: &[Job], seen: &BTreeMap<String, Seen>) -> Result<Report> {
        let mut failures: BTreeMap<&str, Failure> = BTreeMap::new();
        for job in jobs {
            let Some(complaint) = seen.get(&job.id).and_then(|seen| seen.complaint.clone()) else { continue };
            let name = selection_of(job);
            let fresh = || Failure {
                selection: name.to_owned(),
                processors: Vec::new(),
                complaint,
                hazards: self.explained(name),
            };
            failures.entry(name).or_insert_with(fresh).processors.push(job.goarch.clone());
        }
        let confirmed = |failing: bool| {
            seen.values().filter(|seen| seen.confirmed == Some(true) && seen.complaint.is_some() == failing).count()
        };
        Ok(Report {
            generated_by: "cargo xtask hazards sweep",
            release: self.upstream.release,
            go: self.upstream.go_version(self.go)?,
            processors: PROCESSORS,
            selections: self.selections.len(),
            checks: jobs.len(),
            failures: failures.into_values().collect(),
            confirmed_failing: confirmed(true),
            confirmed_passing: confirmed(false),
        })
    }

    /// The hazards that say that a selection does not compile.
    fn explained(&self, selection: &str) -> Vec<String> {
        let Some(kept) = self.selections.get(selection) else { return Vec::new() };
        let omitted = self.registry.features.keys().filter(|name| !kept.contains(*name)).cloned().collect();
        let device = BTreeMap::new();
        let circumstances = Circumstances {
            release: self.upstream.release,
            kept,
            omitted: &omitted,
            device: &device,
            os: "linux",
            goarch: PROCESSORS[0],
            build: BuildFacts::default(),
        };
        let compile =
            UpstreamData::embedded().hazards().filter(|hazard| hazard.record.effect == Effect::DoesNotCompile);
        let applying = compile.filter(|hazard| hazard.applies(&circumstances) == featureset::hazard::Answer::Yes);
        applying.map(|hazard| hazard.id.clone()).collect()
    }
}
