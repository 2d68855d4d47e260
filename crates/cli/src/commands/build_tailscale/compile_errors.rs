//! Code that does not compile: the relevant compiler output, and the decisions that cause it.
//!
//! A name is missing because the file that declares it is not built: its build constraint names an omitted feature. The
//! code that uses the name is built because a kept feature imports its package: `go list` reports whether the package is
//! still built without that feature.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use diagnostics::{Code, Diagnostic, Label, Span};
use featureset::name::{FeatureName, OMIT_PREFIX};
use featureset::policy::EffectivePolicy;
use featureset::recipe::{MODULE, PACKAGE, Recipe};
use featureset::selection::Selection;
use regex::Regex;

use super::job::Job;
use crate::{files, process, progress};

/// Code that does not compile.
pub(super) struct Failure {
    /// The compiler's lines, with paths inside the module.
    pub(super) compiler: String,
    /// The decisions that cause them.
    pub(super) finding: Diagnostic,
}

/// One line of the compiler.
#[derive(Debug, PartialEq, Eq)]
struct Complaint {
    /// The file inside the module, such as `feature/acme/refresh.go`.
    file: PathBuf,
    /// Everything after the file.
    rest: String,
    /// The name that is missing, if that is the complaint.
    missing: Option<String>,
}

/// The most lines of compiler output; further lines add no information.
const SHOWN: usize = 10;

/// Explains why a build failed.
///
/// # Errors
/// A [`Diagnostic`] if something other than the compiler failed, which is not a finding about the policy.
pub(super) fn explain(job: &Job<'_>, recipe: &Recipe, stderr: &str) -> Result<Failure> {
    let complaints = complaints(stderr)?;
    if complaints.is_empty() {
        let next = "Check the network and the disk, and run it again.";
        let last: Vec<&str> = stderr.trim().lines().rev().take(8).collect();
        let why = last.into_iter().rev().collect::<Vec<_>>().join("\n");
        if process::is_disk_full(stderr) {
            return Err(files::disk_full(format!("Go can't build `{}`", job.target), why).into());
        }
        return Err(Diagnostic::failure(Code::GoFailed, format!("Go can't build `{}`", job.target), why, next).into());
    }
    let shown =
        complaints.iter().take(SHOWN).map(|complaint| format!("{}{}", complaint.file.display(), complaint.rest));
    let more = complaints.len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| format!("… and {more} more"));
    let compiler = shown.chain(more).collect::<Vec<_>>().join("\n");
    let step = progress::step("Finding", "the decisions that cause it");
    let source = job.builder.upstream.source(&job.builder.go)?;
    let policy = job.pinned.for_target(job.target)?;
    let omitted = declared_by_omitted(policy, &source, &complaints)?;
    let kept = brought_in_by_kept(job, recipe, &source, &complaints)?;
    drop(step);
    Ok(Failure { compiler, finding: finding(job, policy, &kept, &omitted) })
}

fn complaints(stderr: &str) -> Result<Vec<Complaint>> {
    // With -trimpath or without, the module's folder ends in its version.
    let line = Regex::new(r"^(?:.*?tailscale\.com@[^/]+/)?([^\s:]+\.go)(:\d+:\d+: (.*))$")?;
    let missing =
        Regex::new(r"undefined: (?:\w+\.)?(\w+)|\.(\w+) undefined|field or method (\w+)|missing method (\w+)")?;
    let complaint = |text: &str| {
        let found = line.captures(text)?;
        let name = missing
            .captures(&found[3])
            .and_then(|name| name.iter().skip(1).flatten().next().map(|name| name.as_str().to_owned()));
        Some(Complaint { file: PathBuf::from(&found[1]), rest: found[2].to_owned(), missing: name })
    };
    Ok(stderr.lines().filter_map(complaint).collect())
}

/// The features that a file's build constraint asks not to omit.
fn gates(text: &str) -> BTreeSet<FeatureName> {
    let constraint =
        text.lines().take_while(|line| !line.starts_with("package ")).find(|line| line.starts_with("//go:build "));
    let words = constraint.unwrap_or_default().split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '!'));
    words.filter_map(|word| FeatureName::new(word.strip_prefix('!')?.strip_prefix(OMIT_PREFIX)?).ok()).collect()
}

/// Omitted features whose files declare what is missing: (feature, name).
fn declared_by_omitted(
    policy: EffectivePolicy<'_>,
    source: &Path,
    complaints: &[Complaint],
) -> Result<BTreeSet<(FeatureName, String)>> {
    let import = Regex::new(&format!("\"{}/([^\"]+)\"", regex::escape(MODULE)))?;
    let mut found = BTreeSet::new();
    for complaint in complaints {
        let Some(name) = &complaint.missing else { continue };
        let declaration =
            Regex::new(&format!(r"(?m)^(?:func (?:\([^)]*\) )?|type |var |const |\t){}\b", regex::escape(name)))?;
        let text = std::fs::read_to_string(source.join(&complaint.file)).unwrap_or_default();
        let imported = import.captures_iter(&text).map(|path| source.join(&path[1]));
        for folder in imported.chain(complaint.file.parent().map(|own| source.join(own))) {
            for file in go_files(&folder) {
                let text = std::fs::read_to_string(file).unwrap_or_default();
                let omitted = |gate: &FeatureName| !policy.keeps(gate);
                let gates: Vec<FeatureName> = gates(&text).into_iter().filter(omitted).collect();
                if !gates.is_empty() && declaration.is_match(&text) {
                    found.extend(gates.into_iter().map(|gate| (gate, name.clone())));
                }
            }
        }
    }
    Ok(found)
}

fn go_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    entries.filter(|path| name(path).ends_with(".go") && !name(path).ends_with("_test.go")).collect()
}

/// Kept features without which the failing packages would not be built: (feature, package).
fn brought_in_by_kept(
    job: &Job<'_>,
    recipe: &Recipe,
    source: &Path,
    complaints: &[Complaint],
) -> Result<BTreeSet<(FeatureName, String)>> {
    let policy = job.pinned.for_target(job.target)?;
    let mut found = BTreeSet::new();
    let packages: BTreeSet<String> = complaints
        .iter()
        .filter_map(|complaint| complaint.file.parent())
        .map(|folder| format!("{MODULE}/{}", folder.display()))
        .collect();
    for complaint in complaints {
        let text = std::fs::read_to_string(source.join(&complaint.file)).unwrap_or_default();
        let kept = gates(&text).into_iter().filter(|gate| policy.keeps(gate));
        found.extend(kept.map(|gate| (gate, complaint.file.display().to_string())));
    }
    let selection = Selection::new(policy, job.pinned.registry);
    for name in selection.kept.iter().filter(|name| name.is_omittable()) {
        let gone = job.pinned.registry.required_by(name);
        let rest: BTreeSet<FeatureName> = selection.kept.difference(&gone).cloned().collect();
        let listed = listed_packages(job, recipe, &job.pinned.registry.tags(&rest))?;
        found.extend(
            packages.iter().filter(|package| !listed.contains(*package)).map(|package| (name.clone(), package.clone())),
        );
    }
    Ok(found)
}

/// Lists every package of a tag list. Nothing is compiled.
fn listed_packages(job: &Job<'_>, recipe: &Recipe, tags: &[String]) -> Result<BTreeSet<String>> {
    let tags = format!("-tags={}", tags.join(","));
    let command = job.builder.upstream.go(&job.builder.go, &["list", "-deps", &tags, PACKAGE], &recipe.environment());
    let listed = process::stdout(command, "Report this: the build failed, and so did listing its packages.")?;
    Ok(listed.lines().map(str::to_owned).collect())
}

fn finding(
    job: &Job<'_>,
    policy: EffectivePolicy<'_>,
    kept: &BTreeSet<(FeatureName, String)>,
    omitted: &BTreeSet<(FeatureName, String)>,
) -> Diagnostic {
    let place = |name: &FeatureName| job.project.reading.places.key(&policy.decision_path(name));
    let mut labels: Vec<Label> = Vec::new();
    let mut add = |span: Span, text: String| {
        // Several names or packages can lead to the same decision; one label is enough.
        if labels.iter().all(|label| label.span != span) {
            labels.push(Label::new(span, text));
        }
    };
    for (name, package) in kept {
        add(place(name), format!("`{name}` brings in {package}"));
    }
    for (name, missing) in omitted {
        add(place(name), format!("`{name}` would declare `{missing}`"));
    }
    let names = |found: &BTreeSet<(FeatureName, String)>, verb: &str| {
        let names: BTreeSet<String> = found.iter().map(|(name, _)| format!("{verb} `{name}`")).collect();
        names.into_iter().collect::<Vec<_>>()
    };
    let alternatives = [names(omitted, "keep"), names(kept, "omit")].concat();
    let next = if alternatives.is_empty() {
        "Invert the decision that changed last.".to_owned()
    } else {
        format!("Either {}.", alternatives.join(" or "))
    };
    let message = format!("Tailscale {} does not compile with these decisions", job.pinned.release);
    let whole = Label::new(job.project.reading.places.key(&["features"]), "no decision was found to be the cause");
    let mut labels = labels.into_iter();
    let mut finding = Diagnostic::new(Code::DoesNotCompile, message, next).at(labels.next().unwrap_or(whole));
    finding.related = labels.collect();
    finding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiler_output_is_reduced_to_paths_in_the_module() {
        let output = "go: downloading x v1\n# tailscale.com/feature/acme\n\
            ../../../go/pkg/mod/tailscale.com@v1.102.5/feature/acme/refresh.go:85:11: b.ServeConfig undefined (type *ipnlocal.LocalBackend has no field or method ServeConfig)\n\
            /x/tailscale.com@v1.102.5/util/m/metrics.go:76:20: undefined: clientmetric.TypeGauge\n\
            \tnote: more\nfeature/a.go:1:2: syntax error\n";
        let found = complaints(output).unwrap();
        let shown: Vec<(&str, Option<&str>)> =
            found.iter().map(|c| (c.file.to_str().unwrap(), c.missing.as_deref())).collect();
        assert_eq!(
            shown,
            [
                ("feature/acme/refresh.go", Some("ServeConfig")),
                ("util/m/metrics.go", Some("TypeGauge")),
                ("feature/a.go", None)
            ]
        );
    }

    #[test]
    fn build_constraint_names_the_required_features() {
        let found = gates("// Copyright\n\n//go:build !ios && !ts_omit_acme && !ts_omit_serve\n\npackage x\n");
        assert_eq!(found.iter().map(FeatureName::as_str).collect::<Vec<_>>(), ["acme", "serve"]);
        assert!(gates("//go:build ts_omit_acme\npackage x\n").is_empty());
        assert!(gates("package x\n//go:build !ts_omit_acme\n").is_empty());
    }
}
