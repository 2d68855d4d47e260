//! Type-checks many selections of a release in one run of a Go program.
//!
//! It takes seconds, while a failing build takes half a minute, and works for any operating system and processor. It does
//! not find errors of the linker, so important results are confirmed by real builds.

use std::path::PathBuf;

use anyhow::{Context, Result};
use featureset::release::Release;
use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::files;
use crate::process;
use crate::programs::{self, Program};
use crate::tools::go::Go;
use crate::unfetched;
use crate::upstream::{self, Upstream};

/// One selection to check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    /// The id of the answer.
    pub id: String,
    /// The tag line.
    pub tags: String,
    /// The operating system, as Go names it.
    pub goos: String,
    /// The processor, as Go names it.
    pub goarch: String,
    /// The folder of one of our programs, to check it instead of the daemon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
}

/// The result of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The job's id.
    pub id: String,
    /// The number of checked packages.
    pub packages: usize,
    /// The complaints, `PATH:LINE:COLUMN: TEXT` with the path inside Tailscale's module or the program's folder.
    pub complaints: Vec<String>,
}

/// A type-checker for one release, built once.
pub struct TypeChecker<'a> {
    go: &'a Go,
    upstream: &'a Upstream,
    program: PathBuf,
}

impl<'a> TypeChecker<'a> {
    /// Builds the program in the release's generated module, with the release's own Go and golang.org/x/tools.
    ///
    /// # Errors
    /// A [`diagnostics::Diagnostic`] if it does not build.
    pub fn new(go: &'a Go, upstream: &'a Upstream) -> Result<Self> {
        let program = upstream.build_program(go, &programs::TYPECHECK)?;
        Ok(Self { go, upstream, program })
    }

    /// Checks selections; the answers are in the order of the jobs.
    ///
    /// # Errors
    /// A [`diagnostics::Diagnostic`] if the packages can't be listed, or a module can't be downloaded.
    pub fn check(&self, jobs: &[Job]) -> Result<Vec<Answer>> {
        let lines: Result<Vec<String>, _> = jobs.iter().map(serde_json::to_string).collect();
        let list = files::private_file()?;
        files::write(list.path(), &lines?.join("\n"))?;
        let mut command = self.upstream.go_program(self.go, &self.program);
        command.arg(list.path());
        let printed = process::stdout(command, "Check the network: every module of the selection is needed.")?;
        let answers: Result<Vec<Answer>, _> = printed.lines().map(serde_json::from_str).collect();
        let answers = answers.context("reading the type-checker's answers")?;
        anyhow::ensure!(
            answers.len() == jobs.len(),
            "the type-checker answered {} of {} jobs",
            answers.len(),
            jobs.len()
        );
        let complaints: Vec<&str> = answers.iter().flat_map(|answer| &answer.complaints).map(String::as_str).collect();
        // An import that was not downloaded says nothing about the code.
        unfetched::problem(&complaints.join("\n")).map_or(Ok(answers), |problem| Err(problem.into()))
    }
    /// Checks a program of ours against the release, from source and without linking. Returns the complaints about its own
    /// files.
    ///
    /// # Errors
    /// As [`TypeChecker::check`].
    pub fn check_program(&self, program: &Program) -> Result<Vec<String>> {
        let folder = std::path::absolute(self.upstream.write_program(program)?)?;
        let job = Job {
            id: program.name.to_owned(),
            tags: String::new(),
            goos: "linux".to_owned(),
            goarch: "amd64".to_owned(),
            folder: Some(folder),
        };
        Ok(self.check(&[job])?.into_iter().flat_map(|answer| answer.complaints).collect())
    }
}

/// The complaints about every program on a release, `PROGRAM on RELEASE: FILE:LINE:COLUMN: TEXT`.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] if the release can't be fetched or the type-checker itself does not build.
pub fn complaints(go: &Go, cache: &Cache, release: Release) -> Result<Vec<String>> {
    let upstream = upstream::fetch(go, cache, release, None)?;
    let checker = TypeChecker::new(go, &upstream)?;
    let mut all = Vec::new();
    for program in &programs::ALL {
        let found = checker.check_program(program)?;
        all.extend(found.iter().map(|complaint| format!("{} on {release}: {complaint}", program.name)));
    }
    Ok(all)
}
