//! Where the policy and its artefacts live.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::Result;
use diagnostics::{Code, Diagnostic, Severity};
use featureset::facts::Facts;
use featureset::policy::{self, Policy, Reading};
use featureset::registry::Registry;
use featureset::release::Release;
use featureset::rules;

use crate::cache::Cache;
use crate::files;
use crate::format::Format;
use crate::{limits, registries, render};

/// The name of the policy's file.
pub const POLICY_FILE: &str = "featureset.yaml";

/// A policy that was read, and what is wrong with it.
pub struct Project {
    /// The file, as it is shown in findings.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What reading gave.
    pub reading: Reading,
    /// Everything that is wrong with it.
    pub findings: Vec<Diagnostic>,
    /// What is known of upstream here.
    pub facts: Cow<'static, Facts>,
    /// The user's own cache: where tools come from, and what says which artefacts this program built.
    pub cache: Cache,
}

/// A policy of which enough is known to plan with.
#[derive(Clone, Copy)]
pub struct Pinned<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The pinned release.
    pub release: Release,
    /// Its registry.
    pub registry: &'a Registry,
    /// What is known of upstream.
    pub facts: &'a Facts,
}

/// Finds the policy: the file that was named, or the nearest featureset.yaml from the current folder upwards.
///
/// # Errors
/// A [`Diagnostic`] where there is none.
pub fn find_policy(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    let here = std::env::current_dir().map_err(|error| {
        Diagnostic::failure(
            Code::PolicyMissing,
            "the current folder can't be read",
            error.to_string(),
            "Name the policy with `--policy FILE`.",
        )
    })?;
    let found = here.ancestors().map(|folder| folder.join(POLICY_FILE)).find(|path| path.is_file());
    let found = found.ok_or_else(|| {
        let why = format!("looked in {} and every folder above it", here.display());
        Diagnostic::failure(
            Code::PolicyMissing,
            format!("there is no {POLICY_FILE}"),
            why,
            "Run it where the policy is, or name one with `--policy FILE`.",
        )
    })?;
    Ok(found.strip_prefix(&here).map(Path::to_owned).unwrap_or(found))
}

/// The folder that holds a policy, as an absolute path.
#[must_use]
pub fn root_of(policy: &Path) -> PathBuf {
    let folder = policy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}

impl Project {
    /// Finds, reads and judges the policy.
    ///
    /// # Errors
    /// A [`Diagnostic`] where there is no policy, or its file can't be read.
    pub fn open(named: Option<&Path>) -> Result<Self> {
        let path = find_policy(named)?;
        let text = files::read_text(&path, limits::POLICY)?;
        let reading = policy::read(&text);
        let facts = registries::facts(&root_of(&path))?;
        let mut findings = rules::judge(&text, &reading, &facts);
        // Notes are for `explain`.
        findings.retain(|finding| finding.severity != Severity::Note);
        Ok(Self { path, text, reading, findings, facts, cache: Cache::of_user() })
    }

    /// The folder that holds the policy.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        root_of(&self.path)
    }

    /// The folder for everything that is made: `target` beside the policy.
    #[must_use]
    pub fn target(&self) -> PathBuf {
        self.root().join("target")
    }

    /// The policy with its release and registry, if nothing in the way of that is wrong.
    #[must_use]
    pub fn pinned(&self) -> Option<Pinned<'_>> {
        let policy = self.reading.policy.as_ref()?;
        let release = policy.tailscale?;
        Some(Pinned { policy, release, registry: self.facts.registry(release)?, facts: &self.facts })
    }

    /// The policy to plan with, if it has no errors. Shows every finding otherwise, and gives nothing.
    ///
    /// # Errors
    /// Where the findings can't be printed.
    pub fn clean(&self, format: Format) -> Result<Option<Pinned<'_>>> {
        let pinned = self.unless(format, |finding| finding.severity == Severity::Error)?;
        // A warning is shown and stops nothing; as JSON it would be a second document.
        if pinned.is_some() && format != Format::Json {
            render::findings(self, &self.findings, format)?;
        }
        Ok(pinned)
    }

    /// The policy to plan with, if no finding holds it back. Shows those findings otherwise, and gives nothing.
    ///
    /// # Errors
    /// Where the findings can't be printed.
    pub fn unless(&self, format: Format, holds_back: impl Fn(&Diagnostic) -> bool) -> Result<Option<Pinned<'_>>> {
        let findings: Vec<Diagnostic> = self.findings.iter().filter(|finding| holds_back(finding)).cloned().collect();
        match self.pinned() {
            Some(pinned) if findings.is_empty() => Ok(Some(pinned)),
            Some(_) => render::findings(self, &findings, format).map(|()| None),
            // Without a release everything that was found is in the way.
            None => render::findings(self, &self.findings, format).map(|()| None),
        }
    }
}
