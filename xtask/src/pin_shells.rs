//! `image pin`: fetches the shells' packages for every platform and writes the table that pins them.

use std::path::Path;

use anyhow::Result;
use image::platform::Platform;
use image::shells::{Kind, Pin, Table};

use tailscale_featureset::cache::Cache;
use tailscale_featureset::commands::image::shell;
use tailscale_featureset::commands::{Outcome, registry};
use tailscale_featureset::{files, progress};

/// Where the table lives in this repository.
const FILE: &str = "crates/image/shells.json";

/// Runs the command. Nothing is written before every package was read.
///
/// # Errors
/// A [`tailscale_featureset::problem::Problem`] outside this repository, or where a package can't be had.
pub(crate) fn run(policy: Option<&Path>) -> Result<Outcome> {
    let root = registry::repository(policy)?;
    let cache = Cache::of_user();
    let old = shell::read_table()?;
    let mut shells = Vec::new();
    for kind in Kind::ALL {
        for platform in Platform::ALL {
            shells.push(fresh(&cache, &old.suite, kind, platform)?);
        }
    }
    shells.sort_by_key(|pin| (pin.shell != Kind::Mksh, pin.architecture.clone()));
    for pin in shells.iter().filter(|pin| !old.shells.contains(pin)) {
        progress::line("Changed", &format!("{} {} for {}", pin.package, pin.version, pin.architecture));
    }
    let table = Table { generated_by: "cargo xtask image pin".to_owned(), suite: old.suite, shells };
    files::write(&root.join(FILE), &table.to_json().map_err(anyhow::Error::msg)?)?;
    progress::line("Wrote", FILE);
    Ok(Outcome::Clean)
}

fn fresh(cache: &Cache, suite: &str, shell: Kind, platform: Platform) -> Result<Pin> {
    let (package, file, licence) = shell.source();
    let mut pin = Pin {
        shell,
        architecture: platform.debian().to_owned(),
        package: package.to_owned(),
        version: String::new(),
        file: file.to_owned(),
        bytes: 0,
        sha256: String::new(),
        licence: licence.to_owned(),
    };
    let step = progress::step("Fetching", format!("{package} for {}", pin.architecture));
    let (bytes, version) = shell::fetch(cache, suite, &pin)?;
    (pin.bytes, pin.sha256, pin.version) = (bytes.len() as u64, files::sha256(&bytes), version);
    step.done("Fetched", &pin.version);
    Ok(pin)
}
