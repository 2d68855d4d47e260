//! `image lint`: reads an archive, which may be hostile, and reports its faults.

use std::path::Path;

use anyhow::Result;
use featureset::policy::format_size;
use image::limits::LARGEST;
use image::lint::{Expected, Program, Verdict, judge};
use image::platform::Platform;

use crate::cli::{Format, ImageLint};
use crate::commands::build_tailscale::{self, Manifest};
use crate::outcome::Outcome;
use crate::problem::Problem;
use crate::project::Project;
use crate::{files, progress, render};
use diagnostics::Code;

/// Runs the command.
///
/// # Errors
/// A [`Problem`] if the file can't be read or is larger than any router accepts, or the target is unknown or not built.
pub(super) fn run(policy: Option<&Path>, format: Format, flags: &ImageLint) -> Result<Outcome> {
    let expected = flags.target.as_deref().map(|target| expected(policy, target)).transpose()?;
    // The archive is let go of before anything is written about it.
    let verdict = judge(&files::read_regular(&flags.file, LARGEST)?, &expected.unwrap_or_default(), &identify);
    let name = flags.file.to_string_lossy();
    render::verdict(&name, &verdict, format);
    if format == Format::Human {
        progress::line("Linted", &summary(&name, &verdict));
    }
    Ok(if verdict.findings.is_empty() { Outcome::Clean } else { Outcome::Findings })
}

/// Identifies an executable by its ELF header and, for an unpacked Go binary, by its build information.
pub(super) fn identify(bytes: &[u8]) -> Option<Program> {
    let identity = gobinary::identify(bytes).ok()?;
    // Go sets the same flags for every level of arm.
    let level = gobinary::build_info(bytes).ok().and_then(|info| info.settings.get("GOARM").cloned());
    let later = level.is_some_and(|level| !level.starts_with('5'));
    Some(Program { architecture: identity.goarch, beyond_v5: identity.is_hard_float || later })
}

/// Returns the expected image of a target, from the policy and the manifest of its build.
fn expected(policy: Option<&Path>, target: &str) -> Result<Expected> {
    let project = Project::open(policy)?;
    let Some(policy) = &project.reading.policy else {
        let why = "the policy can't be read as YAML";
        return Err(Problem::new(Code::PolicyUnusable, "there are no targets", why, "Run `check`.").into());
    };
    build_tailscale::chosen_targets(policy, &[target.to_owned()])?;
    let platform = policy.targets.get(target).and_then(|target| Platform::find(target.platform.name));
    let manifest = Manifest::read(&build_tailscale::folder(&project, target), &project.cache).map_err(|error| {
        let next = format!("Run `build-tailscale --target {target}`, or leave `--target` out.");
        Problem::new(
            Code::NotBuilt,
            format!("`{target}` has no manifest to hold the archive against"),
            error.to_string(),
            next,
        )
    })?;
    Ok(Expected { platform, binary: Some(manifest.binary.sha256) })
}

/// The verdict in one line.
pub(super) fn summary(name: &str, verdict: &Verdict) -> String {
    let findings = match verdict.findings.len() + verdict.more.values().sum::<usize>() {
        0 => "no findings".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    let platform = if verdict.platform.is_empty() { "no platform" } else { &verdict.platform };
    let layers = if verdict.layers == 1 { "1 layer".to_owned() } else { format!("{} layers", verdict.layers) };
    format!("{name}: {platform}, {layers}, {} on flash; {findings}", format_size(verdict.on_flash()))
}
