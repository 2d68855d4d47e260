//! The command-line client, as root and as another user.

use anyhow::{Result, ensure};

use super::check::{Check, keep};
use crate::netlab::host::failure_output;
use crate::netlab::{Netlab, Programs};

pub(super) const CHECK: Check = Check {
    name: "cli",
    claim: "Root controls the daemon with `status`, `ip`, `set`, `down` and `up`; another user may only read the status.",
    proves: &[keep("unixsocketidentity")],
    fault: None,
    needs: &["cli", "ipnbus", "osrouter"],
    anywhere: true,
    run,
};

fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    node.join(&[])?;
    let (v4, v6) = node.addresses()?;
    let status = node.tailscale(&["status"])?;
    ensure!(status.contains(&v4) && status.contains("router"), "`tailscale status` lacks the node: {}", status.trim());
    let ip = node.tailscale(&["ip"])?;
    ensure!(ip.split_whitespace().eq([v4.as_str(), v6.as_str()]), "`tailscale ip` prints {}", ip.trim());

    let looked = node.cli_as_nobody(&["status"])?;
    ensure!(looked.status.success(), "another user can't read the status: {}", failure_output(&looked));
    for arguments in [&["down"][..], &["set", "--accept-routes=true"]] {
        let tried = node.cli_as_nobody(arguments)?;
        let denied = !tried.status.success() && tried.stderr.contains("denied");
        ensure!(denied, "another user can run `tailscale {}`: {}", arguments.join(" "), failure_output(&tried));
    }

    node.tailscale(&["set", "--accept-routes=true", "--operator=nobody"])?;
    let operated = node.cli_as_nobody(&["set", "--accept-routes=false"])?;
    ensure!(operated.status.success(), "the operator can't change a setting: {}", failure_output(&operated));

    node.tailscale(&["down"])?;
    let state = node.backend_state()?;
    ensure!(state == "Stopped", "after `tailscale down` the state is {state}");
    let login_server = format!("--login-server={}", programs.login_server());
    node.tailscale(&["up", &login_server, "--hostname=router", "--operator=nobody", "--timeout=30s"])?;
    node.wait_until_running()?;
    node.stop()?;
    Ok("root: status, ip, set, down, up; another user: status, and denied the rest until made operator".to_owned())
}
