//! The builds of a sweep: type-checks all jobs first, then builds two at a time and saves each result.

use diagnostics::{Code, Diagnostic, NextStep};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result};
use featureset::cost::{Cost, format_difference};
use featureset::hazard::Effect;
use featureset::name::FeatureName;
use featureset::policy::{EffectivePolicy, format_size};
use featureset::recipe::{PACKAGE, Recipe};
use featureset::rules;
use featureset::selection::Selection;

use super::state::{State, Whole};
use crate::commands::build_tailscale::{BuildFailure, BuildOutcome, Builder, PACKED, Steps};
use crate::commands::verify::{IdleMemory, MemoryProbe};
use crate::project::Pinned;
use crate::typecheck::{Job, TypeChecker};
use crate::{process, progress};

/// The number of parallel builds: Go's linker and the packer do not use every core.
const AT_ONCE: usize = 2;

/// The number of jobs per run of the type-checker; an interruption loses at most this many answers.
const CHECKED_AT_ONCE: usize = 12;

/// The sweep of one target.
pub(super) struct Sweep<'a> {
    pub(super) pinned: Pinned<'a>,
    /// The policy of the target.
    pub(super) policy: EffectivePolicy<'a>,
    pub(super) target: &'a str,
    pub(super) selection: Selection<'a>,
    pub(super) builder: &'a Builder,
    pub(super) state: &'a State,
    /// Measures the memory of daemons, if requested and possible.
    pub(super) memory_probe: Option<MemoryProbe>,
}

impl Sweep<'_> {
    /// Returns the policy's own binary. It is built unless a resumed run has it.
    ///
    /// # Errors
    /// A [`Diagnostic`] if it can't be built.
    pub(super) fn whole(&self, resume: bool) -> Result<Whole> {
        let known =
            self.state.whole().filter(|whole| resume && (whole.memory.is_some() || self.memory_probe.is_none()));
        if let Some(whole) = known {
            return Ok(whole);
        }
        let step = progress::step("Building", format!("{} as the policy has it", self.target));
        let recipe = self.recipe(&self.selection)?;
        let binary = self.build(&recipe, "whole")?.or_diagnostic(|failure| {
            let next =
                NextStep::new("Run ").command("build-tailscale").text(": it reports which decision is at fault.");
            let message = format!("`{}` can't be built", self.target);
            Diagnostic::failure(Code::NotMeasurable, message, failure.output(), next)
        })?;
        let memory = match self.memory(&recipe, "whole")? {
            Some(IdleMemory::NoLogin(why)) => {
                let next = NextStep::new("Run ").command("verify --check login").text(": it reports why.");
                let message = format!("`{}` can't log in", self.target);
                return Err(Diagnostic::failure(Code::NotMeasurable, message, why, next).into());
            }
            Some(IdleMemory::Measured(memory)) => Some(memory),
            None => None,
        };
        let whole = Whole::new(&binary, memory, self.packages(&recipe)?);
        self.state.keep_whole(&whole)?;
        step.done("Built", &format_size(whole.weight.packed));
        Ok(whole)
    }

    /// Measures features and saves each result.
    ///
    /// # Errors
    /// The first error that is not caused by a selection.
    pub(super) fn run(&self, features: &[FeatureName], whole: &Whole, resume: bool) -> Result<()> {
        let known = if resume { self.state.results() } else { BTreeMap::new() };
        let unseen = |cost: &Cost| matches!(cost, Cost::Measured { memory: None, without_memory: None, .. });
        let done = |cost: &Cost| self.memory_probe.is_none() || !unseen(cost);
        let open: Vec<&FeatureName> = features.iter().filter(|name| !known.get(*name).is_some_and(done)).collect();
        let open = self.type_check(&open)?;
        let queue = Mutex::new(open.iter());
        let bar = progress::bar("Measuring", open.len() as u64);
        let work = |worker: usize| -> Result<()> {
            loop {
                process::check_interrupt()?;
                let next = queue.lock().ok().and_then(|mut queue| queue.next());
                let Some(name) = next else { return Ok(()) };
                let cost = self.measure(name, whole, worker)?;
                self.state.keep(name, &cost)?;
                bar.one_more("Measured", &format!("{name}: {}", describe(&cost)));
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE)
                .map(|worker| {
                    let work = &work;
                    scope.spawn(move || work(worker))
                })
                .collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    /// Records the features that do not compile; returns those to build.
    fn type_check<'n>(&self, features: &[&'n FeatureName]) -> Result<Vec<&'n FeatureName>> {
        let checker = TypeChecker::new(&self.builder.go, &self.builder.upstream)?;
        let step = progress::step("Checking", format!("the types of each flip for {}", self.target));
        let mut compiling = Vec::new();
        for chunk in features.chunks(CHECKED_AT_ONCE) {
            let jobs: Result<Vec<Job>> = chunk.iter().map(|name| self.job(name)).collect();
            for (name, answer) in chunk.iter().zip(checker.check(&jobs?)?) {
                match answer.complaints.first() {
                    None => compiling.push(*name),
                    Some(said) => self.state.keep(name, &self.does_not_compile(name, said))?,
                }
            }
        }
        let failing = features.len() - compiling.len();
        step.done("Checked", &format!("{failing} of {} don't compile", features.len()));
        Ok(compiling)
    }

    fn job(&self, name: &FeatureName) -> Result<Job> {
        let recipe = self.recipe(&self.selection.flipped(name))?;
        let goarch = recipe.platform.goarch.to_owned();
        Ok(Job { id: name.to_string(), tags: recipe.tags.join(","), goos: "linux".to_owned(), goarch, folder: None })
    }

    fn recipe(&self, selection: &Selection<'_>) -> Result<Recipe> {
        let commit = self.builder.upstream.commit.as_deref();
        Recipe::new(self.policy, selection, commit).context("the target can't be planned")
    }

    fn build(&self, recipe: &Recipe, folder: &str) -> Result<BuildOutcome> {
        self.builder.build(recipe, &self.work(folder), Steps::Silent)
    }

    /// Measures the memory of the daemon in a folder, if requested and possible.
    fn memory(&self, recipe: &Recipe, folder: &str) -> Result<Option<IdleMemory>> {
        let daemon = self.work(folder).join(PACKED);
        self.memory_probe.as_ref().map(|memory_probe| memory_probe.idle(&daemon, recipe.platform)).transpose()
    }

    fn work(&self, folder: &str) -> PathBuf {
        self.state.folder.join(".work").join(folder)
    }

    fn measure(&self, name: &FeatureName, whole: &Whole, worker: usize) -> Result<Cost> {
        let recipe = self.recipe(&self.selection.flipped(name))?;
        let binary = match self.build(&recipe, &worker.to_string())? {
            BuildOutcome::Built(binary) => binary,
            BuildOutcome::Failed(BuildFailure::DoesNotCompile(output)) => {
                return Ok(self.does_not_compile(name, &first_error(&output)));
            }
            BuildOutcome::Failed(BuildFailure::DoesNotStart(failure)) => {
                return Ok(Cost::DoesNotStart { said: failure.why.into_owned() });
            }
        };
        let (memory, without_memory) = match self.memory(&recipe, &worker.to_string())? {
            Some(IdleMemory::Measured(memory)) => (Some(memory), None),
            Some(IdleMemory::NoLogin(why)) => (None, Some(why)),
            None => (None, None),
        };
        let flipped = Whole::new(&binary, memory, self.packages(&recipe)?);
        let (with, without) = if self.selection.kept.contains(name) { (whole, &flipped) } else { (&flipped, whole) };
        let less = |with: u64, without: u64| i64::try_from(with).unwrap_or(0) - i64::try_from(without).unwrap_or(0);
        Ok(Cost::Measured {
            along: self.selection.forced_by_inverting(name),
            raw: less(with.weight.raw, without.weight.raw),
            packed: less(with.weight.packed, without.weight.packed),
            memory: with.memory.zip(without.memory).map(|(with, without)| with.less(without)),
            without_memory,
            packages: &with.packages - &without.packages,
            modules: &with.modules - &without.modules,
        })
    }

    /// Lists the packages of a recipe's binary.
    fn packages(&self, recipe: &Recipe) -> Result<BTreeSet<String>> {
        let tags = format!("-tags={}", recipe.tags.join(","));
        let arguments = ["list", "-deps", &tags, PACKAGE];
        let command: Command = self.builder.upstream.go(&self.builder.go, &arguments, &recipe.environment());
        let listed = process::stdout(command, "Check the network: every module of the selection is needed.")?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    fn does_not_compile(&self, name: &FeatureName, said: &str) -> Cost {
        Cost::DoesNotCompile { said: said.to_owned(), hazard: self.hazard(name) }
    }

    /// Returns the hazard that explains why the inverted selection does not compile.
    fn hazard(&self, name: &FeatureName) -> Option<String> {
        let applying = rules::selection_hazards(self.policy, &self.selection.flipped(name), self.pinned.facts);
        let found = applying.iter().find(|one| one.hazard.record.effect == Effect::DoesNotCompile);
        found.map(|one| one.hazard.id.clone())
    }
}

/// Returns the first compiler error in the output of a failed build.
fn first_error(output: &str) -> String {
    output
        .lines()
        .find(|line| line.contains(".go:"))
        .or_else(|| output.lines().next())
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Describes a result.
fn describe(cost: &Cost) -> String {
    match cost {
        Cost::Measured { packed, .. } => format_difference(*packed),
        Cost::DoesNotCompile { .. } => "does not compile".to_owned(),
        Cost::DoesNotStart { .. } => "does not start".to_owned(),
    }
}
