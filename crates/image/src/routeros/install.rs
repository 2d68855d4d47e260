//! The commands of the first installation.

use super::container::{Purpose, mount, settings};
use super::request::{Link, Refusal, Request, RouterAccess, Values};
use super::slot::Slot;
use super::text::{RUNNING, STOPPED, guarded, missing, present, quoted, refuse_if, wait};
use super::version::{LAST, Version};

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

/// The room for an image from a registry, whose size is not known on the router: its layer and its root, twice the
/// largest image of docs/measurements/sizes.md.
const REMOTE_ROOM: u64 = 12 << 20;

/// How long RouterOS may take to fetch and unpack an image, in seconds.
pub(super) const UNPACK: u32 = 600;

/// The largest TCP segment through the tunnel: its MTU of 1280 bytes less the headers of IPv4 and TCP.
const SEGMENT: u32 = 1240;

/// Writes the commands for one version.
///
/// # Errors
/// A [`Refusal`] that names the value: an unsupported version, or an invalid value.
pub fn script(version: Version, request: &Request) -> Result<Script, Refusal> {
    let values = request.checked(version)?;
    let warnings = warnings(version, request);
    let mut text = preface(version, request, &warnings);
    text += "\n{\n";
    let sections = [
        preflight(&values),
        network(&values),
        firewall(&values),
        state(version, &values),
        container(version, &values),
        login(&values),
    ];
    text += &sections.join("\n");
    text += "}\n";
    Ok(Script { text, warnings })
}

/// Returns the warnings about a version and a request.
pub(super) fn warnings(version: Version, request: &Request) -> Vec<String> {
    let mut warnings = Vec::new();
    if version > LAST {
        warnings.push(format!("RouterOS {version} is newer than what is known here; these are the commands of {LAST}"));
    }
    if !version.has_memory_limit() && request.memory > 0 {
        warnings.push(format!(
            "RouterOS {version} has no limit for one container; the entrypoint limits the daemon's heap, and \
             `/container/config/set ram-high=` limits all containers together"
        ));
    }
    warnings
}

fn preface(version: Version, request: &Request, warnings: &[String]) -> String {
    let source = match &request.remote_image {
        Some(image) => format!("the router reaches the registry of {}", quoted(image)),
        None => format!("the archive was copied to the router as {}", quoted(&request.archive())),
    };
    let mut text = format!(
        "# Tailscale in a container of RouterOS {version}. Made by `tailscale-featureset image script`.\n\
         #\n\
         # Paste it into a terminal of the router, or /import it. It can be pasted twice: what is there stays as it is.\n\
         # Before it: the container package is installed, containers are allowed (/system/device-mode/update container=yes,\n\
         # confirmed at the device), and {source}.\n\
         # It is one block: RouterOS checks all of it before it runs the first command, and an error ends it.\n",
    );
    for warning in warnings {
        text += &format!("#\n# NOTE: {warning}.\n");
    }
    text
}

/// Returns the commands that stop the script before it changes anything.
fn preflight(values: &Values<'_>) -> String {
    let request = values.request;
    let container = format!("interface={}", quoted(&request.interface));
    let mut text = String::from("# First the checks: nothing is changed before they pass.\n:local waited 0\n");
    if request.dns.is_none() {
        text += "# Without a DNS server the container does not start.\n";
        text += &refuse_if(
            "[:len [/ip/dns/get servers]] = 0 and [:len [/ip/dns/get dynamic-servers]] = 0",
            "the router has no DNS server: set one with /ip/dns/set servers=9.9.9.9, or print the script with --dns",
        );
    }
    text += &storage(values, &missing("/container", &container));
    text
}

/// Returns the checks of the disk and its room. `if_new` is the condition that the image is still to be unpacked.
pub(super) fn storage(values: &Values<'_>, if_new: &str) -> String {
    let request = values.request;
    let mut text = String::new();
    let free = match request.disk.as_deref() {
        None => {
            text += "# Routers with a folder `flash` lose everything outside it when they restart.\n";
            text += &refuse_if(
                &present("/file", "name=\"flash\" and type=\"disk\""),
                "this router keeps only what is in flash/: print the script with --disk flash, or with a disk",
            );
            "[/system/resource/get free-hdd-space]".to_owned()
        }
        Some("flash") => "[/system/resource/get free-hdd-space]".to_owned(),
        Some(disk) => {
            let find = format!("slot={}", quoted(disk));
            text += &refuse_if(&missing("/disk", &find), &format!("there is no disk {disk}: /disk/print lists them"));
            format!("[/disk/get [/disk/find where {find}] free]")
        }
    };
    text += "# Room for the root: what the archive has, and a tenth.\n";
    text += &format!(":if ({if_new}) do={{\n");
    let need = match &request.remote_image {
        Some(_) => REMOTE_ROOM.to_string(),
        None => {
            let archive = format!("name={}", quoted(&request.archive()));
            text += &refuse_if(
                &missing("/file", &archive),
                &format!("{} is not on the router: copy the archive there first", request.archive()),
            );
            format!("([/file/get [/file/find where {archive}] size] * 11 / 10)")
        }
    };
    text += &refuse_if(&format!("{free} < {need}"), "there is not enough room for the image");
    text + "}\n"
}

fn network(values: &Values<'_>) -> String {
    let request = values.request;
    let (veth, bridge) = (quoted(&request.interface), quoted(&request.bridge));
    let Link { container, router } = &values.link4;
    let mut veth_address = format!("address={container} gateway={}", router.addr());
    if let Some(link) = &values.link6 {
        veth_address =
            format!("address={container},{} gateway={} gateway6={}", link.container, router.addr(), link.router.addr());
    }
    let mut text = String::from("# The container's own network: a cable between it and a bridge.\n");
    text += &guarded("/interface/veth", &format!("name={veth}"), &format!("name={veth} {veth_address}"));
    text += &guarded("/interface/bridge", &format!("name={bridge}"), &format!("name={bridge}"));
    let port = format!("interface={veth}");
    text += &guarded("/interface/bridge/port", &port, &format!("bridge={bridge} {port}"));
    text += &guarded("/ip/address", &format!("address=\"{router}\""), &format!("address={router} interface={bridge}"));
    text += "\n# What is for the tailnet goes to the container";
    text += if values.accept_routes.is_empty() { ".\n" } else { ", and so do the networks of --accept-routes.\n" };
    let route = |network: &str| {
        let (menu, gateway) = match (network.contains(':'), &values.link6) {
            (false, _) => ("/ip/route", container.addr()),
            (true, Some(link)) => ("/ipv6/route", link.container.addr()),
            (true, None) => return format!("# {network}: not without --address6.\n"),
        };
        guarded(menu, &format!("dst-address=\"{network}\""), &format!("dst-address={network} gateway={gateway}"))
    };
    if let Some(Link { router, .. }) = &values.link6 {
        let at = format!("address=\"{router}\"");
        text += &guarded("/ipv6/address", &at, &format!("address={router} interface={bridge} advertise=no"));
    }
    text += &route(TAILNET);
    text += &route(TAILNET6);
    values.accept_routes.iter().for_each(|network| text += &route(network));
    text += "# Hosts of the LAN reach a node only if it accepts this node's routes: the answer to an address of the LAN needs\n\
             # a way back. So pass their network to --routes, approve it, and use --accept-routes on Linux nodes.\n";
    text
}

/// Returns a rule of the filter before the first rule that drops input; after it, it would have no effect.
fn input_rule(menu: &str, comment: &str, rule: &str) -> String {
    let comment = format!("comment=\"{comment}\"");
    let rule = format!("chain=input action=accept {rule} {comment}");
    let drops = format!("[{menu}/find where chain=input and action=drop]");
    format!(
        ":if ({}) do={{\n:local drops {drops}\n:if ([:len $drops] > 0) do={{ {menu}/add {rule} place-before=($drops->0) }} \
         else={{ {menu}/add {rule} }}\n}}\n",
        missing(menu, &comment)
    )
}

fn firewall(values: &Values<'_>) -> String {
    let request = values.request;
    let bridge = quoted(&request.bridge);
    let inside = values.link4.container.addr();
    let mut text = String::new();
    match request.access {
        RouterAccess::Rule => {
            text += "# The tailnet reaches the router itself. The default firewall drops input that is not from the LAN; who may\n\
                     # come this far is decided by the tailnet's access rules.\n";
            let rule = |network: &str| format!("in-interface={bridge} src-address={network}");
            text += &input_rule("/ip/firewall/filter", "tailscale to the router", &rule(TAILNET));
            if values.link6.is_some() {
                text += &input_rule("/ipv6/firewall/filter", "tailscale to the router", &rule(TAILNET6));
            }
        }
        RouterAccess::List => {
            text += "# The container counts as part of the LAN: the tailnet, too, reaches what the LAN reaches.\n";
            let member = format!("list=LAN interface={bridge}");
            let find = format!("list=\"LAN\" and interface={bridge}");
            text += &guarded("/interface/list/member", &find, &member);
        }
        RouterAccess::Closed => {
            text +=
                "# No access from the tailnet to the router (--router-access none): the router's own rules decide.\n";
        }
    }
    if request.dns.is_none() && request.access != RouterAccess::List {
        text += "# The container asks the router's DNS.\n";
        for protocol in ["udp", "tcp"] {
            let rule = format!("in-interface={bridge} src-address={inside} protocol={protocol} dst-port=53");
            text += &input_rule("/ip/firewall/filter", &format!("tailscale container dns {protocol}"), &rule);
        }
    }
    text += "\n# Packets through the tunnel have at most 1280 bytes. Where ICMP is blocked, TCP would stall on larger ones.\n";
    for (direction, comment) in [("out", "tailscale mss to the tunnel"), ("in", "tailscale mss from the tunnel")] {
        let comment = format!("comment=\"{comment}\"");
        let rule = format!(
            "chain=forward action=change-mss new-mss={SEGMENT} protocol=tcp tcp-flags=syn tcp-mss={}-65535 \
             {direction}-interface={bridge} passthrough=yes {comment}",
            SEGMENT + 1
        );
        text += &guarded("/ip/firewall/mangle", &comment, &rule);
    }
    let network = values.link4.container.trunc();
    if request.nat {
        text += "\n# The container reaches the internet, and the LAN, under the router's own addresses.\n";
        let rule = format!("chain=srcnat action=masquerade src-address={network} comment=\"tailscale container\"");
        text += &guarded("/ip/firewall/nat", "comment=\"tailscale container\"", &rule);
        if request.exit_node {
            text += &format!(
                "# What the exit node lets out has addresses of {TAILNET}: a masquerade rule towards the internet must take them\n\
                 # too. The one of the default configuration (out-interface-list=WAN) does. IPv6 has no such rule: clients of the\n\
                 # exit node reach the internet over IPv6 only if the router translates {TAILNET6} as well\n\
                 # (/ipv6/firewall/nat).\n"
            );
        }
    } else {
        text += &format!("\n# No NAT (--no-nat): whoever the container talks to needs a way back to {network}.\n");
    }
    text
}

fn state(version: Version, values: &Values<'_>) -> String {
    let request = values.request;
    let list = quoted(&request.name);
    let mut text =
        String::from("# The node's key and settings: the only thing that stays when the container is replaced.\n");
    text += &mount(version, values, Slot::A);
    let environment = request.environment_of(version);
    if !environment.is_empty() {
        text += "\n# The environment of the container.\n";
        if version.needs_main_routes() {
            text += "# MAIN_ROUTES: by reports containers of 7.22 and later look at the main routing table only, where tailscaled\n\
                     # puts nothing; subnet routes then fail while `tailscale ping` works. The entrypoint's helper keeps these\n\
                     # routes there.\n";
        }
        for (name, value) in environment {
            text += &variable(version, &list, &name, &quoted(&value));
        }
    }
    text
}

/// Returns the command that adds a variable. `value` is RouterOS syntax.
pub(super) fn variable(version: Version, list: &str, name: &str, value: &str) -> String {
    let at = |and: &str| format!("{}={list}{and} key={}", version.envs_key(), quoted(name));
    guarded("/container/envs", &at(" and"), &format!("{} value={value}", at("")))
}

fn container(version: Version, values: &Values<'_>) -> String {
    let request = values.request;
    let veth = format!("interface={}", quoted(&request.interface));
    let mut text = String::from("# The container itself. RouterOS unpacks the image in the background.\n");
    if version.needs_command() {
        text += "# From 7.22 on the image's own command was reported not to be read: it is stated here.\n";
    }
    text += &guarded("/container", &veth, &settings(version, values, Slot::A, Purpose::Install));
    text += &wait(
        &format!("{veth} and ({STOPPED} or {RUNNING})"),
        UNPACK,
        "the image is not unpacked after 10 minutes: see /container/print and /log/print",
    );
    if request.remote_image.is_none() {
        text += "# The archive has been unpacked; its room is needed.\n";
        text += &format!("/file/remove [/file/find where name={}]\n", quoted(&request.archive()));
    }
    let start = format!("/container/start [/container/find where {veth}]");
    let is_stopped = present("/container", &format!("{veth} and {STOPPED}"));
    let begin = format!(":if ({is_stopped}) do={{ {start} }}\n");
    if let Some(key_file) = &request.auth_key_file {
        text += &start_with_key(version, values, key_file, &is_stopped, &begin);
    } else {
        text += &begin;
    }
    text += &wait(&format!("{veth} and {RUNNING}"), 60, "the container does not run: see /log/print");
    text
}

/// Returns the commands that start the container with the auth key in its environment, and remove the key afterwards.
fn start_with_key(version: Version, values: &Values<'_>, key_file: &str, is_stopped: &str, begin: &str) -> String {
    let list = quoted(&values.request.name);
    let file = format!("name={}", quoted(key_file));
    let contents = format!("[/file/get [/file/find where {file}] contents]");
    let remove = format!(
        "/container/envs/remove [/container/envs/find where {}={list} and (key=\"AUTH_KEY\" or key=\"UP_FLAGS\")]",
        version.envs_key()
    );
    let mut text = String::from(
        "# The login: the entrypoint reads the auth key once, at its start. The key's file goes first and the variables\n\
         # when the container runs, or does not start.\n",
    );
    text += &format!(":if ({is_stopped} and {}) do={{\n", present("/file", &file));
    text += &variable(version, &list, "AUTH_KEY", &contents);
    text += &variable(version, &list, "UP_FLAGS", &quoted(&up_flags(values)));
    text += &format!("/file/remove [/file/find where {file}]\n}}\n");
    let veth = format!("interface={}", quoted(&values.request.interface));
    let wait = wait(&format!("{veth} and {RUNNING}"), 60, "the container does not run: see /log/print");
    text += &format!(":do {{\n{begin}{wait}:delay 5s\n}} on-error={{ :put \"the container was not started\" }}\n");
    text + &remove + "\n"
}

/// Returns the flags of `tailscale up`.
fn up_flags(values: &Values<'_>) -> String {
    let request = values.request;
    let mut flags = String::from("--netfilter-mode=off");
    if !values.routes.is_empty() {
        flags += &format!(" --advertise-routes={}", values.routes.join(","));
    }
    if request.exit_node {
        flags += " --advertise-exit-node";
    }
    if !values.accept_routes.is_empty() {
        flags += " --accept-routes";
    }
    if let Some(server) = &request.login_server {
        flags += &format!(" --login-server={server}");
    }
    flags
}

fn login(values: &Values<'_>) -> String {
    let request = values.request;
    let flags = up_flags(values);
    let shell = format!("/container/shell [/container/find where interface={}]", quoted(&request.interface));
    let mut text = match &request.auth_key_file {
        Some(_) => String::from(
            "# The login is in the log: /log/print where topics~\"container\". If it failed, log in by hand:\n",
        ),
        None => String::from("# First login, by hand:\n"),
    };
    text += &format!(
        "# open a shell in the container,\n\
         #   {shell}\n\
         # and type in it\n\
         #   tailscale up {flags}\n\
         # It prints an address to open in a browser. Approve routes and the exit node in the admin console.\n\
         # --netfilter-mode=off: the container has no iptables, and the router's own firewall decides.\n"
    );
    text
}
