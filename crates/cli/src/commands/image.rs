//! `image`: what a router is given. The packed binary with a shell and an entrypoint, as the archive that RouterOS
//! imports; a verdict on any archive; and the commands that install one.

mod lint;
mod make;
mod script;
pub mod shell;

use std::path::Path;

use anyhow::Result;

use super::Outcome;
use crate::cli::{Image, ImageAction};
use crate::format::Format;

/// Runs the command.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] where a tool, the network or a file is in the way, or a value can't stand in its place.
pub fn run(policy: Option<&Path>, format: Format, flags: &Image) -> Result<Outcome> {
    match &flags.action {
        None => make::run(policy, format, flags),
        Some(ImageAction::Lint(flags)) => lint::run(policy, format, flags),
        Some(ImageAction::Script(flags)) => script::run(format, flags),
    }
}
