//! The process inside the world: runs the checks one after another, each in fresh namespaces, and says what it saw.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use featureset::platform::Platform;

use super::Plan;
use super::checks::{self, Check};
use super::report::{Event, Outcome, Report};
use crate::commands;
use crate::outln;
use crate::problem::Interrupted;
use crate::tools::qemu::runner;
use crate::world::{self, Programs, entrance};

/// Runs a plan. Events go to stdout, a JSON object a line.
///
/// # Errors
/// Where the world can't be made. A check that fails is no error, and of an interruption the process outside tells.
pub fn run(plan: &str) -> Result<commands::Outcome> {
    match run_checks(plan) {
        Err(error) if error.is::<Interrupted>() => Ok(commands::Outcome::Findings),
        ended => ended.map(|()| commands::Outcome::Clean),
    }
}

fn run_checks(plan: &str) -> Result<()> {
    let plan: Plan = serde_json::from_str(plan).context("reading the plan")?;
    let platform = Platform::find(&plan.platform).context("the plan's platform")?;
    let mut programs = entrance::prepare(&plan.lab, &plan.daemon, runner(platform), plan.sabotage, plan.elsewhere)?;
    programs.soak = Duration::from_secs(plan.soak_minutes * 60);
    for name in &plan.checks {
        let check = checks::find(name).with_context(|| format!("there is no check `{name}`"))?;
        say(&Event::Begins { check: name.clone() })?;
        say(&Event::Ended(observed(check, &programs)?))?;
    }
    Ok(())
}

fn say(event: &Event) -> Result<()> {
    outln!("{}", serde_json::to_string(event)?);
    Ok(())
}

fn observed(check: &Check, programs: &Programs) -> Result<Report> {
    let begun = Instant::now();
    let (outcome, logs) = match (check.run)(programs) {
        Ok(observed) => (Outcome::Passed { observed }, Vec::new()),
        Err(error) if error.is::<Interrupted>() => return Err(error),
        Err(error) => (Outcome::Failed { why: format!("{error:#}") }, world::logs()?),
    };
    Ok(Report { check: check.name.to_owned(), outcome, seconds: begun.elapsed().as_secs_f64(), logs })
}
