//! Mutation test of the checks: each check runs on a binary with one of its decisions inverted, or on a daemon with an
//! injected fault, and must fail. If a check can't fail, its success is not a proof.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use featureset::name::FeatureName;
use featureset::policy::Verdict;

use super::checks::{Check, Claim, Fault};
use super::env::{TestEnv, run_plan};
use super::report::{Mutant, Outcome};
use crate::commands::build_tailscale::BuildFailure;
use crate::netlab::FaultInjection;
use crate::progress;
use crate::shard::Shard;
use diagnostics::{Code, Diagnostic};

/// The difference between a mutant and the binary under test.
enum Mutation {
    Decision(Claim),
    Fault(Fault),
}

/// Builds and tests the shard's mutants. Checks that do not apply to the policy have none.
pub(super) fn run(env: &TestEnv<'_>, daemon: &Path, checks: &[&Check], shard: Shard) -> Result<Vec<Mutant>> {
    let policy = env.pinned.for_target(env.target)?;
    let claimed = checks.iter().filter(|check| check.unclaimed_by(policy).is_none());
    let all = claimed.flat_map(|check| {
        let decisions = check.proves.iter().map(|claim| Mutation::Decision(*claim));
        decisions.chain(check.fault.map(Mutation::Fault)).map(move |mutation| (*check, mutation))
    });
    let tried = shard.select(all).map(|(check, mutation)| match mutation {
        Mutation::Decision(claim) => {
            let (binary, with, along) = built(env, check, claim)?;
            observed(env, check, &binary, FaultInjection::default(), (with, along))
        }
        Mutation::Fault(broken) => {
            observed(env, check, daemon, broken.injection(), (broken.with.to_owned(), Vec::new()))
        }
    });
    tried.collect()
}

/// Builds the binary with one decision inverted. Returns its path, the decision, and the features that had to follow.
fn built(env: &TestEnv<'_>, check: &Check, claim: Claim) -> Result<(PathBuf, String, Vec<String>)> {
    let name = FeatureName::new(claim.feature).context("a check names a feature")?;
    let selection = env.pinned.selection(env.target)?;
    let along = selection.forced_by_inverting(&name).iter().map(ToString::to_string).collect();
    let verdict = if claim.verdict == Verdict::Keep { Verdict::Omit } else { Verdict::Keep };
    let with = Claim { verdict, ..claim }.to_string();
    let what = format!("{}: {with}", check.name);
    let outcome = env.binary(&env.builder, env.pinned.policy, &selection.flipped(&name), &what)?;
    Ok((outcome.or_diagnostic(|failure| not_built(&with, failure))?, with, along))
}

/// Runs a check, which must fail.
fn observed(
    env: &TestEnv<'_>,
    check: &Check,
    binary: &Path,
    fault: FaultInjection,
    (with, along): (String, Vec<String>),
) -> Result<Mutant> {
    let mut plan = env.plan(binary, vec![check.name.to_owned()])?;
    plan.fault.variables.extend(fault.variables);
    plan.fault.arguments.extend(fault.arguments);
    let report = run_plan(&plan, |_| ())?.pop().context("the check sent no report")?;
    let caught = matches!(report.outcome, Outcome::Failed { .. });
    let seen = report.summary().1.to_owned();
    let mutant = Mutant { check: report.check, with, along, caught, seen, seconds: report.seconds };
    let line = format!("{} with {} in {:.1} s: {}", mutant.check, mutant.decisions(), mutant.seconds, mutant.seen);
    if caught {
        progress::line("Caught", &line)
    } else {
        progress::warn(&format!("NOT CAUGHT by {line}"))
    }
    Ok(mutant)
}

/// Returns the diagnostic of a mutant that can't be built.
fn not_built(with: &str, failure: &BuildFailure) -> Diagnostic {
    let next = "Check the selection: docs/hazards.md lists the pairs that don't compile.";
    Diagnostic::failure(Code::MutantNotBuilt, format!("the mutant `{with}` can't be built"), failure.output(), next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::build_tailscale::BuildOutcome;

    #[test]
    fn mutant_that_does_not_compile_reports_mutant_not_built() {
        let outcome = BuildOutcome::<()>::Failed(BuildFailure::DoesNotCompile("local.go:1:1: undefined: x".to_owned()));
        let error = outcome.or_diagnostic(|failure| not_built("omit dns", failure)).unwrap_err();
        let failure = error.downcast::<Diagnostic>().unwrap();
        assert_eq!((failure.code, &*failure.why), (Code::MutantNotBuilt, "local.go:1:1: undefined: x"));
    }
}
