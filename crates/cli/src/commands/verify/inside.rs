//! The process inside the namespaces: runs each check in a new test network and reports events.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use featureset::platform::Platform;

use super::checks;
use super::env::Plan;
use super::report::{Event, Outcome, Report};
use super::scenarios::SCENARIOS;
use crate::files;
use crate::interrupted::Interrupted;
use crate::netlab::memory::Memory;
use crate::netlab::{self, Netlab, Programs, sandbox};
use crate::outcome;
use crate::output;
use crate::tools::qemu::runner;

/// Runs a plan. Events go to stdout, one JSON object per line.
///
/// # Errors
/// If the sandbox can't be set up. A failed check is not an error, and the process outside reports an interruption.
pub fn run(plan: &str) -> Result<outcome::Outcome> {
    match run_checks(plan) {
        Err(error) if error.is::<Interrupted>() => Ok(outcome::Outcome::Findings),
        ended => ended.map(|()| outcome::Outcome::Clean),
    }
}

fn run_checks(plan: &str) -> Result<()> {
    let plan: Plan = serde_json::from_str(plan).context("reading the plan")?;
    let platform = Platform::find(&plan.platform).context("the plan's platform")?;
    // Binaries are read before the machine's folders are hidden.
    let read = |path: &Option<PathBuf>| path.as_deref().map(files::read_bytes).transpose();
    let (partner, unpacked) = (read(&plan.partner)?, read(&plan.unpacked)?);
    let mut programs = sandbox::prepare(&plan.lab, &plan.daemon, runner(platform), plan.fault, plan.external)?;
    let install = |name: &str, bytes: Option<Vec<u8>>| {
        bytes.map(|bytes| Ok::<_, anyhow::Error>(sandbox::install_daemon(name, &bytes)?.0)).transpose()
    };
    (programs.partner, programs.unpacked) = (install("partner", partner)?, install("unpacked", unpacked)?);
    programs.soak = Duration::from_secs(plan.soak_minutes * 60);
    for name in &plan.checks {
        let check = checks::find(name).with_context(|| format!("unknown check `{name}`"))?;
        output::event(&Event::Begins { check: name.clone() })?;
        output::event(&Event::Ended(observed(name, check.run, &programs)?))?;
    }
    for name in &plan.scenarios {
        let scenario = SCENARIOS.iter().find(|scenario| scenario.hazard == name);
        let run = scenario.with_context(|| format!("`{name}` has no scenario"))?.run;
        output::event(&Event::Ended(observed(name, run, &programs)?))?;
    }
    for _ in 0..plan.starts {
        output::event(&match idle_memory(&programs) {
            Ok(memory) => Event::Rested { anonymous: Some(memory.anonymous), why: String::new() },
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => Event::Rested { anonymous: None, why: format!("{error:#}") },
        })?;
    }
    Ok(())
}

fn observed(name: &str, run: fn(&Programs) -> Result<String>, programs: &Programs) -> Result<Report> {
    let begun = Instant::now();
    let (outcome, logs) = match run(programs) {
        Ok(observed) => (Outcome::Passed { observed }, Vec::new()),
        Err(error) if error.is::<Interrupted>() => return Err(error),
        Err(error) => (Outcome::Failed { why: format!("{error:#}") }, netlab::logs()?),
    };
    Ok(Report { check: name.to_owned(), outcome, seconds: begun.elapsed().as_secs_f64(), logs })
}

/// Measures the memory use of an idle daemon after its login.
fn idle_memory(programs: &Programs) -> Result<Memory> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("idle")?;
    node.join(&[])?;
    let memory = Memory::at_rest(&node)?;
    node.alive()?;
    Ok(memory)
}
