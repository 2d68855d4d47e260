//! Stagings that are seen by what a daemon does with packets.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::netlab::{Netlab, Programs};
use crate::process::check_interrupt;

/// A peer's ping, which the daemon itself answers, does not end it.
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

/// How long is watched for a socket that is opened anew.
const WATCHED: Duration = Duration::from_secs(20);

/// Nothing makes the daemon take its socket for broken.
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
    ensure!(times == 0, "in {} s the socket was opened anew {times} times: {line}", WATCHED.as_secs());
    Ok(format!("the socket stays open for {} s", WATCHED.as_secs()))
}
