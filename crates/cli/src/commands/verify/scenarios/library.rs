//! A program that uses Tailscale as a library.

use anyhow::{Result, bail};

use crate::files;
use crate::netlab::host::{PATIENCE, ended};
use crate::netlab::{Netlab, Programs, login_server, until};
use crate::process;

/// Checks that `tsnet.Server.Up` returns after the login.
pub(super) fn up(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let host = netlab.host("library")?;
    netlab.connect_to_internet(&host)?;
    let (log, state) = (host.log("program"), host.folder.join("state").display().to_string());
    let mut command = host.command(&programs.tailscaled, &[&state, &login_server()]);
    command.env("TS_NO_LOGS_NO_SUPPORT", "1");
    let mut program = process::start(command, &log)?;
    let mut visited = false;
    until(2 * PATIENCE, "`tsnet.Server.Up`", || {
        let printed = files::read(&log)?;
        if let Some(status) = program.ended() {
            if status.success() {
                return Ok(Some(()));
            }
            bail!("the program ended ({}): {}", ended(status), printed.lines().last().unwrap_or_default());
        }
        if let (false, Some(url)) = (visited, printed.split_whitespace().find(|word| word.contains("/auth/"))) {
            host.lab(&["call", url])?;
            visited = true;
        }
        Ok(None)
    })?;
    Ok("`tsnet.Server.Up` returns after the login".to_owned())
}
