//! `check`: reports every finding.

use std::path::Path;

use anyhow::Result;
use featureset::finding::Severity;
use featureset::policy::edit;

use crate::cli::{Check, Deny, Format};
use crate::outcome::Outcome;
use crate::project::Project;
use crate::{files, progress, render};

/// Runs the command.
///
/// # Errors
/// If the policy can't be read or, with `--fix`, written.
pub fn run(policy: Option<&Path>, format: Format, flags: &Check) -> Result<Outcome> {
    let mut project = Project::open(policy)?;
    if flags.fix {
        match edit::fix(&project.text, &project.facts) {
            Some(fixed) => {
                files::write(&project.path, &fixed.text)?;
                let stubs = (fixed.stubs > 0).then(|| format!("{} stubs inserted", fixed.stubs));
                let sorted = fixed.sorted.then(|| "features sorted".to_owned());
                let done: Vec<String> = [sorted, stubs].into_iter().flatten().collect();
                progress::line("Fixed", &format!("{}: {}", project.path.display(), done.join(", ")));
                project = Project::open(Some(&project.path))?;
            }
            None => progress::line("Unchanged", &format!("{}: `--fix` has nothing to change", project.path.display())),
        }
    }
    project.show(&project.findings, format)?;
    if format == Format::Human {
        progress::line("Checked", &format!("{}: {}", project.path.display(), render::summary(&project.findings)));
    }
    let denied =
        |severity| severity == Severity::Error || (severity == Severity::Warning && flags.deny == Some(Deny::Warnings));
    let failed = project.findings.iter().any(|finding| denied(finding.severity));
    Ok(if failed { Outcome::Findings } else { Outcome::Clean })
}
