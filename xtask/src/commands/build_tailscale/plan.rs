//! What would run: the Go command as a value, as a line to read, and the dry run.

use std::path::Path;
use std::process::Command;

use anstream::println;
use anyhow::Result;
use featureset::policy::Pack;
use featureset::recipe::{MODULE, Recipe};
use featureset::selection::Selection;

use super::{LINK, Manifest, PACKED, UNPACKED, folder};
use crate::project::{Pinned, Project};
use crate::tools::go::Go;
use crate::tools::qemu::runner;
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
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Prints what would run for each target, and touches nothing.
///
/// A commit is stamped where an earlier build learned it; a real build asks the module's origin.
pub(super) fn print(project: &Project, pinned: Pinned<'_>, targets: &[&str]) -> Result<()> {
    let selection = Selection::of(pinned.policy, pinned.registry);
    println!("# Each in an environment of nothing but what is shown, the caches, and the way to the network.");
    println!("go mod download -json {MODULE}@{}", pinned.release.module_version());
    for target in targets {
        let folder = folder(project, target);
        let known = Manifest::read(&folder).ok().filter(|manifest| manifest.release == pinned.release);
        let commit = known.and_then(|manifest| manifest.module.commit);
        let Some(recipe) = Recipe::of(pinned.policy, &selection, target, commit.as_deref()) else { continue };
        let module = project.target().join("tailscale/module").join(recipe.release.to_string());
        let path = |name: &str| folder.join(".work").join(name).to_string_lossy().into_owned();
        let (unpacked, packed, link) = (path(UNPACKED), path(PACKED), path(LINK));
        println!("\n# {target}: {} for {}", recipe.release, recipe.platform);
        println!("cd {}", quoted(&module.to_string_lossy()));
        println!("{}", command_line(&recipe, "go", &unpacked));
        if recipe.build.pack == Pack::Upx {
            println!("upx {} -o {} {}", ARGUMENTS.join(" "), quoted(&packed), quoted(&unpacked));
            println!("upx -t {}", quoted(&packed));
        }
        let runner = runner(recipe.platform);
        for (program, argument) in [(&packed, "--version"), (&link, "version")] {
            match runner.command(Path::new(program), &[argument]) {
                Some(command) => println!("{}", shown(&command)),
                None => println!("# {} {argument}: {}", quoted(program), runner.describe()),
            }
        }
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}
