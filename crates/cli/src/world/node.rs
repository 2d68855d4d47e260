//! A node: a host with a daemon, and its command line.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::elsewhere::{Elsewhere, KEY_INSIDE};
use super::host::{Host, NOBODY, PATIENCE, complaint, ended};
use super::{Programs, World, until, until_told};
use crate::files;
use crate::process::{self, Output, Server, output_within};
use crate::tools::qemu::Runner;

/// Makes the daemon panic when it asks upstream's own control server.
const NOT_UPSTREAM: &str = "TS_PANIC_IF_HIT_MAIN_CONTROL";

/// What keeps the daemon from asking for the world outside, in every check but the one that looks for that.
pub const SILENT: [(&str, &str); 3] =
    [(NOT_UPSTREAM, "1"), ("TS_DISABLE_PORTMAPPER", "1"), ("TS_NO_LOGS_NO_SUPPORT", "1")];

/// The same but for one.
#[must_use]
pub fn silent_but_for(name: &str) -> Vec<(&'static str, &'static str)> {
    SILENT.into_iter().filter(|(silencing, _)| *silencing != name).collect()
}

/// Where the image has its programs, and every node that runs them natively.
pub const PLACE: &str = "/usr/local/bin";

/// How long the daemon may take to end by itself.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// A host with a daemon.
pub struct Node {
    /// Its namespaces.
    pub host: Host,
    programs: Programs,
    daemon: Option<Server>,
}

/// `tailscale up` on its way: it printed the login URL and waits.
pub struct Login {
    /// Where the user is sent.
    pub url: String,
    up: Server,
    log: PathBuf,
}

impl Node {
    pub(super) fn new(host: Host, mut programs: Programs) -> Result<Self> {
        files::make_folder(&host.folder.join("state"))?;
        if programs.runner == Runner::Native {
            // The entrypoint becomes the daemon of this place, and a daemon looks for its command line there.
            let from = programs.tailscaled.parent().context("the daemon's folder")?;
            host.lab(&["bind", &format!("{}={PLACE}", from.display())])?;
            programs.tailscaled = Path::new(PLACE).join("tailscaled");
            programs.tailscale = Path::new(PLACE).join("tailscale");
        }
        Ok(Self { host, programs, daemon: None })
    }

    /// Where the daemon keeps what it keeps.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.host.folder.join("state")
    }

    /// The socket on which the daemon takes commands.
    #[must_use]
    pub fn socket(&self) -> String {
        self.host.folder.join("tailscaled.sock").display().to_string()
    }

    fn daemon_command(&self, variables: &[(&str, &str)]) -> Result<Command> {
        let state = self.state();
        let (file, folder) = (format!("--state={}/tailscaled.state", state.display()), state.display().to_string());
        let arguments = [
            format!("--socket={}", self.socket()),
            file,
            format!("--statedir={folder}"),
            "--tun=tailscale0".to_owned(),
        ];
        let arguments = arguments.iter().chain(&self.programs.sabotage.arguments);
        let arguments: Vec<&str> = arguments.map(String::as_str).collect();
        let inner = self.programs.runner.command(&self.programs.tailscaled, &arguments);
        let mut command = self.host.inside(&inner.context("nothing runs this processor's programs")?, None);
        // As on the device, no iptables is found.
        command.env("PATH", "/nonexistent").envs(variables.iter().copied());
        if self.programs.elsewhere.is_some() {
            // Upstream's own control server may be the one that is meant.
            command.env_remove(NOT_UPSTREAM);
        }
        command.envs(self.programs.sabotage.variables.iter().cloned());
        Ok(command)
    }

    /// Starts the daemon with the variables that keep it silent, and waits until it answers.
    ///
    /// # Errors
    /// The end of its log where it ends, or does not answer in time.
    pub fn start(&mut self) -> Result<()> {
        self.start_with(&SILENT)
    }

    /// As [`Node::start`], with these variables.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_with(&mut self, variables: &[(&str, &str)]) -> Result<()> {
        let log = self.host.log("daemon");
        let planned = self.daemon_command(variables)?;
        let mut command = Command::new(planned.get_program());
        command.args(planned.get_args()).env_clear();
        command.envs(planned.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.daemon = Some(process::start(command, &log)?);
        until_told(PATIENCE, "the daemon to answer `tailscale status`", || {
            self.alive()?;
            Ok(self.try_status()?.map(drop))
        })
    }

    /// Fails if the daemon does not run, with the end of its log.
    ///
    /// # Errors
    /// How it ended.
    pub fn alive(&mut self) -> Result<()> {
        let Some(daemon) = &mut self.daemon else { bail!("the daemon of {} was not started", self.host.name) };
        let Some(status) = daemon.ended() else { return Ok(()) };
        bail!("the daemon of {} ended ({}): {}", self.host.name, ended(status), self.last_words()?)
    }

    /// What the daemon has logged.
    ///
    /// # Errors
    /// Where the log can't be read.
    pub fn logged(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&files::read_bytes(&self.host.log("daemon"))?).into_owned())
    }

    /// The line of the log that tells best why the daemon ended.
    fn last_words(&self) -> Result<String> {
        let log = self.logged()?;
        let telling = ["panic: ", "fatal error: ", "SIGSEGV"];
        let panic = log.lines().find(|line| telling.iter().any(|word| line.contains(word)));
        Ok(panic.or_else(|| log.lines().last()).unwrap_or_default().to_owned())
    }

    /// The daemon's process.
    ///
    /// # Errors
    /// Where it was not started.
    pub fn process(&self) -> Result<u32> {
        self.daemon.as_ref().map(Server::id).context("the daemon was not started")
    }

    /// Asks the daemon to end.
    ///
    /// # Errors
    /// Where it does not by itself.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        let status = daemon.stop(SHUTDOWN).context("the daemon's status is not known")?;
        ensure!(status.code().is_some(), "the daemon of {} did not end by itself: {}", self.host.name, ended(status));
        Ok(())
    }

    /// Ends the daemon as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill();
        }
    }

    fn cli_command(&self, arguments: &[&str], user: Option<&str>) -> Result<Command> {
        let socket = format!("--socket={}", self.socket());
        let inner = self.programs.runner.command(&self.programs.tailscale, &[&[socket.as_str()], arguments].concat());
        Ok(self.host.inside(&inner.context("nothing runs this processor's programs")?, user))
    }

    /// Runs the command line as root, however it ends.
    ///
    /// # Errors
    /// Where it can't be run.
    pub fn cli(&self, arguments: &[&str]) -> Result<Output> {
        output_within(self.cli_command(arguments, None)?, Some(PATIENCE))
    }

    /// Runs the command line as a user who is not root.
    ///
    /// # Errors
    /// Where it can't be run.
    pub fn cli_as_nobody(&self, arguments: &[&str]) -> Result<Output> {
        output_within(self.cli_command(arguments, Some(NOBODY))?, Some(PATIENCE))
    }

    /// Runs the command line, which must end with 0; gives what it printed.
    ///
    /// # Errors
    /// What it says where it fails.
    pub fn tailscale(&self, arguments: &[&str]) -> Result<String> {
        let output = self.cli(arguments)?;
        ensure!(output.status.success(), "`tailscale {}`: {}", arguments.join(" "), complaint(&output));
        Ok(output.stdout)
    }

    /// `tailscale status --json`; the inner error is what it says instead.
    fn try_status(&self) -> Result<Result<serde_json::Value, String>> {
        let output = self.cli(&["status", "--json"])?;
        Ok(serde_json::from_str(&output.stdout).map_err(|_| complaint(&output)))
    }

    /// What the daemon says of itself and its peers.
    ///
    /// # Errors
    /// What it says instead.
    pub fn status(&self) -> Result<serde_json::Value> {
        self.try_status()?.map_err(|said| anyhow::anyhow!("`tailscale status --json`: {said}"))
    }

    /// The daemon's state: `NeedsLogin`, `Running`.
    ///
    /// # Errors
    /// As [`Node::status`].
    pub fn backend_state(&self) -> Result<String> {
        Ok(self.status()?["BackendState"].as_str().unwrap_or_default().to_owned())
    }

    /// Its addresses in the tailnet: v4, then v6.
    ///
    /// # Errors
    /// Where it has not both.
    pub fn addresses(&self) -> Result<(String, String)> {
        let status = self.status()?;
        let address = |at: usize| status["TailscaleIPs"][at].as_str().map(str::to_owned);
        address(0).zip(address(1)).with_context(|| format!("{} has no addresses in the tailnet", self.host.name))
    }

    /// Starts `tailscale up` and waits for its login URL.
    ///
    /// # Errors
    /// What `up` says where it ends without a URL, or prints none in time.
    pub fn begin_login(&mut self, arguments: &[&str]) -> Result<Login> {
        let (server, name) = (World::login_server(), format!("--hostname={}", self.host.name));
        let fixed = ["up", "--login-server", &server, &name, "--timeout=60s"];
        let log = self.host.log("up");
        let mut up = process::start(self.cli_command(&[&fixed, arguments].concat(), None)?, &log)?;
        let url = until(PATIENCE, "the login URL of `tailscale up`", || {
            let said = files::read(&log)?;
            if let Some(url) = said.split_whitespace().find(|word| word.contains("/auth/")) {
                return Ok(Some(url.to_owned()));
            }
            self.alive()?;
            match up.ended() {
                Some(status) => {
                    bail!("`tailscale up` ended ({}) without a login URL: {}", ended(status), said.trim())
                }
                None => Ok(None),
            }
        })?;
        Ok(Login { url, up, log })
    }

    /// Visits the login URL and waits for `up`, which must end with 0, and for the state Running; gives what `up` said.
    ///
    /// # Errors
    /// What is not so.
    pub fn finish_login(&mut self, mut login: Login) -> Result<String> {
        self.host.lab(&["call", &login.url])?;
        let status = until(PATIENCE, "`tailscale up` to end after the login", || Ok(login.up.ended()))?;
        let said = files::read(&login.log)?;
        ensure!(status.success(), "`tailscale up` ended with {}: {}", ended(status), said.trim());
        until(PATIENCE, "the state Running", || Ok((self.backend_state()? == "Running").then_some(())))?;
        Ok(said)
    }

    /// Starts the daemon and logs in; gives what `tailscale up` said.
    ///
    /// # Errors
    /// As [`Node::start`], [`Node::begin_login`] and [`Node::finish_login`].
    pub fn join(&mut self, arguments: &[&str]) -> Result<String> {
        self.join_with(&SILENT, arguments)
    }

    /// As [`Node::join`], with these variables of the daemon.
    ///
    /// # Errors
    /// As [`Node::join`].
    pub fn join_with(&mut self, variables: &[(&str, &str)], arguments: &[&str]) -> Result<String> {
        if let Some(elsewhere) = self.programs.elsewhere.clone() {
            return self.join_elsewhere(&elsewhere, variables, arguments);
        }
        self.start_with(variables)?;
        let login = self.begin_login(arguments)?;
        self.finish_login(login)
    }

    /// Logs in at another control server than ours, with the key.
    fn join_elsewhere(
        &mut self,
        elsewhere: &Elsewhere,
        variables: &[(&str, &str)],
        arguments: &[&str],
    ) -> Result<String> {
        self.start_with(variables)?;
        let server = format!("--login-server={}", elsewhere.login_server);
        let (name, key) = (format!("--hostname={}", self.host.name), format!("--auth-key=file:{KEY_INSIDE}"));
        let fixed = ["up", &server, &name, &key, "--timeout=60s"];
        let log = self.host.log("up");
        let mut up = process::start(self.cli_command(&[&fixed, arguments].concat(), None)?, &log)?;
        let status = until(Duration::from_secs(75), "`tailscale up` to end with the key", || {
            self.alive()?;
            elsewhere.allow_relays(&self.state())?;
            Ok(up.ended())
        })?;
        let said = files::read(&log)?;
        ensure!(status.success(), "`tailscale up` with the key ended with {}: {}", ended(status), said.trim());
        until(PATIENCE, "the state Running", || Ok((self.backend_state()? == "Running").then_some(())))?;
        Ok(said)
    }
}

impl Login {
    /// Whether `up` still waits.
    pub fn waits(&mut self) -> bool {
        self.up.ended().is_none()
    }
}
