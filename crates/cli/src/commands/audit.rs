//! `audit`: anyone's tag line, recipe or binary, judged by what is known of upstream.

mod project;
mod source;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use diagnostics::{Code, Diagnostic, Lines, NextStep, Severity, line_and_column};
use featureset::audit::{self, Asked, Audit, Comparison, List, UnknownLine};
use featureset::policy::device::Profile;
use featureset::rules;
use featureset::upstream_data::UpstreamData;
use serde_json::json;

pub use source::{Opened, Source};

use crate::cache::Cache;
use crate::cli::{self, Deny, What};
use crate::format::FindingsFormat;
use crate::outcome::Outcome;
use crate::pinned::unknown_target;
use crate::project::root_of;
use crate::{files, limits, outln, output, progress, registries, render};

/// Opens the input: at least one source, each with at least one list.
///
/// # Errors
/// A [`Diagnostic`] if it can't be read, or has no list.
pub fn open(input: &What, cache: &Cache, facts: &UpstreamData) -> Result<Opened> {
    match (input.files.as_slice(), &input.tags) {
        ([], tags) => Ok(Source::of_line(tags.as_deref().unwrap_or_default())),
        ([path], _) if !path.is_dir() => Source::of_file(path, cache, input.release, facts),
        (paths, _) => project::open(paths, cache, input.release, facts),
    }
}

/// A source and what its lists mean.
struct Audited<'a> {
    source: &'a Source,
    audits: Vec<(&'a List, Audit)>,
}

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] where what is named can't be read, holds no list, or is of a release that nothing is known of.
pub fn run(policy: Option<&Path>, format: FindingsFormat, flags: &cli::Audit) -> Result<Outcome> {
    let facts = facts(policy)?;
    let mut asked = asked(flags, &facts)?;
    match policy {
        Some(path) => of_policy(path, flags, &facts, &mut asked)?,
        None if flags.target.is_some() => return Err(target_without_policy().into()),
        None => {}
    }
    let cache = Cache::of_user();
    let Opened { sources, not_judged } = open(&flags.what, &cache, &facts)?;
    let audited = sources.iter().map(|source| audited(source, &asked, &facts)).collect::<Result<Vec<_>>>()?;
    let older = flags.against.as_deref().map(|older| Source::older(older, &cache, &facts)).transpose()?;
    let older = older
        .iter()
        .flat_map(|older| &older.sources)
        .map(|source| audited_one(source, &asked, &facts))
        .collect::<Result<Vec<_>>>()?;
    let comparisons = compared(&older, &audited)?;
    show(&audited, &comparisons, &not_judged, format, flags.all);
    let findings: Vec<Diagnostic> = audited.iter().flat_map(Audited::findings).collect();
    if format == FindingsFormat::Human {
        let lists = audited.iter().map(|one| one.audits.len()).sum::<usize>();
        let lists = if lists == 1 { "1 list".to_owned() } else { format!("{lists} lists") };
        progress::line("Audited", &format!("{lists}: {}", render::summary(&findings)));
    }
    let denied =
        |severity| severity == Severity::Error || (severity == Severity::Warning && flags.deny == Some(Deny::Warnings));
    Ok(if findings.iter().any(|finding| denied(finding.severity)) { Outcome::Findings } else { Outcome::Clean })
}

/// The facts about upstream: what is built in, with the registries next to a policy that was named. The nearest policy may
/// have come with what is audited, so it is not asked.
pub(super) fn facts(named: Option<&Path>) -> Result<Cow<'static, UpstreamData>> {
    named.map_or(Ok(Cow::Borrowed(UpstreamData::embedded())), |policy| registries::facts(&root_of(policy)))
}

fn target_without_policy() -> Diagnostic {
    let why = "an audit does not read the nearest policy, because that may come with what is audited";
    let next = "Name the policy with `--policy FILE`.";
    Diagnostic::failure(Code::PolicyMissing, "`--target` names a target of a policy, and none is named", why, next)
}

fn asked(flags: &cli::Audit, facts: &UpstreamData) -> Result<Asked> {
    if let Some(id) = flags.accepted.iter().find(|id| facts.hazard(id).is_none()) {
        let near = featureset::name::nearest(id, facts.hazards().map(|hazard| hazard.id.as_str()));
        let next = near.map_or_else(
            || NextStep::new("docs/hazards.md lists every hazard; ").command("docs").text(" writes it."),
            |near| format!("Did you mean `{near}`?").into(),
        );
        return Err(
            Diagnostic::failure(Code::UnknownHazard, format!("unknown hazard `{id}` to accept"), "", next).into()
        );
    }
    let profile = flags.device.as_deref().and_then(Profile::find);
    let device = profile.into_iter().flat_map(|profile| profile.facts);
    Ok(Asked {
        release: flags.what.release,
        device: device.map(|(fact, value)| ((*fact).to_owned(), (*value).to_owned())).collect(),
        accepted: flags.accepted.iter().cloned().collect(),
        ..Asked::default()
    })
}

/// Takes over the device, the acceptances and the reasons of a policy that was named, as one of its targets has them.
fn of_policy(path: &Path, flags: &cli::Audit, facts: &UpstreamData, asked: &mut Asked) -> Result<()> {
    let policy = featureset::policy::read(&files::read(path)?).policy.unwrap_or_default();
    let effective = match &flags.target {
        Some(name) => policy.for_target(name).ok_or_else(|| unknown_target(&policy, name))?,
        None => policy.common(),
    };
    if flags.device.is_none() {
        asked.device = effective.facts();
    }
    let accepted = facts.hazards().filter(|hazard| rules::acceptance(effective, hazard).is_some());
    asked.accepted.extend(accepted.map(|hazard| hazard.id.clone()));
    let reasoned = effective.decisions().filter(|(_, decision)| !decision.reason.is_empty());
    asked.reasoned = reasoned.map(|(name, _)| name.clone()).collect();
    Ok(())
}

fn audited<'a>(source: &'a Source, asked: &Asked, facts: &UpstreamData) -> Result<Audited<'a>> {
    let one = |list| Ok((list, audit::audit(list, asked, facts).map_err(|line| unknown_line(line, facts))?));
    Ok(Audited { source, audits: source.lists.iter().map(one).collect::<Result<_>>()? })
}

/// As [`audited`], but of the older version: it is judged on the release of the newer one, unless it states another.
fn audited_one<'a>(source: &'a Source, asked: &Asked, facts: &UpstreamData) -> Result<Audited<'a>> {
    let stated = source.lists.iter().any(|list| list.release.is_some());
    let asked = Asked { release: asked.release.filter(|_| !stated), ..asked.clone() };
    audited(source, &asked, facts)
}

/// The message about a release of an unknown line.
pub(super) fn unknown_line(line: UnknownLine, facts: &UpstreamData) -> Diagnostic {
    let lines: Vec<String> = facts.registries().map(|registry| registry.line.to_string()).collect();
    let message = line.0.map_or_else(
        || "no release is known".to_owned(),
        |release| format!("nothing is known of Tailscale {release}: upstream has declared its features since 1.90"),
    );
    let next = NextStep::new("Name another with `--release`, or read this one with ")
        .command("registry")
        .text(" in a folder with a policy.");
    Diagnostic::failure(Code::UnknownReleaseLine, message, format!("known are the lines {}", lines.join(", ")), next)
}

/// Pairs each list with the list of the older version that it replaces.
fn compared(older: &[Audited<'_>], newer: &[Audited<'_>]) -> Result<Vec<(String, String, Comparison)>> {
    let flat = |audited: &[Audited<'_>]| -> Vec<(String, Audit)> {
        audited
            .iter()
            .flat_map(|one| one.audits.iter().map(|(list, audit)| (one.source.place(list), audit.clone())))
            .collect()
    };
    if older.is_empty() {
        return Ok(Vec::new());
    }
    let (before, after) = (flat(older), flat(newer));
    if before.len() != after.len() {
        let why = format!("the older version has {} lists, this one has {}", before.len(), after.len());
        let next = "Compare one list with one: give each with `--tags` and `--against` as a tag line.";
        return Err(Diagnostic::failure(Code::NotComparable, "the two versions can't be compared", why, next).into());
    }
    let pairs = before.iter().zip(&after);
    Ok(pairs.map(|(old, new)| (old.0.clone(), new.0.clone(), Comparison::between(&old.1, &new.1))).collect())
}

fn show(
    audited: &[Audited<'_>],
    comparisons: &[(String, String, Comparison)],
    not_judged: &[Diagnostic],
    format: FindingsFormat,
    all: bool,
) {
    if format == FindingsFormat::Json {
        output::json(&document(audited, comparisons, not_judged));
        return;
    }
    // People see notes in the report.
    let shown: Vec<Vec<Diagnostic>> = audited.iter().map(Audited::findings).collect();
    let shown: Vec<Vec<Diagnostic>> = shown
        .into_iter()
        .map(|mut findings| {
            findings.retain(|finding| format != FindingsFormat::Human || finding.severity != Severity::Note);
            findings
        })
        .collect();
    let found: Vec<render::Found<'_>> =
        audited.iter().zip(&shown).map(|(one, findings)| one.source.found(findings, all)).collect();
    render::found_in(&found, format);
    if format == FindingsFormat::Human {
        for one in audited {
            one.audits.iter().for_each(|(list, audit)| outln!("{}", render::audit(&one.source.place(list), audit)));
        }
        comparisons.iter().for_each(|(old, new, one)| outln!("{}", render::comparison(old, new, one)));
    }
}

fn document(
    audited: &[Audited<'_>],
    comparisons: &[(String, String, Comparison)],
    not_judged: &[Diagnostic],
) -> serde_json::Value {
    let mut left = limits::WRITTEN;
    let mut left_out = 0;
    let findings: Vec<Diagnostic> = audited.iter().flat_map(Audited::findings).collect();
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let sources: Vec<_> = audited
        .iter()
        .map(|one| {
            let lines = Lines::new(&one.source.text);
            let lists = one.audits.iter().map(|(list, audit)| {
                let written = left.min(audit.findings.len());
                left -= written;
                left_out += audit.findings.len() - written;
                render::audit_document(&lines, list.place, audit, written)
            });
            json!({ "source": one.source.name, "file": one.source.file, "lists": lists.collect::<Vec<_>>() })
        })
        .collect();
    let compared = comparisons.iter().map(|(old, new, one)| json!({ "old": old, "new": new, "comparison": one }));
    json!({
        "schema": crate::output::SCHEMA,
        "sources": sources,
        "comparisons": compared.collect::<Vec<_>>(),
        "not_judged": not_judged.iter().map(as_json).collect::<Vec<_>>(),
        "findings_left_out": left_out,
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
    })
}

/// Something in the file that was not judged, as JSON.
fn as_json(problem: &Diagnostic) -> serde_json::Value {
    json!({ "code": problem.code.as_str(), "message": problem.message, "why": problem.why })
}

impl Audited<'_> {
    /// The findings of the source, list by list, each once even if several lists have it.
    fn findings(&self) -> Vec<Diagnostic> {
        let mut known = BTreeSet::new();
        let mut findings: Vec<Diagnostic> =
            self.audits.iter().flat_map(|(_, audit)| &audit.findings).cloned().collect();
        findings
            .retain(|finding| known.insert((finding.span().start, finding.code.to_string(), finding.message.clone())));
        findings
    }
}

impl Source {
    /// The position of a list: `build.sh:12`.
    #[must_use]
    pub fn place(&self, list: &List) -> String {
        let (line, _) = line_and_column(&self.text, list.place.start);
        if self.is_text { format!("{}:{line}", self.name) } else { self.name.clone() }
    }

    fn found<'a>(&'a self, findings: &'a [Diagnostic], all: bool) -> render::Found<'a> {
        render::Found {
            name: &self.name,
            file: self.file.as_deref(),
            has_places: self.is_text,
            text: &self.text,
            findings,
            expanded_by: (!all).then_some("audit WHAT --all"),
        }
    }
}
