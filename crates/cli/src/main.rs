//! The program `tailscale-featureset`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tailscale_featureset::entry::main()
}
