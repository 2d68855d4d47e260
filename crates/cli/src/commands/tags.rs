//! `tags`: prints the value of `-tags`, or the whole `go build` command.

use crate::{outln, output};
use anyhow::Result;
use diagnostics::{Code, Diagnostic};
use featureset::recipe::{Recipe, tag_line};
use featureset::rules::{TagOutput, holds_back_tags};
use featureset::selection::Selection;
use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::Tags;
use crate::commands::build_tailscale::{chosen_targets, command_line, document};
use crate::format::Format;
use crate::outcome::Outcome;
use crate::project::Project;

/// Runs the command. It fails only for findings that make the tag list impossible.
///
/// # Errors
/// If the policy can't be read, or has no such target.
pub fn run(policy: Option<&Path>, format: Format, flags: &Tags) -> Result<Outcome> {
    let project = Project::open(policy)?;
    // A target or a build command also needs these sections.
    let output = if flags.go_build || flags.target.is_some() { TagOutput::OfTarget } else { TagOutput::TagLine };
    let Some(pinned) = project.unless(format, holds_back_tags(&project.reading.places, output))? else {
        return Ok(Outcome::Findings);
    };
    let named: Vec<String> = flags.target.iter().cloned().collect();
    let targets = chosen_targets(pinned.policy, &named)?;
    if flags.go_build {
        let recipes: Vec<(&str, Recipe)> =
            targets.into_iter().map(|target| Ok((target, pinned.recipe(target, None)?))).collect::<Result<_>>()?;
        match format {
            Format::Json => output::json(&document(&recipes)),
            _ => recipes.iter().for_each(|(_, recipe)| outln!("{}", command_line(recipe, "go", "tailscaled"))),
        }
        return Ok(Outcome::Clean);
    }
    let mut lines: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for target in targets {
        let policy = pinned.for_target(target)?;
        let tags = tag_line(&Selection::new(policy, pinned.registry), policy.build()).join(",");
        lines.entry(tags).or_default().push(target);
    }
    let mut lines = lines.into_iter();
    let (first, others) = (lines.next().unwrap_or_default(), lines.map(|(_, targets)| targets).collect::<Vec<_>>());
    if !others.is_empty() {
        return Err(different(&[vec![first.1], others].concat()).into());
    }
    let tags = first.0;
    if format == Format::Json {
        output::json(
            &serde_json::json!({ "schema": crate::output::SCHEMA, "tailscale": pinned.release, "tags": tags }),
        );
    } else if !tags.is_empty() {
        outln!("{tags}");
    }
    Ok(Outcome::Clean)
}

/// Returns the failure for targets with different tags; each group has the same.
fn different(groups: &[Vec<&str>]) -> Diagnostic {
    let groups: Vec<String> = groups.iter().map(|names| names.join(", ")).collect();
    let why = format!("these groups of targets have different features or extra tags: {}", groups.join("; "));
    Diagnostic::failure(
        Code::SeveralTargets,
        "the targets do not have the same tags",
        why,
        "Name one target with `--target`.",
    )
}
