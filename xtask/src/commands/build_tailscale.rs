//! `build-tailscale`: Go builds, the binary's own build information is held against the recipe, UPX packs,
//! the packed binary is run, and only then do the artefacts take their place.

mod blame;
mod execute;
mod make;
mod manifest;
mod pack;
mod plan;
mod shrink;
mod verify;

use crate::{errln, outln};
use anyhow::Result;
use featureset::finding::{Finding, Label};
use featureset::policy::{Policy, Symbols, format_size};
use featureset::recipe::Recipe;
use featureset::rules;
use featureset::selection::Selection;
use std::path::{Path, PathBuf};

pub use make::{Made, Maker, Unmade};
pub use manifest::{Artefact, Manifest};
pub use plan::{command_line, document};
pub use shrink::twin;

use super::Outcome;
use crate::cli::{BuildTailscale, Format};
use crate::problem::Problem;
use crate::project::{Pinned, Project};
use crate::{files, process, progress, render};

/// The packed daemon; the command line is a link to it by the name that makes it one.
pub const PACKED: &str = "tailscaled";
const LINK: &str = "tailscale";
/// The binary as Go linked it: packing takes the build information away.
pub const UNPACKED: &str = "tailscaled.unpacked";

/// What one target's build needs.
struct Job<'a> {
    project: &'a Project,
    pinned: Pinned<'a>,
    target: &'a str,
    maker: &'a Maker,
}

/// Runs the command.
///
/// # Errors
/// A [`Problem`] where a tool, the network or a file is in the way, or where the result is not what the
/// recipe says.
pub fn run(policy: Option<&Path>, format: Format, flags: &BuildTailscale) -> Result<Outcome> {
    let project = Project::open(policy)?;
    let Some(pinned) = project.clean(format)? else { return Ok(Outcome::Findings) };
    let targets = chosen_targets(pinned.policy, &flags.targets)?;
    if flags.dry_run {
        plan::print(&project, pinned, &targets, format);
        return Ok(Outcome::Clean);
    }
    let findings = ensure(&project, pinned, &targets)?;
    report(&project, pinned, &targets, &findings, format)?;
    Ok(if findings.is_empty() { Outcome::Clean } else { Outcome::Findings })
}

/// Builds the targets whose artefacts are not there, not whole or not made by the very recipe. Gives what is wrong with the
/// policy: code that does not compile, a budget that is not held.
///
/// # Errors
/// As [`run`].
pub fn ensure(project: &Project, pinned: Pinned<'_>, targets: &[&str]) -> Result<Vec<Finding>> {
    let folder = project.target().join("tailscale");
    let _lock = files::lock(&folder, || progress::line("Waiting", "for another build in this folder"))?;
    let (fresh, stale): (Vec<&str>, Vec<&str>) = targets.iter().partition(|target| is_fresh(project, pinned, target));
    for target in &fresh {
        progress::line("Fresh", &format!("{target}: nothing has changed"));
    }
    let mut findings = if stale.is_empty() { Vec::new() } else { build_all(project, pinned, &stale)? };
    findings.extend(over_budget(project, pinned, targets));
    Ok(findings)
}

/// The findings, for people; for programs one document with those, the policy's warnings and the manifests of what
/// is built.
fn report(project: &Project, pinned: Pinned<'_>, targets: &[&str], findings: &[Finding], format: Format) -> Result<()> {
    if format != Format::Json {
        return render::findings(project, findings, format);
    }
    let mut document = render::document(project, &[&project.findings[..], findings].concat());
    let built = targets.iter().filter(|target| is_fresh(project, pinned, target));
    let manifests = built.filter_map(|target| {
        let folder = folder(project, target);
        let manifest = Manifest::read(&folder).and_then(|manifest| Ok(serde_json::to_value(manifest)?)).ok()?;
        Some(((*target).to_owned(), serde_json::json!({ "folder": folder, "manifest": manifest })))
    });
    document["targets"] = manifests.collect::<serde_json::Map<_, _>>().into();
    outln!("{document:#}");
    Ok(())
}

/// The targets to build: those named, or every one of the policy.
///
/// # Errors
/// A [`Problem`] for a name that the policy does not have.
pub fn chosen_targets<'a>(policy: &'a Policy, named: &[String]) -> Result<Vec<&'a str>> {
    let known: Vec<&str> = policy.targets.keys().map(String::as_str).collect();
    let unknown = |name: &String| {
        let why = format!("its targets are {}", known.join(", "));
        Problem::new("unknown-target", format!("the policy has no target `{name}`"), why, "Name one of them.")
    };
    if let Some(name) = named.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(unknown(name).into());
    }
    Ok(known.iter().copied().filter(|name| named.is_empty() || named.iter().any(|wanted| wanted == name)).collect())
}

/// Where a target's artefacts are.
#[must_use]
pub fn folder(project: &Project, target: &str) -> PathBuf {
    project.target().join("tailscale").join(target)
}

/// Whether the artefacts are there, whole, and made by the very recipe.
fn is_fresh(project: &Project, pinned: Pinned<'_>, target: &str) -> bool {
    let folder = folder(project, target);
    let Ok(manifest) = Manifest::read(&folder) else { return false };
    let selection = Selection::of(pinned.policy, pinned.registry);
    let recipe = Recipe::of(pinned.policy, &selection, target, manifest.module.commit.as_deref());
    let whole = std::fs::read(folder.join(PACKED)).is_ok_and(|bytes| files::sha256(&bytes) == manifest.binary.sha256);
    let linked = std::fs::read_link(folder.join(LINK)).is_ok_and(|link| link == Path::new(PACKED));
    let unpacked = folder.join(UNPACKED).is_file();
    whole && linked && unpacked && recipe.is_some_and(|recipe| manifest.recipe == manifest::digest(&recipe))
}

/// Builds targets one after another; gives what is wrong with the policy. The first code that does not compile
/// ends it, for the other targets have the same decisions.
fn build_all(project: &Project, pinned: Pinned<'_>, targets: &[&str]) -> Result<Vec<Finding>> {
    let maker = Maker::gather(project, pinned, targets)?;
    for target in targets {
        let job = Job { project, pinned, target, maker: &maker };
        if let Err(failure) = build(&job)? {
            errln!("{}\n", failure.compiler);
            return Ok(vec![failure.finding]);
        }
    }
    Ok(Vec::new())
}

/// Builds one target. The inner error is code that does not compile.
fn build(job: &Job<'_>) -> Result<Result<(), blame::Failure>> {
    let selection = Selection::of(job.pinned.policy, job.pinned.registry);
    let commit = job.maker.upstream.commit.as_deref();
    let Some(recipe) = Recipe::of(job.pinned.policy, &selection, job.target, commit) else {
        return Err(Problem::new("no-recipe", format!("`{}` can't be planned", job.target), "", "Run `check`.").into());
    };
    let folder = folder(job.project, job.target);
    let work = folder.join(".work");
    files::empty_folder(&work)?;
    let unpacked = work.join(UNPACKED);
    let step = progress::step("Building", format!("{} ({})", job.target, recipe.platform));
    let output = process::output(plan::go_command(&job.maker.go, &job.maker.upstream, &recipe, &unpacked))?;
    if !output.status.success() {
        drop(step);
        return blame::explain(job, &recipe, &output.stderr).map(Err);
    }
    let linked = files::read_bytes(&unpacked)?;
    verify::holds_what_the_recipe_says(&linked, &recipe, &job.maker.upstream)?;
    step.done("Built", &format_size(linked.len() as u64));
    let unpacked_artefact = shrink(job, &recipe, &linked, &unpacked)?;
    let packed = work.join(PACKED);
    pack(job, &recipe, &unpacked, &packed)?;
    files::link(PACKED, &work.join(LINK))?;
    let executed = execute::both_names(&work, &recipe)?;
    let binary = Artefact::of(&files::read_bytes(&packed)?);
    let manifest = Manifest::new(job, &recipe, unpacked_artefact, binary, executed);
    // The manifest comes last: until it is there, the folder counts as not built.
    for name in [UNPACKED, PACKED] {
        files::rename(&work.join(name), &folder.join(name))?;
    }
    files::link(PACKED, &folder.join(LINK))?;
    manifest.write(&folder)?;
    let _ = std::fs::remove_dir_all(&work);
    progress::line("Wrote", &folder.join(PACKED).display().to_string());
    Ok(Ok(()))
}

/// Rewrites the function table where the recipe says so, in the file's place; gives what goes on to the packer.
fn shrink(job: &Job<'_>, recipe: &Recipe, linked: &[u8], unpacked: &Path) -> Result<Artefact> {
    if recipe.build.symbols == Symbols::All {
        return Ok(Artefact::of(linked));
    }
    let step = progress::step("Shrinking", format!("{}: symbols {}", job.target, recipe.build.symbols));
    let Some(shrunk) = shrink::shrunk(linked, recipe)? else { return Ok(Artefact::of(linked)) };
    verify::holds_what_the_recipe_says(&shrunk, recipe, &job.maker.upstream)?;
    shrink::keep_twin(&job.project.target(), linked)?;
    files::write_executable(unpacked, &shrunk)?;
    step.done("Shrunk", &format_size(shrunk.len() as u64));
    Ok(Artefact::of(&shrunk))
}

fn pack(job: &Job<'_>, recipe: &Recipe, unpacked: &Path, packed: &Path) -> Result<()> {
    let (kind, upx) = (recipe.build.pack, job.maker.upx.as_ref());
    let Some(packer) = pack::name(kind, upx) else { return pack::pack(kind, upx, unpacked, packed) };
    let step = progress::step("Packing", format!("{} with {packer}", job.target));
    pack::pack(kind, upx, unpacked, packed)?;
    let size = std::fs::metadata(packed).map_or(0, |data| data.len());
    step.done("Packed", &format_size(size));
    Ok(())
}

/// Holds every chosen target's binary against its budget, just built or not.
fn over_budget(project: &Project, pinned: Pinned<'_>, targets: &[&str]) -> Vec<Finding> {
    let over = |name: &&str| {
        let budget = pinned.policy.targets.get(*name)?.budget?;
        let bytes = Manifest::read(&folder(project, name)).ok()?.binary.bytes;
        (bytes > budget).then(|| {
            let too_much = format!("{} too much", format_size(bytes - budget));
            let place = Label::new(project.reading.places.value(&["targets", name, "budget"]), too_much);
            let message = format!("`{name}` weighs {}, over its budget of {}", format_size(bytes), format_size(budget));
            let next = "Omit what the device can do without, or raise the budget if the flash has room.".to_owned();
            rules::get("over-budget").finding(message, place, next)
        })
    };
    targets.iter().filter_map(over).collect()
}
