//! Phoning home: by default the daemon contacts only the control server, the relay and peers.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::check::{Check, omit};
use crate::files;
use crate::netlab::{CONTROL, Netlab, Programs};
use crate::process::check_interrupt;

pub(super) const CHECK: Check = Check {
    name: "phone-home",
    claim: "Without variables that silence it, the daemon looks up no name and sends only to the control server, the relay, peers and its router, and does not update itself on request of the control server.",
    proves: &[omit("clientupdate"), omit("logtail")],
    fault: None,
    needs: &["cli", "ipnbus", "osrouter", "unixsocketidentity"],
    anywhere: false,
    run,
};

/// The duration of the observation.
const SECONDS: u64 = 30;

/// The router of the first node.
const ROUTER: &str = "10.90.1.1";

/// The address of every name.
const SINK: &str = "10.90.66.66";

fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::with_names(programs, &[&format!("*={SINK}")])?;
    let mut node = netlab.node("router")?;
    let _watch = netlab.internet().serve("watch", &["watch", "router"])?;
    node.start_with(&[])?;
    let login = node.begin_login(&[])?;
    node.finish_login(login)?;
    // Enables updates and requests one through the control server. A daemon without updates rejects both.
    let _ = node.cli(&["set", "--auto-update"])?;
    let _ = netlab.control("/lab/c2n?node=router&method=POST&path=/update");
    for _ in 0..SECONDS * 10 {
        check_interrupt()?;
        std::thread::sleep(Duration::from_millis(100));
    }
    node.alive()?;
    let names: Vec<String> = netlab.names_asked_for()?.into_iter().map(|(name, _)| name).collect();
    ensure!(names.is_empty(), "it looked up {}", names.join(", "));
    let watched = files::read(&netlab.internet().log("watch"))?;
    let sent: Vec<&str> = watched.lines().filter(|line| *line != "ready").collect();
    ensure!(sent.iter().any(|line| line.contains(CONTROL)), "no traffic was observed: {}", sent.join(", "));
    let unexpected: Vec<&str> = sent.iter().copied().filter(|line| !expected(line)).collect();
    ensure!(unexpected.is_empty(), "it sent to {}", unexpected.join(", "));
    Ok(format!("no name looked up in {SECONDS} s; {} destinations, none unexpected", sent.len()))
}

/// Whether a destination, `PROTOCOL ADDRESS PORT`, is expected of a node.
fn expected(line: &str) -> bool {
    let mut words = line.split(' ');
    let (protocol, address, port) = (words.next(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match protocol {
        // The control server and the relay. The resolver has the same address, but its log lists the lookups.
        Some("tcp") => address == CONTROL,
        // Also port mapping: NAT-PMP, PCP and UPnP of the node's router.
        Some("udp") => {
            address == CONTROL
                || (address == ROUTER && ["1900", "5351"].contains(&port))
                || (address == "239.255.255.250" && port == "1900")
        }
        // Sent by the kernel: neighbour discovery and multicast groups.
        _ => address.starts_with("ff02:") || address.starts_with("224.0.0."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_destinations_are_expected() {
        for line in ["tcp 10.90.0.1 9911", "udp 10.90.0.1 3478", "udp 10.90.1.1 5351", "udp 239.255.255.250 1900"] {
            assert!(expected(line), "{line}");
        }
        assert!(expected("protocol-58 ff02::2 0"));
        for line in ["tcp 10.90.66.66 443", "udp 8.8.8.8 53", "tcp 10.90.1.1 443", "protocol-1 192.0.2.1 0"] {
            assert!(!expected(line), "{line}");
        }
    }
}
