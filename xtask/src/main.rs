//! The command `tailscale-featureset`: parses, dispatches, and turns what happened into the exit status.

use std::borrow::Cow;
use std::process::ExitCode;

use clap::Parser;
use xtask::cli::{Cli, Format};
use xtask::commands::{self, Outcome};
use xtask::problem::{Interrupted, Problem};
use xtask::{errln, escape, output, render};

fn main() -> ExitCode {
    let status = match Cli::try_parse() {
        Ok(cli) => run(&cli),
        Err(shown) => usage(&shown),
    };
    // The product is the purpose: without all of it no run is clean.
    match output::failure() {
        Some(problem) => {
            render::problem(&problem, Format::Human);
            ExitCode::from(status.max(2))
        }
        None => ExitCode::from(status),
    }
}

fn run(cli: &Cli) -> u8 {
    match commands::run(cli) {
        Ok(Outcome::Clean) => 0,
        Ok(Outcome::Findings) => 1,
        Err(error) if error.is::<Interrupted>() => {
            errln!("{error}");
            130
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
            let problem = error.downcast_ref::<Problem>().cloned().unwrap_or_else(unforeseen);
            render::problem(&problem, cli.format().unwrap_or(Format::Human));
            2
        }
    }
}

/// Shows the help, the version, or what is wrong with the command line, which it repeats.
fn usage(shown: &clap::Error) -> u8 {
    let text = shown.render();
    let hidden = std::env::args_os().any(|given| matches!(escape::line(&given.to_string_lossy()), Cow::Owned(_)));
    // Where an argument could set styles itself, nobody does.
    let text = if hidden { escape::lines(&text.to_string()).into_owned() } else { text.ansi().to_string() };
    if shown.use_stderr() {
        output::status(format_args!("{text}"));
    } else {
        output::product(format_args!("{text}"));
    }
    u8::try_from(shown.exit_code()).unwrap_or(2)
}

/// What led to an error, innermost last.
fn chain(error: &anyhow::Error) -> String {
    error.chain().skip(1).map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
