//! The name with which this program was called, so that the commands in next steps can be copied.

use std::path::Path;

/// The words before the name of the command: `cargo xtask` in a checkout, else the name of the program.
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

/// The command as a generated file names it: the same on every machine, so that the file is the same too.
#[must_use]
pub fn generated_by(in_the_repository: bool, command: &str) -> String {
    let program = if in_the_repository { "cargo xtask" } else { NAME };
    format!("{program} {command}")
}
