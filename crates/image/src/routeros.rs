//! The commands that install an image on a router.
//!
//! The syntax of `/container` differs between versions of RouterOS. Sources are the data of Ansible's collection
//! community.routeros (from 7.15) and reports of users; nothing was tested on a device. Versions before the first known one
//! are refused; later versions than the last known one get its commands.

mod request;
mod text;
mod version;

pub use request::{Refusal, Request};
pub use version::{FIRST, LAST, Version};

use crate::root::STATE;
use request::Values;
use text::{address, guarded, quoted};

/// The commands, and warnings about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The text: one command per line, each after its reason.
    pub text: String,
    /// Warnings, for example about an unknown version.
    pub warnings: Vec<String>,
}

/// The address ranges of the tailnet (Tailscale's net/tsaddr).
const TAILNET: &str = "100.64.0.0/10";
const TAILNET6: &str = "fd7a:115c:a1e0::/48";

/// Writes the commands for one version.
///
/// # Errors
/// A [`Refusal`] that names the value: an unsupported version, or an invalid value.
pub fn script(version: Version, request: &Request) -> Result<Script, Refusal> {
    let values = request.checked(version)?;
    let mut warnings = Vec::new();
    if version > LAST {
        warnings.push(format!("RouterOS {version} is newer than what is known here; these are the commands of {LAST}"));
    }
    let mut text = preface(version, request, &warnings);
    for section in [network(&values), state(version, &values), container(version, &values), login(&values)] {
        text.push('\n');
        text += &section;
    }
    Ok(Script { text, warnings })
}

fn preface(version: Version, request: &Request, warnings: &[String]) -> String {
    let mut text = format!(
        "# Tailscale in a container of RouterOS {version}. Made by `tailscale-featureset image script`.\n\
         #\n\
         # Paste it into a terminal of the router, or /import it. It can be pasted twice: what is there stays as it is.\n\
         # Before it: the container package is installed, containers are allowed (/system/device-mode/update container=yes,\n\
         # confirmed at the device), and the archive was copied to the router as {}.\n",
        quoted(&request.file)
    );
    for warning in warnings {
        text += &format!("#\n# NOTE: {warning}.\n");
    }
    text
}

fn network(values: &Values<'_>) -> String {
    let request = values.request;
    let (veth, bridge) = (quoted(&request.interface), quoted(&request.bridge));
    let (container, router) = &values.container;
    let (inside, outside) = (address(container), address(router));
    let mut veth_address = format!("address={container} gateway={outside}");
    if let Some((container6, router6)) = &values.container6 {
        veth_address = format!("address={container},{container6} gateway={outside} gateway6={}", address(router6));
    }
    let mut text = String::from("# The container's own network: a cable between it and a bridge.\n");
    text += &guarded("/interface/veth", &format!("name={veth}"), &format!("name={veth} {veth_address}"));
    text += &guarded("/interface/bridge", &format!("name={bridge}"), &format!("name={bridge}"));
    let port = format!("interface={veth}");
    text += &guarded("/interface/bridge/port", &port, &format!("bridge={bridge} {port}"));
    text += &guarded("/ip/address", &format!("address=\"{router}\""), &format!("address={router} interface={bridge}"));
    text += "\n# What is for the tailnet goes to the container.\n";
    let route = |network: &str| format!("dst-address={network} gateway={inside}");
    text += &guarded("/ip/route", &format!("dst-address=\"{TAILNET}\""), &route(TAILNET));
    if let Some((container6, router6)) = &values.container6 {
        let at = format!("address=\"{router6}\"");
        text += &guarded("/ipv6/address", &at, &format!("address={router6} interface={bridge} advertise=no"));
        let route = format!("dst-address={TAILNET6} gateway={}", address(container6));
        text += &guarded("/ipv6/route", &format!("dst-address=\"{TAILNET6}\""), &route);
    } else {
        text +=
            &format!("# Without --address6 there is none for {TAILNET6}: from the LAN, peers are reached by IPv4.\n");
    }
    if request.nat {
        text += "\n# The container reaches the internet, and the LAN, under the router's own addresses.\n";
        let network = &values.network;
        let rule = format!("chain=srcnat action=masquerade src-address={network} comment=\"tailscale container\"");
        text += &guarded("/ip/firewall/nat", "comment=\"tailscale container\"", &rule);
        if request.exit_node {
            text += &format!(
                "# What the exit node lets out has addresses of {TAILNET}: a masquerade rule towards the internet must take them\n\
                 # too. The one of the default configuration (out-interface-list=WAN) does.\n"
            );
        }
    } else {
        let network = &values.network;
        text += &format!("\n# No NAT (--no-nat): whoever the container talks to needs a way back to {network}.\n");
    }
    text
}

fn state(version: Version, values: &Values<'_>) -> String {
    let request = values.request;
    let (list, source) = (quoted(&request.name), quoted(&request.state));
    let key = version.mounts_key();
    let mut text =
        String::from("# The node's key and settings: the only thing that stays when the container is replaced.\n");
    let mount = format!("{key}={list} src={source} dst=\"/{STATE}\"");
    text += &guarded("/container/mounts", &format!("{key}={list}"), &mount);
    let environment = request.environment_of(version);
    if !environment.is_empty() {
        text += "\n# The environment of the container.\n";
        if version.needs_main_routes() {
            text += "# MAIN_ROUTES: by reports containers of 7.22 and later look at the main routing table only, where tailscaled\n\
                     # puts nothing; subnet routes then fail while `tailscale ping` works. The entrypoint adds the tailnet's\n\
                     # routes there, if the image has an `ip`: build it with `image: { shell: busybox }`.\n";
        }
        let key = version.envs_key();
        for (name, value) in environment {
            let (name, value) = (quoted(&name), quoted(&value));
            let at = format!("{key}={list} key={name}");
            text += &guarded("/container/envs", &at, &format!("{at} value={value}"));
        }
    }
    text
}

fn container(version: Version, values: &Values<'_>) -> String {
    let request = values.request;
    let list = quoted(&request.name);
    let veth = format!("interface={}", quoted(&request.interface));
    let mut settings = format!(
        "file={} {veth} root-dir={} {}={list} hostname={} logging=yes start-on-boot=yes",
        quoted(&request.file),
        quoted(&request.root),
        version.mounts_parameter(),
        quoted(&request.hostname)
    );
    if version.has_names() {
        settings += &format!(" name={list}");
    }
    if !request.environment_of(version).is_empty() {
        settings += &format!(" {}={list}", version.envs_parameter());
    }
    if let Some(dns) = &request.dns {
        settings += &format!(" dns={dns}");
    }
    let mut text = String::from("# The container itself. RouterOS unpacks the archive in the background.\n");
    if version.needs_command() {
        text += "# From 7.22 on the image's own command was reported not to be read: it is stated here.\n";
        let (first, argument) = crate::archive::command(true);
        settings += &format!(" entrypoint={} cmd={}", quoted(&first), quoted(&argument));
    }
    text += &guarded("/container", &veth, &settings);
    text += ":delay 20s\n";
    text += &format!(
        ":do {{ /container/start [/container/find where {veth}] }} on-error={{ :put \"not started: it runs already, or is \
         still being unpacked; see /container/print, then paste this line again\" }}\n"
    );
    text
}

fn login(values: &Values<'_>) -> String {
    let request = values.request;
    let mut up = String::from("tailscale up --netfilter-mode=off");
    if !values.routes.is_empty() {
        up += &format!(" --advertise-routes={}", values.routes.join(","));
    }
    if request.exit_node {
        up += " --advertise-exit-node";
    }
    if let Some(server) = &request.login_server {
        up += &format!(" --login-server={server}");
    }
    let find = format!("[/container/find where interface={}]", quoted(&request.interface));
    format!(
        "# First login, by hand: open a shell in the container,\n\
         #   /container/shell {find}\n\
         # and type in it\n\
         #   {up}\n\
         # It prints an address to open in a browser. Approve routes and the exit node in the admin console.\n\
         # --netfilter-mode=off: the container has no iptables, and the router's own firewall decides.\n"
    )
}

#[cfg(test)]
mod tests;
