//! Memory: what the daemon takes at rest, and after use, as it ships and before it was packed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use featureset::policy::format_size;

use super::check::{Check, Fault};
use crate::netlab::memory::Memory;
use crate::netlab::{Netlab, Programs, wait_until_reachable};

pub(super) const CHECK: Check = Check {
    name: "memory",
    claim: "At rest the daemon takes no more than 12 MB beside its own code, often asked for its status 80 MB, after traffic 80 MB.",
    proves: &[],
    fault: Some(Fault { with: "GOGC=off", variables: &[("GOGC", "off")], arguments: &[] }),
    needs: &["cli", "ipnbus", "osrouter", "unixsocketidentity"],
    anywhere: true,
    run,
};

/// The most that may not be given back, beside the program's own code where that is packed.
const AT_REST: u64 = 12_000_000;
const ASKED: u64 = 80_000_000;
const AFTER_TRAFFIC: u64 = 80_000_000;

/// What is sent, and comes back.
const BYTES: &str = "50000000";

/// How often it is asked for its status: as often as what watches a router does in a day. Before the traffic, for that takes
/// its buffers from a pool, which the collector counts whole and therefore runs so seldom that its absence would not be seen.
const QUESTIONS: &str = "8000";

/// How long either may take.
const PATIENCE: Duration = Duration::from_secs(120);

fn run(programs: &Programs) -> Result<String> {
    let packed = one(programs)?;
    let Some(unpacked) = &programs.unpacked else { return Ok(packed) };
    let unpacked = one(&programs.with_daemon(unpacked))?;
    Ok(format!("{packed}; unpacked {unpacked}"))
}

/// Looks at one daemon.
fn one(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let (mut router, mut client) = (netlab.node("router")?, netlab.node("client")?);
    router.join(&[])?;
    client.join(&[])?;
    let rest = Memory::at_rest(&router)?;
    let own = code(programs)?;
    held("at rest", rest, own + AT_REST)?;
    router.host.lab_within(&["ask", &router.socket(), QUESTIONS], PATIENCE)?;
    let asked = Memory::at_rest(&router)?;
    held("often asked for its status", asked, own + ASKED)?;
    let _echo = router.host.serve("echo", &["echo", "[::]:7000"])?;
    let at = format!("{}:7000", router.addresses()?.0);
    wait_until_reachable(&client.host, &at)?;
    client.host.lab_within(&["send", &at, BYTES], PATIENCE)?;
    let after = Memory::at_rest(&router)?;
    router.alive()?;
    held("after traffic", after, own + AFTER_TRAFFIC)?;
    Ok(format!("at rest {rest}, asked {asked}, after traffic {after}"))
}

/// What a packed program's own code takes: all of it, for no file is behind it that the kernel could read again.
fn code(programs: &Programs) -> Result<u64> {
    let size = |path: &std::path::Path| std::fs::metadata(path).map(|data| data.len()).context("the daemon's size");
    programs.unpacked.as_ref().filter(|path| **path != programs.tailscaled).map_or(Ok(0), |path| size(path))
}

fn held(when: &str, memory: Memory, most: u64) -> Result<()> {
    let most_said = format_size(most);
    ensure!(memory.anonymous <= most, "{when} the daemon takes {memory}; no more than {most_said} were expected");
    Ok(())
}
