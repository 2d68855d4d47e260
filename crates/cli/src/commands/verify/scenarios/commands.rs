//! Stagings that are seen by what a command of the command line says.

use anyhow::{Result, ensure};

use crate::netlab::host::failure_output;
use crate::netlab::node::Node;
use crate::netlab::{Netlab, Programs};

/// Runs a command that must end well and say nothing of a part that is missing.
fn obeyed(node: &Node, arguments: &[&str]) -> Result<String> {
    let output = node.cli(arguments)?;
    let shown = format!("`tailscale {}`: {}", arguments.join(" "), failure_output(&output));
    ensure!(output.status.success() && !shown.contains("disabled in this build"), "{shown}");
    Ok(shown)
}

pub(super) fn auto_update(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    node.join(&[])?;
    obeyed(&node, &["set", "--auto-update"])
}

pub(super) fn bug_report(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    node.join(&[])?;
    obeyed(&node, &["bugreport"])
}

/// A connection to another node by `tailscale nc`.
pub(super) fn nc(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let (mut node, mut peer) = (netlab.node("router")?, netlab.partner("peer")?);
    node.join(&[])?;
    peer.join(&[])?;
    let _echo = peer.host.serve("echo", &["echo", "[::]:7000"])?;
    obeyed(&node, &["nc", &peer.addresses()?.0, "7000"])
}
