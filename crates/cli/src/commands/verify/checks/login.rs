//! Interactive login: `tailscale up` prints the URL, waits, and exits after the login.

use anyhow::{Result, ensure};

use super::check::{Check, keep};
use crate::netlab::node::Node;
use crate::netlab::{Netlab, Programs};
use crate::tools::qemu::Runner;

pub(super) const CHECK: Check = Check {
    name: "login",
    claim: "`tailscale up` prints the login URL, waits, and exits with 0 once the user has logged in and the node is running.",
    proves: &[keep("cli"), keep("ipnbus"), keep("osrouter")],
    fault: None,
    needs: &["unixsocketidentity"],
    anywhere: true,
    run,
};

pub(in crate::commands::verify) fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    if programs.external.is_some() {
        node.join(&[])?;
        let addresses = on_interface(programs, &node)?;
        node.stop()?;
        return Ok(format!("logged in with the key, Running, tailscale0 has {addresses}"));
    }
    node.start()?;
    let state = node.backend_state()?;
    ensure!(state == "NeedsLogin" || state == "NoState", "a new node is in the state {state}");
    let mut login = node.begin_login(&[])?;
    ensure!(login.is_waiting(), "`tailscale up` did not wait for the login");
    ensure!(node.backend_state()? != "Running", "the node is running before the login");
    let printed = node.finish_login(login)?;
    ensure!(printed.contains("Success."), "`tailscale up` did not report success: {}", printed.trim());
    let addresses = on_interface(programs, &node)?;
    node.stop()?;
    Ok(format!("URL printed, waited, Success, Running, tailscale0 has {addresses}"))
}

/// Checks that the kernel's interface has the addresses, because the exit status alone proves nothing.
fn on_interface(programs: &Programs, node: &Node) -> Result<String> {
    let (v4, v6) = node.addresses()?;
    let interface = node.host.lab(&["address", "tailscale0"])?;
    // User-mode QEMU does not support netlink requests about routing rules; the daemon then disables IPv6 in the tunnel.
    let expected = if programs.runner == Runner::Native { vec![v4, v6] } else { vec![v4] };
    for address in &expected {
        let on_it = interface.lines().any(|line| line.split('/').next() == Some(address));
        ensure!(on_it, "tailscale0 does not have {address}, but: {}", interface.trim());
    }
    Ok(expected.join(" and "))
}
