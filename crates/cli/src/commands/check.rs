//! `check`: reports every finding.

use std::path::Path;

use anyhow::Result;
use diagnostics::Severity;
use featureset::policy::{EffectivePolicy, format_size};
use featureset::{fix, memory};

use crate::cli::{Check, Deny};
use crate::format::FindingsFormat;
use crate::outcome::Outcome;
use crate::project::Project;
use crate::{files, progress, render};

/// Runs the command.
///
/// # Errors
/// If the policy can't be read or, with `--fix`, written.
pub fn run(policy: Option<&Path>, format: FindingsFormat, flags: &Check) -> Result<Outcome> {
    let mut project = Project::open(policy)?;
    if flags.fix {
        match fix::fix(&project.text, &project.facts) {
            Some(fixed) => {
                files::write(&project.path, &fixed.text)?;
                let stubs = (fixed.stubs > 0).then(|| format!("{} stubs inserted", fixed.stubs));
                let sorted = fixed.sorted.then(|| "features sorted".to_owned());
                let deleted = (!fixed.acceptances.is_empty())
                    .then(|| format!("acceptances deleted: {}", fixed.acceptances.join(", ")));
                let notes = (fixed.notes > 0).then(|| format!("notes of stubs deleted: {}", fixed.notes));
                let done: Vec<String> = [sorted, stubs, deleted, notes].into_iter().flatten().collect();
                progress::line("Fixed", &format!("{}: {}", project.path.display(), done.join(", ")));
                let path = project.path.clone();
                drop(project);
                project = Project::open(Some(&path))?;
            }
            None => progress::line("Unchanged", &format!("{}: `--fix` has nothing to change", project.path.display())),
        }
    }
    // A copy of every finding only if notes are added: a policy can have very many.
    let with_notes = flags.notes.then(|| [project.findings.as_slice(), &project.notes].concat());
    let shown = with_notes.as_ref().unwrap_or(&project.findings);
    render::findings(&project.path, &project.text, shown, format, flags.all)?;
    if format == FindingsFormat::Human {
        let summary = render::summary(&project.findings);
        let notes = match (project.notes.len(), flags.notes) {
            (0, _) => String::new(),
            (count, true) => format!(", {}", counted(count)),
            (count, false) => {
                format!(", {} (`--notes` shows {})", counted(count), if count == 1 { "it" } else { "them" })
            }
        };
        for text in enough_memory(&project) {
            progress::line("Predicts", &text);
        }
        progress::line("Checked", &format!("{}: {summary}{notes}", project.path.display()));
    }
    let denied =
        |severity| severity == Severity::Error || (severity == Severity::Warning && flags.deny == Some(Deny::Warnings));
    let failed = project.findings.iter().any(|finding| denied(finding.severity));
    Ok(if failed { Outcome::Findings } else { Outcome::Clean })
}

/// Describes the targets with a stated memory that suffices; `memory-predicted` reports the others.
fn enough_memory(project: &Project) -> Vec<String> {
    let Some(policy) = &project.reading.policy else { return Vec::new() };
    let describe = |target: EffectivePolicy<'_>| {
        let need = memory::need_of(target).filter(|(memory, need)| need.suffices(*memory));
        let (memory, need) = need?;
        let (name, basis) = (target.name()?, &need.figures.basis);
        Some(format!(
            "enough memory for {name} under load: it has {}, and Tailscale {} for {} needed {} MiB",
            format_size(memory),
            basis.release,
            basis.platform,
            need.enough?
        ))
    };
    policy.effective().filter_map(describe).collect()
}

fn counted(notes: usize) -> String {
    format!("{notes} note{}", if notes == 1 { "" } else { "s" })
}
