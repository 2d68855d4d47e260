//! Phoning home: without being told to keep silent, the daemon asks for nothing but control, relay and peers.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::check::{Check, omit};
use crate::files;
use crate::netlab::{CONTROL, Netlab, Programs};
use crate::process::check_interrupt;

pub(super) const CHECK: Check = Check {
    name: "phone-home",
    claim: "With no variable that silences it, the daemon asks for no name and sends nothing but to control, the relay, peers and the router next to it, nor does it update itself when control says so.",
    proves: &[omit("clientupdate"), omit("logtail")],
    fault: None,
    needs: &["cli", "ipnbus", "osrouter", "unixsocketidentity"],
    anywhere: false,
    run,
};

/// How long is watched.
const SECONDS: u64 = 30;

/// The other end of the first node's line.
const ROUTER: &str = "10.90.1.1";

/// What every name leads to.
const SINK: &str = "10.90.66.66";

fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::with_names(programs, &[&format!("*={SINK}")])?;
    let mut node = netlab.node("router")?;
    let _watch = netlab.internet().serve("watch", &["watch", "router"])?;
    node.start_with(&[])?;
    let login = node.begin_login(&[])?;
    node.finish_login(login)?;
    // As if somebody had wished for updates, and control for one now. A daemon that can't has no word for either.
    let _ = node.cli(&["set", "--auto-update"])?;
    let _ = netlab.control("/lab/c2n?node=router&method=POST&path=/update");
    for _ in 0..SECONDS * 10 {
        check_interrupt()?;
        std::thread::sleep(Duration::from_millis(100));
    }
    node.alive()?;
    let names: Vec<String> = netlab.names_asked_for()?.into_iter().map(|(name, _)| name).collect();
    ensure!(names.is_empty(), "it asked for {}", names.join(", "));
    let watched = files::read(&netlab.internet().log("watch"))?;
    let sent: Vec<&str> = watched.lines().filter(|line| *line != "ready").collect();
    ensure!(sent.iter().any(|line| line.contains(CONTROL)), "nothing was seen at all: {}", sent.join(", "));
    let foreign: Vec<&str> = sent.iter().copied().filter(|line| !expected(line)).collect();
    ensure!(foreign.is_empty(), "it sent to {}", foreign.join(", "));
    Ok(format!("in {SECONDS} s no name asked for; {} destinations, none foreign", sent.len()))
}

/// Whether a destination, `PROTOCOL ADDRESS PORT`, is one that belongs to a node's work.
fn expected(line: &str) -> bool {
    let mut words = line.split(' ');
    let (protocol, address, port) = (words.next(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match protocol {
        // Control and relay. The resolver is there too; who asks it for what is seen by its own log.
        Some("tcp") => address == CONTROL,
        // And port mapping: NAT-PMP, PCP and UPnP of the router next to it.
        Some("udp") => {
            address == CONTROL
                || (address == ROUTER && ["1900", "5351"].contains(&port))
                || (address == "239.255.255.250" && port == "1900")
        }
        // The kernel's own: neighbours and multicast groups.
        _ => address.starts_with("ff02:") || address.starts_with("224.0.0."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_foreign() {
        for line in ["tcp 10.90.0.1 9911", "udp 10.90.0.1 3478", "udp 10.90.1.1 5351", "udp 239.255.255.250 1900"] {
            assert!(expected(line), "{line}");
        }
        assert!(expected("protocol-58 ff02::2 0"));
        for line in ["tcp 10.90.66.66 443", "udp 8.8.8.8 53", "tcp 10.90.1.1 443", "protocol-1 192.0.2.1 0"] {
            assert!(!expected(line), "{line}");
        }
    }
}
