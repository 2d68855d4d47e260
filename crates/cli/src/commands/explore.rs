//! `explore`: writes a page for the browser on which to look at the policy and try decisions.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use diagnostics::{Code, Diagnostic, Severity};
use featureset::change::Side;
use featureset::name::FeatureName;
use featureset::policy;

use crate::cli::Explore;
use crate::descriptions::described;
use crate::invocation::{generated_by, program};
use crate::outcome::Outcome;
use crate::project::Project;
use crate::render::page;
use crate::repository::Repository;
use crate::{files, limits, output, progress, registries};

/// Runs the command. A policy with findings has a page too: the page lists them.
///
/// # Errors
/// A [`Diagnostic`] if the policy or the revision can't be read, or the page can't be written or would replace another
/// file.
pub fn run(policy: Option<&Path>, flags: &Explore) -> Result<Outcome> {
    let project = Project::open(policy)?;
    let descriptions = if flags.descriptions { descriptions(&project) } else { BTreeMap::new() };
    let base =
        flags.base.as_ref().map(|revision| Repository::find(&project)?.policy_at(revision)).transpose()?.flatten();
    let reading = base.as_deref().map(policy::read);
    let side = base.as_deref().zip(reading.as_ref()).map(|(text, reading)| Side { text, reading });
    let sources = featureset::explore::Sources {
        policy: Side { text: &project.text, reading: &project.reading },
        base: flags.base.as_deref().zip(side),
        descriptions: &descriptions,
        facts: &project.facts,
    };
    let command = generated_by(registries::is_built_in(&project.root()), "explore");
    let text = page::page(&sources, &command, &program())?;
    if flags.output == Path::new("-") {
        output::product(format_args!("{text}"));
    } else {
        refuse_other_file(&flags.output)?;
        files::write(&flags.output, &text)?;
        progress::line("Wrote", &flags.output.display().to_string());
    }
    if flags.base.is_some() && base.is_none() {
        progress::warn("the base has no policy: the page compares with nothing");
    }
    let errors = project.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    if errors > 0 {
        progress::warn(&format!("{} has {errors} errors, which the page lists", project.path.display()));
    }
    Ok(Outcome::Clean)
}

/// Returns upstream's descriptions of the pinned release; none, with a warning, if its module is not downloaded.
fn descriptions(project: &Project) -> BTreeMap<FeatureName, String> {
    let found = described(project);
    if found.is_none() {
        let command = project.pinned().map(|pinned| format!("`{} registry {}`", program(), pinned.release));
        let next = command.map(|command| format!("; {command} fetches it")).unwrap_or_default();
        progress::warn(&format!("upstream's descriptions are left out, because its module is not downloaded{next}"));
    }
    found.unwrap_or_default()
}

/// Refuses to replace a file that is not a page of this command.
fn refuse_other_file(path: &Path) -> Result<()> {
    if !path.is_file() || files::read_text(path, limits::PAGE).is_ok_and(|old| page::is_page(&old)) {
        return Ok(());
    }
    let message = format!("{} is not a page of `explore`", path.display());
    let why = "a file that this command did not write is not replaced";
    Err(Diagnostic::failure(Code::NotGenerated, message, why, "Name another file with `--output`.").into())
}
