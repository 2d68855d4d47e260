//! A world for daemons: namespaces of its own, a control server with DERP and STUN, a resolver, and nodes.
//!
//! Everything lives below one process in a process, network and mount namespace of its own, so whatever ends that
//! process ends the world, and nothing of it was ever on the machine. Inside, every host has a network namespace and
//! its own /etc, and is connected to one host that plays the internet and forwards between them.

pub mod elsewhere;
pub mod entrance;
pub mod host;
pub mod memory;
pub mod node;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::files;
use crate::process::{Server, check_interrupt};
use crate::tools::qemu::Runner;
use elsewhere::Elsewhere;
use host::Host;
use node::Node;

/// Where the control server, the relay and the resolver are.
pub const CONTROL: &str = "10.90.0.1";

/// The port of the control server.
const CONTROL_PORT: &str = "9911";

/// The domain of the tailnet's names.
pub const DOMAIN: &str = "tailnet.example";

/// A name outside of the tailnet, and its address.
pub const OUTSIDE: (&str, &str) = ("outside.example", "192.0.2.7");

/// Where everything of a world is: a file system in memory that only its own namespaces see.
const FOLDER: &str = "/run/world";

/// The programs that a world is made of.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Our own small program: control server, namespaces, traffic.
    pub lab: PathBuf,
    /// The daemon.
    pub tailscaled: PathBuf,
    /// The command line: the same file by its other name.
    pub tailscale: PathBuf,
    /// The daemon of the other nodes, where it is another one; its command line is beside it.
    pub partner: Option<PathBuf>,
    /// The daemon as it was before it was packed, if it is.
    pub unpacked: Option<PathBuf>,
    /// How the daemon's processor is had.
    pub runner: Runner,
    /// What every daemon is started with beside its own: how a check without a decision is shown to fail.
    pub sabotage: Sabotage,
    /// The control server, where it is another than ours.
    pub elsewhere: Option<Elsewhere>,
    /// How long a check that makes traffic goes on beyond its own measure.
    pub soak: Duration,
}

impl Programs {
    /// The same with another daemon, whose command line is beside it.
    #[must_use]
    pub fn with_daemon(&self, daemon: &Path) -> Self {
        Self { tailscaled: daemon.to_owned(), tailscale: daemon.with_file_name("tailscale"), ..self.clone() }
    }

    /// What the login server is called.
    #[must_use]
    pub fn login_server(&self) -> String {
        self.elsewhere.as_ref().map_or_else(World::login_server, |elsewhere| elsewhere.login_server.clone())
    }
}

/// Variables and arguments that break what a check looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sabotage {
    /// Variables of the daemon.
    pub variables: Vec<(String, String)>,
    /// More arguments of the daemon.
    pub arguments: Vec<String>,
}

/// The hosts of one check.
pub struct World {
    programs: Programs,
    internet: Host,
    /// Ended with the world, in this order.
    _servers: Vec<Server>,
    networks: Cell<u8>,
}

impl World {
    /// A world with nothing but control, relay and resolver.
    ///
    /// # Errors
    /// Where the namespaces can't be made or a server does not serve.
    pub fn new(programs: &Programs) -> Result<Self> {
        Self::with_names(programs, &[&format!("{}={}", OUTSIDE.0, OUTSIDE.1)])
    }

    /// A world whose resolver knows these names, each `NAME=ADDRESS`; `*` is every other.
    ///
    /// # Errors
    /// As [`World::new`].
    pub fn with_names(programs: &Programs, names: &[&str]) -> Result<Self> {
        let folder = Path::new(FOLDER);
        files::empty_folder(folder)?;
        let internet = Host::new(&programs.lab, folder, "internet")?;
        internet.lab(&["address", "lo", &format!("{CONTROL}/32")])?;
        internet.lab(&["forwarding", "1", "1"])?;
        let servers = if let Some(elsewhere) = &programs.elsewhere {
            // Every name leads to the gate, which then sees which one is asked for.
            vec![
                internet.serve("dns", &["dns", CONTROL, &format!("*={CONTROL}")])?,
                internet.serve("egress-proxy", &["egress-proxy", &elsewhere.socket()])?,
            ]
        } else {
            vec![
                internet.serve("dns", &[&["dns", CONTROL], names].concat())?,
                internet.serve("control", &["control", CONTROL, CONTROL_PORT, DOMAIN])?,
            ]
        };
        Ok(Self { programs: programs.clone(), internet, _servers: servers, networks: Cell::new(0) })
    }

    /// The programs.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The host that stands for the internet: control is on it.
    #[must_use]
    pub fn internet(&self) -> &Host {
        &self.internet
    }

    /// A host with nothing.
    ///
    /// # Errors
    /// Where its namespaces can't be made.
    pub fn host(&self, name: &str) -> Result<Host> {
        Host::new(&self.programs.lab, Path::new(FOLDER), name)
    }

    /// A node with a daemon that does not run yet, and a line to the internet: `eth0` on its end, its own name on the
    /// other.
    ///
    /// # Errors
    /// Where its namespaces can't be made.
    pub fn node(&self, name: &str) -> Result<Node> {
        self.node_of(name, self.programs.clone())
    }

    /// As [`World::node`], for a node that is there for the others: where a binary is looked at for its faults, this one
    /// has none.
    ///
    /// # Errors
    /// As [`World::node`].
    pub fn partner(&self, name: &str) -> Result<Node> {
        let Some(daemon) = &self.programs.partner else { return self.node(name) };
        self.node_of(name, Programs { sabotage: Sabotage::default(), ..self.programs.with_daemon(daemon) })
    }

    /// As [`World::node`], for a daemon of these programs.
    ///
    /// # Errors
    /// As [`World::node`].
    pub fn node_of(&self, name: &str, programs: Programs) -> Result<Node> {
        let host = self.host(name)?;
        self.online(&host)?;
        Node::new(host, programs)
    }

    /// A node on a host that is connected already.
    ///
    /// # Errors
    /// Where its folder can't be made.
    pub fn node_on(&self, host: Host) -> Result<Node> {
        Node::new(host, self.programs.clone())
    }

    /// Connects a host with the internet.
    ///
    /// # Errors
    /// Where the interfaces can't be made.
    pub fn online(&self, host: &Host) -> Result<()> {
        let network = self.networks.replace(self.networks.get() + 1) + 1;
        let end = |last: u8| format!("10.90.{network}.{last}/24");
        self.internet.connect(&host.name, &[&end(1)], host, "eth0", &[&end(2)])?;
        host.lab(&["route", "0.0.0.0/0", &format!("10.90.{network}.1")]).map(drop)
    }

    /// What our own login server is called.
    #[must_use]
    pub fn login_server() -> String {
        format!("http://{CONTROL}:{CONTROL_PORT}")
    }

    /// Asks the control server for something: `/lab/nodes`.
    ///
    /// # Errors
    /// What it answers, where that is not what was asked for.
    pub fn control(&self, path: &str) -> Result<String> {
        self.internet.lab(&["call", &format!("{}{path}", Self::login_server())])
    }

    /// What the resolver was asked for and by which address, once each, in the order of the first question.
    ///
    /// # Errors
    /// Where its log can't be read.
    pub fn names_asked_for(&self) -> Result<Vec<(String, String)>> {
        let log = files::read(&self.internet.log("dns"))?;
        Ok(log.lines().filter_map(|line| line.split_once(' ')).map(|(name, by)| (name.into(), by.into())).collect())
    }
}

/// What the world's hosts and servers have logged, by file name.
///
/// # Errors
/// Where a log can't be read.
pub fn logs() -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for host in std::fs::read_dir(FOLDER).context("reading the world's folder")? {
        let host = host?.path();
        for file in std::fs::read_dir(&host)? {
            let file = file?.path();
            if file.extension().is_some_and(|end| end == "log") {
                let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                // Logs hold NUL bytes and whatever else a daemon writes.
                let text = String::from_utf8_lossy(&files::read_bytes(&file)?).into_owned();
                found.push((format!("{}.{}", name(&host), name(&file)), text));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Waits until something that is sent to an echo comes back: where no relay is reached, the first packets wait for a
/// direct path.
///
/// # Errors
/// As [`until`].
pub fn reached(from: &Host, at: &str) -> Result<()> {
    until(host::PATIENCE, "the first bytes through the tunnel", || Ok(from.lab(&["send", at, "1000"]).ok().map(drop)))
}

/// Waits until something is there, and says what was waited for if it does not come.
///
/// # Errors
/// When the time is up, when `look` fails, or when the run is interrupted.
pub fn until<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    until_told(patience, what, || Ok(look()?.ok_or_else(String::new)))
}

/// As [`until`]; as long as it is not there, `look` gives what is seen instead, and the last of that is told.
///
/// # Errors
/// As [`until`].
pub fn until_told<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Result<Result<T, String>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        check_interrupt()?;
        let instead = match look()? {
            Ok(found) => return Ok(found),
            Err(instead) => instead,
        };
        if begun.elapsed() > patience {
            let seen = if instead.is_empty() { String::new() } else { format!("; seen instead: {}", instead.trim()) };
            bail!("waited {} s for {what}{seen}", patience.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
