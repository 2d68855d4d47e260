//! `image`: makes the archive that RouterOS imports (the packed binary with a shell and an entrypoint), lints any archive,
//! and prints the commands that install one. `--index` also writes all of them as one OCI layout.

mod index;
mod labels;
mod lint;
mod make;
mod script;
pub mod shell;

pub(super) use index::{check as check_index, write as write_index};
pub(super) use make::{entries, make, planned};

use std::path::Path;

use anyhow::Result;

use crate::cli::{Image, ImageAction};
use crate::format::Format;
use crate::outcome::Outcome;

/// Runs the command.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] if a tool, a download or a file fails, or a value is invalid.
pub fn run(policy: Option<&Path>, format: Format, flags: &Image) -> Result<Outcome> {
    match &flags.action {
        None => make::run(policy, format, flags),
        Some(ImageAction::Lint(flags)) => lint::run(policy, format, flags),
        Some(ImageAction::Script(flags)) => script::run(policy, format, flags),
    }
}
