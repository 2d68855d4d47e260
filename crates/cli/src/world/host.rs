//! A host: a process that keeps a network and a mount namespace, and commands that run in them.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{CONTROL, until};
use crate::process::{self, Output, Server};
use crate::{files, process::output_within};

/// How long a small step may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The user that is not root.
pub const NOBODY: &str = "65534";

/// Namespaces with a name. They are gone when it is dropped.
pub struct Host {
    /// Its name.
    pub name: String,
    /// Where its files are.
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
        serving(&mut holder, &log)?;
        Ok(Self { name: name.to_owned(), folder, lab: lab.to_owned(), nsenter: process::needed("nsenter")?, holder })
    }

    /// The log of one of its servers.
    #[must_use]
    pub fn log(&self, server: &str) -> PathBuf {
        self.folder.join(format!("{server}.log"))
    }

    /// A command in its namespaces, as root and in an empty environment.
    #[must_use]
    pub fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = self.entering(&[]);
        command.arg(program).args(arguments);
        command
    }

    /// As [`Host::command`], for a command that was made elsewhere, and as another user if one is given.
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
        // No program of the machine is found by what runs here: the device has none either.
        command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        command
    }

    /// Runs our own program in it, and gives what it prints.
    ///
    /// # Errors
    /// What it says where it fails.
    pub fn lab(&self, arguments: &[&str]) -> Result<String> {
        self.lab_within(arguments, PATIENCE)
    }

    /// As [`Host::lab`], for what takes longer.
    ///
    /// # Errors
    /// As [`Host::lab`].
    pub fn lab_within(&self, arguments: &[&str], patience: Duration) -> Result<String> {
        let output = output_within(self.command(&self.lab, arguments), Some(patience))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        bail!("{}: `{}`: {}", self.name, arguments.join(" "), complaint(&output))
    }

    /// Starts one of our servers in it, and waits until it serves. Its output is in [`Host::log`].
    ///
    /// # Errors
    /// What it says where it ends.
    pub fn serve(&self, name: &str, arguments: &[&str]) -> Result<Server> {
        let log = self.log(name);
        let mut server = process::start(self.command(&self.lab, arguments), &log)?;
        serving(&mut server, &log)?;
        Ok(server)
    }

    /// Connects it with another host: an interface here, one there, each with its addresses.
    ///
    /// # Errors
    /// Where a name is taken or an address is none.
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

/// Waits for the word of a server that it serves.
pub(super) fn serving(server: &mut Server, log: &Path) -> Result<()> {
    until(PATIENCE, "a server of the world", || {
        let said = files::read(log)?;
        if said.lines().any(|line| line == "ready") {
            return Ok(Some(()));
        }
        match server.ended() {
            Some(status) => bail!("a server of the world ended ({status}): {}", said.trim()),
            None => Ok(None),
        }
    })
}

/// What a program that failed has to say.
#[must_use]
pub fn complaint(output: &Output) -> String {
    let said = [output.stderr.trim(), output.stdout.trim()].join("\n");
    format!("{} ({})", said.trim(), ended(output.status))
}

/// How a program ended, in words.
#[must_use]
pub fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => "no status".to_owned(),
    }
}

/// The first line that has a word in it, of a text.
///
/// # Errors
/// The text, where no line has it.
pub fn line_with<'a>(text: &'a str, word: &str) -> Result<&'a str> {
    text.lines().find(|line| line.contains(word)).with_context(|| format!("no `{word}` in: {}", text.trim()))
}
