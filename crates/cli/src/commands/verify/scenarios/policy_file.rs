//! The administrator's policy file.

use anyhow::{Result, ensure};

use crate::files;
use crate::netlab::{Netlab, Programs, wait_until_reachable};

/// Checks that the node accepts no connection if the policy file forbids them.
pub(super) fn obeyed(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let (mut node, mut peer) = (netlab.node("router")?, netlab.partner("peer")?);
    let file = node.host.folder.join("etc/tailscale/syspolicy.json");
    files::write(&file, "{\"AllowIncomingConnections\": \"never\"}\n")?;
    node.join(&[])?;
    peer.join(&[])?;
    let _echoes = (node.host.serve("echo", &["echo", "[::]:7000"])?, peer.host.serve("echo", &["echo", "[::]:7000"])?);
    // The path exists: connections in the other direction are allowed.
    wait_until_reachable(&node.host, &format!("{}:7000", peer.addresses()?.0))?;
    let connected = peer.host.lab(&["send", &format!("{}:7000", node.addresses()?.0), "1000"]).is_ok();
    ensure!(!connected, "a peer has connected to the node, which the policy file forbids");
    node.alive()?;
    Ok("a peer can't connect to the node, as the policy file demands".to_owned())
}
