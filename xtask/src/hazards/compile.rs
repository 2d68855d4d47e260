//! A compiler's verdict on a selection.

use anyhow::Result;
use featureset::recipe::PACKAGE;
use regex::Regex;
use tailscale_featureset::process;
use tailscale_featureset::tools::go::{self, Go};
use tailscale_featureset::typecheck::Job;
use tailscale_featureset::upstream::Upstream;

/// A compiler's verdict on a selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CompilerVerdict {
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
pub(super) fn judged(complaints: &[String]) -> Result<CompilerVerdict> {
    let code = Regex::new(r"^[\w./-]+\.go:\d+:\d+: ")?;
    let missing = Regex::new(NOT_ABOUT_CODE)?;
    let stray = complaints.iter().find(|complaint| missing.is_match(complaint) || !code.is_match(complaint));
    Ok(match (stray, complaints.first()) {
        (Some(stray), _) => CompilerVerdict::Nothing(stray.clone()),
        (None, Some(complaint)) => CompilerVerdict::Fails(complaint.clone()),
        (None, None) => CompilerVerdict::Passes,
    })
}

/// Builds a selection for real, to nowhere.
pub(super) fn built(go: &Go, upstream: &Upstream, job: &Job) -> Result<CompilerVerdict> {
    let tags = format!("-tags={}", job.tags);
    let own = [("GOOS", &job.goos), ("GOARCH", &job.goarch)].map(|(name, value)| (name.to_owned(), value.clone()));
    let variables = [go::plain(upstream.toolchain()), own.to_vec()].concat();
    let command = upstream.go(go, &["build", "-trimpath", &tags, "-o", "/dev/null", PACKAGE], &variables);
    let output = process::output(command)?;
    if output.status.success() {
        return Ok(CompilerVerdict::Passes);
    }
    let line = Regex::new(r"^(?:.*?tailscale\.com@[^/]+/)?([\w./-]+\.go:\d+:\d+: .*)$")?;
    let complaints: Vec<String> =
        output.stderr.lines().filter_map(|text| Some(line.captures(text)?[1].to_owned())).collect();
    match judged(&complaints)? {
        CompilerVerdict::Passes => Ok(CompilerVerdict::Nothing(output.stderr.trim().to_owned())),
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
        assert_eq!(said(&[]), CompilerVerdict::Passes);
        assert_eq!(said(&["a/b.go:1:2: x"]), CompilerVerdict::Fails("a/b.go:1:2: x".to_owned()));
        assert!(matches!(said(&["a/b.go:1:2: x", "-: no module provides"]), CompilerVerdict::Nothing(_)));
        let forbidden = "ipn/netstack.go:13:2: example.com/m@v1.0.0: reading its zip: 403 Forbidden";
        assert!(matches!(said(&[forbidden]), CompilerVerdict::Nothing(_)));
    }
}
