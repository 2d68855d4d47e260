//! A policy file, its findings, and the folder of its artifacts.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::Result;
use diagnostics::{Code, Diagnostic, NextStep, Severity, Span};
use featureset::policy::{self, ParsedPolicy};
use featureset::rules;
use featureset::upstream_data::UpstreamData;

use crate::cache::Cache;
pub use crate::cli::POLICY_FILE;
use crate::files;
use crate::format::{FindingsFormat, Format};
pub use crate::pinned::Pinned;
use crate::{limits, progress, registries, render};

/// A policy and its findings.
pub struct Project {
    /// The file, as findings name it.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// The result of parsing.
    pub reading: ParsedPolicy,
    /// Every finding except notes.
    pub findings: Vec<Diagnostic>,
    /// The notes: hazards that the reasons of the decisions cover, or without effect.
    pub notes: Vec<Diagnostic>,
    /// The known data of upstream.
    pub facts: Cow<'static, UpstreamData>,
    /// The user's cache: provided tools, and the record of artifacts that this program built.
    pub cache: Cache,
}

/// Finds the policy: the named file, or the nearest featureset.yaml in the current folder or above.
///
/// # Errors
/// A [`Diagnostic`] if there is none.
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
            NextStep::new("Write a policy with ")
                .command("init")
                .text(", make one of an existing build with ")
                .command("import")
                .text(", or name the file with `--policy FILE`."),
        )
    })?;
    Ok(found.strip_prefix(&here).map(Path::to_owned).unwrap_or(found))
}

/// Returns the absolute path of a policy's folder.
#[must_use]
pub fn root_of(policy: &Path) -> PathBuf {
    let folder = policy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}

fn is_open_reason(finding: &Diagnostic) -> bool {
    finding.code == Code::EmptyReason
}

impl Project {
    /// Finds, parses and judges the policy.
    ///
    /// # Errors
    /// A [`Diagnostic`] if the policy is missing, or its file can't be read.
    pub fn open(named: Option<&Path>) -> Result<Self> {
        let path = find_policy(named)?;
        let text = files::read_text(&path, limits::POLICY)?;
        let reading = policy::read(&text);
        let facts = registries::facts(&root_of(&path))?;
        let all = rules::judge(&text, &reading, &facts);
        let (notes, findings) = all.into_iter().partition(|finding| finding.severity == Severity::Note);
        Ok(Self { path, text, reading, findings, notes, facts, cache: Cache::of_user() })
    }

    /// Finds the policy as [`Project::open`] does. If there is none and none was named, returns an empty policy of the newest
    /// known release, and reports that.
    ///
    /// # Errors
    /// A [`Diagnostic`] if a file can't be read.
    pub fn open_or_newest(named: Option<&Path>) -> Result<Self> {
        let is_missing = |error: &anyhow::Error| {
            error.downcast_ref::<Diagnostic>().is_some_and(|problem| problem.code == Code::PolicyMissing)
        };
        match Self::open(named) {
            Err(error) if is_missing(&error) => {
                let path = PathBuf::from(POLICY_FILE);
                let facts = registries::facts(&root_of(&path))?;
                let Some(newest) = facts.newest_releases().last().copied() else { return Err(error) };
                progress::line("Assuming", &format!("Tailscale {newest}, because no {POLICY_FILE} was found"));
                let text = format!("tailscale: {newest}\n");
                let reading = policy::read(&text);
                Ok(Self {
                    path,
                    text,
                    reading,
                    findings: Vec::new(),
                    notes: Vec::new(),
                    facts,
                    cache: Cache::of_user(),
                })
            }
            result => result,
        }
    }

    /// Returns the policy's folder.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        root_of(&self.path)
    }

    /// Returns the folder for build output: `target` next to the policy.
    #[must_use]
    pub fn target(&self) -> PathBuf {
        self.root().join("target")
    }

    /// Returns the policy with its release and registry, if it pins a known release.
    #[must_use]
    pub fn pinned(&self) -> Option<Pinned<'_>> {
        let policy = self.reading.policy.as_ref()?;
        let release = policy.tailscale?;
        Some(Pinned { policy, release, registry: self.facts.registry(release)?, facts: &self.facts })
    }

    /// Returns the policy if it has no errors. Otherwise prints every finding and returns `None`.
    ///
    /// # Errors
    /// If the findings can't be printed.
    pub fn clean(&self, format: Format) -> Result<Option<Pinned<'_>>> {
        let pinned = self.unless(format, |finding| finding.severity == Severity::Error)?;
        // Warnings are printed, except as JSON: that would be a second document.
        if pinned.is_some() && format != Format::Json {
            self.show(&self.findings, format)?;
        }
        Ok(pinned)
    }

    /// Returns the policy if it has no errors, or with `draft` no errors but missing reasons. Otherwise prints the errors and
    /// returns `None`.
    ///
    /// # Errors
    /// If the findings can't be printed.
    pub fn clean_or_draft(&self, format: Format, draft: bool) -> Result<Option<Pinned<'_>>> {
        let is_other_error = |finding: &Diagnostic| finding.severity == Severity::Error && !is_open_reason(finding);
        if draft {
            return self.unless(format, is_other_error);
        }
        let pinned = self.clean(format)?;
        if pinned.is_none() && self.has_open_reasons() && !self.findings.iter().any(is_other_error) {
            progress::warn("only reasons are missing; `--draft` builds without them and marks the result as a draft");
        }
        Ok(pinned)
    }

    /// Returns whether reasons are still missing.
    fn has_open_reasons(&self) -> bool {
        self.findings.iter().any(is_open_reason)
    }

    /// Returns whether reasons are still missing for a target, so that its binary is a draft. Those of other targets do not
    /// count.
    #[must_use]
    pub fn is_draft(&self, target: &str) -> bool {
        let others: Vec<Span> = self
            .targets()
            .filter(|other| *other != target)
            .map(|other| self.reading.places.value(&["targets", other]))
            .collect();
        let is_elsewhere = |finding: &Diagnostic| {
            others.iter().any(|section| (section.start..section.end).contains(&finding.span().start))
        };
        self.findings.iter().any(|finding| is_open_reason(finding) && !is_elsewhere(finding))
    }

    /// Returns the policy if no finding matches `holds_back`. Otherwise prints these findings and returns `None`.
    ///
    /// # Errors
    /// If the findings can't be printed.
    pub fn unless(&self, format: Format, holds_back: impl Fn(&Diagnostic) -> bool) -> Result<Option<Pinned<'_>>> {
        let findings: Vec<Diagnostic> = self.findings.iter().filter(|finding| holds_back(finding)).cloned().collect();
        match self.pinned() {
            Some(pinned) if findings.is_empty() => Ok(Some(pinned)),
            Some(_) => self.show(&findings, format).map(|()| None),
            // Without a known release every finding is relevant.
            None => self.show(&self.findings, format).map(|()| None),
        }
    }

    /// Prints findings about the policy: for people on stderr, in groups; for programs on stdout.
    ///
    /// # Errors
    /// If they can't be written as JSON.
    pub fn show(&self, findings: &[Diagnostic], format: impl Into<FindingsFormat>) -> Result<()> {
        render::findings(&self.path, &self.text, findings, format, false)
    }

    /// Returns findings about the policy as a JSON document, to which a command may add.
    #[must_use]
    pub fn document(&self, findings: &[Diagnostic]) -> serde_json::Value {
        render::document(&self.path, &self.text, findings)
    }

    /// Returns the names of the policy's targets.
    pub fn targets(&self) -> impl Iterator<Item = &String> {
        self.reading.policy.iter().flat_map(|policy| policy.targets.keys())
    }
}
