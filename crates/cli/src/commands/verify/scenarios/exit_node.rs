//! An exit node that an earlier build selected, and a build that can't select one.

use anyhow::{Context, Result, ensure};

use crate::commands::verify::checks::dns::QUAD100;
use crate::commands::verify::checks::exit_node::address;
use crate::files;
use crate::netlab::host::PATIENCE;
use crate::netlab::{Netlab, OUTSIDE, Programs, until};

/// Checks that nothing leaves outside the saved exit node: no traffic to the internet or the local network and no DNS
/// query.
pub(super) fn saved(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let outside = format!("{}:7000", OUTSIDE.1);
    netlab.internet().lab(&["address", "lo", &format!("{}/32", OUTSIDE.1)])?;
    let _echo = netlab.internet().serve("echo", &["echo", "0.0.0.0:7000"])?;
    let (mut exit, mut client) = (netlab.partner("exit")?, netlab.partner("client")?);
    exit.host.lab(&["forwarding", "1", "1"])?;
    exit.join(&["--advertise-exit-node"])?;
    netlab.control("/lab/routes?node=exit&routes=0.0.0.0/0,::/0")?;
    client.join(&[])?;
    let own = address(&client.host)?;
    let (exit_address, _) = exit.addresses()?;
    until(PATIENCE, "the exit node to be offered", || {
        Ok(client.cli(&["set", &format!("--exit-node={exit_address}")])?.status.success().then_some(()))
    })?;
    client.stop()?;

    let mut client = client.with_programs(netlab.programs().clone())?;
    client.start()?;
    client.wait_until_running()?;
    until(PATIENCE, "traffic with the saved exit node", || {
        Ok(client.host.lab(&["send", &outside, "1000"]).is_ok().then_some(()))
    })?;

    // The echo server logs the address of each client.
    let is_direct = || Ok::<_, anyhow::Error>(files::read(&netlab.internet().log("echo"))?.contains(&own));
    ensure!(!is_direct()?, "outside the exit node: traffic to the internet, from {own}");
    let gateway = own.rsplit_once('.').context("the client's address")?.0.to_owned() + ".1:7000";
    let _ = client.host.lab(&["send", &gateway, "1000"]);
    let local = is_direct()?;
    let name = format!("saved.{}", OUTSIDE.0);
    let _ = client.host.lab(&["resolve", QUAD100, "udp", &name]);
    let asked = netlab.names_asked_for()?.contains(&(name, own.clone()));
    client.alive()?;
    let leaks = [(local, "traffic to the local network"), (asked, "a DNS query")];
    let leaks: Vec<&str> = leaks.into_iter().filter_map(|(leaks, what)| leaks.then_some(what)).collect();
    ensure!(leaks.is_empty(), "outside the exit node: {}", leaks.join(", "));
    Ok("nothing leaves outside the saved exit node".to_owned())
}
