//! Test network: namespaces with a control server, DERP, STUN, a resolver, and nodes.
//!
//! Everything runs under one process in its own PID, network and mount namespaces. Killing that process cleans up
//! everything, and nothing is registered on the machine. Inside, every host has its own network namespace and its own
//! /etc. A host called `internet` connects the others and forwards between them.

pub mod external_control;
pub mod host;
pub mod memory;
pub mod node;
pub mod sandbox;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::files;
use crate::process::{Server, check_interrupt};
use crate::tools::qemu::Runner;
use external_control::ExternalControl;
use host::Host;
use node::Node;

/// The address of the control server, the relay and the resolver.
pub const CONTROL: &str = "10.90.0.1";

/// The port of the control server.
const CONTROL_PORT: &str = "9911";

/// The domain of the tailnet's names.
pub const DOMAIN: &str = "tailnet.example";

/// A name outside the tailnet, and its address.
pub const OUTSIDE: (&str, &str) = ("outside.example", "192.0.2.7");

/// The folder with all files of the test network: a tmpfs that is mounted only in its own namespaces.
const FOLDER: &str = "/run/netlab";

/// The programs of a test network, and how to run them.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Our helper program: control server, namespaces, traffic.
    pub lab: PathBuf,
    /// The daemon.
    pub tailscaled: PathBuf,
    /// The command-line client: the same file under its other name.
    pub tailscale: PathBuf,
    /// The daemon of the other nodes, if it differs; `tailscale` is in the same folder.
    pub partner: Option<PathBuf>,
    /// The daemon before it was packed, if it is packed.
    pub unpacked: Option<PathBuf>,
    /// How programs of the daemon's processor are run.
    pub runner: Runner,
    /// Extra arguments for every daemon; used to inject faults for checks that no policy decision can break.
    pub fault: FaultInjection,
    /// The external control server, if it replaces ours.
    pub external: Option<ExternalControl>,
    /// Extra duration of checks that make traffic.
    pub soak: Duration,
}

impl Programs {
    /// Returns the same programs with another daemon; `tailscale` is in the same folder.
    #[must_use]
    pub fn with_daemon(&self, daemon: &Path) -> Self {
        Self { tailscaled: daemon.to_owned(), tailscale: daemon.with_file_name("tailscale"), ..self.clone() }
    }

    /// Returns the URL of the login server.
    #[must_use]
    pub fn login_server(&self) -> String {
        self.external.as_ref().map_or_else(Netlab::login_server, |external| external.login_server.clone())
    }
}

/// Environment variables and arguments that make a check fail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultInjection {
    /// Environment variables of the daemon.
    pub variables: Vec<(String, String)>,
    /// Extra arguments of the daemon.
    pub arguments: Vec<String>,
}

/// The hosts of one check.
pub struct Netlab {
    programs: Programs,
    internet: Host,
    /// Stopped when the test network is dropped, in this order.
    _servers: Vec<Server>,
    networks: Cell<u8>,
}

impl Netlab {
    /// Creates a test network with a control server, a relay and a resolver.
    ///
    /// # Errors
    /// If the namespaces can't be created or a server does not become ready.
    pub fn new(programs: &Programs) -> Result<Self> {
        Self::with_names(programs, &[&format!("{}={}", OUTSIDE.0, OUTSIDE.1)])
    }

    /// Creates a test network whose resolver knows these names, each `NAME=ADDRESS`; `*` matches every other name.
    ///
    /// # Errors
    /// As [`Netlab::new`].
    pub fn with_names(programs: &Programs, names: &[&str]) -> Result<Self> {
        let folder = Path::new(FOLDER);
        files::empty_folder(folder)?;
        let internet = Host::new(&programs.lab, folder, "internet")?;
        internet.lab(&["address", "lo", &format!("{CONTROL}/32")])?;
        internet.lab(&["forwarding", "1", "1"])?;
        let servers = if let Some(external) = &programs.external {
            // Every name resolves to the proxy, which reads the requested name from the connection.
            vec![
                internet.serve("dns", &["dns", CONTROL, &format!("*={CONTROL}")])?,
                internet.serve("egress-proxy", &["egress-proxy", &external.socket()])?,
            ]
        } else {
            vec![
                internet.serve("dns", &[&["dns", CONTROL], names].concat())?,
                internet.serve("control", &["control", CONTROL, CONTROL_PORT, DOMAIN])?,
            ]
        };
        Ok(Self { programs: programs.clone(), internet, _servers: servers, networks: Cell::new(0) })
    }

    /// Returns the programs.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Returns the host `internet`, which runs the control server.
    #[must_use]
    pub fn internet(&self) -> &Host {
        &self.internet
    }

    /// Creates a host without a connection.
    ///
    /// # Errors
    /// If its namespaces can't be created.
    pub fn host(&self, name: &str) -> Result<Host> {
        Host::new(&self.programs.lab, Path::new(FOLDER), name)
    }

    /// Creates a node that is connected to the internet; its daemon is not started yet. The interface is `eth0` in the node and has
    /// the node's name on the other side.
    ///
    /// # Errors
    /// If its namespaces can't be created.
    pub fn node(&self, name: &str) -> Result<Node> {
        self.node_with(name, self.programs.clone())
    }

    /// As [`Netlab::node`], for a peer of the node under test: it has no injected fault and runs the partner's daemon.
    ///
    /// # Errors
    /// As [`Netlab::node`].
    pub fn partner(&self, name: &str) -> Result<Node> {
        let Some(daemon) = &self.programs.partner else { return self.node(name) };
        self.node_with(name, Programs { fault: FaultInjection::default(), ..self.programs.with_daemon(daemon) })
    }

    /// As [`Netlab::node`], for a daemon of these programs.
    ///
    /// # Errors
    /// As [`Netlab::node`].
    pub fn node_with(&self, name: &str, programs: Programs) -> Result<Node> {
        let host = self.host(name)?;
        self.connect_to_internet(&host)?;
        Node::new(host, programs)
    }

    /// Creates a node on an existing host.
    ///
    /// # Errors
    /// If its folder can't be created.
    pub fn node_on(&self, host: Host) -> Result<Node> {
        Node::new(host, self.programs.clone())
    }

    /// Connects a host with the internet.
    ///
    /// # Errors
    /// If the interfaces can't be created.
    pub fn connect_to_internet(&self, host: &Host) -> Result<()> {
        let network = self.networks.replace(self.networks.get() + 1) + 1;
        let end = |last: u8| format!("10.90.{network}.{last}/24");
        self.internet.connect(&host.name, &[&end(1)], host, "eth0", &[&end(2)])?;
        host.lab(&["route", "0.0.0.0/0", &format!("10.90.{network}.1")]).map(drop)
    }

    /// Returns the URL of our own login server.
    #[must_use]
    pub fn login_server() -> String {
        format!("http://{CONTROL}:{CONTROL_PORT}")
    }

    /// Requests a path of our control server, such as `/lab/nodes`.
    ///
    /// # Errors
    /// The response, if it is an error.
    pub fn control(&self, path: &str) -> Result<String> {
        self.internet.lab(&["call", &format!("{}{path}", Self::login_server())])
    }

    /// Returns the names that were looked up, each with the client's address, without repetitions and in order.
    ///
    /// # Errors
    /// If the resolver's log can't be read.
    pub fn names_asked_for(&self) -> Result<Vec<(String, String)>> {
        let log = files::read(&self.internet.log("dns"))?;
        Ok(log.lines().filter_map(|line| line.split_once(' ')).map(|(name, by)| (name.into(), by.into())).collect())
    }
}

/// Returns the logs of all hosts and servers, by file name.
///
/// # Errors
/// If a log can't be read.
pub fn logs() -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for host in std::fs::read_dir(FOLDER).context("reading the folder of the test network")? {
        let host = host?.path();
        for file in std::fs::read_dir(&host)? {
            let file = file?.path();
            if file.extension().is_some_and(|end| end == "log") {
                let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                // Logs can contain NUL bytes and invalid UTF-8.
                let text = String::from_utf8_lossy(&files::read_bytes(&file)?).into_owned();
                found.push((format!("{}.{}", name(&host), name(&file)), text));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Waits until an echo server answers. Without a relay, the first packets wait for a direct path.
///
/// # Errors
/// As [`until`].
pub fn wait_until_reachable(from: &Host, at: &str) -> Result<()> {
    until(host::PATIENCE, "the first bytes through the tunnel", || Ok(from.lab(&["send", at, "1000"]).ok().map(drop)))
}

/// Polls until `look` returns a value. `what` names the value in the error.
///
/// # Errors
/// On a timeout, if `look` fails, or if the run is interrupted.
pub fn until<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    wait_for_result(patience, what, || Ok(look()?.ok_or_else(String::new)))
}

/// As [`until`]. `look` returns the current observation as the inner error; the timeout error contains the last one.
///
/// # Errors
/// As [`until`].
pub fn wait_for_result<T>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<Result<T, String>>,
) -> Result<T> {
    let begun = Instant::now();
    loop {
        check_interrupt()?;
        let instead = match look()? {
            Ok(found) => return Ok(found),
            Err(instead) => instead,
        };
        if begun.elapsed() > patience {
            let seen =
                if instead.is_empty() { String::new() } else { format!("; last observation: {}", instead.trim()) };
            bail!("waited {} s for {what}{seen}", patience.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
