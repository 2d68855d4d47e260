//! The commands, one module each.

pub mod audit;
pub mod bench;
pub mod build_tailscale;
pub mod bump;
pub mod check;
pub mod decide;
pub mod docs;
pub mod edit;
pub mod execpack;
pub mod explain;
pub mod explore;
pub mod hazards;
pub mod image;
pub mod import;
pub mod init;
pub mod list;
pub mod measure;
pub mod publish;
pub mod registry;
pub mod review;
pub mod symbolize;
pub mod tags;
pub mod verify;

use anyhow::Result;

use crate::cli::{Cli, Command, Hazards};
pub use crate::outcome::Outcome;

/// Runs a command.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] if it can't run, [`crate::interrupted::Interrupted`] after a signal.
pub fn run(cli: &Cli) -> Result<Outcome> {
    let policy = cli.policy.as_deref();
    match &cli.command {
        Command::Check(given) => check::run(policy, given.format, &given.flags),
        Command::Tags(given) => tags::run(policy, given.format, &given.flags),
        Command::List(given) => list::run(policy, given.format, &given.flags),
        Command::Explain(given) => explain::run(policy, given.format, &given.flags),
        Command::BuildTailscale(given) => build_tailscale::run(policy, given.format, &given.flags),
        Command::Edit(flags) => edit::run(policy, flags),
        Command::Explore(flags) => explore::run(policy, flags),
        Command::Registry(given) => registry::run(policy, &given.flags),
        Command::Image(given) => image::run(policy, given.format, &given.flags),
        Command::Publish(given) => publish::run(policy, given.format, &given.flags),
        Command::Review(given) => review::run(policy, given.format, &given.flags),
        Command::Bump(flags) => bump::run(policy, flags.format, flags),
        Command::Measure(given) => measure::run(policy, given.format, &given.flags),
        Command::Audit(given) => audit::run(policy, given.format, &given.flags),
        Command::Import(given) => import::run(policy, given.format, &given.flags),
        Command::Hazards(Hazards::List(given)) => hazards::run(policy, given.format, &given.flags),
        Command::Decide(given) => decide::run(policy, given.format, &given.flags),
        Command::Accept(given) => decide::run_accept(policy, given.format, &given.flags),
        Command::Init(given) => init::run(policy, given.format, &given.flags),
        Command::Symbolize(given) => symbolize::run(policy, &given.flags),
        Command::Verify(given) => verify::run(policy, given.format, &given.flags),
        Command::VerifyInside { plan } => verify::run_inside(plan),
        Command::Bench(given) => bench::run(policy, given.format, &given.flags),
        Command::BenchInside { plan } => bench::run_inside(plan),
        Command::MeasureInside { plan } => measure::run_inside(plan),
        Command::Execpack(action) => execpack::run(action),
        Command::Docs(given) => docs::run(policy, given.format, &given.flags),
    }
}
