//! Access to an external control server, the only egress from the test network.
//!
//! Inside, the host `internet` accepts every TCP connection of the nodes and reads the requested name. It forwards the
//! connection through a Unix socket to a helper outside, which connects only to names on a list: the control server and
//! its relays. The machine's routes and firewall are not changed.

use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::address::CONTROL;
use super::host::wait_until_ready;
use crate::process::{self, Server};
use crate::{files, progress};
use diagnostics::{Code, Diagnostic};

/// Files in the folder of [`EgressProxy`].
const SOCKET: &str = "socket";
const ALLOWED: &str = "allowed";
const KEY: &str = "key";

/// The environment variable with the auth key.
const KEY_VARIABLE: &str = "TS_AUTHKEY";

/// The file with the auth key inside the test network, on a tmpfs.
pub const KEY_INSIDE: &str = "/run/authkey";

/// Reads the auth key for an external control server from a file, or from the variable that upstream's programs use.
///
/// # Errors
/// A [`Diagnostic`] if the key is missing.
pub fn auth_key(file: Option<&Path>) -> Result<String> {
    let found = match file {
        Some(file) => files::read(file)?,
        None => std::env::var(KEY_VARIABLE).unwrap_or_default(),
    };
    let place =
        file.map_or_else(|| format!("{KEY_VARIABLE} is not set"), |file| format!("{} is empty", file.display()));
    let next = format!("Create a reusable key there and pass it with `--auth-key-file FILE` or in {KEY_VARIABLE}.");
    let key = found.trim();
    if key.is_empty() {
        return Err(Diagnostic::failure(Code::NoAuthKey, "`--control` needs an auth key", place, next).into());
    }
    Ok(key.to_owned())
}

/// An external control server and the connection to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalControl {
    /// The URL that the nodes use.
    pub login_server: String,
    /// The folder with the socket, the list of names, and the auth key until [`take_key`] removes it.
    pub folder: PathBuf,
}

impl ExternalControl {
    /// Returns the path of the socket to the helper outside.
    #[must_use]
    pub fn socket(&self) -> String {
        self.folder.join(SOCKET).display().to_string()
    }

    /// Adds the relays of a node's DERP map to the list, once the node has written the map to its state folder.
    ///
    /// # Errors
    /// If the list can't be written, or the map can't be read.
    pub fn allow_relays(&self, state: &Path) -> Result<()> {
        let Ok(map) = std::fs::read(state.join("derpmap.cached.json")) else { return Ok(()) };
        let map: serde_json::Value = serde_json::from_slice(&map).context("reading the DERP map")?;
        let allowed = self.folder.join(ALLOWED);
        let before = files::read(&allowed)?;
        let named = relays(&map).into_iter().map(|(name, port)| format!("{name} {port}"));
        let new: String =
            named.filter(|line| !before.lines().any(|known| known == line)).map(|line| line + "\n").collect();
        if new.is_empty() { Ok(()) } else { files::write(&allowed, &(before + &new)) }
    }
}

/// Inside, moves the auth key from the disk to a tmpfs.
///
/// # Errors
/// If it can't be read or written.
pub(super) fn take_key(folder: &Path) -> Result<()> {
    let on_disk = folder.join(KEY);
    write_secret(Path::new(KEY_INSIDE), &files::read_bytes(&on_disk)?)?;
    std::fs::remove_file(on_disk).context("removing the auth key from the disk")
}

/// Writes a file that only its owner can read.
fn write_secret(path: &Path, secret: &[u8]) -> Result<()> {
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    opened.and_then(|mut file| file.write_all(secret)).context("writing the key")
}

/// Returns the relays of a DERP map, each with its port.
fn relays(map: &serde_json::Value) -> Vec<(String, u64)> {
    let regions = map["Regions"].as_object().into_iter().flatten();
    let nodes = regions.flat_map(|(_, region)| region["Nodes"].as_array().into_iter().flatten());
    // 0 or no port means 443.
    let port = |node: &serde_json::Value| node["DERPPort"].as_u64().filter(|port| *port != 0).unwrap_or(443);
    let named = nodes.filter_map(|node| Some((node["HostName"].as_str()?.to_owned(), port(node))));
    named.filter(|(name, _)| is_plain(name)).collect()
}

/// Whether a host has only characters of DNS names and IPv4 addresses.
fn is_plain(host: &str) -> bool {
    !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
}

/// The open connection to an external control server. Dropping it closes the connection.
pub struct EgressProxy {
    /// The values that the test network needs.
    pub external: ExternalControl,
    folder: tempfile::TempDir,
    _helper: Server,
}

impl EgressProxy {
    /// Checks the URL of a control server, before anything is built.
    ///
    /// # Errors
    /// A [`Diagnostic`] if it is not the URL of a control server.
    pub fn check_url(url: &str) -> Result<()> {
        ControlServer::parse(url).map(drop)
    }

    /// Starts the helper that connects to a control server.
    ///
    /// # Errors
    /// A [`Diagnostic`] if the URL is invalid or the helper does not start.
    pub fn open(lab: &Path, url: &str, key: &str) -> Result<Self> {
        let server = ControlServer::parse(url)?;
        let folder = files::private_folder("egress-")?;
        files::write(&folder.path().join(ALLOWED), &server.allowed())?;
        write_secret(&folder.path().join(KEY), key.as_bytes())?;
        let log = folder.path().join("log");
        let mut command = Command::new(lab);
        command.arg("egress-dial").arg(folder.path().join(SOCKET)).arg(folder.path().join(ALLOWED));
        let mut helper = process::start(command, &log)?;
        wait_until_ready(&mut helper, &log)?;
        let external = ExternalControl { login_server: server.for_nodes(), folder: folder.path().to_owned() };
        Ok(Self { external, folder, _helper: helper })
    }

    /// Prints which hosts were reached, refused and not found.
    ///
    /// # Errors
    /// If the helper's log can't be read.
    pub fn print_connections(&self) -> Result<()> {
        let log = files::read(&self.folder.path().join("log"))?;
        let lines = |word: &str| -> Vec<String> {
            log.lines().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect()
        };
        for (word, shown) in [("reached ", "Reached"), ("refused ", "Refused")] {
            let found = lines(word);
            if !found.is_empty() {
                progress::line(shown, &found.join(", "));
            }
        }
        lines("failed ").iter().for_each(|line| progress::warn(&format!("not reached: {line}")));
        Ok(())
    }
}

/// A control server's address.
#[derive(Debug, PartialEq, Eq)]
struct ControlServer<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<u16>,
}

impl<'a> ControlServer<'a> {
    fn parse(url: &'a str) -> Result<Self> {
        let parsed = url.split_once("://").filter(|(scheme, _)| ["http", "https"].contains(scheme));
        let parsed = parsed.and_then(|(scheme, rest)| {
            let rest = rest.strip_suffix('/').unwrap_or(rest);
            let (host, port) = match rest.split_once(':') {
                Some((host, port)) => (host, Some(port.parse().ok()?)),
                None => (rest, None),
            };
            is_plain(host).then_some(Self { scheme, host, port })
        });
        let next = "Write it as https://control.example or http://192.0.2.1:8080, without a path.";
        let wrong = || {
            Diagnostic::failure(
                Code::NotAControlServer,
                format!("`{url}` is not the URL of a control server"),
                "",
                next,
            )
        };
        Ok(parsed.ok_or_else(wrong)?)
    }

    /// Whether the URL names this machine. Nodes can't reach it by that name.
    fn is_this_machine(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// Returns the URL for nodes. If it names this machine, an address that leads to it replaces the name.
    fn for_nodes(&self) -> String {
        let host = if self.is_this_machine() { CONTROL } else { self.host };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{host}{port}", self.scheme)
    }

    /// Returns the lines of the list: the URL's port, or 80 and 443, because a node can upgrade its connection on either.
    fn allowed(&self) -> String {
        let ports = self.port.map_or_else(|| vec![80, 443], |port| vec![port]);
        let name = if self.is_this_machine() { CONTROL } else { self.host };
        ports.iter().map(|port| format!("{name} {port} {}\n", self.host)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_server_url_parses_to_node_url_and_allowed_hosts() {
        let parsed = |url| {
            let server = ControlServer::parse(url).unwrap();
            (server.for_nodes(), server.allowed())
        };
        let server = parsed("https://control.example/");
        assert_eq!(server.0, "https://control.example");
        assert_eq!(server.1, "control.example 80 control.example\ncontrol.example 443 control.example\n");
        let server = parsed("http://127.0.0.1:8080");
        assert_eq!(server, ("http://10.90.0.1:8080".into(), "10.90.0.1 8080 127.0.0.1\n".into()));
        for wrong in
            ["control.example", "ftp://x", "https://", "https://a:b", "https://a/b", "https://u@a", "http://a b"]
        {
            let error = ControlServer::parse(wrong).unwrap_err();
            assert_eq!(error.downcast_ref::<Diagnostic>().unwrap().code, Code::NotAControlServer, "{wrong}");
        }
    }

    #[test]
    fn relays_of_a_derp_map_have_ports() {
        let map = serde_json::json!({"Regions": {
            "1": {"Nodes": [{"HostName": "one.example"}, {"HostName": "two.example", "DERPPort": 8443}]},
            "2": {"Nodes": null},
            "3": {"Nodes": [{"HostName": "a 1 127.0.0.1\nb"}]},
        }});
        assert_eq!(relays(&map), [("one.example".to_owned(), 443), ("two.example".to_owned(), 8443)]);
        assert!(relays(&serde_json::json!({})).is_empty());
    }
}
