//! `review`: describes the change from the policy at a revision to the one in the working tree, for a reviewer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use diagnostics::{Lines, Severity};
use featureset::change::{Change, Side};
use featureset::cost::estimate::{Estimate, target_sizes};
use featureset::policy::{self, ParsedPolicy, Policy};

use crate::cli::Review;
use crate::costs::MeasuredCosts;
use crate::format::FindingsFormat;
use crate::invocation::program;
use crate::outcome::Outcome;
use crate::project::Project;
use crate::proofs::Shown;
use crate::repository::Repository;
use crate::{outln, output, progress, render};

/// Runs the command. It exits with 0 for every change, because `check` reports findings.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] if the revision does not exist, the policy is not in a repository, or Git can't read it.
pub fn run(policy: Option<&Path>, format: FindingsFormat, flags: &Review) -> Result<Outcome> {
    let project = Project::open(policy)?;
    if project.reading.policy.is_none() {
        // An unreadable policy can't be compared.
        project.show(&project.findings, format)?;
        return Ok(Outcome::Findings);
    }
    let text = Repository::find(&project)?.policy_at(&flags.base)?;
    let reading = text.as_deref().map(policy::read);
    let base = text.as_deref().zip(reading.as_ref()).map(|(text, reading)| Side { text, reading });
    let new = Side { text: &project.text, reading: &project.reading };
    let change = Change::between(base, new, &project.facts);
    match format {
        FindingsFormat::Human => {
            let (costs, shown) = (
                MeasuredCosts::read(&project.root(), project.targets())?,
                Shown::read(&project.root(), project.targets()),
            );
            let is_error = |finding: &&diagnostics::Diagnostic| finding.severity == Severity::Error;
            let errors = project.findings.iter().filter(is_error).count();
            let totals = render::totals(&change, errors, &sizes(&project, reading.as_ref()));
            outln!("{}", render::change(&change, &flags.base, &totals, &costs, &shown).trim_end());
        }
        FindingsFormat::Json => output::json(&document(&project, &flags.base, &change)),
        FindingsFormat::Github | FindingsFormat::Sarif => project.show(&change.questions, format)?,
    }
    if format != FindingsFormat::Json && project.findings.iter().any(|finding| finding.severity == Severity::Error) {
        progress::warn(&format!("{} has errors: `{} check` prints them", project.path.display(), program()));
    }
    Ok(Outcome::Clean)
}

/// Returns the estimated bytes of each target before and after.
fn sizes(project: &Project, base: Option<&ParsedPolicy>) -> BTreeMap<String, (Option<u64>, Option<u64>)> {
    let estimated = |policy: Option<&Policy>| {
        let registry = policy.and_then(|policy| project.facts.registry(policy.tailscale?));
        policy.zip(registry).map(|(policy, registry)| target_sizes(policy, registry)).unwrap_or_default()
    };
    let before = estimated(base.and_then(|base| base.policy.as_ref()));
    let after = estimated(project.reading.policy.as_ref());
    let bytes = |sizes: &BTreeMap<String, Estimate>, name: &String| sizes.get(name).map(|size| size.bytes);
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().map(|name| (name.clone(), (bytes(&before, name), bytes(&after, name)))).collect()
}

/// Returns the change as JSON, each question with its line and column.
fn document(project: &Project, base: &str, change: &Change) -> serde_json::Value {
    let mut document = serde_json::json!({
        "schema": crate::output::SCHEMA,
        "policy": project.path.to_string_lossy(),
        "revision": base,
        "reaches_a_binary": change.reaches_a_binary(),
        "says_nothing_new": change.says_nothing_new(),
        "change": change,
    });
    let lines = Lines::new(&project.text);
    document["change"]["questions"] =
        change.questions.iter().map(|question| render::finding(&lines, question)).collect();
    document
}
