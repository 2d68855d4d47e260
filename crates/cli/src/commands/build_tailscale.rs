//! `build-tailscale`: builds with Go, compares the binary's build information with the recipe, packs, runs the packed binary,
//! and only then replaces the artifacts.

mod artifacts;
mod build_info;
mod compile_errors;
mod execute;
mod go_command;
mod job;
mod manifest;
mod pipeline;
mod plan;
mod shrink;
mod steps;

use crate::errln;
use anyhow::Result;
use diagnostics::{Code, Diagnostic, Label};
use featureset::policy::{Policy, format_size};
use std::path::Path;

pub use artifacts::{Artifact, PACKED, UNPACKED, folder};
pub use go_command::command_line;
pub use manifest::Manifest;
pub use pipeline::{Binary, BuildFailure, BuildOutcome, Builder};
pub use plan::document;
pub use shrink::unstripped_path;
pub use steps::Steps;

use artifacts::{LINK, recipe_digest};
use job::Job;

use crate::cli::BuildTailscale;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::pinned::unknown_target;
use crate::project::{Pinned, Project};
use crate::{escape, files, output, progress};

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] if a tool, a download or a file fails, or if the binary does not match the recipe.
pub fn run(policy: Option<&Path>, format: Format, flags: &BuildTailscale) -> Result<Outcome> {
    let project = Project::open(policy)?;
    let Some(pinned) = project.clean_or_draft(format, flags.draft)? else { return Ok(Outcome::Findings) };
    let targets = chosen_targets(pinned.policy, &flags.targets)?;
    if flags.dry_run {
        plan::print(&project, pinned, &targets, format);
        return Ok(Outcome::Clean);
    }
    let findings = ensure(&project, pinned, &targets)?;
    report(&project, pinned, &targets, &findings, format)?;
    Ok(if findings.is_empty() { Outcome::Clean } else { Outcome::Findings })
}

/// Builds the targets without fresh artifacts. Returns findings about the policy: decisions that do not compile, and
/// exceeded budgets.
///
/// # Errors
/// As [`run`].
pub fn ensure(project: &Project, pinned: Pinned<'_>, targets: &[&str]) -> Result<Vec<Diagnostic>> {
    let folder = project.target().join("tailscale");
    let _lock = files::lock(&folder, || progress::line("Waiting", "for another build in this folder"))?;
    let mut stale = Vec::new();
    for target in targets {
        match state(project, pinned, target)? {
            State::Fresh => {
                let remark = if mark_draft(project, target)? { "only the mark of a draft" } else { "nothing" };
                progress::line("Fresh", &format!("{target}: {remark} has changed"));
                execute_late(project, pinned, target)?;
                continue;
            }
            State::NotRecorded => {
                let record = project.cache.describe();
                let why = format!("its artifacts match, but {record} has no record that this program built them");
                progress::line("Rebuilding", &format!("{target}: {why}"));
            }
            State::Stale => {}
        }
        stale.push(*target);
    }
    let mut findings = if stale.is_empty() { Vec::new() } else { build_all(project, pinned, &stale)? };
    findings.extend(over_budget(project, pinned, targets));
    Ok(findings)
}

/// Adds the mark of a draft to a fresh target's manifest, or removes it. Returns whether it changed.
fn mark_draft(project: &Project, target: &str) -> Result<bool> {
    let folder = folder(project, target);
    let manifest = Manifest::read(&folder, &project.cache)?;
    let is_changed = manifest.draft != project.is_draft(target);
    if is_changed {
        Manifest { draft: project.is_draft(target), ..manifest }.write(&folder, &project.cache)?;
    }
    Ok(is_changed)
}

/// Prints the findings; as JSON, one document with findings, warnings and the manifests of the artifacts.
fn report(
    project: &Project,
    pinned: Pinned<'_>,
    targets: &[&str],
    findings: &[Diagnostic],
    format: Format,
) -> Result<()> {
    if format != Format::Json {
        return project.show(findings, format);
    }
    let mut document = project.document(&[&project.findings[..], findings].concat());
    let built = targets.iter().filter(|target| matches!(state(project, pinned, target), Ok(State::Fresh)));
    let manifests = built.filter_map(|target| {
        let folder = folder(project, target);
        let manifest =
            Manifest::read(&folder, &project.cache).and_then(|manifest| Ok(serde_json::to_value(manifest)?)).ok()?;
        Some(((*target).to_owned(), serde_json::json!({ "folder": folder, "manifest": manifest })))
    });
    document["targets"] = manifests.collect::<serde_json::Map<_, _>>().into();
    output::json(&document);
    Ok(())
}

/// Returns the named targets, or all of the policy.
///
/// # Errors
/// A [`Diagnostic`] for a name that the policy does not have.
pub fn chosen_targets<'a>(policy: &'a Policy, named: &[String]) -> Result<Vec<&'a str>> {
    let known: Vec<&str> = policy.targets.keys().map(String::as_str).collect();
    if let Some(name) = named.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(unknown_target(policy, name).into());
    }
    Ok(known.iter().copied().filter(|name| named.is_empty() || named.iter().any(|wanted| wanted == name)).collect())
}

/// Whether a target's artifacts are used as they are.
enum State {
    /// This program built them from this recipe.
    Fresh,
    /// Their manifest has this recipe, but the cache has no record of them. Another user or machine built them, or they came
    /// with the policy. They are not run.
    NotRecorded,
    /// They are missing, damaged, or built from another recipe.
    Stale,
}

/// Returns the state of a target's artifacts.
fn state(project: &Project, pinned: Pinned<'_>, target: &str) -> Result<State> {
    let folder = folder(project, target);
    project.cache.existing()?;
    let Ok((manifest, is_ours)) = Manifest::read_any(&folder, &project.cache) else { return Ok(State::Stale) };
    let recipe = pinned.recipe(target, manifest.module.commit.as_deref());
    let whole = manifest.binary.is_in(&folder.join(PACKED)) && manifest.unpacked.is_in(&folder.join(UNPACKED));
    let linked = std::fs::read_link(folder.join(LINK)).is_ok_and(|link| link == Path::new(PACKED));
    let fits = whole && linked && recipe.is_ok_and(|recipe| manifest.recipe == recipe_digest(&recipe));
    Ok(match (fits, is_ours) {
        (true, true) => State::Fresh,
        (true, false) => State::NotRecorded,
        (false, _) => State::Stale,
    })
}

/// Executes a fresh binary that could not be executed when it was built, if an emulator has been installed since.
fn execute_late(project: &Project, pinned: Pinned<'_>, target: &str) -> Result<()> {
    let folder = folder(project, target);
    let manifest = Manifest::read(&folder, &project.cache)?;
    if manifest.executed.tailscaled.is_some() {
        return Ok(());
    }
    let recipe = pinned.recipe(target, manifest.module.commit.as_deref())?;
    // Without an emulator, this repeats the warning.
    let executed = execute::both_names(&folder, &recipe, Steps::Shown(target))?;
    if executed == manifest.executed {
        return Ok(());
    }
    Manifest { executed, ..manifest }.write(&folder, &project.cache)
}

/// Builds targets one after another and returns findings. If a target does not compile, those with the same tags are skipped:
/// they would not compile either.
fn build_all(project: &Project, pinned: Pinned<'_>, targets: &[&str]) -> Result<Vec<Diagnostic>> {
    let builder = Builder::gather(project, pinned, targets)?;
    let (mut findings, mut failing): (Vec<Diagnostic>, Vec<Vec<String>>) = (Vec::new(), Vec::new());
    for target in targets {
        let tags = pinned.recipe(target, None)?.tags;
        if failing.contains(&tags) {
            continue;
        }
        let job = Job { project, pinned, target, builder: &builder };
        if let Some(failure) = build(&job)? {
            errln!("{}\n", escape::lines(&failure.compiler));
            let same = |other: &&&str| pinned.recipe(other, None).is_ok_and(|recipe| recipe.tags == tags);
            let names: Vec<String> = targets.iter().filter(same).map(|name| (*name).to_owned()).collect();
            let is_all = names.len() == pinned.policy.targets.len();
            findings.push(if is_all { failure.finding } else { failure.finding.for_targets(names) });
            failing.push(tags);
        }
    }
    Ok(findings)
}

/// Builds one target and replaces its artifacts. Returns the reason if its code does not compile.
fn build(job: &Job<'_>) -> Result<Option<compile_errors::Failure>> {
    let recipe = job.pinned.recipe(job.target, job.builder.upstream.commit.as_deref())?;
    let folder = folder(job.project, job.target);
    let work = folder.join(".work");
    let binary = match job.builder.build(&recipe, &work, Steps::Shown(job.target))? {
        BuildOutcome::Built(binary) => binary,
        BuildOutcome::Failed(BuildFailure::DoesNotCompile(output)) => {
            return compile_errors::explain(job, &recipe, &output).map(Some);
        }
        BuildOutcome::Failed(BuildFailure::DoesNotStart(failure)) => return Err((*failure).into()),
    };
    if let Some(linked) = &binary.linked {
        shrink::save_unstripped(&job.project.target(), linked, &job.builder.cache)?;
    }
    let kept = job.pinned.selection(job.target)?.kept;
    let manifest = Manifest::new(job.builder, &recipe, kept, binary);
    // The manifest comes last: until it is there, the folder counts as not built.
    for name in [UNPACKED, PACKED] {
        files::rename(&work.join(name), &folder.join(name))?;
    }
    files::link(PACKED, &folder.join(LINK))?;
    Manifest { draft: job.project.is_draft(job.target), ..manifest }.write(&folder, &job.builder.cache)?;
    let _ = std::fs::remove_dir_all(&work);
    progress::line("Wrote", &folder.join(PACKED).display().to_string());
    Ok(None)
}

/// Compares every chosen target's binary with its budget.
fn over_budget(project: &Project, pinned: Pinned<'_>, targets: &[&str]) -> Vec<Diagnostic> {
    let over = |name: &&str| {
        let budget = pinned.policy.targets.get(*name)?.budget?;
        let bytes = Manifest::read(&folder(project, name), &project.cache).ok()?.binary.bytes;
        (bytes > budget).then(|| {
            let too_much = format!("{} over the budget", format_size(bytes - budget));
            let place = Label::new(project.reading.places.value(&["targets", name, "budget"]), too_much);
            let message = format!("`{name}` is {} large; its budget is {}", format_size(bytes), format_size(budget));
            let next = "Omit what the device can do without, or raise the budget if the flash has room.".to_owned();
            Diagnostic::new(Code::OverBudget, message, next).at(place)
        })
    };
    targets.iter().filter_map(over).collect()
}

#[cfg(test)]
mod tests;
