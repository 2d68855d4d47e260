//! What would run: the Go command as a value, as a line to read, and the dry run.

use std::path::Path;
use std::process::Command;

use anstream::println;
use anyhow::Result;
use featureset::policy::Pack;
use featureset::recipe::Recipe;
use featureset::selection::Selection;

use super::{Manifest, PACKED, UNPACKED, folder};
use crate::project::{Pinned, Project};
use crate::tools::go::Go;
use crate::tools::upx::ARGUMENTS;
use crate::upstream::Upstream;

/// The Go command of a recipe, in the generated module.
pub(super) fn go_command(go: &Go, upstream: &Upstream, recipe: &Recipe, output: &Path) -> Command {
    let arguments = recipe.arguments(&output.to_string_lossy());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    upstream.go(go, &arguments, &recipe.environment())
}

/// The Go command as one line for a shell.
#[must_use]
pub fn command_line(recipe: &Recipe, go: &str, output: &str) -> String {
    let variables = recipe.environment().into_iter().map(|(name, value)| format!("{name}={}", quoted(&value)));
    let arguments = recipe.arguments(output);
    let arguments = arguments.iter().map(|argument| quoted(argument));
    variables.chain([quoted(go)]).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) || text.is_empty() {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Prints what would run for each target, and touches nothing.
///
/// A commit is stamped where an earlier build learned it; a real build asks the module's origin.
pub(super) fn print(project: &Project, pinned: Pinned<'_>, targets: &[&str]) -> Result<()> {
    let selection = Selection::of(pinned.policy, pinned.registry);
    for target in targets {
        let folder = folder(project, target);
        let commit = Manifest::read(&folder)
            .ok()
            .filter(|manifest| manifest.release == pinned.release)
            .and_then(|manifest| manifest.module.commit);
        let Some(recipe) = Recipe::of(pinned.policy, &selection, target, commit.as_deref()) else { continue };
        let module = project.target().join("tailscale/module").join(recipe.release.to_string());
        let work = folder.join(".work");
        let (unpacked, packed) = (work.join(UNPACKED), work.join(PACKED));
        println!("# {target}: {} for {}", recipe.release, recipe.platform);
        println!("cd {}", quoted(&module.to_string_lossy()));
        println!("{}", command_line(&recipe, "go", &unpacked.to_string_lossy()));
        if recipe.build.pack == Pack::Upx {
            let (unpacked, packed) = (quoted(&unpacked.to_string_lossy()), quoted(&packed.to_string_lossy()));
            println!("upx {} -o {packed} {unpacked}", ARGUMENTS.join(" "));
            println!("upx -t {packed}");
        }
    }
    Ok(())
}
