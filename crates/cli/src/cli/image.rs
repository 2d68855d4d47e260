//! Flags of `image` and its subcommands.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Flags of `image`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Image {
    /// A command other than making images.
    #[command(subcommand)]
    pub action: Option<ImageAction>,
    /// A target of the policy; can be repeated [default: all].
    #[arg(long = "target", value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Also write the images of all these targets as one OCI layout with an index of their platforms.
    #[arg(long, value_name = "FOLDER")]
    pub index: Option<PathBuf>,
    /// Use this file as the shell instead of the pinned package; for one target.
    #[arg(long, value_name = "PATH")]
    pub shell_file: Option<PathBuf>,
    /// Make images although reasons are still missing; they are marked as drafts.
    #[arg(long)]
    pub draft: bool,
}

/// The subcommands of `image`.
#[derive(Debug, Subcommand)]
pub enum ImageAction {
    /// Check any archive for what makes RouterOS refuse it, run the wrong program or waste flash.
    Lint(ImageLint),
    /// Print the RouterOS commands that install an image.
    Script(Box<ImageScript>),
}

/// Values of `--router-access`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Access {
    /// Firewall rules for the tailnet's addresses.
    Rule,
    /// Membership in the interface list LAN.
    List,
    /// No access.
    None,
}

/// Flags of `image lint`.
#[derive(Debug, Args)]
pub struct ImageLint {
    /// The archive.
    pub file: PathBuf,
    /// Also compare it with this target of the policy: the platform, and the binary of its manifest.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
}

/// Flags of `image script`.
#[derive(Debug, Args)]
pub struct ImageScript {
    /// The version of RouterOS, such as 7.21 (`/system/resource/print` shows it).
    #[arg(long, value_name = "VERSION")]
    pub routeros: image::routeros::Version,
    /// The container's virtual interface.
    #[arg(long, value_name = "NAME", default_value = "veth-ts")]
    pub interface: String,
    /// The bridge of the interface.
    #[arg(long, value_name = "NAME", default_value = "containers")]
    pub bridge: String,
    /// The container's address and prefix length.
    #[arg(long, value_name = "ADDRESS/LENGTH", default_value = "172.20.0.2/24")]
    pub address: String,
    /// The container's IPv6 address and prefix length.
    #[arg(long, value_name = "ADDRESS/LENGTH")]
    pub address6: Option<String>,
    /// Networks that the node advertises, such as 192.168.88.0/24; separated by commas or repeated.
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    pub routes: Vec<String>,
    /// Advertise the node as an exit node.
    #[arg(long)]
    pub exit_node: bool,
    /// Add no NAT rule, because the network has a route to the container.
    #[arg(long)]
    pub no_nat: bool,
    /// The name of the container and of its lists.
    #[arg(long, value_name = "NAME", default_value = "tailscale")]
    pub name: String,
    /// The node's host name in the tailnet.
    #[arg(long, value_name = "NAME", default_value = "mikrotik")]
    pub hostname: String,
    /// Print the commands that replace a running container by a newer one, and go back if the new node does not connect.
    #[arg(long, conflicts_with_all = ["auth_key_file"])]
    pub update: bool,
    /// The disk for the archive, the root and the state, such as usb1; `flash` on routers with such a folder [default: the
    /// internal flash].
    #[arg(long, value_name = "NAME")]
    pub disk: Option<String>,
    /// The image in a registry; the router fetches it.
    #[arg(long, value_name = "REFERENCE", conflicts_with = "file")]
    pub remote_image: Option<String>,
    /// The path of the archive on the router [default: tailscale.tar on the disk].
    #[arg(long, value_name = "PATH")]
    pub file: Option<String>,
    /// The folder for the root file system on the router [default: tailscale/root on the disk].
    #[arg(long, value_name = "PATH")]
    pub root_dir: Option<String>,
    /// The folder for the state on the router [default: tailscale/state on the disk].
    #[arg(long, value_name = "PATH")]
    pub state_dir: Option<String>,
    /// How the tailnet reaches the router itself: rules for its addresses, the interface list LAN, or not at all.
    #[arg(long, value_enum, default_value_t = Access::Rule)]
    pub router_access: Access,
    /// Networks of other nodes that the LAN reaches through this node; separated by commas or repeated.
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    pub accept_routes: Vec<String>,
    /// A file on the router with an auth key: the node logs in with it, and the key is removed.
    #[arg(long, value_name = "PATH")]
    pub auth_key_file: Option<String>,
    /// The memory of the container in MiB; 0 sets no limit.
    #[arg(long, value_name = "MIB", default_value_t = 128)]
    pub memory: u32,
    /// The container's DNS servers [default: the router's choice].
    #[arg(long, value_name = "ADDRESSES")]
    pub dns: Option<String>,
    /// The URL of your own control server.
    #[arg(long, value_name = "URL")]
    pub login_server: Option<String>,
    /// An environment variable of the container; can be repeated.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    pub environment: Vec<(String, String)>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or_else(|| "write it as NAME=VALUE".to_owned())?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}
