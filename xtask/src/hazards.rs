//! `hazards`: known ones put to the test, new ones looked for.

mod compile;
mod prove;
mod sweep;

use std::path::Path;

use anyhow::Result;

use super::Outcome;
use crate::args::Hazards;

/// Runs the command.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] outside this repository, or where a release can't be had.
pub(crate) fn run(policy: Option<&Path>, command: &Hazards) -> Result<Outcome> {
    match command {
        Hazards::Prove { ids, releases, build } => prove::run(policy, ids, releases, *build),
        Hazards::Sweep { shard } => sweep::run(policy, *shard),
    }
}
