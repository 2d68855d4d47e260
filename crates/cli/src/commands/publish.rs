//! `publish`: pushes the images of all targets to a registry as one image with an index.
//!
//! A tag that people install from must always mean the same bytes, and bytes that somebody can trace to a commit and that
//! were run. So a draft, an unverified binary, uncommitted changes and a tag that has other bytes are refused. The tag is
//! written last: an interrupted run leaves nothing that anyone is pointed at, and a repeated run goes on.

use std::path::Path;

use anyhow::Result;
use image::reference::{Reference, is_tag};

use super::image::{check_index, entries, make, planned, write_index};
use crate::cli::Publish;
use crate::commands::build_tailscale::{self, Manifest};
use crate::format::Format;
use crate::outcome::Outcome;
use crate::project::{Pinned, Project};
use crate::repository::Repository;
use crate::tools::skopeo::Skopeo;
use crate::verified::Verified;
use crate::{outln, output, progress};
use diagnostics::{Code, Diagnostic, NextStep};

/// The check that every published binary passed. It runs under QEMU too.
const LOGIN: &str = "login";

/// The most files that a message lists.
const LISTED: usize = 3;

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] if the image must not be published, or a tool or the registry fails.
pub fn run(policy: Option<&Path>, format: Format, flags: &Publish) -> Result<Outcome> {
    let (reference, moving) = references(flags)?;
    let skopeo = Skopeo::find()?;
    let project = Project::open(policy)?;
    refuse_draft(&project)?;
    let Some(pinned) = project.clean(format)? else { return Ok(Outcome::Findings) };
    let targets = planned(pinned, &flags.targets)?;
    let folder = project.target().join("image/index");
    check_index(&folder, &targets)?;
    refuse_uncommitted(&project)?;
    for (target, _) in &targets {
        refuse_unverified(&project, target)?;
    }
    let Some(made) = make(&project, pinned, &targets, None, format)? else { return Ok(Outcome::Findings) };
    // A binary that was stale is another one now.
    for (target, _) in &targets {
        refuse_unverified(&project, target)?;
    }
    let layout = write_index(&folder, &entries(&made))?;
    let is_new = match skopeo.digest(&reference)? {
        Some(digest) if digest == layout.digest => false,
        Some(digest) => return Err(tag_exists(&reference, &digest, pinned).into()),
        None => true,
    };
    for name in &layout.lists {
        skopeo.push(&layout.folder, name, &reference.with_tag(name))?;
    }
    if is_new {
        let step = progress::step("Pushing", reference.to_string());
        skopeo.push(&layout.folder, &layout.name, &reference)?;
        step.done("Pushed", &layout.digest);
    } else {
        progress::line("Fresh", &format!("{reference}: the registry has it"));
    }
    for tag in &moving {
        skopeo.push(&layout.folder, &layout.name, &reference.with_tag(tag))?;
        progress::line("Moved", &format!("`{tag}` to {}", layout.digest));
    }
    let name = format!("{}/{}", reference.registry, reference.name);
    if format == Format::Json {
        output::json(&serde_json::json!({
            "schema": output::SCHEMA, "name": name, "tag": reference.tag, "moved": moving, "digest": layout.digest,
            "platforms": targets.iter().map(|(_, platform)| platform.name()).collect::<Vec<_>>(),
        }));
    } else {
        outln!("{reference}@{}", layout.digest);
    }
    Ok(Outcome::Clean)
}

/// Parses the name and the moving tags.
fn references(flags: &Publish) -> Result<(Reference, Vec<String>)> {
    let invalid =
        |message: String, why: &str| Diagnostic::failure(Code::InvalidImageName, message, why, "Change the value.");
    let message = || format!("`{}` is not an image in a registry", flags.reference);
    let reference: Reference = flags.reference.parse().map_err(|why| invalid(message(), why))?;
    for tag in &flags.moving {
        let message = || format!("`{tag}` can't be a moving tag");
        if !is_tag(tag) {
            let why = "a tag may have letters, digits, `.`, `_` and `-` only, at most 128";
            return Err(invalid(message(), why).into());
        }
        if *tag == reference.tag {
            return Err(invalid(message(), "it is the tag of the image itself, which never moves").into());
        }
    }
    Ok((reference, flags.moving.clone()))
}

/// Refuses a policy whose reasons are not complete.
fn refuse_draft(project: &Project) -> Result<()> {
    match project.targets().find(|target| project.is_draft(target)) {
        None => Ok(()),
        Some(target) => {
            let message = format!("`{target}` is a draft");
            let why = "reasons are missing in the policy, so nobody has reviewed these decisions";
            Err(Diagnostic::failure(Code::DraftNotPublished, message, why, NextStep::run("check")).into())
        }
    }
}

/// Refuses a binary without a record that it logged in and failed no check.
fn refuse_unverified(project: &Project, target: &str) -> Result<()> {
    let folder = build_tailscale::folder(project, target);
    let refused = |why: String, next: NextStep| {
        let message = format!("the binary of `{target}` was not verified");
        Err(Diagnostic::failure(Code::NotVerified, message, why, next).into())
    };
    let verify = format!("verify --target {target}");
    let run = |command: &str| NextStep::new("Run ").command(command.to_owned()).text(", then publish it again.");
    let Ok(manifest) = Manifest::read(&folder, &project.cache) else {
        return refused("it was not built here".to_owned(), run(&verify));
    };
    let verified = Verified::read(&folder, &project.cache)?.filter(|known| known.binary == manifest.binary.sha256);
    let Some(verified) = verified else {
        return refused("no record says that these bytes were run in the test network".to_owned(), run(&verify));
    };
    if let Some(check) = verified.failed.first() {
        return refused(format!("the check `{check}` failed"), run(&format!("{verify} --check {check}")));
    }
    if !verified.passed.contains(LOGIN) {
        return refused(format!("the check `{LOGIN}` did not run"), run(&format!("{verify} --check {LOGIN}")));
    }
    Ok(())
}

/// Refuses a tree that is not the one of a commit.
fn refuse_uncommitted(project: &Project) -> Result<()> {
    let files = Repository::find(project)?.uncommitted()?;
    if files.is_empty() {
        return Ok(());
    }
    let listed = files.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    let more = files.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!("files differ from the commit: {listed}{more}");
    let why = "nobody could find out what was published";
    Err(Diagnostic::failure(Code::DirtyTree, message, why, "Commit or remove them, then publish it again.").into())
}

fn tag_exists(reference: &Reference, digest: &str, pinned: Pinned<'_>) -> Diagnostic {
    let message = format!("{reference} exists and is another image");
    let why = format!("it is {digest}; who installed it would get other bytes under the same name");
    let next = format!(
        "Choose a tag that is not used yet, such as `{}-1`; for a tag that moves, use `--moving`.",
        pinned.release
    );
    Diagnostic::failure(Code::TagExists, message, why, next)
}
