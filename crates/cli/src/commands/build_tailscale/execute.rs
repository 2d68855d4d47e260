//! Runs the shipped binary under both of its names.

use std::path::Path;

use anyhow::Result;
use featureset::name::INCLUDE_CLI;
use featureset::recipe::Recipe;
use serde::{Deserialize, Serialize};

use super::artifacts::{LINK, PACKED};
use super::steps::Steps;
use crate::tools::qemu::{Runner, runner};
use crate::{process, progress};
use diagnostics::{Code, Diagnostic};

/// How the binary was run, and its reported version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    /// `natively`, `under qemu-arm -cpu arm926`, or why it was not run.
    pub how: String,
    /// The first line of `tailscaled --version`; `None` if it was not run.
    pub tailscaled: Option<String>,
    /// The first line of `tailscale version`; `None` if it was not run, or has no command-line client.
    pub tailscale: Option<String>,
}

/// Runs `tailscaled --version` and, through the link, `tailscale version`; both must report the recipe's version.
pub(super) fn both_names(folder: &Path, recipe: &Recipe, steps: Steps<'_>) -> Result<Executed> {
    let runner = runner(recipe.platform);
    if let Runner::Unavailable(why) = &runner {
        if let Steps::Shown(_) = steps {
            progress::warn(&format!("the binary for {} was not executed: {why}", recipe.platform));
        }
        return Ok(Executed { how: runner.describe(), tailscaled: None, tailscale: None });
    }
    let step = steps.begin("Running", &format!(" {}", runner.describe()));
    let tailscaled = version(&runner, &folder.join(PACKED), "--version", recipe)?;
    let has_cli = recipe.tags.iter().any(|tag| tag == INCLUDE_CLI);
    let tailscale = if has_cli { version(&runner, &folder.join(LINK), "version", recipe)? } else { None };
    step.done_with("Ran", &format!("reports {}", tailscaled.clone().unwrap_or_default()));
    Ok(Executed { how: runner.describe(), tailscaled, tailscale })
}

fn version(runner: &Runner, program: &Path, argument: &str, recipe: &Recipe) -> Result<Option<String>> {
    let Some(command) = runner.command(program, &[argument]) else { return Ok(None) };
    let output = process::output(command)?;
    let first = output.stdout.lines().next().unwrap_or_default().to_owned();
    let long = output.stdout.contains(&recipe.stamp.long);
    if output.status.success() && first == recipe.stamp.short && long {
        return Ok(Some(first));
    }
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let why =
        format!("{} ended with {} and printed:\n{}{}", runner.describe(), output.status, output.stdout, output.stderr);
    let next = "Nothing was replaced. Set `pack: none` to see whether the packer is at fault, and report this.";
    let message = format!("`{name} {argument}` does not report {}", recipe.stamp.long);
    Err(Diagnostic::failure(Code::BinaryDoesNotRun, message, why.trim(), next).into())
}
