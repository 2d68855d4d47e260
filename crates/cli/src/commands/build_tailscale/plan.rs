//! The dry run: the commands of a build, printed.

use crate::format::Format;
use crate::{outln, output};
use featureset::policy::{Pack, Symbols};
use featureset::recipe::{MODULE, Recipe};
use std::path::Path;
use std::process::Command;

use super::artifacts::{LINK, PACKED, UNPACKED, folder};
use super::go_command::{command_line, quoted};
use super::manifest::Manifest;
use crate::project::{Pinned, Project};
use crate::tools::qemu::runner;
use crate::tools::upx;
use crate::upstream;

/// Prints the commands for each target without running them.
///
/// The commit is included only if an earlier build recorded it; a real build reads it from the module's origin.
pub(super) fn print(project: &Project, pinned: Pinned<'_>, targets: &[&str], format: Format) {
    let recipes = recipes(project, pinned, targets);
    if format == Format::Json {
        output::json(&document(&recipes));
        return;
    }
    outln!("# Each in an environment of nothing but what is shown, the caches, and the way to the network.");
    outln!("go mod download -json {MODULE}@{}", pinned.release.module_version());
    for (target, recipe) in &recipes {
        let folder = folder(project, target);
        let module = upstream::module_folder(Path::new(&project.cache.describe()), recipe.release);
        let path = |name: &str| folder.join(".work").join(name).to_string_lossy().into_owned();
        let (unpacked, packed, link) = (path(UNPACKED), path(PACKED), path(LINK));
        outln!("\n# {target}: {} for {}", recipe.release, recipe.platform);
        outln!("cd {}", quoted(&module.to_string_lossy()));
        outln!("{}", command_line(recipe, "go", &unpacked));
        if recipe.build.symbols != Symbols::All {
            outln!(
                "# This program then rewrites the function table of {} (symbols {}).",
                quoted(&unpacked),
                recipe.build.symbols
            );
        }
        match recipe.build.pack {
            Pack::Execpack => {
                outln!("tailscale-featureset execpack pack {} --output {}", quoted(&unpacked), quoted(&packed));
            }
            Pack::Upx => {
                let arguments = upx::arguments(recipe.platform.goarch).join(" ");
                outln!("upx {arguments} -o {} {}", quoted(&packed), quoted(&unpacked));
                outln!("upx -t {}", quoted(&packed));
            }
            Pack::None => {}
        }
        let runner = runner(recipe.platform);
        for (program, argument) in [(&packed, "--version"), (&link, "version")] {
            match runner.command(Path::new(program), &[argument]) {
                Some(command) => outln!("{}", shell_line(&command)),
                None => outln!("# {} {argument}: {}", quoted(program), runner.describe()),
            }
        }
    }
}

/// Returns each target's recipe, with the commit that an earlier build recorded.
fn recipes<'a>(project: &Project, pinned: Pinned<'_>, targets: &[&'a str]) -> Vec<(&'a str, Recipe)> {
    let recipe = |target: &'a str| {
        let known = Manifest::read(&folder(project, target), &project.cache)
            .ok()
            .filter(|manifest| manifest.release == pinned.release);
        let commit = known.and_then(|manifest| manifest.module.commit);
        Some((target, pinned.recipe(target, commit.as_deref()).ok()?))
    };
    targets.iter().copied().filter_map(recipe).collect()
}

/// Formats recipes as JSON.
#[must_use]
pub fn document(recipes: &[(&str, Recipe)]) -> serde_json::Value {
    let one = |recipe: &Recipe| {
        let environment: serde_json::Map<_, _> =
            recipe.environment().into_iter().map(|(name, value)| (name, value.into())).collect();
        let (platform, arguments) = (recipe.platform.name, recipe.arguments(PACKED));
        serde_json::json!({ "platform": platform, "environment": environment, "arguments": arguments, "pack": recipe.build.pack.word() })
    };
    let targets: serde_json::Map<_, _> =
        recipes.iter().map(|(target, recipe)| ((*target).to_owned(), one(recipe))).collect();
    serde_json::json!({ "schema": crate::output::SCHEMA, "targets": targets })
}

fn shell_line(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}
