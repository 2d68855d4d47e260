//! Scenarios whose symptom is the daemon's handling of packets.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::netlab::{Netlab, Programs};
use crate::process::check_interrupt;

/// Checks that a peer's TSMP ping does not crash the daemon.
pub(super) fn pinged_by_tsmp(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let (mut node, mut peer) = (netlab.node("router")?, netlab.partner("peer")?);
    node.join(&[])?;
    peer.join(&[])?;
    let (v4, _) = node.addresses()?;
    let pong = peer.cli(&["ping", "--tsmp", "--c=3", "--timeout=5s", &v4])?;
    node.alive().context("after a peer's `tailscale ping --tsmp`")?;
    ensure!(pong.stdout.contains("pong"), "no answer to `tailscale ping --tsmp`: {}", pong.stdout.trim());
    Ok("it answers a peer's `tailscale ping --tsmp`".to_owned())
}

/// The duration of the observation.
const WATCHED: Duration = Duration::from_secs(20);

/// Checks that the daemon does not reopen its socket.
pub(super) fn without_rebinding(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    node.join(&[])?;
    let begun = Instant::now();
    while begun.elapsed() < WATCHED {
        check_interrupt()?;
        std::thread::sleep(Duration::from_millis(200));
    }
    node.alive()?;
    let log = node.log_text()?;
    let times = log.lines().filter(|line| line.contains("Rebinding.")).count();
    let line = log.lines().find(|line| line.contains("Rebinding.")).unwrap_or_default();
    ensure!(times == 0, "in {} s the socket was reopened {times} times: {line}", WATCHED.as_secs());
    Ok(format!("the socket stays open for {} s", WATCHED.as_secs()))
}
