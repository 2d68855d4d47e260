//! Load: bursts of traffic through the tunnel; reports the memory of the daemon before and after.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::check::{Check, Fault};
use crate::netlab::memory::Memory;
use crate::netlab::senders::{BYTES, CONNECTIONS};
use crate::netlab::{Netlab, Programs, wait_until_reachable};
use crate::process::check_interrupt;

pub(super) const CHECK: Check = Check {
    name: "load",
    claim: "Bursts through the tunnel arrive unchanged, and no daemon crashes.",
    proves: &[],
    fault: Some(Fault { with: "no TUN device", variables: &[], arguments: &["--tun=userspace-networking"] }),
    needs: &["cli", "ipnbus", "osrouter", "unixsocketidentity"],
    anywhere: true,
    run,
};

/// The minimum number of bursts.
const BURSTS: usize = 3;

fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let (mut router, mut client) = (netlab.node("router")?, netlab.node("client")?);
    router.join(&[])?;
    client.join(&[])?;
    let _echo = router.host.serve("echo", &["echo", "[::]:7000"])?;
    let at = format!("{}:7000", router.addresses()?.0);
    wait_until_reachable(&client.host, &at)?;
    let idle = Memory::current(&router)?;
    let (mut taken, begun) = (Vec::new(), Instant::now());
    while taken.len() < BURSTS || begun.elapsed() < programs.soak {
        check_interrupt()?;
        let burst = taken.len();
        let (size, host) = (BYTES.to_string(), &client.host);
        let sent: Vec<Result<String>> = std::thread::scope(|scope| {
            let send = || host.lab_within(&["send", &at, &size], Duration::from_secs(120));
            let senders: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(send)).collect();
            senders.into_iter().filter_map(|sender| sender.join().ok()).collect()
        });
        router.alive()?;
        client.alive()?;
        ensure!(sent.len() == CONNECTIONS, "a sender was lost");
        for one in sent {
            one.with_context(|| format!("burst {burst}"))?;
        }
        taken.push(Memory::current(&router)?);
    }
    for node in [&router, &client] {
        let log = node.log_text()?;
        let panic = log.lines().find(|line| line.contains("panic: "));
        ensure!(panic.is_none(), "{} logged {}", node.host.name, panic.unwrap_or_default());
    }
    let (first, last) = (taken.first().context("no burst")?, taken.last().context("no burst")?);
    let total = 2 * taken.len() as u64 * CONNECTIONS as u64 * BYTES;
    Ok(format!(
        "{} through the tunnel; memory idle {idle}, after the first burst {first}, after the last {last}",
        size(total)
    ))
}

fn size(bytes: u64) -> String {
    featureset::policy::format_size(bytes)
}
