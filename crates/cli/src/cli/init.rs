//! Flags of `init`.

use clap::Args;
use featureset::init::reasons;
use featureset::name::FeatureName;
use featureset::platform::Platform;
use featureset::release::{GoVersion, Release};

/// Flags of `init`. On a terminal, it asks for what is missing.
#[derive(Debug, Args)]
pub struct Init {
    /// The device that runs the binary.
    #[arg(long, value_name = "DEVICE", value_parser = reasons::devices().keys().map(String::as_str).collect::<Vec<_>>())]
    pub device: Option<String>,
    /// The purposes of the node, separated by commas.
    #[arg(long = "for", value_name = "ROLE", value_delimiter = ',',
        value_parser = reasons::roles().iter().map(|role| role.name.as_str()).collect::<Vec<_>>())]
    pub roles: Vec<String>,
    /// A platform, with a budget for the packed binary if there is one, such as `linux/arm64` or `linux/arm64=3.4MB`; can be
    /// repeated [default: the usual ones of the device].
    #[arg(long = "platform", value_name = "PLATFORM[=SIZE]", value_delimiter = ',', value_parser = parse_platform)]
    pub platforms: Vec<(&'static Platform, Option<u64>)>,
    /// The release to pin [default: the newest known one].
    #[arg(long, value_name = "VERSION", value_parser = super::values::parse_release)]
    pub release: Option<Release>,
    /// The Go toolchain to pin [default: the oldest one that builds the release].
    #[arg(long, value_name = "VERSION")]
    pub go: Option<GoVersion>,
    /// A feature to omit although it would be kept, such as `tailnetlock` on a tailnet without Tailnet Lock; can be repeated.
    #[arg(long, value_name = "FEATURE", value_delimiter = ',', value_parser = parse_feature)]
    pub without: Vec<FeatureName>,
}

fn parse_platform(text: &str) -> Result<(&'static Platform, Option<u64>), String> {
    let (name, budget) = match text.split_once('=') {
        Some((name, budget)) => (name, Some(super::values::parse_size(budget)?)),
        None => (text, None),
    };
    let platform = Platform::named(name).map_err(|near| match &near[..] {
        [near] => format!("did you mean `{near}`?"),
        several => format!("take one of {}", several.join(", ")),
    })?;
    Ok((platform, budget))
}

fn parse_feature(text: &str) -> Result<FeatureName, String> {
    FeatureName::new(text).map_err(|error| error.to_string())
}
