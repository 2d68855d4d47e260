//! `review`: the step from the policy at a revision to the one in the working tree, for the person who reviews it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use featureset::change::{Change, Side};
use featureset::finding::Severity;
use featureset::policy;

use super::Outcome;
use crate::cli::{Format, Review};
use crate::costs::Known;
use crate::invocation::spelled;
use crate::problem::Problem;
use crate::process::{self, Output};
use crate::project::Project;
use crate::proofs::Shown;
use crate::{outln, progress, render};

/// Runs the command. A change that can be reviewed ends with 0, whatever it says: `check` is there to fail.
///
/// # Errors
/// A [`Problem`] where there is no such revision, or the policy is in no repository.
pub fn run(policy: Option<&Path>, format: Format, flags: &Review) -> Result<Outcome> {
    let project = Project::open(policy)?;
    if project.reading.policy.is_none() {
        // What can't be read can't be compared.
        render::findings(&project, &project.findings, format)?;
        return Ok(Outcome::Findings);
    }
    let text = Repository::of(&project)?.policy_at(&flags.base)?;
    let reading = text.as_deref().map(policy::read);
    let base = text.as_deref().zip(reading.as_ref()).map(|(text, reading)| Side { text, reading });
    let new = Side { text: &project.text, reading: &project.reading };
    let change = Change::between(base, new, &project.facts);
    match format {
        Format::Human => {
            let (costs, shown) = (Known::read(&project)?, Shown::read(&project));
            outln!("{}", render::change(&change, &flags.base, &costs, &shown).trim_end());
        }
        Format::Json => outln!("{:#}", document(&project, &flags.base, &change)),
        Format::Github | Format::Sarif => render::findings(&project, &change.questions, format)?,
    }
    if format != Format::Json && project.findings.iter().any(|finding| finding.severity == Severity::Error) {
        progress::warn(&spelled(&format!("{} has errors: `check` shows them", project.path.display())));
    }
    Ok(Outcome::Clean)
}

/// The change as programs get it, each question with its line and column.
fn document(project: &Project, base: &str, change: &Change) -> serde_json::Value {
    let mut document = serde_json::json!({
        "schema": 1,
        "policy": project.path.to_string_lossy(),
        "revision": base,
        "reaches_a_binary": change.reaches_a_binary(),
        "says_nothing_new": change.says_nothing_new(),
        "change": change,
    });
    document["change"]["questions"] =
        change.questions.iter().map(|question| render::finding(&project.text, question)).collect();
    document
}

/// The Git repository that holds the policy.
struct Repository {
    /// Where Git runs: the folder of the policy.
    folder: PathBuf,
    /// The policy's path from the top of the repository.
    policy: String,
}

impl Repository {
    fn of(project: &Project) -> Result<Self> {
        let folder = project.root();
        let git = Self { folder, policy: String::new() };
        let prefix = git.run(&["rev-parse", "--show-prefix"])?;
        if !prefix.status.success() {
            return Err(Problem::new(
                "no-repository",
                format!("{} is in no Git repository", project.path.display()),
                prefix.stderr.trim(),
                "Run it where the policy is under version control.",
            )
            .into());
        }
        let name = project.path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self { policy: format!("{}{name}", prefix.stdout.trim_end_matches('\n')), ..git })
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(process::needed("git")?);
        // Paths as they are, whatever the user's configuration says.
        command.args(["-c", "core.quotePath=false"]).args(arguments).current_dir(&self.folder);
        process::output(command)
    }

    /// The text of the policy at a revision; nothing where the revision has none.
    fn policy_at(&self, revision: &str) -> Result<Option<String>> {
        let commit =
            self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{revision}^{{commit}}")])?;
        if !commit.status.success() {
            return Err(self.unknown(revision)?.into());
        }
        let commit = commit.stdout.trim().to_owned();
        if let Some(text) = self.show(&commit, &self.policy)? {
            return Ok(Some(text));
        }
        let Some(old) = self.renamed_from(&commit)? else { return Ok(None) };
        progress::line("Following", &format!("{old} at {revision}, which is {} now", self.policy));
        self.show(&commit, &old)
    }

    fn show(&self, commit: &str, path: &str) -> Result<Option<String>> {
        let shown = self.run(&["show", &format!("{commit}:{path}")])?;
        Ok(shown.status.success().then_some(shown.stdout))
    }

    /// What the policy was called at a commit, if Git sees that it was renamed since.
    fn renamed_from(&self, commit: &str) -> Result<Option<String>> {
        // A file that Git does not know yet is no rename to it, so the name at HEAD counts.
        let names = self.run(&["diff", "-z", "--find-renames", "--diff-filter=R", "--name-status", commit])?;
        let mut fields = names.stdout.split('\0');
        while let (Some(_), Some(old), Some(new)) = (fields.next(), fields.next(), fields.next()) {
            if new == self.policy {
                return Ok(Some(old.to_owned()));
            }
        }
        Ok(None)
    }

    fn unknown(&self, revision: &str) -> Result<Problem> {
        let shallow = self.run(&["rev-parse", "--is-shallow-repository"])?.stdout.trim() == "true";
        let why = if shallow { "this clone is shallow: it has no history" } else { "this clone has no such commit" };
        let next = if shallow {
            "Fetch it: `git fetch --unshallow`, or `fetch-depth: 0` for actions/checkout.".to_owned()
        } else {
            format!("Check the name, or fetch it: `git fetch origin {revision}`.")
        };
        Ok(Problem::new("unknown-revision", format!("there is no revision `{revision}`"), why, next))
    }
}
