//! A node: a host with a daemon and its command-line client.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::address::login_server;
use super::cgroup::MemoryGroup;
use super::external_control::{ExternalControl, KEY_INSIDE};
use super::host::{Host, NOBODY, PATIENCE, ended, failure_output};
use super::poll::{Poll, until, until_ready};
use super::programs::Programs;
use crate::files;
use crate::process::{self, Output, Server, output_within};
use crate::tools::qemu::Runner;

/// Makes the daemon panic when it asks upstream's own control server.
const NOT_UPSTREAM: &str = "TS_PANIC_IF_HIT_MAIN_CONTROL";

/// Variables that keep the daemon from contacting upstream's servers. Every check sets them, except the one that tests for such contacts.
pub const SILENT: [(&str, &str); 3] =
    [(NOT_UPSTREAM, "1"), ("TS_DISABLE_PORTMAPPER", "1"), ("TS_NO_LOGS_NO_SUPPORT", "1")];

/// Returns [`SILENT`] without one variable.
#[must_use]
pub fn silent_except(name: &str) -> Vec<(&'static str, &'static str)> {
    SILENT.into_iter().filter(|(silencing, _)| *silencing != name).collect()
}

/// The folder of the programs in the image, and on every node that runs them natively.
pub const PLACE: &str = "/usr/local/bin";

/// The time limit for the daemon to exit after SIGTERM.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// A host with a daemon.
pub struct Node {
    /// Its namespaces.
    pub host: Host,
    programs: Programs,
    daemon: Option<Server>,
    /// The folder of the control group in which its programs start.
    group: Option<PathBuf>,
    /// The script that starts the daemon.
    entrypoint: Option<PathBuf>,
}

/// A running `tailscale up` that has printed the login URL.
pub struct Login {
    /// The login URL.
    pub url: String,
    up: Server,
    log: PathBuf,
}

impl Node {
    pub(super) fn new(host: Host, mut programs: Programs) -> Result<Self> {
        files::make_folder(&host.folder.join("state"))?;
        if programs.runner == Runner::Native {
            // The entrypoint executes the daemon of this folder, and the daemon looks for `tailscale` there.
            let from = programs.tailscaled.parent().context("the daemon's folder")?;
            host.lab(&["bind", &format!("{}={PLACE}", from.display())])?;
            programs.tailscaled = Path::new(PLACE).join("tailscaled");
            programs.tailscale = Path::new(PLACE).join("tailscale");
        }
        Ok(Self { host, programs, daemon: None, group: None, entrypoint: None })
    }

    /// Replaces the programs; the state stays. The daemon must not be running.
    ///
    /// # Errors
    /// If they can't be mounted.
    pub fn with_programs(self, programs: Programs) -> Result<Self> {
        Self::new(self.host, programs)
    }

    /// Returns the daemon's state folder.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.host.folder.join("state")
    }

    /// Returns the socket of the daemon's local API.
    #[must_use]
    pub fn socket(&self) -> String {
        self.host.folder.join("tailscaled.sock").display().to_string()
    }

    /// Starts its programs in a control group from now on, as those of a container.
    pub fn set_group(&mut self, group: &MemoryGroup) {
        self.group = Some(group.folder().to_owned());
    }

    /// Starts the daemon through the image's entrypoint from now on.
    ///
    /// # Errors
    /// If the script can't be written, or this machine has no shell.
    pub fn start_through(&mut self, script: &str) -> Result<()> {
        let path = self.host.folder.join("entrypoint.sh");
        files::write(&path, script)?;
        self.entrypoint = Some(path);
        Ok(())
    }

    /// Builds a command for one of its programs that runs in its namespaces and its control group.
    fn inside(&self, inner: &Command, user: Option<&str>) -> Command {
        let Some(group) = &self.group else { return self.host.inside(inner, user) };
        let mut limited = Command::new(&self.programs.lab);
        limited.arg("within").arg(group).arg(inner.get_program()).args(inner.get_args());
        self.host.inside(&limited, user)
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
        let arguments = arguments.iter().chain(&self.programs.fault.arguments);
        let arguments: Vec<&str> = arguments.map(String::as_str).collect();
        let inner = match &self.entrypoint {
            // It becomes the daemon of the folder of the programs.
            Some(script) => {
                let mut inner = Command::new(process::needed("sh")?);
                inner.arg(script).args(&arguments);
                Some(inner)
            }
            None => self.programs.runner.command(&self.programs.tailscaled, &arguments),
        };
        let mut command = self.inside(&inner.context("nothing runs this processor's programs")?, None);
        // As on the device, no iptables is found.
        command.env("PATH", "/nonexistent").envs(variables.iter().copied());
        if self.programs.external.is_some() {
            // The external control server may be upstream's.
            command.env_remove(NOT_UPSTREAM);
        }
        command.envs(self.programs.fault.variables.iter().cloned());
        Ok(command)
    }

    /// Starts the daemon with [`SILENT`] and waits until it answers.
    ///
    /// # Errors
    /// A line of its log, if it ends or does not answer in time.
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
        until_ready(PATIENCE, "the daemon to answer `tailscale status`", || {
            self.alive()?;
            self.try_status()
        })
        .map(drop)
    }

    /// Waits for a direct path to a peer's address. Returns the line of `tailscale ping` that names the path.
    ///
    /// # Errors
    /// The output of the last ping, if no direct path is found in time.
    pub fn wait_for_direct_path(&self, address: &str) -> Result<String> {
        until_ready(PATIENCE, "a direct path", || {
            let printed = self.cli(&["ping", "--c=1", "--timeout=3s", "--until-direct=false", address])?.stdout;
            let pong = printed.lines().find(|line| line.starts_with("pong") && !line.contains("via DERP"));
            Ok(pong.map(str::to_owned).ok_or(printed).into())
        })
    }

    /// Checks that the daemon is running.
    ///
    /// # Errors
    /// Its exit status and a line of its log.
    pub fn alive(&mut self) -> Result<()> {
        let Some(daemon) = &mut self.daemon else { bail!("the daemon of {} was not started", self.host.name) };
        let Some(status) = daemon.ended() else { return Ok(()) };
        bail!("the daemon of {} ended ({}): {}", self.host.name, ended(status), self.failure_line()?)
    }

    /// Reads the daemon's log.
    ///
    /// # Errors
    /// If the log can't be read.
    pub fn log_text(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&files::read_bytes(&self.host.log("daemon"))?).into_owned())
    }

    /// Returns the log line with the reason of a crash, or the last line.
    fn failure_line(&self) -> Result<String> {
        let log = self.log_text()?;
        let reasons = ["panic: ", "fatal error: ", "SIGSEGV"];
        let panic = log.lines().find(|line| reasons.iter().any(|word| line.contains(word)));
        Ok(panic.or_else(|| log.lines().last()).unwrap_or_default().to_owned())
    }

    /// Returns the daemon's process id.
    ///
    /// # Errors
    /// If it was not started.
    pub fn process(&self) -> Result<u32> {
        self.daemon.as_ref().map(Server::id).context("the daemon was not started")
    }

    /// Returns the processor time of the daemon so far, including the kernel's time on its behalf, in seconds.
    ///
    /// # Errors
    /// If it does not run.
    pub fn processor_time(&self) -> Result<f64> {
        let text = files::read(format!("/proc/{}/stat", self.process()?).as_ref())?;
        // After the name, which can contain any character, `utime` and `stime` are fields 12 and 13: proc_pid_stat(5).
        let fields = text.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default().split_whitespace();
        let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Stops the daemon with SIGTERM.
    ///
    /// # Errors
    /// If it does not exit in time.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        let status = daemon.stop(SHUTDOWN).context("the daemon's exit status is unknown")?;
        ensure!(
            status.code().is_some(),
            "the daemon of {} did not exit after SIGTERM: {}",
            self.host.name,
            ended(status)
        );
        Ok(())
    }

    /// Kills the daemon, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill();
        }
    }

    fn cli_command(&self, arguments: &[&str], user: Option<&str>) -> Result<Command> {
        let socket = format!("--socket={}", self.socket());
        let inner = self.programs.runner.command(&self.programs.tailscale, &[&[socket.as_str()], arguments].concat());
        Ok(self.inside(&inner.context("nothing runs this processor's programs")?, user))
    }

    /// Starts `tailscale` as root, with its output in a log file.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn start_cli(&self, arguments: &[&str], log: &str) -> Result<Server> {
        process::start(self.cli_command(arguments, None)?, &self.host.log(log))
    }

    /// Runs `tailscale` as root and returns its output, even if it fails.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn cli(&self, arguments: &[&str]) -> Result<Output> {
        output_within(self.cli_command(arguments, None)?, Some(PATIENCE))
    }

    /// As [`Node::cli`], as a user without privileges.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn cli_as_nobody(&self, arguments: &[&str]) -> Result<Output> {
        output_within(self.cli_command(arguments, Some(NOBODY))?, Some(PATIENCE))
    }

    /// Runs `tailscale`, which must exit with 0, and returns its stdout.
    ///
    /// # Errors
    /// Its output, if it fails.
    pub fn tailscale(&self, arguments: &[&str]) -> Result<String> {
        let output = self.cli(arguments)?;
        ensure!(output.status.success(), "`tailscale {}`: {}", arguments.join(" "), failure_output(&output));
        Ok(output.stdout)
    }

    /// Runs `tailscale status --json`.
    fn try_status(&self) -> Result<Poll<serde_json::Value>> {
        let output = self.cli(&["status", "--json"])?;
        Ok(serde_json::from_str(&output.stdout).map_err(|_| failure_output(&output)).into())
    }

    /// Returns the status of the daemon and its peers.
    ///
    /// # Errors
    /// The output of `tailscale status --json`, if it is not JSON.
    pub fn status(&self) -> Result<serde_json::Value> {
        match self.try_status()? {
            Poll::Ready(status) => Ok(status),
            Poll::Pending(output) => Err(anyhow::anyhow!("`tailscale status --json`: {output}")),
        }
    }

    /// Returns the daemon's state, such as `NeedsLogin` or `Running`.
    ///
    /// # Errors
    /// As [`Node::status`].
    pub fn backend_state(&self) -> Result<String> {
        Ok(self.status()?["BackendState"].as_str().unwrap_or_default().to_owned())
    }

    /// Returns its addresses in the tailnet: IPv4, then IPv6.
    ///
    /// # Errors
    /// If one of them is missing.
    pub fn addresses(&self) -> Result<(String, String)> {
        let status = self.status()?;
        let address = |at: usize| status["TailscaleIPs"][at].as_str().map(str::to_owned);
        address(0).zip(address(1)).with_context(|| format!("{} has no addresses in the tailnet", self.host.name))
    }

    /// Starts `tailscale up` and waits for its login URL. The arguments may name the login server otherwise.
    ///
    /// # Errors
    /// The output of `tailscale up`, if it prints no URL.
    pub fn begin_login(&mut self, arguments: &[&str]) -> Result<Login> {
        let (server, name) = (format!("--login-server={}", login_server()), format!("--hostname={}", self.host.name));
        let is_named = arguments.iter().any(|argument| argument.starts_with("--login-server="));
        let fixed = ["up", &name, "--timeout=60s", &server];
        let fixed = if is_named { &fixed[..3] } else { &fixed[..] };
        let log = self.host.log("up");
        let mut up = process::start(self.cli_command(&[fixed, arguments].concat(), None)?, &log)?;
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

    /// Visits the login URL, then waits for `tailscale up` to exit with 0 and for the state Running. Returns the output.
    ///
    /// # Errors
    /// If one of these does not happen.
    pub fn finish_login(&mut self, mut login: Login) -> Result<String> {
        self.host.lab(&["call", &login.url])?;
        let status = until(PATIENCE, "`tailscale up` to end after the login", || Ok(login.up.ended()))?;
        let said = files::read(&login.log)?;
        ensure!(status.success(), "`tailscale up` ended with {}: {}", ended(status), said.trim());
        self.wait_until_running()?;
        Ok(said)
    }

    /// Waits for the state Running.
    ///
    /// # Errors
    /// If the daemon does not reach it in time.
    pub fn wait_until_running(&self) -> Result<()> {
        until(PATIENCE, "the state Running", || Ok((self.backend_state()? == "Running").then_some(())))
    }

    /// Starts the daemon and logs in; returns the output of `tailscale up`.
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
        if let Some(external) = self.programs.external.clone() {
            return self.join_external(&external, variables, arguments);
        }
        self.start_with(variables)?;
        let login = self.begin_login(arguments)?;
        self.finish_login(login)
    }

    /// Logs in at an external control server with the auth key.
    fn join_external(
        &mut self,
        external: &ExternalControl,
        variables: &[(&str, &str)],
        arguments: &[&str],
    ) -> Result<String> {
        self.start_with(variables)?;
        let server = format!("--login-server={}", external.login_server);
        let (name, key) = (format!("--hostname={}", self.host.name), format!("--auth-key=file:{KEY_INSIDE}"));
        let fixed = ["up", &server, &name, &key, "--timeout=60s"];
        let log = self.host.log("up");
        let mut up = process::start(self.cli_command(&[&fixed, arguments].concat(), None)?, &log)?;
        let status = until(Duration::from_secs(75), "`tailscale up` to end with the key", || {
            self.alive()?;
            external.allow_relays(&self.state())?;
            Ok(up.ended())
        })?;
        let said = files::read(&log)?;
        ensure!(status.success(), "`tailscale up` with the key ended with {}: {}", ended(status), said.trim());
        self.wait_until_running()?;
        Ok(said)
    }
}

impl Login {
    /// Whether `tailscale up` still waits for the login.
    pub fn is_waiting(&mut self) -> bool {
        self.up.ended().is_none()
    }
}
