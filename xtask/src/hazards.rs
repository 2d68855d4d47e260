//! `hazards`: known ones put to the test, new ones looked for.

mod prove;
mod sweep;

use std::path::Path;

use anyhow::Result;
use featureset::recipe::PACKAGE;
use regex::Regex;

use super::Outcome;
use crate::args::Hazards;
use tailscale_featureset::process;
use tailscale_featureset::tools::go::{self, Go};
use tailscale_featureset::typecheck::Job;
use tailscale_featureset::upstream::Upstream;

/// Runs the command.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] outside this repository, or where a release can't be had.
pub(crate) fn run(policy: Option<&Path>, command: &Hazards) -> Result<Outcome> {
    match command {
        Hazards::Prove { ids, releases, build } => prove::run(policy, ids, releases, *build),
        Hazards::Sweep { shard } => sweep::run(policy, *shard),
    }
}

/// A compiler's verdict on a selection.
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

/// The first complaint, if the complaints are about code.
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
}
