//! `check`: every finding at once.

use std::path::Path;

use anyhow::Result;
use diagnostics::Severity;
use featureset::fix;

use super::Outcome;
use crate::cli::{Check, Deny};
use crate::format::FindingsFormat;
use crate::project::Project;
use crate::{files, progress, render};

/// Runs the command.
///
/// # Errors
/// Where the policy can't be read or, with `--fix`, written.
pub fn run(policy: Option<&Path>, format: FindingsFormat, flags: &Check) -> Result<Outcome> {
    let mut project = Project::open(policy)?;
    if flags.fix {
        match fix::fix(&project.text, &project.facts) {
            Some(fixed) => {
                files::write(&project.path, &fixed.text)?;
                let stubs = (fixed.stubs > 0).then(|| format!("{} stubs inserted", fixed.stubs));
                let sorted = fixed.sorted.then(|| "features sorted".to_owned());
                let done: Vec<String> = [sorted, stubs].into_iter().flatten().collect();
                progress::line("Fixed", &format!("{}: {}", project.path.display(), done.join(", ")));
                project = Project::open(Some(&project.path))?;
            }
            None => progress::line("Unchanged", &format!("{}: nothing that --fix can do", project.path.display())),
        }
    }
    render::findings(&project, &project.findings, format)?;
    if format == FindingsFormat::Human {
        progress::line("Checked", &format!("{}: {}", project.path.display(), render::summary(&project.findings)));
    }
    let denied =
        |severity| severity == Severity::Error || (severity == Severity::Warning && flags.deny == Some(Deny::Warnings));
    let failed = project.findings.iter().any(|finding| denied(finding.severity));
    Ok(if failed { Outcome::Findings } else { Outcome::Clean })
}
