//! `hazards`: known ones put to the test, new ones looked for.

mod prove;
mod sweep;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use featureset::proof::{Observation, Proof};
use featureset::recipe::PACKAGE;
use featureset::release::Release;
use regex::Regex;

use super::Outcome;
use crate::cli::Hazards;
use crate::process;
use crate::tools::go::{self, Go};
use crate::typecheck::Job;
use crate::upstream::Upstream;
use crate::{files, progress};

/// Runs the command.
///
/// # Errors
/// A [`crate::problem::Problem`] outside this repository, or where a release can't be had.
pub fn run(policy: Option<&Path>, command: &Hazards) -> Result<Outcome> {
    match command {
        Hazards::Prove { ids, releases, build } => prove::run(policy, ids, releases, *build),
        Hazards::Sweep { shard } => sweep::run(policy, *shard),
    }
}

/// Where the proofs are, from the repository's folder.
const PROOFS: &str = "crates/featureset/proofs";

/// Lays what was seen of a hazard over what is recorded of the same releases and platforms; gives the whole. What was seen
/// before in other words stays: a complaint names milliseconds, and a second run is no change.
///
/// # Errors
/// A [`crate::problem::Problem`] where the file can't be written.
pub(super) fn record(root: &Path, id: &str, generated_by: &str, mut seen: Vec<Observation>) -> Result<Proof> {
    let path = root.join(PROOFS).join(format!("{id}.json"));
    let known = std::fs::read_to_string(&path).ok().and_then(|text| Proof::from_json(&text).ok());
    let known = known.map(|proof| proof.observations).unwrap_or_default();
    seen.retain(|one| !known.iter().any(|known| known.tells_the_same(one)));
    let all: BTreeMap<(Release, String), Observation> =
        known.into_iter().chain(seen).map(|one| ((one.release, one.platform.clone()), one)).collect();
    let proof = Proof { generated_by: generated_by.to_owned(), observations: all.into_values().collect() };
    files::write(&path, &(serde_json::to_string_pretty(&proof)? + "\n"))?;
    progress::line("Wrote", &format!("{PROOFS}/{id}.json"));
    Ok(proof)
}

/// What a compiler says of a selection.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// It compiles.
    Passes,
    /// It does not; the first complaint.
    Fails(String),
    /// It was not reached: a module is missing, say.
    Nothing(String),
}

/// Complaints at a place in the code that are not about the code: a module that could not be had.
const NOT_ABOUT_CODE: &str =
    r"\.go:\d+:\d+: (?:\S+@v\S+: |no required module|missing go\.sum|cannot find|.*module lookup disabled)";

/// What complaints say, if they are about code at all: the first of them.
fn judged(complaints: &[String]) -> Result<Said> {
    let code = Regex::new(r"^[\w./-]+\.go:\d+:\d+: ")?;
    let missing = Regex::new(NOT_ABOUT_CODE)?;
    let stray = complaints.iter().find(|complaint| missing.is_match(complaint) || !code.is_match(complaint));
    Ok(match (stray, complaints.first()) {
        (Some(stray), _) => Said::Nothing(stray.clone()),
        (None, Some(complaint)) => Said::Fails(complaint.clone()),
        (None, None) => Said::Passes,
    })
}

/// Builds a selection for real, to nowhere.
fn built(go: &Go, upstream: &Upstream, job: &Job) -> Result<Said> {
    let tags = format!("-tags={}", job.tags);
    let own = [("GOOS", &job.goos), ("GOARCH", &job.goarch)].map(|(name, value)| (name.to_owned(), value.clone()));
    let variables = [go::plain(upstream.toolchain()), own.to_vec()].concat();
    let command = upstream.go(go, &["build", "-trimpath", &tags, "-o", "/dev/null", PACKAGE], &variables);
    let output = process::output(command)?;
    if output.status.success() {
        return Ok(Said::Passes);
    }
    let line = Regex::new(r"^(?:.*?tailscale\.com@[^/]+/)?([\w./-]+\.go:\d+:\d+: .*)$")?;
    let complaints: Vec<String> =
        output.stderr.lines().filter_map(|text| Some(line.captures(text)?[1].to_owned())).collect();
    match judged(&complaints)? {
        Said::Passes => Ok(Said::Nothing(output.stderr.trim().to_owned())),
        said => Ok(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_module_is_no_verdict_on_the_code() {
        let said = |complaints: &[&str]| {
            judged(&complaints.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(said(&[]), Said::Passes);
        assert_eq!(said(&["a/b.go:1:2: x"]), Said::Fails("a/b.go:1:2: x".to_owned()));
        assert!(matches!(said(&["a/b.go:1:2: x", "-: no module provides"]), Said::Nothing(_)));
        let forbidden = "ipn/netstack.go:13:2: example.com/m@v1.0.0: reading its zip: 403 Forbidden";
        assert!(matches!(said(&[forbidden]), Said::Nothing(_)));
    }

    #[test]
    fn what_is_seen_again_in_other_words_changes_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PROOFS).join("derp.json");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let record = |failed: bool, complaint: &str| {
            let seen = serde_json::json!({
                "release": "1.102.5", "go": "1.26.8", "platform": "linux/amd64", "expected": true, "how": "run",
                "failed": failed, "complaint": complaint, "remedied": true,
            });
            super::record(folder.path(), "derp", "test", vec![serde_json::from_value(seen).unwrap()]).unwrap();
            std::fs::read_to_string(&path).unwrap()
        };
        let first = record(true, "a path through DERP in 2ms");
        assert_eq!(record(true, "a path through DERP in 1ms"), first);
        let other = record(false, "a path through DERP in 1ms");
        assert!(other.contains("1ms") && !other.contains("2ms"), "{other}");
    }
}
