//! `image script`: the commands that install an image on a router.

use std::path::Path;

use anyhow::Result;
use featureset::name::FeatureName;
use featureset::policy::{Policy, Shell};
use image::routeros::{FIRST, LAST, Remedy, Request, RouterAccess, script, update};

use crate::cli::{Access, ImageScript};
use crate::format::Format;
use crate::outcome::Outcome;
use crate::project::{Project, find_policy};
use crate::{outln, output, progress};
use diagnostics::{Code, Diagnostic, NextStep};

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] for a version below the known ones, an invalid value, or a flag that the policy's image can't follow.
pub(super) fn run(policy: Option<&Path>, format: Format, flags: &ImageScript) -> Result<Outcome> {
    let shell = compared(policy, flags)?;
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
        disk: flags.disk.clone(),
        remote_image: flags.remote_image.clone(),
        file: flags.file.clone(),
        root: flags.root_dir.clone(),
        state: flags.state_dir.clone(),
        access: match flags.router_access {
            Access::Rule => RouterAccess::Rule,
            Access::List => RouterAccess::List,
            Access::None => RouterAccess::Closed,
        },
        accept_routes: flags.accept_routes.clone(),
        auth_key_file: flags.auth_key_file.clone(),
        memory: flags.memory,
        has_entrypoint: shell != Shell::None,
        dns: flags.dns.clone(),
        login_server: flags.login_server.clone(),
        environment: flags.environment.clone(),
    };
    let write = if flags.update { update } else { script };
    let script = write(flags.routeros, &request).map_err(|refusal| {
        let (why, next) = match refusal.remedy {
            Remedy::Value => (
                format!("the syntax of RouterOS {FIRST} to {LAST} is known, and a value must be what its place takes"),
                "Change the value.",
            ),
            Remedy::Shell => (
                "the entrypoint is a script, and no target's image has a shell".to_owned(),
                "Set `image: { shell: mksh }` in the policy and build the image again.",
            ),
        };
        Diagnostic::failure(Code::ScriptRefused, refusal.to_string(), why, next)
    })?;
    if format == Format::Json {
        let document =
            serde_json::json!({ "schema": crate::output::SCHEMA, "warnings": script.warnings, "script": script.text });
        output::json(&document);
        return Ok(Outcome::Clean);
    }
    for warning in &script.warnings {
        progress::warn(warning);
    }
    outln!("{}", script.text.trim_end());
    Ok(Outcome::Clean)
}

/// Compares the flags with the policy, and returns the shell of its image. Without a policy nothing is compared, because
/// an image can be installed from anywhere.
fn compared(policy: Option<&Path>, flags: &ImageScript) -> Result<Shell> {
    if policy.is_none() && find_policy(None).is_err() {
        progress::warn("no featureset.yaml was found: the script was not compared with the features of the image");
        return Ok(Shell::default());
    }
    let project = Project::open(policy)?;
    let Some(policy) = &project.reading.policy else {
        let why = "the policy can't be read as YAML";
        let message = "the script can't be compared with the policy";
        return Err(Diagnostic::failure(Code::PolicyUnusable, message, why, NextStep::run("check")).into());
    };
    let needed = [
        (!flags.routes.is_empty(), "--routes", "advertiseroutes"),
        (flags.exit_node, "--exit-node", "advertiseexitnode"),
        (!flags.accept_routes.is_empty(), "--accept-routes", "useroutes"),
    ];
    for (_, flag, feature) in needed.into_iter().filter(|(is_given, ..)| *is_given) {
        require(policy, flag, feature)?;
    }
    // An image without a shell limits the script only if every target has such an image.
    let mut shells = policy.targets.values().filter_map(|target| target.image).map(|image| image.shell);
    Ok(if shells.clone().count() > 0 && shells.all(|shell| shell == Shell::None) {
        Shell::None
    } else {
        Shell::default()
    })
}

/// Reports a flag whose feature the policy omits. The script is for every target, so one that keeps it is enough.
fn require(policy: &Policy, flag: &str, feature: &str) -> Result<()> {
    let is_omitted = FeatureName::new(feature)
        .is_ok_and(|name| policy.features.contains_key(&name) && !policy.keeps_anywhere(&name));
    if !is_omitted {
        return Ok(());
    }
    let next = format!("Keep `{feature}` in the policy and build the image again, or leave `{flag}` out.");
    let why = "the daemon would accept the setting and do nothing";
    let message = format!("`{flag}` needs the feature `{feature}`, which the policy omits");
    Err(Diagnostic::failure(Code::ScriptRefused, message, why, next).into())
}
