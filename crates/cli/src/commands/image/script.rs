//! `image script`: the commands that install an image on a router.

use anyhow::Result;
use image::routeros::{FIRST, LAST, Request, script};

use crate::cli::{Format, ImageScript};
use crate::outcome::Outcome;
use crate::problem::Problem;
use crate::{outln, output, progress};
use diagnostics::Code;

/// Runs the command.
///
/// # Errors
/// A [`Problem`] for a version below the known ones, or an invalid value.
pub(super) fn run(format: Format, flags: &ImageScript) -> Result<Outcome> {
    let request = Request {
        interface: flags.interface.clone(),
        bridge: flags.bridge.clone(),
        address: flags.address.clone(),
        address6: flags.address6.clone(),
        routes: flags.routes.clone(),
        exit_node: flags.exit_node,
        nat: !flags.no_nat,
        name: flags.name.clone(),
        hostname: flags.hostname.clone(),
        file: flags.file.clone(),
        root: flags.root_dir.clone(),
        state: flags.state_dir.clone(),
        dns: flags.dns.clone(),
        login_server: flags.login_server.clone(),
        environment: flags.environment.clone(),
    };
    let script = script(flags.routeros, &request).map_err(|refusal| {
        let why =
            format!("the syntax of RouterOS {FIRST} to {LAST} is known, and a value must be what its place takes");
        Problem::new(Code::ScriptRefused, refusal.to_string(), why, "Change the value.")
    })?;
    if format == Format::Json {
        let document = serde_json::json!({ "schema": 1, "warnings": script.warnings, "script": script.text });
        output::json(&document);
        return Ok(Outcome::Clean);
    }
    for warning in &script.warnings {
        progress::warn(warning);
    }
    outln!("{}", script.text.trim_end());
    Ok(Outcome::Clean)
}
