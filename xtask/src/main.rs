//! `cargo xtask`: the product's commands, and those for the maintainers of this repository.

mod args;
mod ci;
mod estimates;
mod fuzz;
mod hazards;
mod image_helper;
mod loaders;
mod pin_shells;
mod programs;
mod zig;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches, Subcommand};
use tailscale_featureset::cli::Cli;
use tailscale_featureset::commands::{self, Outcome};
use tailscale_featureset::entry;
use tailscale_featureset::format::FindingsFormat;

use args::{Built, Estimates, Hazards, Maintenance};

fn main() -> ExitCode {
    entry::exit(match command().try_get_matches() {
        Ok(matches) => run(&matches),
        Err(shown) => entry::usage(&shown),
    })
}

/// The product's command line with the maintainers' commands added.
fn command() -> Command {
    let pin = Command::new("pin").about("Fetch the packages of the shells and write the table that pins them");
    let helper = Built::augment_args(Command::new("helper"))
        .about("Build the helper of the image's entrypoint with the pinned compiler");
    let loaders = Built::augment_args(Command::new("loaders"))
        .about("Build the loaders of packed executables with the pinned compiler");
    let estimates = Estimates::augment_args(Command::new("estimates"))
        .about("Build selections drawn from seeds and compare their sizes with the estimates");
    Maintenance::augment_subcommands(Cli::command())
        .mut_subcommand("measure", |measure| measure.subcommand(estimates))
        .mut_subcommand("image", |image| image.subcommand(pin).subcommand(helper))
        .mut_subcommand("hazards", Hazards::augment_subcommands)
        .mut_subcommand("execpack", |execpack| execpack.subcommand(loaders))
}

/// Runs a command and returns the exit status.
fn run(matches: &ArgMatches) -> u8 {
    if let Some(outcome) = maintain(matches).transpose() {
        return entry::status(outcome, FindingsFormat::Human);
    }
    match Cli::from_arg_matches(matches) {
        Ok(cli) => entry::status(commands::run(&cli), cli.format()),
        Err(shown) => entry::usage(&shown),
    }
}

/// Runs a maintainers' command. Returns `None` if the command is the product's.
fn maintain(matches: &ArgMatches) -> Result<Option<Outcome>> {
    let policy = matches.get_one::<PathBuf>("policy").map(PathBuf::as_path);
    let outcome = match matches.subcommand().map(|(name, below)| (name, below.subcommand())) {
        Some(("image", Some(("pin", _)))) => pin_shells::run(policy),
        Some(("execpack", Some(("loaders", flags)))) => loaders::run(policy, &Built::from_arg_matches(flags)?),
        Some(("measure", Some(("estimates", flags)))) => estimates::run(policy, &Estimates::from_arg_matches(flags)?),
        Some(("image", Some(("helper", flags)))) => image_helper::run(policy, &Built::from_arg_matches(flags)?),
        Some(("hazards", Some((name, _)))) if Hazards::has_subcommand(name) => {
            let below = matches.subcommand_matches("hazards").unwrap_or(matches);
            hazards::run(policy, &Hazards::from_arg_matches(below)?)
        }
        Some((name, _)) if Maintenance::has_subcommand(name) => {
            maintenance(policy, Maintenance::from_arg_matches(matches)?)
        }
        _ => return Ok(None),
    };
    outcome.map(Some)
}

fn maintenance(policy: Option<&Path>, command: Maintenance) -> Result<Outcome> {
    match command {
        Maintenance::Ci(flags) => ci::run(policy, &flags),
        Maintenance::Programs(flags) => programs::run(policy, &flags),
        Maintenance::Fuzz(flags) => fuzz::run(policy, &flags),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn command_line_is_consistent() {
        super::command().debug_assert();
    }
}
