//! `decide` and `accept`: write one entry of the policy and report what follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use diagnostics::{Code, Diagnostic, NextStep};
use featureset::change::{Change, HazardChange, Side};
use featureset::cost::estimate::target_sizes;
use featureset::cost::format_difference;
use featureset::name::{FeatureName, OMIT_PREFIX, nearest};
use featureset::policy::{self, NotEditable, Verdict, format_size};
use featureset::selection::Selection;

use crate::cli::{Accept, Decide};
use crate::format::Format;
use crate::outcome::Outcome;
use crate::project::{Pinned, Project};
use crate::{escape, files, outln, output, progress, render};

/// Runs `decide`.
///
/// # Errors
/// A [`Diagnostic`] if the feature is unknown, or the entry can't be written without changing anything else.
pub fn run(policy: Option<&Path>, format: Format, flags: &Decide) -> Result<Outcome> {
    let project = Project::open(policy)?;
    let Some(pinned) = project.unless(format, |_| false)? else { return Ok(Outcome::Findings) };
    let name = flags.feature.strip_prefix(OMIT_PREFIX).unwrap_or(&flags.feature);
    let name = known_feature(name, pinned)?;
    let verdict = flags.decision.verdict();
    require_reason(&flags.reason)?;
    let target = flags.target.as_deref();
    let policy = match target {
        Some(target) => pinned.for_target(target)?,
        None => pinned.policy.common(),
    };
    let edited = policy::decide(&project.text, target, &name, verdict, &flags.reason).map_err(not_editable)?;
    let forced = match policy.keeps(&name) != (verdict == Verdict::Keep) {
        true => Selection::new(policy, pinned.registry).forced_by_inverting(&name),
        false => BTreeSet::new(),
    };
    finish(&project, &edited, format, &format!("{name}: {}{}", verdict.participle(), on(target)), &forced)
}

/// Runs `accept`.
///
/// # Errors
/// A [`Diagnostic`] if the hazard is unknown, can't be accepted, or the entry can't be written without
/// changing anything else.
pub fn run_accept(policy: Option<&Path>, format: Format, flags: &Accept) -> Result<Outcome> {
    let project = Project::open(policy)?;
    let Some(pinned) = project.unless(format, |_| false)? else { return Ok(Outcome::Findings) };
    let target = flags.target.as_deref();
    if let Some(target) = target {
        pinned.for_target(target)?;
    }
    let Some(hazard) = project.facts.hazard(&flags.hazard) else {
        let near = nearest(&flags.hazard, project.facts.hazards().map(|hazard| hazard.id.as_str()));
        let next = match near {
            Some(near) => format!("Did you mean `{near}`?").into(),
            None => NextStep::default().command("check").text(" prints the hazards that apply."),
        };
        let message = format!("unknown hazard `{}`", flags.hazard);
        return Err(
            Diagnostic::failure(Code::UnknownHazard, message, "hazards are listed in docs/hazards.md", next).into()
        );
    };
    if !hazard.record.effect.can_be_accepted() {
        let why = format!("{}: no device can live with that", hazard.record.title);
        let next = NextStep::default().command(format!("explain {}", hazard.id)).text(" names the remedy.");
        let message = format!("`{}` can't be accepted", hazard.id);
        return Err(Diagnostic::failure(Code::UnacceptableHazard, message, why, next).into());
    }
    require_reason(&flags.reason)?;
    let edited = policy::accept(&project.text, target, &hazard.id, &flags.reason).map_err(not_editable)?;
    finish(&project, &edited, format, &format!("{}: accepted{}", hazard.id, on(target)), &BTreeSet::new())
}

/// Returns the feature of the pinned release with this name.
///
/// # Errors
/// A [`Diagnostic`] with the nearest name if there is none.
pub(super) fn known_feature(name: &str, pinned: Pinned<'_>) -> Result<FeatureName> {
    let known = pinned.registry.features.keys();
    if let Some(found) = known.clone().find(|known| known.as_str() == name) {
        return Ok(found.clone());
    }
    let next = match nearest(name, known.map(FeatureName::as_str)) {
        Some(near) => format!("Did you mean `{near}`?").into(),
        None => NextStep::default().command("list").text(" prints every feature."),
    };
    let message = format!("Tailscale {} has no feature `{name}`", pinned.release);
    Err(Diagnostic::failure(Code::UnknownFeature, message, "upstream does not declare it", next).into())
}

/// Names the target after a statement; empty for the common section.
fn on(target: Option<&str>) -> String {
    target.map(|target| format!(" on {target}")).unwrap_or_default()
}

fn require_reason(reason: &str) -> Result<()> {
    if !reason.trim().is_empty() {
        return Ok(());
    }
    let why = "a decision without a reason can't be reviewed";
    Err(Diagnostic::failure(Code::EmptyReason, "the reason is empty", why, "Write what it changes on this device.")
        .into())
}

fn not_editable(why: NotEditable) -> Diagnostic {
    let next = NextStep::new("Edit the policy by hand, then run ").command("check").text(".");
    Diagnostic::failure(Code::EntryNotEditable, "the entry can't be written", why.0, next)
}

/// Writes the edited policy, and prints the consequences of the edit. `forced` are the features whose decision must follow.
fn finish(
    project: &Project,
    edited: &str,
    format: Format,
    summary: &str,
    forced: &BTreeSet<FeatureName>,
) -> Result<Outcome> {
    let reading = policy::read(edited);
    let old = Side { text: &project.text, reading: &project.reading };
    let change = Change::between(Some(old), Side { text: edited, reading: &reading }, &project.facts);
    files::write(&project.path, edited)?;
    let sizes = sizes(project, &reading);
    if format == Format::Json {
        let sizes: BTreeMap<&String, _> = sizes
            .iter()
            .map(|(target, (before, after))| (target, serde_json::json!({ "before": before, "after": after })))
            .collect();
        output::json(&serde_json::json!({
            "schema": output::SCHEMA,
            "policy": project.path.to_string_lossy(),
            "change": change,
            "forced": forced,
            "estimated_bytes": sizes,
        }));
        return Ok(Outcome::Clean);
    }
    progress::line("Wrote", &format!("{}: {summary}", project.path.display()));
    for name in forced {
        outln!("decide {name} in the same way: upstream's dependencies require it");
    }
    let list = |title: &str, hazards: &[HazardChange]| {
        for hazard in hazards {
            let accepted = if hazard.accepted { ", accepted" } else { "" };
            let names: Vec<&str> = hazard.targets.iter().map(String::as_str).collect();
            let on = if names.is_empty() { String::new() } else { format!(" on {}", escape::line(&names.join(", "))) };
            outln!("{title} {}{on}: {} ({}{accepted})", hazard.hazard, hazard.title, hazard.effect.word());
        }
    };
    list("gained", &change.hazards_gained);
    list("cleared", &change.hazards_cleared);
    for finding in &change.findings_gained {
        outln!("finding {}", escape::line(finding));
    }
    if change.findings_cleared > 0 {
        outln!("cleared {} findings", change.findings_cleared);
    }
    for (target, (before, after)) in &sizes {
        let difference = i64::try_from(*after).unwrap_or(i64::MAX) - i64::try_from(*before).unwrap_or(i64::MAX);
        if difference != 0 {
            outln!(
                "size of {}: about {} ({})",
                escape::line(target),
                format_size(*after),
                format_difference(difference)
            );
        }
    }
    let project = Project::open(Some(&project.path))?;
    progress::line("Checked", &format!("{}: {}", project.path.display(), render::summary(&project.findings)));
    Ok(Outcome::Clean)
}

/// The estimated bytes of each target before and after.
fn sizes(project: &Project, edited: &policy::ParsedPolicy) -> BTreeMap<String, (u64, u64)> {
    let (Some(pinned), Some(after)) = (project.pinned(), edited.policy.as_ref()) else { return BTreeMap::new() };
    let after = target_sizes(after, pinned.registry);
    let before = target_sizes(pinned.policy, pinned.registry).into_iter();
    before.filter_map(|(name, before)| Some((name.clone(), (before.bytes, after.get(&name)?.bytes)))).collect()
}

impl crate::cli::DecisionArgument {
    fn verdict(self) -> Verdict {
        match self {
            Self::Keep => Verdict::Keep,
            Self::Omit => Verdict::Omit,
        }
    }
}
