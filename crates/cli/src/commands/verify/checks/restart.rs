//! Power cuts: the daemon is killed at random times, and is the same node afterwards.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::check::{Check, Fault};
use crate::files;
use crate::netlab::host::PATIENCE;
use crate::netlab::node::Node;
use crate::netlab::{Netlab, Programs, until};

pub(super) const CHECK: Check = Check {
    name: "restart",
    claim: "After being killed at any time the daemon is the same node without a login, and its state file is never corrupt.",
    proves: &[],
    fault: Some(Fault { with: "the state in memory", variables: &[], arguments: &["--state=mem:"] }),
    needs: &["cli", "ipnbus", "osrouter", "unixsocketidentity"],
    anywhere: true,
    run,
};

/// The number of power cuts.
const CUTS: u64 = 6;

fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    node.join(&[])?;
    let before = identity(&node)?;
    let mut moments = Vec::new();
    for cut in 0..CUTS {
        // Between the first write and long after the last one.
        let moment = RandomState::new().hash_one(cut) % 1500;
        moments.push(moment.to_string());
        std::thread::sleep(Duration::from_millis(moment));
        // Starts a write to the file.
        let _ = node.cli(&["set", if cut % 2 == 0 { "--accept-routes=true" } else { "--accept-routes=false" }]);
        node.kill();
        whole(&node).with_context(|| format!("cut {cut}, after {moment} ms"))?;
        node.start()?;
        until(PATIENCE, "the state Running after a cut", || Ok((node.backend_state()? == "Running").then_some(())))?;
        let after = identity(&node)?;
        ensure!(after == before, "after cut {cut} the node is {after:?}, and was {before:?}");
    }
    node.stop()?;
    Ok(format!("{CUTS} cuts {} ms after the start: always the node {}", moments.join(", "), before.0))
}

/// Returns the node's ID in the tailnet and its key.
fn identity(node: &Node) -> Result<(String, String)> {
    let status = node.status()?;
    let text = |name: &str| status["Self"][name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
    Ok((text("ID")?, text("PublicKey")?))
}

/// Fails if the state file is corrupt.
fn whole(node: &Node) -> Result<()> {
    let text = files::read(&node.state().join("tailscaled.state"))?;
    let state: serde_json::Value = serde_json::from_str(&text).context("the state file is corrupt")?;
    ensure!(state.get("_machinekey").is_some(), "the state file has no machine key");
    Ok(())
}
