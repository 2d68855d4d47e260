//! The command `tailscale-featureset`: parses, dispatches, and turns what happened into the exit status.

use std::process::ExitCode;
use xtask::errln;

use clap::Parser;
use xtask::cli::Cli;
use xtask::commands::{self, Outcome};
use xtask::problem::{Interrupted, Problem};
use xtask::render;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = commands::run(&cli);
    match outcome {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Err(error) if error.is::<Interrupted>() => {
            errln!("{error}");
            ExitCode::from(130)
        }
        Err(error) => {
            let unforeseen = || {
                Problem::new(
                    "unforeseen",
                    error.to_string(),
                    chain(&error),
                    "Please report this with the command that you ran.",
                )
            };
            render::problem(&error.downcast_ref::<Problem>().cloned().unwrap_or_else(unforeseen), cli.format);
            ExitCode::from(2)
        }
    }
}

/// What led to an error, innermost last.
fn chain(error: &anyhow::Error) -> String {
    error.chain().skip(1).map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
