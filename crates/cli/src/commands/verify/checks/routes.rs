//! Subnet router: its network is reachable through the tailnet, over IPv4 and IPv6.

use std::path::Path;

use anyhow::{Result, ensure};

use super::check::{Check, keep};
use crate::files;
use crate::netlab::host::{Host, PATIENCE, failure_output};
use crate::netlab::node::Node;
use crate::netlab::{Netlab, Programs, login_server, until_ready};
use crate::process::output_within;

pub(super) const CHECK: Check = Check {
    name: "routes",
    claim: "A peer reaches the router's network over TCP and ping, IPv4 and IPv6; warnings about IP forwarding follow the kernel's settings, which the image's entrypoint enables.",
    proves: &[keep("advertiseroutes")],
    fault: None,
    needs: &["cli", "health", "ipnbus", "osrouter", "unixsocketidentity"],
    anywhere: false,
    run,
};

const LAN: &str = "192.168.77.0/24,fd77::/64";
const BEHIND: [&str; 2] = ["192.168.77.2", "fd77::2"];

pub(in crate::commands::verify) fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut router = netlab.node("router")?;
    let behind = netlab.host("behind")?;
    router.host.connect(
        "eth1",
        &["192.168.77.1/24", "fd77::1/64"],
        &behind,
        "eth0",
        &["192.168.77.2/24", "fd77::2/64"],
    )?;
    let _echo = behind.serve("echo", &["echo", "[::]:7000"])?;

    let advertise = format!("--advertise-routes={LAN}");
    router.host.lab(&["forwarding", "0", "0"])?;
    let printed = router.join(&[&advertise])?;
    ensure!(printed.contains("IP forwarding is disabled"), "without forwarding `up` does not warn: {}", printed.trim());
    router.host.lab(&["forwarding", "1", "0"])?;
    let printed = up_again(&router, &advertise)?;
    ensure!(
        printed.contains("IPv6 forwarding is disabled"),
        "without v6 forwarding `up` does not warn: {}",
        printed.trim()
    );
    router.host.lab(&["forwarding", "0", "0"])?;
    entrypoint(&router.host)?;
    let printed = up_again(&router, &advertise)?;
    ensure!(!printed.contains("forwarding is disabled"), "with forwarding `up` still warns: {}", printed.trim());

    let mut client = netlab.partner("client")?;
    client.join(&["--accept-routes"])?;
    ensure!(echo_through(&client.host, BEHIND[0]).is_err(), "the network is reached before its routes are approved");
    netlab.control(&format!("/lab/routes?node=router&routes={LAN}"))?;
    for address in BEHIND {
        until_ready(PATIENCE, &format!("an answer of {address} through the router"), || {
            Ok(echo_through(&client.host, address).map_err(|error| format!("{error:#}")).into())
        })?;
        client.host.lab(&["ping", address])?;
    }
    router.alive()?;
    Ok(format!(
        "TCP and ping to {} through the router; warnings with forwarding 0/0 and 1/0, none with the 1/1 of the entrypoint",
        BEHIND.join(" and ")
    ))
}

/// Runs the image's entrypoint, which enables forwarding and executes the daemon; here the daemon only prints its version.
fn entrypoint(host: &Host) -> Result<()> {
    let script = host.folder.join("entrypoint.sh");
    files::write(&script, image::root::ENTRYPOINT_SCRIPT)?;
    let arguments = [&script.display().to_string(), "--version"];
    let ran = output_within(host.command(Path::new("/bin/sh"), &arguments), Some(PATIENCE))?;
    let turned = ran.stderr.matches("off, turned on").count();
    ensure!(ran.status.success() && turned == 2, "the entrypoint: {}", failure_output(&ran));
    Ok(())
}

fn up_again(router: &Node, advertise: &str) -> Result<String> {
    let login_server = format!("--login-server={}", login_server());
    let output = router.cli(&["up", &login_server, "--hostname=router", "--timeout=30s", advertise])?;
    ensure!(output.status.success(), "`tailscale up`: {}", output.stderr.trim());
    Ok(output.stdout + &output.stderr)
}

/// Sends data to an echo server over TCP.
fn echo_through(client: &Host, address: &str) -> Result<()> {
    let at = if address.contains(':') { format!("[{address}]:7000") } else { format!("{address}:7000") };
    client.lab(&["send", &at, "100000"]).map(drop)
}
