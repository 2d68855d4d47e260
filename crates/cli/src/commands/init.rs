//! `init`: writes a policy for a device and its purpose.

mod questions;

use std::path::{Path, PathBuf};

use anyhow::Result;
use diagnostics::{Code, Diagnostic, NextStep};
use featureset::cost::estimate::{Estimate, estimate};
use featureset::init::{Initial, Refusal, Request, init, reasons, target_name};
use featureset::policy::format_size;
use featureset::release::Release;
use featureset::upstream_data::UpstreamData;

use crate::cli;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::project::{POLICY_FILE, root_of};
use crate::{escape, files, outln, output, progress, registries};

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] if a flag is missing and nobody can be asked, the flags contradict each other, or the file exists.
pub fn run(policy: Option<&Path>, format: Format, flags: &cli::Init) -> Result<Outcome> {
    let path = policy.map_or_else(|| PathBuf::from(POLICY_FILE), Path::to_owned);
    if std::fs::symlink_metadata(&path).is_ok() {
        return Err(exists(&path).into());
    }
    let facts = registries::facts(&root_of(&path))?;
    let request = request(flags, &facts)?;
    let made = init(&request, &facts).map_err(|refusal| refused(refusal, &request, &facts))?;
    if !files::create(&path, &made.text)? {
        return Err(exists(&path).into());
    }
    report(&path, &request, &made, format);
    Ok(Outcome::Clean)
}

fn exists(path: &Path) -> Diagnostic {
    let message = format!("{} exists already", path.display());
    let next = NextStep::new("Run ").command("check").text(" on it, or name another file with `--policy FILE`.");
    Diagnostic::failure(Code::PolicyExists, message, "the reasons in it would be lost", next)
}

/// Completes the flags with defaults, and on a terminal with answers if the device or the roles are missing.
fn request(flags: &cli::Init, facts: &UpstreamData) -> Result<Request> {
    let device = flags.device.clone().unwrap_or_default();
    let platforms = match &flags.platforms[..] {
        [] => reasons::usual_platforms(&device),
        given => given.to_vec(),
    };
    let request = Request {
        device,
        roles: flags.roles.iter().cloned().collect(),
        platforms,
        release: flags.release.or_else(|| newest(facts)).ok_or_else(unknown_release)?,
        go: flags.go,
        without: flags.without.iter().cloned().collect(),
    };
    match missing_flag(flags) {
        Some(_) if questions::is_possible() => questions::complete(flags, request, facts),
        Some(problem) => Err(problem.into()),
        None => Ok(request),
    }
}

/// The problem of the first required flag that is missing.
fn missing_flag(flags: &cli::Init) -> Option<Diagnostic> {
    if flags.device.is_none() {
        let known = reasons::devices().iter().map(|(name, device)| format!("{name} ({})", device.description));
        return Some(missing("--device", &known.collect::<Vec<_>>()));
    }
    let known = reasons::roles().iter().map(|role| format!("{} ({})", role.name, role.description));
    flags.roles.is_empty().then(|| missing("--for", &known.collect::<Vec<_>>()))
}

/// The newest known release.
fn newest(facts: &UpstreamData) -> Option<Release> {
    facts.newest_releases().last().copied()
}

fn missing(flag: &str, known: &[String]) -> Diagnostic {
    let why = format!("without a terminal, `init` can't ask for it; it can be:\n{}", known.join("\n"));
    let next = NextStep::new("For example, run ").command("init --device openwrt --for subnet-router").text(".");
    Diagnostic::failure(Code::InitAnswerMissing, format!("`{flag}` is missing"), why, next)
}

fn unknown_release() -> Diagnostic {
    let next = NextStep::new("Name a release with `--release`, or read one with ").command("registry").text(".");
    Diagnostic::failure(Code::InitRefused, "no release is known", "the program contains no registry", next)
}

fn refused(refusal: Refusal, request: &Request, facts: &UpstreamData) -> Diagnostic {
    let release = request.release;
    match refusal {
        Refusal::UnknownLine => {
            let known: Vec<String> = facts.newest_releases().iter().map(ToString::to_string).collect();
            let why = format!("the newest known releases of each line are {}", known.join(", "));
            let next = NextStep::new("Take one of them, or read the release with ")
                .command(format!("registry {release}"))
                .text(".");
            Diagnostic::failure(Code::InitRefused, format!("the features of {release} are not known"), why, next)
        }
        Refusal::UnknownFeature(name) => {
            let names = facts.registry(release).into_iter().flat_map(|registry| registry.features.keys());
            let near = featureset::name::nearest(name.as_str(), names.map(|name| name.as_str()));
            let next = match near {
                Some(near) => format!("Did you mean `{near}`?").into(),
                None => NextStep::default().command("list").text(" prints every feature."),
            };
            let message = format!("`--without {name}`: {release} has no such feature");
            Diagnostic::failure(Code::UnknownFeature, message, "upstream does not declare it", next)
        }
        Refusal::Required(names) => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            Diagnostic::failure(
                Code::InitRefused,
                format!("{} can't be left out", names.join(", ")),
                "no device can be used without it",
                "Leave it out of `--without`.",
            )
        }
        Refusal::Findings(findings) => {
            let lines = findings.iter().map(|finding| format!("{}: {}", finding.code.as_str(), finding.message));
            let next = "Change `--without`, `--for` or `--release`; a decision that only you can justify is made in the policy.";
            Diagnostic::failure(
                Code::InitRefused,
                "the policy for these flags would not be clean",
                lines.collect::<Vec<_>>().join("\n"),
                next,
            )
        }
    }
}

/// The estimated size of each target.
fn sizes(made: &Initial, request: &Request) -> Vec<(String, Estimate)> {
    let policy = featureset::policy::read(&made.text).policy.unwrap_or_default();
    let platforms = request.platforms.iter();
    let sizes = platforms.filter_map(|(platform, _)| {
        let name = target_name(platform);
        let build = &policy.targets.get(&name)?.build;
        Some((name, estimate(platform, build, policy.go, &made.kept)?))
    });
    sizes.collect()
}

fn report(path: &Path, request: &Request, made: &Initial, format: Format) {
    if format == Format::Json {
        output::json(&serde_json::json!({
            "schema": output::SCHEMA,
            "policy": path.to_string_lossy(),
            "command": request.command(),
            "tailscale": request.release,
            "kept": made.kept,
            "omitted": made.decided - made.kept.len(),
            "accepted": made.accepted,
            "estimated_bytes": sizes(made, request)
                .into_iter()
                .map(|(target, estimate)| (target, estimate.bytes))
                .collect::<std::collections::BTreeMap<_, _>>(),
        }));
        return;
    }
    let counts = format!("{} features kept, {} omitted", made.kept.len(), made.decided - made.kept.len());
    let accepted = match made.accepted.len() {
        0 => String::new(),
        1 => ", 1 hazard accepted".to_owned(),
        count => format!(", {count} hazards accepted"),
    };
    progress::line("Wrote", &format!("{}: {counts}{accepted}", path.display()));
    for name in ["tailnetlock", "syspolicy"] {
        if made.kept.iter().any(|kept| kept.as_str() == name) {
            progress::line(
                "Kept",
                &format!("{name}, because only you know whether it is needed; `--without {name}` omits it"),
            );
        }
    }
    for (target, estimate) in sizes(made, request) {
        let size = format_size(estimate.bytes);
        progress::line("Predicts", &format!("about {size} for {target}, {}", estimate.basis));
    }
    progress::line("Next", &format!("{0} check, then {0} build-tailscale", crate::invocation::program()));
    outln!("{}", escape::line(&path.to_string_lossy()));
}
