//! Mutants: each check is run on a binary with a decision turned round that it claims to prove, or on a daemon that is
//! started so that what it looks for is broken, and must fail.
//!
//! Only a check that can fail shows something when it passes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::name::FeatureName;
use featureset::policy::Verdict;
use featureset::selection::Selection;

use super::checks::{Broken, Check, Claim};
use super::report::{Mutant, Outcome};
use super::stage::{Plan, Stage, enter};
use crate::commands::build_tailscale::Unmade;
use crate::progress;
use crate::world::Sabotage;
use diagnostics::{Code, Diagnostic};

/// What is wrong with a mutant.
enum Wrong {
    Decision(Claim),
    Start(Broken),
}

/// Builds and tries every mutant of these checks that falls into the shard; those that the policy does not claim have
/// none.
pub(super) fn run(
    stage: &Stage<'_>,
    daemon: &Path,
    checks: &[&Check],
    (part, of): (usize, usize),
) -> Result<Vec<Mutant>> {
    let claimed = checks.iter().filter(|check| check.unclaimed_by(stage.pinned.policy).is_none());
    let all = claimed.flat_map(|check| {
        let decisions = check.proves.iter().map(|claim| Wrong::Decision(*claim));
        decisions.chain(check.sabotage.map(Wrong::Start)).map(move |wrong| (*check, wrong))
    });
    let tried = all.skip(part - 1).step_by(of).map(|(check, wrong)| match wrong {
        Wrong::Decision(claim) => {
            let (binary, with, along) = built(stage, check, claim)?;
            observed(stage, check, &binary, Sabotage::default(), (with, along))
        }
        Wrong::Start(broken) => observed(stage, check, daemon, broken.sabotage(), (broken.with.to_owned(), Vec::new())),
    });
    tried.collect()
}

/// Builds the binary with one decision turned round; where it is, and its decisions in words.
fn built(stage: &Stage<'_>, check: &Check, claim: Claim) -> Result<(PathBuf, String, Vec<String>)> {
    let name = FeatureName::new(claim.feature).context("a check names a feature")?;
    let selection = Selection::of(stage.pinned.policy, stage.pinned.registry);
    let along = selection.flipping(&name).iter().map(ToString::to_string).collect();
    let verdict = if claim.verdict == Verdict::Keep { Verdict::Omit } else { Verdict::Keep };
    let with = Claim { verdict, ..claim }.to_string();
    let what = format!("{}: {with}", check.name);
    let built = stage.binary(&stage.maker, stage.pinned.policy, &selection.flipped(&name), &what)?;
    let binary = built.map_err(|unmade| {
        let (Unmade::DoesNotCompile(why) | Unmade::DoesNotStart(why)) = unmade;
        let next = "Check the selection: `hazards` tells which pairs don't compile.";
        Diagnostic::failure(Code::MutantNotBuilt, format!("the mutant `{with}` can't be built"), why, next)
    })?;
    Ok((binary, with, along))
}

/// Runs a check that must fail.
fn observed(
    stage: &Stage<'_>,
    check: &Check,
    binary: &Path,
    sabotage: Sabotage,
    (with, along): (String, Vec<String>),
) -> Result<Mutant> {
    let plan = Plan { sabotage, ..stage.plan(binary, vec![check.name.to_owned()])? };
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
