//! `cargo xtask`: the product's commands, and those for the maintainers of this repository.

mod args;
mod ci;
mod fuzz;
mod hazards;
mod pin_shells;
mod programs;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Subcommand};
use tailscale_featureset::cli::Cli;
use tailscale_featureset::commands::{self, Outcome};
use tailscale_featureset::entry;
use tailscale_featureset::format::FindingsFormat;

use args::Maintenance;

fn main() -> ExitCode {
    entry::exit(match command().try_get_matches() {
        Ok(matches) => run(&matches),
        Err(shown) => entry::usage(&shown),
    })
}

/// The product's command line with the maintainers' commands added.
fn command() -> Command {
    let pin = Command::new("pin").about("Fetch the packages of the shells and write the table that pins them");
    Maintenance::augment_subcommands(Cli::command()).mut_subcommand("image", |image| image.subcommand(pin))
}

/// Runs a command and returns the exit status.
fn run(matches: &ArgMatches) -> u8 {
    let is_pin = matches.subcommand_matches("image").is_some_and(|image| image.subcommand_name() == Some("pin"));
    if is_pin || matches.subcommand_name().is_some_and(Maintenance::has_subcommand) {
        return entry::status(maintain(matches, is_pin), FindingsFormat::Human);
    }
    match Cli::from_arg_matches(matches) {
        Ok(cli) => entry::status(commands::run(&cli), cli.format()),
        Err(shown) => entry::usage(&shown),
    }
}

fn maintain(matches: &ArgMatches, is_pin: bool) -> Result<Outcome> {
    let policy = matches.get_one::<PathBuf>("policy").map(PathBuf::as_path);
    if is_pin {
        return pin_shells::run(policy);
    }
    match Maintenance::from_arg_matches(matches)? {
        Maintenance::Ci(flags) => ci::run(policy, &flags),
        Maintenance::Programs(flags) => programs::run(policy, &flags),
        Maintenance::Fuzz(flags) => fuzz::run(policy, &flags),
        Maintenance::Hazards(flags) => hazards::run(policy, &flags),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn command_line_is_consistent() {
        super::command().debug_assert();
    }
}
