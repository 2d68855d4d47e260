//! Exit node: a client's traffic and DNS queries leave through it.

use anyhow::{Context, Result, ensure};

use super::check::{Check, keep};
use super::dns::QUAD100;
use crate::files;
use crate::netlab::host::PATIENCE;
use crate::netlab::{Netlab, OUTSIDE, Programs, until};

pub(super) const CHECK: Check = Check {
    name: "exit-node",
    claim: "The traffic and the DNS queries of a client with this exit node leave through it.",
    proves: &[keep("dns"), keep("peerapiserver"), keep("useexitnode")],
    fault: None,
    needs: &["advertiseroutes", "cli", "ipnbus", "netstack", "osrouter", "peerapiclient", "unixsocketidentity"],
    anywhere: false,
    run,
};

pub(in crate::commands::verify) fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let outside = format!("{}:7000", OUTSIDE.1);
    netlab.internet().lab(&["address", "lo", &format!("{}/32", OUTSIDE.1)])?;
    let _echo = netlab.internet().serve("echo", &["echo", &outside])?;
    let (mut exit, mut client) = (netlab.node("exit")?, netlab.partner("client")?);
    exit.host.lab(&["forwarding", "1", "1"])?;
    exit.join(&["--advertise-exit-node"])?;
    netlab.control("/lab/routes?node=exit&routes=0.0.0.0/0,::/0")?;
    client.join(&[])?;
    let (own, through) = (address(&client.host)?, address(&exit.host)?);

    // The echo server logs the client's address.
    client.host.lab(&["send", &outside, "1000"])?;
    let came = files::read(&netlab.internet().log("echo"))?;
    ensure!(came.contains(&own), "without an exit node {OUTSIDE:?} is reached from: {}", came.trim());

    let (v4, _) = exit.addresses()?;
    until(PATIENCE, "the exit node to be offered", || {
        Ok(client.status()?["Peer"]
            .as_object()
            .is_some_and(|peers| peers.values().any(|peer| peer["ExitNodeOption"] == true))
            .then_some(()))
    })?;
    client.tailscale(&["set", &format!("--exit-node={v4}")])?;
    until(PATIENCE, "traffic through the exit node", || {
        let sent = client.host.lab(&["send", &outside, "100000"]).is_ok();
        Ok((sent && files::read(&netlab.internet().log("echo"))?.contains(&through)).then_some(()))
    })?;

    let name = format!("through.{}", OUTSIDE.0);
    let _ = client.host.lab(&["resolve", QUAD100, "udp", &name]);
    let answered = client.host.lab(&["resolve", QUAD100, "udp", OUTSIDE.0]).context("a name through the exit node")?;
    ensure!(answered.trim() == OUTSIDE.1, "{} through the exit node is {}", OUTSIDE.0, answered.trim());
    let asked = netlab.names_asked_for()?;
    let by: Vec<&str> = asked.iter().filter(|(asked, _)| *asked == name).map(|(_, by)| by.as_str()).collect();
    ensure!(by == [through.as_str()], "the resolver was queried by {by:?}, not by the exit node {through}");
    client.alive()?;
    exit.alive()?;
    Ok(format!("TCP and a DNS query arrive from {through}, the exit node, and not from {own}"))
}

/// Returns the address of a host on the internet.
pub(in crate::commands::verify) fn address(host: &crate::netlab::host::Host) -> Result<String> {
    let addresses = host.lab(&["address", "eth0"])?;
    let first = addresses.lines().find_map(|line| line.split_once('/')).context("eth0 has no address")?;
    Ok(first.0.to_owned())
}
