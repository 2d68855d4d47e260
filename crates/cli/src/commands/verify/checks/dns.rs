//! DNS: the daemon's resolver answers for names of the tailnet and forwards others.

use anyhow::{Context, Result, ensure};

use super::check::{Check, keep};
use crate::files;
use crate::netlab::host::PATIENCE;
use crate::netlab::{CONTROL, DOMAIN, Netlab, OUTSIDE, Programs, until};

/// The address of every node's resolver.
pub(in crate::commands::verify) const QUAD100: &str = "100.100.100.100";

pub(super) const CHECK: Check = Check {
    name: "dns",
    claim: "100.100.100.100 answers for the tailnet's names and forwards others, over UDP and TCP, and the daemon does not crash.",
    proves: &[keep("dns"), keep("netstack")],
    fault: None,
    needs: &["cli", "ipnbus", "osrouter", "unixsocketidentity"],
    anywhere: false,
    run,
};

pub(in crate::commands::verify) fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    node.join(&[])?;
    let resolv = node.host.folder.join("etc/resolv.conf");
    // Names are looked up only after the daemon has replaced the resolver, as a program would do.
    let pointed = until(PATIENCE, "/etc/resolv.conf to name 100.100.100.100", || {
        Ok(files::read(&resolv)?.contains(QUAD100).then_some(()))
    });
    let (v4, _) = node.addresses()?;
    let extra = format!("extra.{DOMAIN}");
    let own = format!("router.{DOMAIN}");
    let expected = [(own.as_str(), v4.as_str()), (&extra, "100.100.1.2"), OUTSIDE];
    for (name, address) in expected {
        for protocol in ["udp", "tcp"] {
            let answered = node.host.lab(&["resolve", QUAD100, protocol, name]);
            node.alive().with_context(|| format!("after the query for {name} over {protocol}"))?;
            let answered = answered.with_context(|| format!("{name} over {protocol}"))?;
            ensure!(answered.lines().any(|line| line == address), "{name} over {protocol} is {}", answered.trim());
        }
    }
    pointed?;
    node.stop()?;
    let left = files::read(&resolv)?;
    ensure!(left.contains(CONTROL), "after the daemon has stopped, /etc/resolv.conf contains: {}", left.trim());
    Ok(format!("{own}, {extra} and {} over UDP and TCP; resolv.conf replaced and restored", OUTSIDE.0))
}
