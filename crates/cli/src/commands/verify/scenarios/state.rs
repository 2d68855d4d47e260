//! Scenarios whose symptom depends on the state that another build has written.

use anyhow::{Context, Result, ensure};

use crate::commands::verify::checks::exit_node::{ThroughExitNode, through_exit_node};
use crate::files;
use crate::netlab::host::PATIENCE;
use crate::netlab::{Netlab, Programs, until};

/// Checks that no traffic leaves outside a saved exit node that is not offered any more.
pub(super) fn with_an_exit_node(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    // The build that saves the setting is the partner's daemon.
    let ThroughExitNode { exit: _exit, mut client, outside, own, through, _echo } = through_exit_node(&netlab)?;
    client.stop()?;
    netlab.control("/lab/routes?node=exit&routes=")?;
    let mut client = netlab.node_on(client.host)?;
    client.start()?;
    until(PATIENCE, "the state Running", || Ok((client.backend_state()? == "Running").then_some(())))?;
    let log = netlab.internet().log("echo");
    let before = files::read(&log)?.matches(&own).count();
    let sent = client.host.lab(&["send", &outside, "1000"]);
    let after = files::read(&log)?.matches(&own).count();
    client.alive().context("with a saved exit node")?;
    ensure!(after == before, "traffic leaves outside the exit node {through}, from {own}");
    ensure!(sent.is_err(), "the exit node is not offered, but {outside} was reached");
    Ok(format!("without the exit node {through}, nothing is sent from {own}"))
}
