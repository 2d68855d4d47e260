//! The process inside the world: runs the checks one after another, each in fresh namespaces, and says what it saw.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use featureset::platform::Platform;

use super::checks;
use super::report::{Event, Outcome, Report};
use super::stage::Plan;
use super::stagings::STAGINGS;
use crate::commands;
use crate::files;
use crate::interrupted::Interrupted;
use crate::output;
use crate::tools::qemu::runner;
use crate::world::memory::Memory;
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
    // Read before the machine's folders are hidden.
    let read = |path: &Option<PathBuf>| path.as_deref().map(files::read_bytes).transpose();
    let (partner, unpacked) = (read(&plan.partner)?, read(&plan.unpacked)?);
    let mut programs = entrance::prepare(&plan.lab, &plan.daemon, runner(platform), plan.sabotage, plan.elsewhere)?;
    let place = |name: &str, bytes: Option<Vec<u8>>| {
        bytes.map(|bytes| Ok::<_, anyhow::Error>(entrance::place_daemon(name, &bytes)?.0)).transpose()
    };
    (programs.partner, programs.unpacked) = (place("partner", partner)?, place("unpacked", unpacked)?);
    programs.soak = Duration::from_secs(plan.soak_minutes * 60);
    for name in &plan.checks {
        let check = checks::find(name).with_context(|| format!("there is no check `{name}`"))?;
        say(&Event::Begins { check: name.clone() })?;
        say(&Event::Ended(observed(name, check.run, &programs)?))?;
    }
    for name in &plan.stagings {
        let staging = STAGINGS.iter().find(|staging| staging.hazard == name);
        let run = staging.with_context(|| format!("`{name}` is not staged"))?.run;
        say(&Event::Ended(observed(name, run, &programs)?))?;
    }
    for _ in 0..plan.starts {
        say(&match Memory::idle(&programs) {
            Ok(memory) => Event::Rested { anonymous: Some(memory.anonymous), why: String::new() },
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => Event::Rested { anonymous: None, why: format!("{error:#}") },
        })?;
    }
    Ok(())
}

fn say(event: &Event) -> Result<()> {
    Ok(output::event(&serde_json::to_string(event)?)?)
}

fn observed(name: &str, run: fn(&Programs) -> Result<String>, programs: &Programs) -> Result<Report> {
    let begun = Instant::now();
    let (outcome, logs) = match run(programs) {
        Ok(observed) => (Outcome::Passed { observed }, Vec::new()),
        Err(error) if error.is::<Interrupted>() => return Err(error),
        Err(error) => (Outcome::Failed { why: format!("{error:#}") }, world::logs()?),
    };
    Ok(Report { check: name.to_owned(), outcome, seconds: begun.elapsed().as_secs_f64(), logs })
}
