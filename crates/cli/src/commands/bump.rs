//! `bump`: pins another release in a policy, and lists the decisions that this requires.
//!
//! Everything is fetched and judged before the first write, so that an interrupted or offline run changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use diagnostics::{Code, Diagnostic, Label, Lines, NextStep};
use featureset::change::Side;
use featureset::name::FeatureName;
use featureset::policy::NotEditable;
use featureset::registry::Registry;
use featureset::release::{Release, ReleaseLine};
use featureset::selection::Selection;
use featureset::upgrade::{self, Unknown, Upgrade};
use featureset::upstream_data::{RegistryMatch, UpstreamData};

use crate::cli::{Bump, Destination};
use crate::format::FindingsFormat;
use crate::outcome::Outcome;
use crate::project::Project;
use crate::tools::go::{self, Go};
use crate::upstream::{self, Upstream};
use crate::{files, outln, output, process, progress, registries, render, splits};

/// Runs the command. It exits with 0 even if decisions are required, because `check` reports them.
///
/// # Errors
/// A [`Diagnostic`] if a release is not available, the network fails, or the pin can't be changed.
pub fn run(policy: Option<&Path>, format: FindingsFormat, flags: &Bump) -> Result<Outcome> {
    let project = Project::open(policy)?;
    let Some(pinned) = project.reading.policy.as_ref().and_then(|policy| policy.tailscale) else {
        project.show(&project.findings, format)?;
        return Ok(Outcome::Findings);
    };
    let go = go::find_or_provide(&project.cache)?;
    let Some(destination) = flags.to else { return check(&project, pinned, &go, format) };
    let to = match destination {
        Destination::Release(release) => release,
        Destination::Latest => newest(&upstream::releases(&go, &project.cache)?, pinned),
    };
    if to == pinned {
        progress::line("Unchanged", &format!("{} pins Tailscale {to} already", project.path.display()));
        return Ok(Outcome::Clean);
    }
    let step = Step::prepare(&project, &go, pinned, to)?;
    // Printing can fail, so the files are written first.
    if flags.dry_run {
        progress::line("Unchanged", "nothing was written: this was a dry run");
    } else {
        step.write(&project)?;
    }
    match format {
        FindingsFormat::Json => output::json(&step.document(&project, flags.dry_run)),
        _ => outln!("{}", render::upgrade(&step.upgrade, &step.descriptions).trim_end()),
    }
    Ok(Outcome::Clean)
}

/// Returns the newest release, or the pinned one if that is newer.
fn newest(releases: &[Release], pinned: Release) -> Release {
    releases.iter().copied().max().map_or(pinned, |newest| newest.max(pinned))
}

/// Reports a newer release as a finding at the pin.
fn check(project: &Project, pinned: Release, go: &Go, format: FindingsFormat) -> Result<Outcome> {
    let releases = upstream::releases(go, &project.cache)?;
    let latest = newest(&releases, pinned);
    let patches: Vec<Release> = releases.into_iter().filter(|release| release.line() == pinned.line()).collect();
    let patch = newest(&patches, pinned);
    let mut findings = Vec::new();
    if latest > pinned {
        let also = if patch > pinned && patch != latest { format!("; on its line, {patch}") } else { String::new() };
        let message = format!("Tailscale {pinned} is pinned, and {latest} is out{also}");
        let place = Label::new(project.reading.places.value(&["tailscale"]), "pinned here");
        let next =
            NextStep::new("Run ").command("bump latest").text(": it lists the decisions that the upgrade requires.");
        findings.push(Diagnostic::new(Code::NewerRelease, message, next).at(place));
    }
    project.show(&findings, format)?;
    if findings.is_empty() && format == FindingsFormat::Human {
        progress::line("Checked", &format!("Tailscale {pinned} is the newest stable release"));
    }
    Ok(if findings.is_empty() { Outcome::Clean } else { Outcome::Findings })
}

/// A prepared upgrade.
struct Step {
    upgrade: Upgrade,
    /// Upstream's descriptions of added and removed features.
    descriptions: BTreeMap<FeatureName, String>,
    /// The new registries, by line.
    registries: BTreeMap<ReleaseLine, Registry>,
}

impl Step {
    fn prepare(project: &Project, go: &Go, from: Release, to: Release) -> Result<Self> {
        let toolchain = project.reading.policy.as_ref().and_then(|policy| policy.go);
        let fetch = |release: Release| -> Result<Upstream> {
            let step = progress::step("Reading", format!("Tailscale {release}"));
            let upstream = upstream::fetch(go, &project.cache, release, toolchain)?;
            upstream.declared(go)?;
            step.done("Read", "from its module");
            Ok(upstream)
        };
        let (old, new) = (fetch(from)?, fetch(to)?);
        let mut read = BTreeMap::new();
        let folder = registries::folder(&project.root());
        for upstream in [&old, &new] {
            if !matches!(project.facts.known(upstream.release), RegistryMatch::Release(_)) {
                registries::read(&mut read, &folder, go, upstream)?;
            }
        }
        let facts = project.facts.overlaid(read.values().cloned()).map_err(registries::contradicts)?;
        let side = Side { text: &project.text, reading: &project.reading };
        let mut upgrade = Upgrade::new(side, to, &facts).map_err(|unknown| immovable(project, unknown))?;
        if !upgrade.added.is_empty() {
            let comparing = progress::step("Comparing", format!("the source of {from} and {to}"));
            let origins = splits::origins(go, &old, &new, &upgrade.added, &tags(project, &facts, from))?;
            upgrade::with_origins(&mut upgrade, origins);
            comparing.done("Compared", &format!("for {} added features", upgrade.added.len()));
        }
        upgrade.add_entries(side, &facts);
        let descriptions = descriptions(go, &old, &new, &upgrade)?;
        Ok(Self { upgrade, descriptions, registries: read })
    }

    /// Returns the upgrade as JSON.
    fn document(&self, project: &Project, dry_run: bool) -> serde_json::Value {
        let mut document = serde_json::json!({
            "schema": crate::output::SCHEMA,
            "policy": project.path.to_string_lossy(),
            "dry_run": dry_run,
            "upgrade": self.upgrade,
            "hazards_begun": self.upgrade.hazards_begun(),
            "descriptions": self.descriptions,
        });
        let (lines, questions) = (Lines::new(&self.upgrade.text), self.upgrade.change.questions.iter());
        document["upgrade"]["change"]["questions"] =
            questions.map(|question| render::finding(&lines, question)).collect();
        document
    }

    /// Writes the registries, then the policy: an extra registry is harmless, a policy without its registry is not.
    fn write(&self, project: &Project) -> Result<()> {
        process::check_interrupt()?;
        let root = project.root();
        let folder = registries::folder(&root);
        let before: Vec<_> = self
            .registries
            .keys()
            .map(|line| registries::path(&folder, *line))
            .map(|path| (std::fs::read(&path).ok(), path))
            .collect();
        let written = registries::write(&root, self.registries.values()).and_then(|written| {
            files::write(&project.path, &self.upgrade.text)?;
            Ok(written)
        });
        let written = written.inspect_err(|_| {
            for (bytes, path) in &before {
                // The first error is reported.
                let _ = match bytes {
                    Some(bytes) => std::fs::write(path, bytes),
                    None => std::fs::remove_file(path),
                };
            }
        })?;
        for path in written {
            progress::line("Wrote", &path.display().to_string());
        }
        let Upgrade { from, to, go_from, go_to, .. } = &self.upgrade;
        let go = if go_from == go_to { String::new() } else { format!(", Go {go_from} → {go_to}") };
        progress::line("Moved", &format!("{}: Tailscale {from} → {to}{go}", project.path.display()));
        Ok(())
    }
}

/// Returns the tags of the features that the policy omits on every target in the old release: a feature that one target keeps
/// is in a binary of this policy.
fn tags(project: &Project, facts: &UpstreamData, from: Release) -> Vec<String> {
    let Some((policy, registry)) = project.reading.policy.as_ref().zip(facts.registry(from)) else { return Vec::new() };
    let kept = registry.features.keys().filter(|name| policy.keeps_anywhere(name)).cloned().collect();
    Selection::keeping(&kept, registry).tags()
}

/// Returns upstream's descriptions of added and removed features.
fn descriptions(go: &Go, old: &Upstream, new: &Upstream, upgrade: &Upgrade) -> Result<BTreeMap<FeatureName, String>> {
    let (mut come, mut gone) = (new.declared(go)?, old.declared(go)?);
    let added = upgrade.added.iter().map(|one| (&one.feature, come.remove(one.feature.as_str())));
    let removed = upgrade.removed.iter().map(|one| (&one.feature, gone.remove(one.feature.as_str())));
    Ok(added.chain(removed).filter_map(|(name, declared)| Some((name.clone(), declared?.description))).collect())
}

fn immovable(project: &Project, unknown: Unknown) -> Diagnostic {
    let why = match unknown {
        Unknown::Policy(NotEditable(why)) => why,
        Unknown::Registry(release) => format!("no registry of Tailscale {release} is known"),
    };
    let message = format!("the pin of {} can't be changed", project.path.display());
    Diagnostic::failure(
        Code::PinNotEditable,
        message,
        why,
        "Write `tailscale:` and `go:` on separate lines, and run the command again.",
    )
}
