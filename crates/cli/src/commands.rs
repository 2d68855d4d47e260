//! The commands, one module each.

pub mod audit;
pub mod bench;
pub mod build_tailscale;
pub mod bump;
pub mod check;
pub mod docs;
pub mod execpack;
pub mod explain;
pub mod image;
pub mod import;
pub mod list;
pub mod measure;
pub mod registry;
pub mod review;
pub mod symbolize;
pub mod tags;
pub mod verify;

use anyhow::Result;

use crate::cli::{Cli, Command};
pub use crate::outcome::Outcome;

/// Runs a command.
///
/// # Errors
/// A [`crate::problem::Problem`] if it can't run, [`crate::problem::Interrupted`] after a signal.
pub fn run(cli: &Cli) -> Result<Outcome> {
    let (policy, format) = (cli.policy.as_deref(), cli.format()?);
    match &cli.command {
        Command::Check(flags) => check::run(policy, format, flags),
        Command::Tags(flags) => tags::run(policy, format, flags),
        Command::List(flags) => list::run(policy, format, flags),
        Command::Explain(flags) => explain::run(policy, format, flags),
        Command::BuildTailscale(flags) => build_tailscale::run(policy, format, flags),
        Command::Registry(flags) => registry::run(policy, flags),
        Command::Image(flags) => image::run(policy, format, flags),
        Command::Review(flags) => review::run(policy, format, flags),
        Command::Bump(flags) => bump::run(policy, format, flags),
        Command::Measure(flags) => measure::run(policy, format, flags),
        Command::Audit(flags) => audit::run(policy, format, flags),
        Command::Import(flags) => import::run(policy, format, flags),
        Command::Symbolize(flags) => symbolize::run(policy, flags),
        Command::Verify(flags) => verify::run(policy, format, flags),
        Command::VerifyInside { plan } => verify::run_inside(plan),
        Command::Bench(flags) => bench::run(policy, format, flags),
        Command::BenchInside { plan } => bench::run_inside(plan),
        Command::Execpack(action) => execpack::run(action),
        Command::Docs(flags) => docs::run(policy, flags),
    }
}
