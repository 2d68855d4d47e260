//! `tags`: prints the value of `-tags`, or the whole `go build` command.

use crate::{outln, output};
use anyhow::Result;
use featureset::recipe::{Recipe, tag_line};
use featureset::rules::holds_back_tags;
use featureset::selection::Selection;
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
    let whole = flags.go_build || flags.target.is_some();
    let Some(pinned) = project.unless(format, |finding| holds_back_tags(finding, &project.reading.places, whole))?
    else {
        return Ok(Outcome::Findings);
    };
    let selection = Selection::new(pinned.policy, pinned.registry);
    let named: Vec<String> = flags.target.iter().cloned().collect();
    let targets = chosen_targets(pinned.policy, &named)?;
    if flags.go_build {
        let recipe = |target| Some((target, Recipe::new(pinned.policy, &selection, target, None)?));
        let recipes: Vec<(&str, Recipe)> = targets.into_iter().filter_map(recipe).collect();
        match format {
            Format::Json => output::json(&document(&recipes)),
            _ => recipes.iter().for_each(|(_, recipe)| outln!("{}", command_line(recipe, "go", "tailscaled"))),
        }
        return Ok(Outcome::Clean);
    }
    let build = flags
        .target
        .as_ref()
        .and_then(|name| pinned.policy.targets.get(name))
        .map_or(&pinned.policy.build, |target| &target.build);
    let tags = tag_line(&selection, build).join(",");
    if format == Format::Json {
        output::json(
            &serde_json::json!({ "schema": crate::output::SCHEMA, "tailscale": pinned.release, "tags": tags }),
        );
    } else if !tags.is_empty() {
        outln!("{tags}");
    }
    Ok(Outcome::Clean)
}
