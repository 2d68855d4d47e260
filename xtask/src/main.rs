//! `cargo xtask`: the product's commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    tailscale_featureset::main()
}
