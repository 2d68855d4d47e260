//! Raw disco: disco packets are received on a raw socket although a firewall drops them, if the user enables it.

use anyhow::{Result, ensure};

use super::check::{Check, keep};
use super::direct::{Nat, behind_nat, path};
use crate::netlab::node::SILENT;
use crate::netlab::{Netlab, Programs};

pub(super) const CHECK: Check = Check {
    name: "raw-disco",
    claim: "With TS_ENABLE_RAW_DISCO a node whose firewall drops unsolicited packets is reached directly from behind a router that uses another port for every connection.",
    proves: &[keep("listenrawdisco")],
    fault: None,
    needs: &["cli", "ipnbus", "osrouter", "unixsocketidentity"],
    anywhere: false,
    run,
};

fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut guarded = netlab.node("guarded")?;
    guarded.host.lab(&["firewall", "eth0"])?;
    // The node can't punch a hole, because the peer's NAT sends from a different port than the one the node targets.
    let (_nat, mut peer) = behind_nat(&netlab, "nat", "peer", (1, Nat::Hard))?;
    guarded.join_with(&[&SILENT[..], &[("TS_ENABLE_RAW_DISCO", "true")]].concat(), &[])?;
    peer.join(&[])?;
    let found = path(&peer, &guarded)?;

    // The reply to the packet on the raw socket has opened the firewall for the traffic.
    let _echo = guarded.host.serve("echo", &["echo", "[::]:7000"])?;
    peer.host.lab(&["send", &format!("{}:7000", guarded.addresses()?.0), "1000000"])?;
    let status = peer.status()?;
    let peers = status["Peer"].as_object().into_iter().flatten();
    let direct = peers.filter_map(|(_, peer)| peer["CurAddr"].as_str()).find(|address| !address.is_empty());
    ensure!(direct.is_some(), "the traffic went through the relay");
    guarded.alive()?;
    Ok(format!("from behind a hard NAT to a node behind a firewall {found}, and 1 MB took that path"))
}
