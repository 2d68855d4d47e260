//! Another control server than ours: the way to it, which is the only one out of a world.
//!
//! Inside, the host that plays the internet takes every TCP connection of the nodes. What each asks for by name goes
//! through a socket to a helper outside, which connects to the names on a list and to no others: the control server, and
//! the relays that it named. Nothing of the machine's routes or firewall takes part.

use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::CONTROL;
use super::host::serving;
use crate::process::{self, Server};
use crate::{files, progress};
use diagnostics::{Code, Diagnostic};

/// The files of the way.
const SOCKET: &str = "socket";
const ALLOWED: &str = "allowed";
const KEY: &str = "key";

/// The variable with a key.
const KEY_VARIABLE: &str = "TS_AUTHKEY";

/// Where the key is inside of a world: in memory.
pub const KEY_INSIDE: &str = "/run/authkey";

/// The key for another control server: out of a file, or the variable that upstream's programs know.
///
/// # Errors
/// A [`Diagnostic`] where there is none.
pub fn auth_key(file: Option<&Path>) -> Result<String> {
    let found = match file {
        Some(file) => files::read(file)?,
        None => std::env::var(KEY_VARIABLE).unwrap_or_default(),
    };
    let place =
        file.map_or_else(|| format!("{KEY_VARIABLE} is not set"), |file| format!("{} is empty", file.display()));
    let next = format!("Make a reusable key there and give it with `--auth-key-file FILE` or in {KEY_VARIABLE}.");
    let key = found.trim();
    if key.is_empty() {
        return Err(Diagnostic::failure(Code::NoAuthKey, "`--control` takes a key to log in with", place, next).into());
    }
    Ok(key.to_owned())
}

/// Where nodes log in, and how they get there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// What the nodes are told.
    pub login_server: String,
    /// Where the socket and the list of names are, and the key until a world has taken it.
    pub folder: PathBuf,
}

impl Elsewhere {
    /// The socket to the helper outside.
    #[must_use]
    pub fn socket(&self) -> String {
        self.folder.join(SOCKET).display().to_string()
    }

    /// Puts the relays of a node's map on the list, as soon as the node has kept one beside its state.
    ///
    /// # Errors
    /// Where the list can't be written, or the map can't be read.
    pub fn allow_relays(&self, state: &Path) -> Result<()> {
        let Ok(map) = std::fs::read(state.join("derpmap.cached.json")) else { return Ok(()) };
        let map: serde_json::Value = serde_json::from_slice(&map).context("reading the map of relays")?;
        let allowed = self.folder.join(ALLOWED);
        let before = files::read(&allowed)?;
        let named = relays(&map).into_iter().map(|(name, port)| format!("{name} {port}"));
        let new: String =
            named.filter(|line| !before.lines().any(|known| known == line)).map(|line| line + "\n").collect();
        if new.is_empty() { Ok(()) } else { files::write(&allowed, &(before + &new)) }
    }
}

/// Inside, takes the key into the world's memory and off the disk.
///
/// # Errors
/// Where it can't be read or written.
pub(super) fn take_key(folder: &Path) -> Result<()> {
    let on_disk = folder.join(KEY);
    write_secret(Path::new(KEY_INSIDE), &files::read_bytes(&on_disk)?)?;
    std::fs::remove_file(on_disk).context("taking the key off the disk")
}

/// Writes a file that only its owner reads.
fn write_secret(path: &Path, secret: &[u8]) -> Result<()> {
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    opened.and_then(|mut file| file.write_all(secret)).context("writing the key")
}

/// The relays of a map, with the port of each.
fn relays(map: &serde_json::Value) -> Vec<(String, u64)> {
    let regions = map["Regions"].as_object().into_iter().flatten();
    let nodes = regions.flat_map(|(_, region)| region["Nodes"].as_array().into_iter().flatten());
    // No port means the usual one.
    let port = |node: &serde_json::Value| node["DERPPort"].as_u64().filter(|port| *port != 0).unwrap_or(443);
    let named = nodes.filter_map(|node| Some((node["HostName"].as_str()?.to_owned(), port(node))));
    named.filter(|(name, _)| is_plain(name)).collect()
}

/// Whether a host is written as names and addresses of version 4 are.
fn is_plain(host: &str) -> bool {
    !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
}

/// The way out, as long as it is open.
pub struct Way {
    /// What a world must know of it.
    pub elsewhere: Elsewhere,
    folder: tempfile::TempDir,
    _helper: Server,
}

impl Way {
    /// Whether a way can lead there: it is looked at before anything is built.
    ///
    /// # Errors
    /// A [`Diagnostic`] where the address is none of a control server.
    pub fn leads_to(url: &str) -> Result<()> {
        ControlServer::parse(url).map(drop)
    }

    /// Opens the way to a control server.
    ///
    /// # Errors
    /// A [`Diagnostic`] where the address is none, or the helper does not start.
    pub fn open(lab: &Path, url: &str, key: &str) -> Result<Self> {
        let server = ControlServer::parse(url)?;
        let folder = files::private_folder("way-out-")?;
        files::write(&folder.path().join(ALLOWED), &server.allowed())?;
        write_secret(&folder.path().join(KEY), key.as_bytes())?;
        let log = folder.path().join("log");
        let mut command = Command::new(lab);
        command.arg("egress-dial").arg(folder.path().join(SOCKET)).arg(folder.path().join(ALLOWED));
        let mut helper = process::start(command, &log)?;
        serving(&mut helper, &log)?;
        let elsewhere = Elsewhere { login_server: server.for_nodes(), folder: folder.path().to_owned() };
        Ok(Self { elsewhere, folder, _helper: helper })
    }

    /// Tells what was reached, refused and not found.
    ///
    /// # Errors
    /// Where the helper's log can't be read.
    pub fn tell(&self) -> Result<()> {
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
        let wrong = || Diagnostic::failure(Code::NotAControlServer, format!("`{url}` is no control server"), "", next);
        Ok(parsed.ok_or_else(wrong)?)
    }

    /// Whether the machine itself is meant, which no node reaches by that name.
    fn is_this_machine(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// What nodes are told: the same, but where the machine itself is meant, an address that leads there.
    fn for_nodes(&self) -> String {
        let host = if self.is_this_machine() { CONTROL } else { self.host };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{host}{port}", self.scheme)
    }

    /// What is reached of it: its port, or both of the usual ones, for a node upgrades its connection on either.
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
    fn a_control_server_and_what_is_reached_of_it() {
        let of = |url| {
            let server = ControlServer::parse(url).unwrap();
            (server.for_nodes(), server.allowed())
        };
        let server = of("https://control.example/");
        assert_eq!(server.0, "https://control.example");
        assert_eq!(server.1, "control.example 80 control.example\ncontrol.example 443 control.example\n");
        let server = of("http://127.0.0.1:8080");
        assert_eq!(server, ("http://10.90.0.1:8080".into(), "10.90.0.1 8080 127.0.0.1\n".into()));
        for wrong in
            ["control.example", "ftp://x", "https://", "https://a:b", "https://a/b", "https://u@a", "http://a b"]
        {
            let error = ControlServer::parse(wrong).unwrap_err();
            assert_eq!(error.downcast_ref::<Diagnostic>().unwrap().code, Code::NotAControlServer, "{wrong}");
        }
    }

    #[test]
    fn the_relays_of_a_map() {
        let map = serde_json::json!({"Regions": {
            "1": {"Nodes": [{"HostName": "one.example"}, {"HostName": "two.example", "DERPPort": 8443}]},
            "2": {"Nodes": null},
            "3": {"Nodes": [{"HostName": "a 1 127.0.0.1\nb"}]},
        }});
        assert_eq!(relays(&map), [("one.example".to_owned(), 443), ("two.example".to_owned(), 8443)]);
        assert!(relays(&serde_json::json!({})).is_empty());
    }
}
