//! Scenarios whose symptom appears when the daemon starts.

use anyhow::{Result, ensure};

use crate::files;
use crate::netlab::{Netlab, Programs};

/// Checks that the daemon starts with extra arguments.
fn started(programs: &Programs, arguments: &[&str]) -> Result<String> {
    let mut programs = programs.clone();
    programs.fault.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let netlab = Netlab::new(&programs)?;
    let mut node = netlab.node("router")?;
    node.start()?;
    node.stop()?;
    let with = if arguments.is_empty() { String::new() } else { format!(" with `{}`", arguments.join(" ")) };
    Ok(format!("it starts{with} and answers"))
}

/// Starts with a TUN device.
pub(super) fn at_all(programs: &Programs) -> Result<String> {
    started(programs, &[])
}

pub(super) fn in_userspace(programs: &Programs) -> Result<String> {
    started(programs, &["--tun=userspace-networking"])
}

pub(super) fn with_debug(programs: &Programs) -> Result<String> {
    started(programs, &["--debug=127.0.0.1:0"])
}

pub(super) fn with_syslog(programs: &Programs) -> Result<String> {
    started(programs, &["--syslog"])
}

/// Starts with systemd-resolved's resolv.conf and without D-Bus.
pub(super) fn with_resolved(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    let stub = "# This file is managed by man:systemd-resolved(8). Do not edit.\nnameserver 127.0.0.53\n";
    files::write(&node.host.folder.join("etc/resolv.conf"), stub)?;
    node.start()?;
    node.stop()?;
    Ok("it starts with systemd-resolved's file".to_owned())
}

/// Checks that the log has no verbose lines.
pub(super) fn quietly(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    node.join(&[])?;
    node.stop()?;
    let log = node.log_text()?;
    let loud: Vec<&str> = log.lines().filter(|line| line.contains("[v1]")).collect();
    ensure!(loud.is_empty(), "{} of {} lines are for debugging: {}", loud.len(), log.lines().count(), loud[0]);
    Ok(format!("none of {} lines is for debugging", log.lines().count()))
}
