//! Sessions of SSH to a node with `--ssh`.

use anyhow::{Result, ensure};

use crate::files;
use crate::netlab::node::SILENT;
use crate::netlab::{Netlab, Programs};

/// A policy that lets everybody log in as root.
const POLICY: &str =
    r#"{"rules": [{"principals": [{"any": true}], "sshUsers": {"root": "root"}, "action": {"accept": true}}]}"#;

/// The error of our client if port 22 accepts the connection and never answers.
pub(super) const UNANSWERED: &str = "i/o timeout";

/// Checks that a person can log in.
pub(super) fn with_users(programs: &Programs) -> Result<String> {
    session(programs, "root:x:0:0::/:/bin/sh\n")
}

/// As [`with_users`], on a device without users. A node without an SSH server passes: it begins no session.
pub(super) fn without_users(programs: &Programs) -> Result<String> {
    session(programs, "").or_else(|error| {
        ensure!(format!("{error:#}").contains(UNANSWERED), "{error:#}");
        Ok("it begins no session".to_owned())
    })
}

/// Runs a command on the node as root; `users` is its /etc/passwd.
fn session(programs: &Programs, users: &str) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let (mut node, mut peer) = (netlab.node("router")?, netlab.partner("peer")?);
    files::write(&node.host.folder.join("etc/passwd"), users)?;
    let policy = node.host.folder.join("policy.json");
    files::write(&policy, POLICY)?;
    let policy = policy.display().to_string();
    node.join_with(&[&SILENT[..], &[("TS_DEBUG_SSH_POLICY_FILE", policy.as_str())]].concat(), &[])?;
    node.tailscale(&["set", "--ssh"])?;
    peer.join(&[])?;
    let output = peer.host.lab(&["ssh", &node.addresses()?.0, "root", "echo works"])?;
    ensure!(output.trim() == "works", "the command printed: {}", output.trim());
    Ok("`ssh` runs a command".to_owned())
}
