//! Port mapping: the router next to the node is asked for a port, and peers come in by it.

use anyhow::{Context, Result, ensure};

use super::check::{Check, keep};
use super::direct::{Nat, behind_nat, path};
use crate::files;
use crate::netlab::host::PATIENCE;
use crate::netlab::node::silent_except;
use crate::netlab::{Netlab, Programs, until, wait_for_result};

pub(super) const CHECK: Check = Check {
    name: "portmap",
    claim: "Behind a router that speaks NAT-PMP the node asks for a port, tells its peers, and is reached directly by it, where without it no direct path is.",
    proves: &[keep("portmapper")],
    fault: None,
    needs: &["cli", "ipnbus", "osrouter", "unixsocketidentity"],
    anywhere: false,
    run,
};

fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let (left, mut mapped) = behind_nat(&netlab, "left", "mapped", (1, Nat::Hard))?;
    let _natpmp = left.serve("natpmp", &["natpmp", "eth0"])?;
    let (_right, mut peer) = behind_nat(&netlab, "right", "peer", (2, Nat::Hard))?;

    mapped.join_with(&silent_except("TS_DISABLE_PORTMAPPER"), &[])?;
    let (outside, inside) = until(PATIENCE, "the node to ask its router for a port", || {
        let said = files::read(&left.log("natpmp"))?;
        let mapped = said.lines().filter_map(|line| line.strip_prefix("mapped "));
        let mut ends = mapped.filter_map(|line| line.split_once(' '));
        Ok(ends
            .next_back()
            .map(|(outside, rest)| (outside.to_owned(), rest.split(' ').next().unwrap_or("").to_owned())))
    })?;
    wait_for_result(PATIENCE, &format!("{outside} among what the node tells its peers"), || {
        let told = endpoints(&netlab, "mapped")?;
        Ok(if told.contains(&outside) { Ok(()) } else { Err(told.join(", ")) })
    })?;

    // From behind a second such router, whose own ports nobody can know.
    peer.join(&[])?;
    let found = path(&peer, &mapped)?;
    ensure!(found.contains(&format!("via {outside} ")), "{outside} is mapped, but the path is {found}");
    mapped.alive()?;
    Ok(format!("{outside} given for {inside} and told to control; a peer behind another such router is {found}"))
}

/// Where a node says that it can be reached.
fn endpoints(netlab: &Netlab, name: &str) -> Result<Vec<String>> {
    let nodes: Vec<serde_json::Value> = serde_json::from_str(&netlab.control("/lab/nodes")?)?;
    let node = nodes.iter().find(|node| node["Hostinfo"]["Hostname"] == name);
    let endpoints = node.with_context(|| format!("control knows no node {name}"))?["Endpoints"].as_array();
    Ok(endpoints.into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect())
}
