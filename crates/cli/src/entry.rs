//! Parses the command line, runs the command and turns its result into the exit status.

use std::borrow::Cow;
use std::process::ExitCode;

use crate::cli::Cli;
use crate::commands;
use crate::format::FindingsFormat;
use crate::interrupted::Interrupted;
use crate::outcome::Outcome;
use crate::{errln, escape, output, render};
use clap::Parser;
use diagnostics::{Code, Diagnostic};

/// Runs the product with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    exit(match Cli::try_parse() {
        Ok(cli) => status(commands::run(&cli), cli.format()),
        Err(shown) => usage(&shown),
    })
}

/// Returns the exit status: 2 if a product could not be printed completely, because an incomplete run is not clean.
#[must_use]
pub fn exit(status: u8) -> ExitCode {
    match output::failure() {
        Some(failure) => {
            render::failure(&failure, FindingsFormat::Human);
            ExitCode::from(status.max(2))
        }
        None => ExitCode::from(status),
    }
}

/// Returns the diagnostic of an error; one that has none is a fault of the program.
fn diagnostic(error: &anyhow::Error) -> Diagnostic {
    let unforeseen = || {
        let next = "Please report this with the command that you ran.";
        Diagnostic::failure(Code::InternalError, error.to_string(), chain(error), next)
    };
    error.downcast_ref::<Diagnostic>().cloned().unwrap_or_else(unforeseen)
}

/// Shows why a command could not run, and returns its exit status.
#[must_use]
pub fn status(result: anyhow::Result<Outcome>, format: FindingsFormat) -> u8 {
    match result {
        Ok(Outcome::Clean) => 0,
        Ok(Outcome::Findings) => 1,
        Err(error) if error.is::<Interrupted>() => {
            errln!("{error}");
            130
        }
        Err(error) => {
            render::failure(&diagnostic(&error), format);
            2
        }
    }
}

/// Shows the help, the version, or the error in the command line, which it repeats. Returns the exit status.
#[must_use]
pub fn usage(shown: &clap::Error) -> u8 {
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

/// The causes of an error, innermost last.
fn chain(error: &anyhow::Error) -> String {
    error.chain().skip(1).map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn error_without_a_diagnostic_is_an_internal_error_with_its_causes() {
        let found = diagnostic(&anyhow!("the inner cause").context("the outer error"));
        assert_eq!(
            (found.code, found.message.as_str(), &*found.why),
            (Code::InternalError, "the outer error", "the inner cause")
        );
    }
}
