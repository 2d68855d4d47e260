//! Firewalls: a device with a program iptables, whose kernel has only nftables.

use anyhow::{Result, ensure};

use crate::files;
use crate::netlab::node::{Node, SILENT};
use crate::netlab::{Netlab, Programs};

/// Returns the PATH of a daemon that finds our program iptables.
fn path_with_iptables(node: &Node, programs: &Programs) -> Result<String> {
    let folder = node.host.folder.join("bin");
    files::make_folder(&folder)?;
    // If one of the two is missing, the daemon takes both for missing.
    for name in ["iptables", "ip6tables"] {
        files::link(&programs.lab.display().to_string(), &folder.join(name))?;
    }
    Ok(folder.display().to_string())
}

/// Checks that the daemon starts if it must use iptables.
pub(super) fn forced(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    let path = path_with_iptables(&node, programs)?;
    let variables = [("PATH", path.as_str()), ("TS_DEBUG_FIREWALL_MODE", "iptables")];
    node.start_with(&[&SILENT[..], &variables].concat())?;
    node.stop()?;
    Ok("it starts with TS_DEBUG_FIREWALL_MODE=iptables".to_owned())
}

/// Checks that the daemon does not set its rules with a program whose tables the kernel does not have.
pub(super) fn nftables_only(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    let path = path_with_iptables(&node, programs)?;
    node.join_with(&[&SILENT[..], &[("PATH", path.as_str())]].concat(), &[])?;
    node.stop()?;
    let log = node.log_text()?;
    let failed = log.lines().find(|line| line.contains("Table does not exist"));
    ensure!(failed.is_none(), "{}", failed.unwrap_or_default());
    Ok("it sets its rules with nftables although it finds iptables".to_owned())
}
