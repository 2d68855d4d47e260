//! The programs that run in a test network.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::address::login_server;
use super::external_control::ExternalControl;
use crate::tools::qemu::Runner;

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
        self.external.as_ref().map_or_else(login_server, |external| external.login_server.clone())
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
