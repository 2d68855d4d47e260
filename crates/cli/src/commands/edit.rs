//! `edit`: a terminal editor of the whole policy.

use std::path::Path;

use anyhow::Result;
use featureset::policy::{Policy, read};

use crate::cli::Edit;
use crate::editor::judgement::Sources;
use crate::editor::model::Model;
use crate::editor::terminal;
use crate::invocation::program;
use crate::outcome::Outcome;
use crate::project::Project;
use crate::repository::Repository;
use crate::{descriptions, progress, render};

/// Runs the command. A policy with findings opens too: the editor lists them.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] if the terminal is missing, or the policy or the revision can't be read;
/// [`crate::interrupted::Interrupted`] after a signal.
pub fn run(policy: Option<&Path>, flags: &Edit) -> Result<Outcome> {
    terminal::require()?;
    let project = Project::open(policy)?;
    let base = flags.base.as_ref().map(|revision| base(&project, revision)).transpose()?.flatten();
    let sources = Sources {
        path: project.path.display().to_string(),
        program: program(),
        descriptions: descriptions::described(&project),
        facts: project.facts.clone(),
        base,
    };
    let saves = terminal::run(&project.path, Model::new(&project.text, sources))?;
    if saves > 0 {
        let project = Project::open(Some(&project.path))?;
        progress::line("Wrote", &project.path.display().to_string());
        progress::line("Checked", &format!("{}: {}", project.path.display(), render::summary(&project.findings)));
    }
    Ok(Outcome::Clean)
}

/// Returns the policy at a revision with its name; `None` if the revision has none.
fn base(project: &Project, revision: &str) -> Result<Option<(String, Policy)>> {
    let text = Repository::find(project)?.policy_at(revision)?;
    if text.is_none() {
        progress::warn("the base has no policy: nothing is compared");
    }
    Ok(text.and_then(|text| read(&text).policy).map(|policy| (revision.to_owned(), policy)))
}
