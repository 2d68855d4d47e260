//! A host: a process that holds a network and a mount namespace, and commands that run in them.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::address::CONTROL;
use super::poll::until;
use crate::process::{self, Output, Server};
use crate::{files, process::output_within};

/// The time limit of a small step on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The user id of `nobody`.
pub const NOBODY: &str = "65534";

/// Named namespaces. Dropping the host removes them.
pub struct Host {
    /// Its name.
    pub name: String,
    /// The folder of its files.
    pub folder: PathBuf,
    lab: PathBuf,
    nsenter: PathBuf,
    holder: Server,
}

impl Host {
    pub(super) fn new(lab: &Path, root: &Path, name: &str) -> Result<Self> {
        let folder = root.join(name);
        let etc = folder.join("etc");
        files::write(&etc.join("passwd"), "root:x:0:0::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n")?;
        files::write(&etc.join("group"), "root:x:0:\nnogroup:x:65534:\n")?;
        files::write(&etc.join("hosts"), "127.0.0.1 localhost\n")?;
        files::write(&etc.join("resolv.conf"), &format!("nameserver {CONTROL}\n"))?;
        let mut command = Command::new(process::needed("unshare")?);
        command.args(["--net", "--mount", "--propagation", "private"]).arg(lab).arg("hold");
        command.arg(format!("{}=/etc", etc.display()));
        let log = folder.join("hold.log");
        let mut holder = process::start(command, &log)?;
        wait_until_ready(&mut holder, &log)?;
        Ok(Self { name: name.to_owned(), folder, lab: lab.to_owned(), nsenter: process::needed("nsenter")?, holder })
    }

    /// Returns the log file of a server on this host.
    #[must_use]
    pub fn log(&self, server: &str) -> PathBuf {
        self.folder.join(format!("{server}.log"))
    }

    /// Builds a command that runs in its namespaces, as root and with an empty environment.
    #[must_use]
    pub fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = self.entering(&[]);
        command.arg(program).args(arguments);
        command
    }

    /// As [`Host::command`], for an existing command, and as another user if `user` is set.
    #[must_use]
    pub fn inside(&self, inner: &Command, user: Option<&str>) -> Command {
        let user: Vec<&str> = user.map(|id| vec!["--setuid", id, "--setgid", id]).unwrap_or_default();
        let mut command = self.entering(&user);
        command.arg(inner.get_program()).args(inner.get_args());
        command
    }

    fn entering(&self, options: &[&str]) -> Command {
        let mut command = Command::new(&self.nsenter);
        command.args(["--net", "--mount", "--target", &self.holder.id().to_string()]).args(options).arg("--");
        // Only the machine's standard folders are searched for programs.
        command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        command
    }

    /// Builds a command of our helper program that runs on this host.
    #[must_use]
    pub fn lab_command(&self, arguments: &[&str]) -> Command {
        self.command(&self.lab, arguments)
    }

    /// Runs our helper program on this host and returns its stdout.
    ///
    /// # Errors
    /// Its output, if it fails.
    pub fn lab(&self, arguments: &[&str]) -> Result<String> {
        self.lab_within(arguments, PATIENCE)
    }

    /// As [`Host::lab`], with another time limit.
    ///
    /// # Errors
    /// As [`Host::lab`].
    pub fn lab_within(&self, arguments: &[&str], patience: Duration) -> Result<String> {
        let output = output_within(self.lab_command(arguments), Some(patience))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        bail!("{}: `{}`: {}", self.name, arguments.join(" "), failure_output(&output))
    }

    /// Starts a server of our helper program on this host and waits until it is ready. Its output goes to [`Host::log`].
    ///
    /// # Errors
    /// Its output, if it ends.
    pub fn serve(&self, name: &str, arguments: &[&str]) -> Result<Server> {
        let log = self.log(name);
        let mut server = process::start(self.lab_command(arguments), &log)?;
        wait_until_ready(&mut server, &log)?;
        Ok(server)
    }

    /// Connects it with another host by a pair of interfaces, each with its addresses.
    ///
    /// # Errors
    /// If a name is taken or an address is invalid.
    pub fn connect(
        &self,
        name: &str,
        addresses: &[&str],
        other: &Self,
        other_name: &str,
        other_addresses: &[&str],
    ) -> Result<()> {
        self.lab(&["link", name, &other.holder.id().to_string(), other_name])?;
        self.lab(&[&["address", name], addresses].concat())?;
        other.lab(&[&["address", other_name], other_addresses].concat()).map(drop)
    }
}

/// Waits until an echo server answers. Without a relay, the first packets wait for a direct path.
///
/// # Errors
/// As [`until`].
pub fn wait_until_reachable(from: &Host, at: &str) -> Result<()> {
    until(PATIENCE, "the first bytes through the tunnel", || Ok(from.lab(&["send", at, "1000"]).ok().map(drop)))
}

/// Waits until a server logs `ready`.
pub(super) fn wait_until_ready(server: &mut Server, log: &Path) -> Result<()> {
    until(PATIENCE, "a server of the test network", || {
        let log = files::read(log)?;
        if log.lines().any(|line| line == "ready") {
            return Ok(Some(()));
        }
        match server.ended() {
            Some(status) => bail!("a server of the test network ended ({status}): {}", log.trim()),
            None => Ok(None),
        }
    })
}

/// Returns the output of a failed program and how it ended.
#[must_use]
pub fn failure_output(output: &Output) -> String {
    let printed = [output.stderr.trim(), output.stdout.trim()].join("\n");
    format!("{} ({})", printed.trim(), ended(output.status))
}

/// Describes an exit status.
#[must_use]
pub fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => "no status".to_owned(),
    }
}

/// Returns the first line that contains a word.
///
/// # Errors
/// The text, if no line contains it.
pub fn line_with<'a>(text: &'a str, word: &str) -> Result<&'a str> {
    text.lines().find(|line| line.contains(word)).with_context(|| format!("no `{word}` in: {}", text.trim()))
}
