//! How this program was called, so that what it says to do next can be typed as it stands.

use std::borrow::Cow;
use std::path::Path;
use std::sync::LazyLock;

use clap::CommandFactory;
use regex::{Captures, Regex};

use crate::cli::Cli;

/// What was typed before the name of the command: `cargo xtask` in a checkout, else the name of the program.
#[must_use]
pub fn program() -> String {
    // `cargo run`, which the alias stands for, names the package to what it runs.
    if std::env::var_os("CARGO_PKG_NAME").is_some_and(|name| name == "xtask") {
        return "cargo xtask".to_owned();
    }
    let called = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&called).file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| NAME.to_owned())
}

/// The name of the program as it is installed.
const NAME: &str = "tailscale-featureset";

/// A text with every command of ours in it as it was called: `` `check --fix` `` becomes `` `cargo xtask check --fix` ``.
/// What stands between backticks and begins with the name of a command is one.
#[must_use]
pub fn spelled(text: &str) -> Cow<'_, str> {
    static COMMANDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let command = Cli::command();
        let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        Regex::new(&format!("`((?:{})(?: [^`]*)?)`", names.join("|"))).ok()
    });
    let Some(commands) = &*COMMANDS else { return Cow::Borrowed(text) };
    commands.replace_all(text, |found: &Captures<'_>| format!("`{} {}`", program(), &found[1]))
}

/// The command as a generated file names it: the same on every machine, so that the file is the same too.
#[must_use]
pub fn generated_by(in_the_repository: bool, command: &str) -> String {
    let program = if in_the_repository { "cargo xtask" } else { NAME };
    format!("{program} {command}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_spelled_and_nothing_else_is() {
        let program = program();
        let text = "Run `check --fix`, then `build-tailscale`; `checks`, `keep: x` and `--deny warnings` stay.";
        let spelled = spelled(text);
        let expected = format!(
            "Run `{program} check --fix`, then `{program} build-tailscale`; `checks`, `keep: x` and `--deny warnings` stay."
        );
        assert_eq!(spelled, expected);
    }

    #[test]
    fn no_feature_is_called_like_a_command() {
        let features = featureset::facts::Facts::embedded().registries().flat_map(|registry| registry.features.keys());
        for name in features {
            let quoted = format!("`{name}`");
            assert_eq!(spelled(&quoted), quoted);
        }
    }
}
