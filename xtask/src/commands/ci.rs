//! `ci`: what CI runs, as one program: local green means remote green.

use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use xshell::{Shell, cmd};

use super::{Outcome, registry};
use crate::cli::Ci;
use crate::problem::Problem;
use crate::tools::debian::is_debian;
use crate::{process, progress};

/// The variable under which a skipped test is a failure.
pub const REQUIRE_ALL: &str = "FEATURESET_REQUIRE_ALL";

/// The variable under which tests run that take long.
pub const FULL: &str = "FEATURESET_FULL";

/// Runs every step, stopping at the first that fails. The output of each stands as it is printed.
///
/// # Errors
/// A [`Problem`] that names the step.
pub fn run(policy: Option<&Path>, flags: &Ci) -> Result<Outcome> {
    let start = Instant::now();
    let root = registry::repository(policy)?;
    let shell = Shell::new()?;
    shell.change_dir(root);
    if flags.require_all {
        shell.set_var(REQUIRE_ALL, "1");
    }
    if flags.full {
        shell.set_var(FULL, "1");
    }
    let program = std::env::current_exe()?;
    // The pinned shells are Debian's; elsewhere the machine's own has to do.
    let own_shell = process::on_path("mksh-static").filter(|_| !is_debian());
    let own_shell: Vec<OsString> =
        own_shell.into_iter().flat_map(|path| ["--shell-file".into(), path.into_os_string()]).collect();
    let mut steps = vec![
        ("format", cmd!(shell, "cargo fmt --all --check")),
        ("clippy", cmd!(shell, "cargo clippy --locked --workspace --all-targets -- -D warnings")),
        ("test", cmd!(shell, "cargo test --locked --workspace")),
        ("docs", cmd!(shell, "{program} docs --check")),
        ("policy", cmd!(shell, "{program} check --deny warnings")),
        // A real build with the real packer, executed.
        ("build", cmd!(shell, "{program} build-tailscale --target amd64")),
        // And the image of it, linted before it takes its place.
        ("image", cmd!(shell, "{program} image --target amd64 {own_shell...}")),
    ];
    if flags.full {
        // The checked-in loaders are built from their sources.
        steps.push(("loaders", cmd!(shell, "{program} execpack loaders --check")));
        steps.push(("build all", cmd!(shell, "{program} build-tailscale")));
        // Every claim on the running daemon, and every check on a binary that must fail it; other processors log in.
        steps.push(("verify", cmd!(shell, "{program} verify --target amd64 --mutants --require-all")));
        steps.push(("hazards", cmd!(shell, "{program} verify --target amd64 --hazards --require-all")));
        for target in ["arm64", "armv5"] {
            let logs_in = cmd!(shell, "{program} verify --target {target} --check login --require-all");
            steps.push(("verify other processors", logs_in));
        }
        // Fails where what ships is slower for certain; a busy machine that can't tell is no failure.
        steps.push(("bench", cmd!(shell, "{program} bench --target amd64")));
        steps.push(("image all", cmd!(shell, "{program} image")));
        steps.push(("speed", cmd!(shell, "cargo bench --locked --package xtask --bench startup")));
    }
    for (name, command) in steps {
        progress::line("Step", &format!("{name}: {command}"));
        let begun = Instant::now();
        let ran = command.quiet().run();
        process::check_interrupt()?;
        ran.map_err(|error| {
            Problem::new(
                "ci-step-failed",
                format!("the step `{name}` failed"),
                error.to_string(),
                "Mend what it shows and run it again.",
            )
        })?;
        progress::line("Passed", &format!("{name} in {:.0} s", begun.elapsed().as_secs_f64()));
    }
    progress::line("Passed", &format!("every step in {:.0} s", start.elapsed().as_secs_f64()));
    Ok(Outcome::Clean)
}
