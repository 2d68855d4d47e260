//! Mutants: each check is run on a binary with a decision turned round that it claims to prove, or on a daemon that is
//! started so that what it looks for is broken, and must fail.
//!
//! Only a check that can fail shows something when it passes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::name::FeatureName;
use featureset::policy::Verdict;
use featureset::selection::Selection;

use super::checks::{Check, Claim, Fault};
use super::env::{Plan, TestEnv, enter};
use super::report::{Mutant, Outcome};
use crate::commands::build_tailscale::Unmade;
use crate::netlab::FaultInjection;
use crate::problem::Problem;
use crate::progress;
use crate::shard::Shard;
use diagnostics::Code;

/// What is wrong with a mutant.
enum Wrong {
    Decision(Claim),
    Start(Fault),
}

/// Builds and tries every mutant of these checks that falls into the shard; those that the policy does not claim have
/// none.
pub(super) fn run(env: &TestEnv<'_>, daemon: &Path, checks: &[&Check], shard: Shard) -> Result<Vec<Mutant>> {
    let claimed = checks.iter().filter(|check| check.unclaimed_by(env.pinned.policy).is_none());
    let all = claimed.flat_map(|check| {
        let decisions = check.proves.iter().map(|claim| Wrong::Decision(*claim));
        decisions.chain(check.fault.map(Wrong::Start)).map(move |wrong| (*check, wrong))
    });
    let tried = shard.select(all).map(|(check, wrong)| match wrong {
        Wrong::Decision(claim) => {
            let (binary, with, along) = built(env, check, claim)?;
            observed(env, check, &binary, FaultInjection::default(), (with, along))
        }
        Wrong::Start(broken) => observed(env, check, daemon, broken.fault(), (broken.with.to_owned(), Vec::new())),
    });
    tried.collect()
}

/// Builds the binary with one decision turned round; where it is, and its decisions in words.
fn built(env: &TestEnv<'_>, check: &Check, claim: Claim) -> Result<(PathBuf, String, Vec<String>)> {
    let name = FeatureName::new(claim.feature).context("a check names a feature")?;
    let selection = Selection::of(env.pinned.policy, env.pinned.registry);
    let along = selection.flipping(&name).iter().map(ToString::to_string).collect();
    let verdict = if claim.verdict == Verdict::Keep { Verdict::Omit } else { Verdict::Keep };
    let with = Claim { verdict, ..claim }.to_string();
    let what = format!("{}: {with}", check.name);
    let built = env.binary(&env.maker, env.pinned.policy, &selection.flipped(&name), &what)?;
    let binary = built.map_err(|unmade| {
        let (Unmade::DoesNotCompile(why) | Unmade::DoesNotStart(why)) = unmade;
        let next = "Check the selection: `hazards` tells which pairs don't compile.";
        Problem::new(Code::MutantNotBuilt, format!("the mutant `{with}` can't be built"), why, next)
    })?;
    Ok((binary, with, along))
}

/// Runs a check that must fail.
fn observed(
    env: &TestEnv<'_>,
    check: &Check,
    binary: &Path,
    fault: FaultInjection,
    (with, along): (String, Vec<String>),
) -> Result<Mutant> {
    let plan = Plan { fault, ..env.plan(binary, vec![check.name.to_owned()])? };
    let report = enter(&plan, |_| ())?.pop().context("the check gave no report")?;
    let caught = matches!(report.outcome, Outcome::Failed { .. });
    let seen = report.words().1.to_owned();
    let mutant = Mutant { check: report.check, with, along, caught, seen, seconds: report.seconds };
    let line = format!("{} with {} in {:.1} s: {}", mutant.check, mutant.words(), mutant.seconds, mutant.seen);
    if caught {
        progress::line("Caught", &line)
    } else {
        progress::warn(&format!("NOT CAUGHT by {line}"))
    }
    Ok(mutant)
}
