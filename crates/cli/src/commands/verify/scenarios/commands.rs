//! Scenarios whose symptom is the output of a `tailscale` command.

use anyhow::{Result, ensure};

use crate::netlab::host::failure_output;
use crate::netlab::node::Node;
use crate::netlab::{Netlab, Programs};

/// Runs a command that must exit with 0 and not report a missing feature.
fn run_command(node: &Node, arguments: &[&str]) -> Result<String> {
    let output = node.cli(arguments)?;
    let output_text = format!("`tailscale {}`: {}", arguments.join(" "), failure_output(&output));
    ensure!(output.status.success() && !output_text.contains("disabled in this build"), "{output_text}");
    Ok(output_text)
}

pub(super) fn auto_update(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    node.join(&[])?;
    run_command(&node, &["set", "--auto-update"])
}

pub(super) fn bug_report(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    node.join(&[])?;
    run_command(&node, &["bugreport"])
}

/// Connects to another node with `tailscale nc`.
pub(super) fn nc(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let (mut node, mut peer) = (netlab.node("router")?, netlab.partner("peer")?);
    node.join(&[])?;
    peer.join(&[])?;
    let _echo = peer.host.serve("echo", &["echo", "[::]:7000"])?;
    run_command(&node, &["nc", &peer.addresses()?.0, "7000"])
}
