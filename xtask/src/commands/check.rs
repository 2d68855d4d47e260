//! `check`: every finding at once.

use std::path::Path;

use anyhow::Result;
use featureset::facts::Facts;
use featureset::finding::Severity;
use featureset::policy::edit;

use super::Outcome;
use crate::cli::{Check, Deny, Format};
use crate::project::Project;
use crate::{files, progress, render};

/// Runs the command.
///
/// # Errors
/// Where the policy can't be read or, with `--fix`, written.
pub fn run(policy: Option<&Path>, format: Format, flags: &Check) -> Result<Outcome> {
    let mut project = Project::open(policy)?;
    if flags.fix {
        match edit::fix(&project.text, Facts::embedded()) {
            Some(fixed) => {
                files::write(&project.path, &fixed)?;
                progress::line("Fixed", &format!("{}: features sorted, stubs inserted", project.path.display()));
                project = Project::open(Some(&project.path))?;
            }
            None => progress::line("Unchanged", &format!("{}: nothing that --fix can do", project.path.display())),
        }
    }
    render::findings(&project, &project.findings, format)?;
    if format == Format::Human {
        progress::line("Checked", &format!("{}: {}", project.path.display(), render::summary(&project.findings)));
    }
    let denied =
        |severity| severity == Severity::Error || (severity == Severity::Warning && flags.deny == Some(Deny::Warnings));
    let failed = project.findings.iter().any(|finding| denied(finding.severity));
    Ok(if failed { Outcome::Findings } else { Outcome::Clean })
}
