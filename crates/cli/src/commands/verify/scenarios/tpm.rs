//! A device with a TPM, made of software.

use anyhow::Result;

use crate::netlab::node::Node;
use crate::netlab::{Netlab, Programs};
use crate::process::{self, Server};

/// The program that is the TPM.
pub(super) const SWTPM: &str = "swtpm";

/// Starts a TPM that has never been used.
fn new_tpm(node: &Node, name: &str) -> Result<Server> {
    let swtpm = process::needed(SWTPM)?.display().to_string();
    node.host.serve(name, &["tpm", &swtpm, &node.host.folder.join(name).display().to_string()])
}

/// Checks that the node is still logged in after its TPM was replaced.
pub(super) fn replaced(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    let first = new_tpm(&node, "first-tpm")?;
    node.join(&[])?;
    node.stop()?;
    drop(first);
    let _second = new_tpm(&node, "second-tpm")?;
    node.start()?;
    node.wait_until_running()?;
    Ok("the node is still logged in with another TPM".to_owned())
}

/// Checks that the node is still logged in if another build sealed its state.
pub(super) fn sealed_by_another_build(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut sealing = programs.partner.as_ref().map_or_else(|| programs.clone(), |other| programs.with_daemon(other));
    sealing.fault.arguments.push("--encrypt-state".to_owned());
    let mut node = netlab.node_with("router", sealing)?;
    let _tpm = new_tpm(&node, "tpm")?;
    node.join(&[])?;
    node.stop()?;
    let mut node = node.with_programs(programs.clone())?;
    node.start()?;
    node.wait_until_running()?;
    Ok("the node reads the sealed state".to_owned())
}
