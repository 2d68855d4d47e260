//! Direct paths: two nodes communicate without the relay, on one network and through NAT.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::check::{Check, Fault};
use crate::netlab::host::Host;
use crate::netlab::node::Node;
use crate::netlab::{Netlab, Programs};

pub(super) const CHECK: Check = Check {
    name: "direct",
    claim: "Two nodes find a direct path within seconds, also if both are behind NAT.",
    proves: &[],
    fault: Some(Fault {
        with: "TS_DEBUG_ALWAYS_USE_DERP",
        variables: &[("TS_DEBUG_ALWAYS_USE_DERP", "true")],
        arguments: &[],
    }),
    needs: &["cli", "ipnbus", "osrouter", "unixsocketidentity"],
    anywhere: true,
    run,
};

/// The kind of NAT of a router.
#[derive(Debug, Clone, Copy)]
pub(super) enum Nat {
    /// Endpoint-independent mapping: one external port for all peers, so a peer can use an announced port.
    Easy,
    /// Endpoint-dependent mapping: another external port for every connection, so an announced port is useless to a peer.
    Hard,
}

/// The time limit for a direct path.
const SECONDS: f64 = 20.0;

pub(in crate::commands::verify) fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let (mut one, mut two) = (netlab.node("one")?, netlab.node("two")?);
    one.join(&[])?;
    two.join(&[])?;
    let open = path(&one, &two)?;
    drop((one, two));
    if programs.external.is_some() {
        return Ok(format!("{open}; not tested behind NAT, because STUN requests can't leave the test network"));
    }

    let (left, mut three) = behind_nat(&netlab, "left", "three", (1, Nat::Easy))?;
    let (right, mut four) = behind_nat(&netlab, "right", "four", (2, Nat::Easy))?;
    three.join(&[])?;
    four.join(&[])?;
    let translated = path(&three, &four)?;
    drop((left, right));
    Ok(format!("{open}; behind two NATs {translated}"))
}

/// Creates a node on its own network, which a router with NAT connects.
pub(super) fn behind_nat(
    netlab: &Netlab,
    router: &str,
    name: &str,
    (network, nat_kind): (u8, Nat),
) -> Result<(Host, Node)> {
    let (nat, host) = (netlab.host(router)?, netlab.host(name)?);
    netlab.connect_to_internet(&nat)?;
    nat.lab(&["forwarding", "1", "1"])?;
    nat.lab(match nat_kind {
        Nat::Easy => &["masquerade", "eth0"],
        Nat::Hard => &["masquerade", "eth0", "hard"],
    })?;
    let address = |last: u8| format!("172.30.{network}.{last}");
    nat.connect("inner", &[&format!("{}/24", address(1))], &host, "eth0", &[&format!("{}/24", address(2))])?;
    host.lab(&["route", "0.0.0.0/0", &address(1)])?;
    Ok((nat, netlab.node_on(host)?))
}

/// Waits for the direct path between two nodes.
pub(super) fn path(one: &Node, two: &Node) -> Result<String> {
    let (v4, _) = two.addresses()?;
    let begun = Instant::now();
    let found = one.wait_for_direct_path(&v4)?;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(seconds <= SECONDS, "the direct path took {seconds:.1} s");
    let via = found.split_whitespace().skip_while(|word| *word != "via").nth(1).unwrap_or_default();
    Ok(format!("direct via {via} in {seconds:.1} s"))
}
