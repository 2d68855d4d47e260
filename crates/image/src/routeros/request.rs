//! The user's settings for the commands, and their validation.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::slot::Slot;
use super::version::{FIRST, Version};
use crate::printable::printable;

/// How packets from the tailnet to the router's own addresses get through its firewall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouterAccess {
    /// Rules before the first that drops input accept what comes from the tailnet's addresses.
    Rule,
    /// The bridge joins the interface list `LAN`: the tailnet may do what the LAN may.
    List,
    /// The firewall stays as it is; only the container's questions to the router's DNS are accepted.
    Closed,
}

/// The settings of the container. Every value is validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The container's virtual interface, which is created.
    pub interface: String,
    /// The bridge that it is put into, which is created if it does not exist.
    pub bridge: String,
    /// The container's address with the length of its network; the router gets the first other address in it.
    pub address: String,
    /// The same for IPv6, if any.
    pub address6: Option<String>,
    /// Networks that the node advertises to the tailnet.
    pub routes: Vec<String>,
    /// Whether the node offers itself as exit node.
    pub exit_node: bool,
    /// Whether the container's traffic leaves under the router's addresses.
    pub nat: bool,
    /// The name of the container and of its lists.
    pub name: String,
    /// The host name, which the tailnet shows.
    pub hostname: String,
    /// The disk of the paths below that are not set; the internal flash if `None`.
    pub disk: Option<String>,
    /// The image in a registry, such as `ghcr.io/owner/tailscale:1.102.5`; an archive on the router if `None`.
    pub remote_image: Option<String>,
    /// The path of the archive on the router.
    pub file: Option<String>,
    /// The directory of the root file system.
    pub root: Option<String>,
    /// The directory of the state.
    pub state: Option<String>,
    /// How the tailnet reaches the router itself.
    pub access: RouterAccess,
    /// Networks of other nodes that the LAN reaches through this node.
    pub accept_routes: Vec<String>,
    /// The path of a file on the router that holds an auth key.
    pub auth_key_file: Option<String>,
    /// The memory of the container, in MiB; no limit if 0.
    pub memory: u32,
    /// Whether the image has the entrypoint and its helper, thus a shell.
    pub has_entrypoint: bool,
    /// The resolver of the container, if not the router's default.
    pub dns: Option<String>,
    /// The control server, if it is not Tailscale's.
    pub login_server: Option<String>,
    /// More variables of the environment.
    pub environment: Vec<(String, String)>,
}

impl Default for Request {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            interface: text("veth-ts"),
            bridge: text("containers"),
            address: text("172.20.0.2/24"),
            address6: None,
            routes: Vec::new(),
            exit_node: false,
            nat: true,
            name: text("tailscale"),
            hostname: text("mikrotik"),
            disk: None,
            remote_image: None,
            file: None,
            root: None,
            state: None,
            access: RouterAccess::Rule,
            accept_routes: Vec::new(),
            auth_key_file: None,
            memory: 128,
            has_entrypoint: true,
            dns: None,
            login_server: None,
            environment: Vec::new(),
        }
    }
}

/// The remedy of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Another value.
    Value,
    /// An image with a shell, because the entrypoint is a script.
    Shell,
}

/// A value that is invalid, or that the image can't follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The flag, such as `--routes`.
    pub what: &'static str,
    /// The remedy.
    pub remedy: Remedy,
    /// The reason; the value is quoted with its control characters escaped.
    pub why: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for Refusal {}

/// Validated values, which can't break out of the commands.
pub(super) struct Values<'a> {
    pub(super) request: &'a Request,
    pub(super) link4: Link,
    pub(super) link6: Option<Link>,
    pub(super) routes: Vec<String>,
    pub(super) accept_routes: Vec<String>,
}

/// The longest name of an interface: from 7.20, the interface in the container has the same name, and Linux allows
/// 15 characters; names were observed to be truncated after 14.
const LONGEST_INTERFACE: usize = 14;

/// The longest other value.
const LONGEST: usize = 200;

fn refuse<T>(what: &'static str, value: &str, why: &str) -> Result<T, Refusal> {
    Err(Refusal { what, remedy: Remedy::Value, why: format!("`{}` {why}", printable(value)) })
}

/// Refuses a request that needs the entrypoint of an image without a shell.
fn needs_shell(what: &'static str, why: &str) -> Result<(), Refusal> {
    Err(Refusal { what, remedy: Remedy::Shell, why: why.to_owned() })
}

fn name(what: &'static str, value: &str, longest: usize) -> Result<(), Refusal> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if value.is_empty() || value.len() > longest || !value.chars().all(plain) || value.starts_with('-') {
        let why = format!("is not a name of at most {longest} letters, digits, `-`, `_` and `.`");
        return refuse(what, value, &why);
    }
    Ok(())
}

fn line(what: &'static str, value: &str) -> Result<(), Refusal> {
    if value.is_empty() || value.len() > LONGEST || value.chars().any(char::is_control) {
        return refuse(what, value, "is empty, too long, or holds control characters");
    }
    Ok(())
}

/// A path on the router. RouterOS has no `..`.
fn path(what: &'static str, value: &str) -> Result<(), Refusal> {
    line(what, value)?;
    if value.split('/').any(|part| part == "..") {
        return refuse(what, value, "holds `..`");
    }
    Ok(())
}

/// The two ends of the cable between the container and the router: addresses with the length of their network.
pub(super) struct Link {
    pub(super) container: IpNet,
    pub(super) router: IpNet,
}

/// Reads the container's end, whose family is that of `N`; the router's is the first other host of the network.
fn link<N: FromStr + Into<IpNet>>(what: &'static str, value: &str, wanted: &str) -> Result<Link, Refusal> {
    // The whole address space is not a network for two hosts.
    let has_room = |network: &IpNet| (1..network.max_prefix_len() - 1).contains(&network.prefix_len());
    let Some(container) = value.parse::<N>().ok().map(Into::into).filter(has_room) else {
        return refuse(what, value, wanted);
    };
    let is_broadcast = container.addr().is_ipv4() && container.addr() == container.broadcast();
    let is_network = |host: &IpAddr| *host == container.network();
    let other = container.hosts().find(|host| !is_network(host) && *host != container.addr());
    match other.and_then(|host| IpNet::new(host, container.prefix_len()).ok()) {
        Some(router) if !is_broadcast && !is_network(&container.addr()) => Ok(Link { container, router }),
        _ => refuse(what, value, "is the network's own address or its broadcast, not a container's"),
    }
}

impl Request {
    fn path_or(&self, path: Option<&String>, default: &str) -> String {
        let disk = self.disk.as_ref().map(|disk| format!("{disk}/")).unwrap_or_default();
        path.cloned().unwrap_or_else(|| disk + default)
    }

    /// Returns the path of the archive on the router.
    pub(super) fn archive(&self) -> String {
        self.path_or(self.file.as_ref(), "tailscale.tar")
    }

    /// Returns the directory of the root file system in a slot. An update puts the new container into the other slot.
    pub(super) fn root_in(&self, slot: Slot) -> String {
        self.path_or(self.root.as_ref(), "tailscale/root") + slot.suffix()
    }

    /// Returns the directory of the state in a slot.
    pub(super) fn state_in(&self, slot: Slot) -> String {
        self.path_or(self.state.as_ref(), "tailscale/state") + slot.suffix()
    }

    /// Returns the name of the list of mounts, and of the comment, of a slot.
    pub(super) fn mounts_in(&self, slot: Slot) -> String {
        format!("{}{}", self.name, slot.suffix())
    }

    /// Returns the networks whose routes point to the container.
    pub(super) fn routes_to_container(&self, version: Version) -> Option<String> {
        let tailnet = ["100.64.0.0/10", "fd7a:115c:a1e0::/48"].map(str::to_owned);
        let needed = version.needs_main_routes() && self.has_entrypoint;
        needed.then(|| tailnet.into_iter().chain(self.accept_routes.iter().cloned()).collect::<Vec<_>>().join(" "))
    }

    /// The variables of the environment for a version.
    pub(super) fn environment_of(&self, version: Version) -> Vec<(String, String)> {
        let routes = self.routes_to_container(version).map(|routes| ("MAIN_ROUTES".to_owned(), routes));
        // The entrypoint sets GOMEMLIMIT accordingly. Older versions have no limit that it could read.
        let has_limit = self.memory > 0 && self.has_entrypoint;
        let limit = has_limit.then(|| ("MEMORY_LIMIT".to_owned(), self.memory.to_string()));
        let own = routes.into_iter().chain(limit);
        let stated = |name: &str| self.environment.iter().any(|(other, _)| other == name);
        own.into_iter().filter(|(name, _)| !stated(name)).chain(self.environment.iter().cloned()).collect()
    }

    /// Checks every value, and that the image has what an update needs.
    pub(super) fn checked_for_update(&self, version: Version) -> Result<Values<'_>, Refusal> {
        if !self.has_entrypoint {
            needs_shell("--update", "only the entrypoint can copy the state, and the image has none")?;
        }
        self.checked(version)
    }

    /// Checks every value.
    pub(super) fn checked(&self, version: Version) -> Result<Values<'_>, Refusal> {
        if version < FIRST {
            return refuse(
                "--routeros",
                &version.to_string(),
                &format!("is below {FIRST}, the first whose syntax is known"),
            );
        }
        name("--interface", &self.interface, LONGEST_INTERFACE)?;
        name("--bridge", &self.bridge, LONGEST_INTERFACE)?;
        name("--name", &self.name, 32)?;
        name("--hostname", &self.hostname, 63)?;
        let paths = [
            ("--disk", &self.disk),
            ("--file", &self.file),
            ("--root-dir", &self.root),
            ("--state-dir", &self.state),
            ("--auth-key-file", &self.auth_key_file),
        ];
        for (what, value) in paths {
            value.as_ref().map_or(Ok(()), |value| path(what, value))?;
        }
        if let Some(image) = &self.remote_image {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/@".contains(c);
            line("--remote-image", image)?;
            if !image.chars().all(plain) || !image.contains('/') {
                return refuse("--remote-image", image, "is not a name such as ghcr.io/owner/tailscale:1.102.5");
            }
        }
        if self.memory != 0 && !(64..=4096).contains(&self.memory) {
            let why = "is not 0 or between 64 and 4096: below, the daemon is slowed down until it answers no longer";
            return refuse("--memory", &self.memory.to_string(), why);
        }
        self.check_entrypoint_needs(version)?;
        if let Some(dns) = &self.dns
            && dns.split(',').any(|address| address.parse::<IpAddr>().is_err())
        {
            return refuse("--dns", dns, "is not a list of addresses");
        }
        if let Some(server) = &self.login_server {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c);
            if !(server.starts_with("https://") || server.starts_with("http://")) || !server.chars().all(plain) {
                return refuse("--login-server", server, "is not a URL such as https://control.example.com");
            }
        }
        self.check_environment()?;
        let wanted = "is not an IPv4 address with a length of 1 to 30, such as 172.20.0.2/24";
        let link4 = link::<Ipv4Net>("--address", &self.address, wanted)?;
        let wanted = "is not an IPv6 address with a length of 1 to 126, such as fd20::2/64";
        let link6 = self.address6.as_deref().map(|value| link::<Ipv6Net>("--address6", value, wanted)).transpose()?;
        Ok(Values {
            request: self,
            link4,
            link6,
            routes: checked_routes("--routes", &self.routes)?,
            accept_routes: checked_routes("--accept-routes", &self.accept_routes)?,
        })
    }

    /// Checks that the image has the entrypoint, if the request needs it.
    fn check_entrypoint_needs(&self, version: Version) -> Result<(), Refusal> {
        if version.needs_main_routes() && !self.has_entrypoint {
            let why = format!("{version} needs routes that only the entrypoint adds, and the image has none");
            needs_shell("--routeros", &why)?;
        }
        if self.auth_key_file.is_some() && !self.has_entrypoint {
            needs_shell("--auth-key-file", "only the entrypoint can log in, and the image has none")?;
        }
        Ok(())
    }

    /// Checks the names and values of the environment.
    fn check_environment(&self) -> Result<(), Refusal> {
        for (key, value) in &self.environment {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if key.is_empty()
                || key.len() > LONGEST
                || !key.chars().all(plain)
                || key.starts_with(|c: char| c.is_ascii_digit())
            {
                return refuse("--env", key, "is not a valid variable name");
            }
            line("--env", value)?;
        }
        Ok(())
    }
}

fn checked_routes(what: &'static str, routes: &[String]) -> Result<Vec<String>, Refusal> {
    routes.iter().map(|route| checked_route(what, route)).collect()
}

/// Validates a route for tailscale: the first address of a network and its prefix length.
fn checked_route(what: &'static str, route: &str) -> Result<String, Refusal> {
    match route.parse::<IpNet>() {
        Ok(network) if network.trunc() == network => Ok(network.to_string()),
        Ok(network) => refuse(what, route, &format!("has host bits set; did you mean `{}`?", network.trunc())),
        Err(_) => refuse(what, route, "is not a network such as 192.168.88.0/24"),
    }
}
