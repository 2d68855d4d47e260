//! Resolvers: one of a router that serves the local network, and one that knows the control server.

use anyhow::{Context, Result, ensure};

use crate::files;
use crate::netlab::host::PATIENCE;
use crate::netlab::node::Node;
use crate::netlab::{Netlab, OUTSIDE, Programs, login_server, until};

/// The name of the control server, and its two addresses. The daemon does not store private ones.
const NAMED: (&str, [&str; 2]) = ("control.example", ["192.0.2.8", "192.0.2.9"]);

/// The address of the resolver that knows this name.
const RESOLVER: &str = "10.90.0.4";

/// Checks that a device of the local network still resolves names after the router has joined a tailnet whose resolver it is.
pub(super) fn of_the_network(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut router = netlab.node("router")?;
    let device = netlab.host("device")?;
    router.host.connect("eth1", &["192.168.77.1/24"], &device, "eth0", &["192.168.77.2/24"])?;
    let _resolver = router.host.serve("resolver", &["forward-dns", "0.0.0.0"])?;
    let asked = || device.lab(&["resolve", "192.168.77.1", "udp", OUTSIDE.0]);
    asked().context("before the router has joined the tailnet")?;
    router.join(&[])?;
    let (own, _) = router.addresses()?;
    asked().context("after the router has joined the tailnet")?;
    netlab.control(&format!("/lab/resolver?address={own}"))?;
    // A change of the capabilities sends a new map.
    netlab.control("/lab/capabilities?node=router&names=https://tailscale.com/cap/test")?;
    until(PATIENCE, "the map with the router as the tailnet's resolver", || {
        Ok(router.status()?["Self"]["CapMap"].as_object().is_some_and(|caps| !caps.is_empty()).then_some(()))
    })?;
    asked().context("after the tailnet has made the router its resolver")?;
    router.alive()?;
    Ok("the devices of the network resolve names".to_owned())
}

/// Checks that the daemon writes no addresses of the control server, whose name has other addresses after a while.
///
/// The name has a certificate, because the daemon writes only the addresses of servers that have one.
pub(super) fn of_the_control_server(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let internet = netlab.internet();
    let (name, [address, other]) = NAMED;
    let own = [address, other, RESOLVER].map(|address| format!("{address}/32"));
    internet.lab(&["address", "lo", &own[0], &own[1], &own[2]])?;
    let authority = internet.folder.join("authority.pem");
    let server = login_server();
    let server = server.strip_prefix("http://").context("the address of the control server")?;
    let _https = internet.serve("https", &["https", name, server, &authority.display().to_string()])?;
    let mut node = netlab.node("router")?;
    let etc = node.host.folder.join("etc");
    files::write(&etc.join("ssl/certs/ca-certificates.crt"), &files::read(&authority)?)?;
    files::write(&etc.join("resolv.conf"), &format!("nameserver {RESOLVER}\n"))?;
    let resolves_to = |address: &str| internet.serve("names", &["dns", RESOLVER, &format!("{name}={address}")]);

    let names = resolves_to(address)?;
    // The daemon shows no URL of plain HTTP if the server has HTTPS.
    netlab.control(&format!("/lab/url?url=https://{name}"))?;
    node.join(&[&format!("--login-server=https://{name}")])?;
    let first = stored_addresses(&node)?;
    node.stop()?;
    drop(names);
    let _names = resolves_to(other)?;
    node.start()?;
    node.wait_until_running()?;
    let second = stored_addresses(&node)?;
    ensure!(first.is_empty() && second.is_empty(), "stored: {}; with another address: {}", first.trim(), second.trim());
    Ok(format!("nothing is stored after two logins at {name}"))
}

/// Returns the names and contents of the files in the daemon's cache of addresses.
fn stored_addresses(node: &Node) -> Result<String> {
    let Ok(folder) = std::fs::read_dir(node.state().join("dns-cache")) else { return Ok(String::new()) };
    let mut stored = String::new();
    for file in folder {
        let file = file?;
        stored += &format!("{} {} ", file.file_name().display(), files::read(&file.path())?);
    }
    Ok(stored)
}
