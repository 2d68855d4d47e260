//! Test network: namespaces with a control server, DERP, STUN, a resolver, and nodes.
//!
//! Everything runs under one process in its own PID, network and mount namespaces. Killing that process cleans up
//! everything, and nothing is registered on the machine. Inside, every host has its own network namespace and its own
//! /etc. A host called `internet` connects the others and forwards between them.

mod address;
pub mod cgroup;
pub mod external_control;
pub mod host;
pub mod memory;
pub mod node;
mod poll;
mod programs;
pub mod sandbox;
pub mod senders;

use std::cell::Cell;
use std::path::Path;

use anyhow::{Context, Result};

use crate::files;
use crate::process::Server;
use address::{CONTROL_PORT, FOLDER};
use host::Host;
use node::Node;

pub use address::{CONTROL, DOMAIN, OUTSIDE, login_server};
pub use host::wait_until_reachable;
pub use poll::{until, until_ready};
pub use programs::{FaultInjection, Programs};

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

    /// Requests a path of our control server, such as `/lab/nodes`.
    ///
    /// # Errors
    /// The response, if it is an error.
    pub fn control(&self, path: &str) -> Result<String> {
        self.internet.lab(&["call", &format!("{}{path}", login_server())])
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
