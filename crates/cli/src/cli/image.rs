//! Flags of `image` and of what it can do.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Flags of `image`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Image {
    /// What else to do than to make the images.
    #[command(subcommand)]
    pub action: Option<ImageAction>,
    /// A target of the policy; can be repeated [default: all].
    #[arg(long = "target", value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Take the shell from this file instead of the pinned package; for one target.
    #[arg(long, value_name = "PATH")]
    pub shell_file: Option<PathBuf>,
}

/// What `image` can do beside making images.
#[derive(Debug, Subcommand)]
pub enum ImageAction {
    /// Judge any archive: what makes RouterOS refuse it, run the wrong thing or waste its flash.
    Lint(ImageLint),
    /// Print the RouterOS commands that install an image.
    Script(Box<ImageScript>),
}

/// Flags of `image lint`.
#[derive(Debug, Args)]
pub struct ImageLint {
    /// The archive.
    pub file: PathBuf,
    /// Hold it against this target of the policy too: its platform, and the binary of its manifest.
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
    /// The bridge that it is put into.
    #[arg(long, value_name = "NAME", default_value = "containers")]
    pub bridge: String,
    /// The container's address and the length of its network.
    #[arg(long, value_name = "ADDRESS/LENGTH", default_value = "172.20.0.2/24")]
    pub address: String,
    /// The same for IPv6.
    #[arg(long, value_name = "ADDRESS/LENGTH")]
    pub address6: Option<String>,
    /// Networks that the node advertises, such as 192.168.88.0/24; separated by commas or repeated.
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    pub routes: Vec<String>,
    /// Offer the node as exit node.
    #[arg(long)]
    pub exit_node: bool,
    /// Add no NAT rule: the rest of the network knows the way to the container.
    #[arg(long)]
    pub no_nat: bool,
    /// The name of the container and of its lists.
    #[arg(long, value_name = "NAME", default_value = "tailscale")]
    pub name: String,
    /// The host name, which the tailnet shows.
    #[arg(long, value_name = "NAME", default_value = "mikrotik")]
    pub hostname: String,
    /// Where the archive is on the router.
    #[arg(long, value_name = "PATH", default_value = "disk1/tailscale.tar")]
    pub file: String,
    /// Where the root file system is to be.
    #[arg(long, value_name = "PATH", default_value = "disk1/tailscale/root")]
    pub root_dir: String,
    /// Where the state is to be.
    #[arg(long, value_name = "PATH", default_value = "disk1/tailscale/state")]
    pub state_dir: String,
    /// The container's resolvers [default: the router's choice].
    #[arg(long, value_name = "ADDRESSES")]
    pub dns: Option<String>,
    /// A control server of your own.
    #[arg(long, value_name = "URL")]
    pub login_server: Option<String>,
    /// A variable of the container's environment; can be repeated.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    pub environment: Vec<(String, String)>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or_else(|| "write it as NAME=VALUE".to_owned())?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}
