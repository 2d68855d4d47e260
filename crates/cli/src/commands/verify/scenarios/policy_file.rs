//! The policy file of an administrator.

use anyhow::{Result, ensure};

use crate::files;
use crate::netlab::host::wait_until_reachable;
use crate::netlab::{Netlab, Programs};

/// Checks that a file that forbids incoming connections is enforced.
pub(super) fn without_incoming_connections(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let (mut node, mut peer) = (netlab.node("router")?, netlab.partner("peer")?);
    files::write(&node.host.folder.join("etc/tailscale/syspolicy.json"), r#"{"AllowIncomingConnections": "never"}"#)?;
    node.join(&[])?;
    peer.join(&[])?;
    let _echo = node.host.serve("echo", &["echo", "[::]:7000"])?;
    let _answer = peer.host.serve("echo", &["echo", "[::]:7000"])?;
    wait_until_reachable(&node.host, &format!("{}:7000", peer.addresses()?.0))?;
    let reached = peer.host.lab(&["send", &format!("{}:7000", node.addresses()?.0), "1000"]);
    ensure!(reached.is_err(), "a peer connects although the policy file forbids it");
    Ok("no peer connects, as the policy file demands".to_owned())
}
