//! Memory use of the daemon, idle and after use, packed and unpacked.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use featureset::policy::format_size;

use super::check::{Check, Fault};
use crate::netlab::memory::Memory;
use crate::netlab::{Netlab, Programs, wait_until_reachable};

pub(super) const CHECK: Check = Check {
    name: "memory",
    claim: "The idle daemon uses at most 12 MB in addition to its code, and at most 80 MB after many status requests or traffic.",
    proves: &[],
    fault: Some(Fault { with: "GOGC=off", variables: &[("GOGC", "off")], arguments: &[] }),
    needs: &["cli", "ipnbus", "osrouter", "unixsocketidentity"],
    anywhere: true,
    run,
};

/// The limits of anonymous memory, in addition to the code of a packed program.
const AT_REST: u64 = 12_000_000;
const ASKED: u64 = 80_000_000;
const AFTER_TRAFFIC: u64 = 80_000_000;

/// Bytes sent and echoed.
const BYTES: &str = "50000000";

/// The number of status requests: as many as a router's monitoring makes in a day. They come before the traffic. Traffic takes
/// its buffers from a pool that the garbage collector counts as a whole, so it would run too rarely to notice its absence.
const QUESTIONS: &str = "8000";

/// The time limit of the requests and of the traffic.
const PATIENCE: Duration = Duration::from_secs(120);

fn run(programs: &Programs) -> Result<String> {
    let packed = measure(programs)?;
    let Some(unpacked) = &programs.unpacked else { return Ok(packed) };
    let unpacked = measure(&programs.with_daemon(unpacked))?;
    Ok(format!("{packed}; unpacked {unpacked}"))
}

/// Measures one daemon.
fn measure(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let (mut router, mut client) = (netlab.node("router")?, netlab.node("client")?);
    router.join(&[])?;
    client.join(&[])?;
    let rest = Memory::at_rest(&router)?;
    let own = code(programs)?;
    check_limit("idle", rest, own + AT_REST)?;
    router.host.lab_within(&["ask", &router.socket(), QUESTIONS], PATIENCE)?;
    let asked = Memory::at_rest(&router)?;
    check_limit("after status requests", asked, own + ASKED)?;
    let _echo = router.host.serve("echo", &["echo", "[::]:7000"])?;
    let at = format!("{}:7000", router.addresses()?.0);
    wait_until_reachable(&client.host, &at)?;
    client.host.lab_within(&["send", &at, BYTES], PATIENCE)?;
    let after = Memory::at_rest(&router)?;
    router.alive()?;
    check_limit("after traffic", after, own + AFTER_TRAFFIC)?;
    Ok(format!("idle {rest}, after status requests {asked}, after traffic {after}"))
}

/// Returns the size of a packed program's code, which is anonymous memory: the kernel can't read it from a file again.
fn code(programs: &Programs) -> Result<u64> {
    let size = |path: &std::path::Path| std::fs::metadata(path).map(|data| data.len()).context("the daemon's size");
    programs.unpacked.as_ref().filter(|path| **path != programs.tailscaled).map_or(Ok(0), |path| size(path))
}

fn check_limit(when: &str, memory: Memory, most: u64) -> Result<()> {
    let limit = format_size(most);
    ensure!(memory.anonymous <= most, "{when}, the daemon uses {memory}; the limit is {limit}");
    Ok(())
}
