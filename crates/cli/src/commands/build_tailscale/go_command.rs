//! The Go command of a recipe, as a command and as a shell line.

use std::path::Path;
use std::process::Command;

use featureset::recipe::Recipe;

use crate::tools::go::Go;
use crate::upstream::Upstream;

/// Builds the Go command of a recipe, in the generated module.
pub(super) fn go_command(go: &Go, upstream: &Upstream, recipe: &Recipe, output: &Path) -> Command {
    let arguments = recipe.arguments(&output.to_string_lossy());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    upstream.go(go, &arguments, &recipe.environment())
}

/// Formats the Go command as a shell line.
#[must_use]
pub fn command_line(recipe: &Recipe, go: &str, output: &str) -> String {
    let variables = recipe.environment().into_iter().map(|(name, value)| format!("{name}={}", quoted(&value)));
    let arguments = recipe.arguments(output);
    let arguments = arguments.iter().map(|argument| quoted(argument));
    variables.chain([quoted(go)]).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Quotes a word for a shell, if it needs quotes.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@".contains(c);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
