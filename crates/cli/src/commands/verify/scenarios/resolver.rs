//! A router whose resolver serves the local network and takes its servers from /etc/resolv.conf.

use anyhow::{Context, Result};

use crate::netlab::host::PATIENCE;
use crate::netlab::{Netlab, OUTSIDE, Programs, until};

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
