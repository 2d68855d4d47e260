//! Port mapping: the node requests a port from its router, and peers reach it there.

use anyhow::{Context, Result, ensure};

use super::check::{Check, keep};
use super::direct::{Nat, behind_nat, path};
use crate::files;
use crate::netlab::host::PATIENCE;
use crate::netlab::node::silent_except;
use crate::netlab::{Netlab, Programs, until, until_ready};

pub(super) const CHECK: Check = Check {
    name: "portmap",
    claim: "Behind a router with NAT-PMP the node maps a port, announces it to its peers, and is reached directly there; without the mapping every path goes through a relay.",
    proves: &[keep("portmapper")],
    fault: None,
    needs: &["cli", "ipnbus", "osrouter", "unixsocketidentity"],
    anywhere: false,
    run,
};

pub(in crate::commands::verify) fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let (left, mut mapped) = behind_nat(&netlab, "left", "mapped", (1, Nat::Hard))?;
    let _natpmp = left.serve("natpmp", &["natpmp", "eth0"])?;
    let (_right, mut peer) = behind_nat(&netlab, "right", "peer", (2, Nat::Hard))?;

    mapped.join_with(&silent_except("TS_DISABLE_PORTMAPPER"), &[])?;
    let (outside, inside) = until(PATIENCE, "the node's request for a port mapping", || {
        let log = files::read(&left.log("natpmp"))?;
        let mapped = log.lines().filter_map(|line| line.strip_prefix("mapped "));
        let mut ends = mapped.filter_map(|line| line.split_once(' '));
        Ok(ends
            .next_back()
            .map(|(outside, rest)| (outside.to_owned(), rest.split(' ').next().unwrap_or("").to_owned())))
    })?;
    until_ready(PATIENCE, &format!("{outside} in the node's endpoints"), || {
        let announced = endpoints(&netlab, "mapped")?;
        let is_announced = announced.contains(&outside);
        Ok(is_announced.then_some(()).ok_or_else(|| announced.join(", ")).into())
    })?;

    // The peer is on the network of a second such router, which has unpredictable ports.
    peer.join(&[])?;
    let found = path(&peer, &mapped)?;
    ensure!(found.contains(&format!("via {outside} ")), "{outside} is mapped, but the path is {found}");
    mapped.alive()?;
    Ok(format!("{outside} mapped to {inside} and announced; a peer behind another such router is {found}"))
}

/// Returns the endpoints that a node has announced.
fn endpoints(netlab: &Netlab, name: &str) -> Result<Vec<String>> {
    let nodes: Vec<serde_json::Value> = serde_json::from_str(&netlab.control("/lab/nodes")?)?;
    let node = nodes.iter().find(|node| node["Hostinfo"]["Hostname"] == name);
    let endpoints = node.with_context(|| format!("control knows no node {name}"))?["Endpoints"].as_array();
    Ok(endpoints.into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect())
}
