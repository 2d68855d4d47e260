//! Flags of `publish`.

use clap::Args;

/// Flags of `publish`.
#[derive(Debug, Args)]
pub struct Publish {
    /// The image in a registry, with a tag that never moves, such as ghcr.io/owner/tailscale:1.102.5-1.
    #[arg(value_name = "REGISTRY/NAME:TAG")]
    pub reference: String,
    /// Also point this tag at the image, wherever it points now; can be repeated.
    #[arg(long = "moving", value_name = "TAG")]
    pub moving: Vec<String>,
    /// A target of the policy; can be repeated [default: all that have an image].
    #[arg(long = "target", value_name = "TARGET")]
    pub targets: Vec<String>,
}
