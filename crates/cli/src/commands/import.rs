//! `import`: a policy made of what someone already builds, its reasons left to be written.

use std::path::Path;

use anyhow::Result;
use diagnostics::{Code, Diagnostic, NextStep, line_and_column};
use featureset::audit::{Asked, Audit, List, audit};
use featureset::import::{Import, Settings, import};
use featureset::name::FeatureName;
use featureset::policy::Policy;
use featureset::upstream_data::UpstreamData;

use super::audit::{Source, facts, open, unknown_line};
use crate::cache::Cache;
use crate::cli;
use crate::costs::MeasuredCosts;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::project::Project;
use crate::{escape, files, limits, outln, output, progress};

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] where what is named can't be read or is not wholly known, holds several lists, or the file is there already.
pub fn run(policy: Option<&Path>, format: Format, flags: &cli::Import) -> Result<Outcome> {
    if !flags.force && !is_stdout(flags) && std::fs::symlink_metadata(&flags.output).is_ok() {
        return Err(is_there(flags).into());
    }
    let facts = facts(policy)?;
    let sources = open(&flags.what, &Cache::of_user(), &facts)?.sources;
    let (source, list) = chosen(&sources, flags, &facts)?;
    let audit = audited(list, flags, &facts)?;
    let costs = costs(policy)?;
    let prices =
        |name: &FeatureName| costs.phrases(name).into_iter().map(|phrase| format!("Measured on {phrase}.")).collect();
    let place = escape::line(&source.place(list)).into_owned();
    let reasons = flags.reasons_from.as_deref().map(reasons).transpose()?;
    let settings = Settings {
        source: &place,
        goarch: list.goarch.as_deref(),
        device: flags.device.as_deref(),
        reasons: reasons.as_ref(),
    };
    let made = import(&audit, &settings, &facts, prices).ok_or_else(|| unresolved(source, list, &audit))?;
    if flags.force && !is_stdout(flags) {
        files::write(&flags.output, &made.text)?;
    } else if !is_stdout(flags) && !files::create(&flags.output, &made.text)? {
        return Err(is_there(flags).into());
    }
    print_summary(&made, &audit, flags, format);
    Ok(Outcome::Clean)
}

/// The policy that reasons are taken from.
fn reasons(path: &Path) -> Result<Policy> {
    let read = featureset::policy::read(&files::read(path)?);
    read.policy.ok_or_else(|| {
        let message = format!("{} is not a policy", path.display());
        Diagnostic::failure(Code::FileError, message, "no reason can be read from it", "Name a featureset.yaml.").into()
    })
}

/// Whether the policy goes to stdout.
fn is_stdout(flags: &cli::Import) -> bool {
    flags.output == Path::new("-")
}

fn is_there(flags: &cli::Import) -> Diagnostic {
    let message = format!("{} is there already", flags.output.display());
    let next = "Name another file with `--output`, or replace it with `--force`.";
    Diagnostic::failure(Code::PolicyExists, message, "reasons that someone wrote would be lost", next)
}

fn audited(list: &List, flags: &cli::Import, facts: &UpstreamData) -> Result<Audit> {
    let asked = Asked { release: flags.what.release, ..Asked::default() };
    Ok(audit(list, &asked, facts).map_err(|line| unknown_line(line, facts))?)
}

/// The list that is imported: the one at a line, else the only one, or all where they come to the same.
fn chosen<'a>(sources: &'a [Source], flags: &cli::Import, facts: &UpstreamData) -> Result<(&'a Source, &'a List)> {
    let line = |source: &Source, list: &List| line_and_column(&source.text, list.place.start).0;
    let all: Vec<(&Source, &List)> =
        sources.iter().flat_map(|source| source.lists.iter().map(move |list| (source, list))).collect();
    let wanted = |(source, list): &&(&Source, &List)| flags.line.is_none_or(|wanted| line(source, list) == wanted);
    let found: Vec<&(&Source, &List)> = all.iter().filter(wanted).collect();
    let places: Vec<String> =
        all.iter().map(|(source, list)| format!("{} ({})", source.place(list), list.what)).collect();
    let Some(first) = found.first() else {
        let message = format!("there is no list at line {}", flags.line.unwrap_or_default());
        return Err(Diagnostic::failure(
            Code::UnknownList,
            message,
            format!("there are {}", places.join(", ")),
            "Name one of their lines.",
        )
        .into());
    };
    let first_audit = audited(first.1, flags, facts)?;
    for other in &found[1..] {
        let other = audited(other.1, flags, facts)?;
        if other.tags != first_audit.tags || other.release != first_audit.release {
            let why = format!("there are {}", places.join(", "));
            let next = "Name one by its line with `--line`, or give its tags with `--tags`.";
            return Err(Diagnostic::failure(
                Code::SeveralLists,
                "there are several lists, and a policy is one",
                why,
                next,
            )
            .into());
        }
    }
    Ok(**first)
}

/// The costs that were measured for a policy that was named; none otherwise, as with [`facts`].
fn costs(named: Option<&Path>) -> Result<MeasuredCosts> {
    named.map_or_else(
        || Ok(MeasuredCosts::default()),
        |policy| {
            Project::open(Some(policy)).and_then(|project| MeasuredCosts::read(&project.root(), project.targets()))
        },
    )
}

fn unresolved(source: &Source, list: &List, audit: &Audit) -> Diagnostic {
    let codes = [Code::UnresolvedList, Code::FeaturetagsFails, Code::IncompleteAnalysis];
    let errors = audit.findings.iter().filter(|finding| codes.contains(&finding.code)).take(limits::SHOWN);
    let why = errors.map(|finding| finding.message.clone()).collect::<Vec<_>>().join("\n");
    let next = NextStep::new("Print the tag line where it is built, and pass it with `--tags`; ")
        .command("audit")
        .text(" shows the places.");
    Diagnostic::failure(
        Code::UnresolvedImport,
        format!("the list of {} is not wholly known", source.place(list)),
        why,
        next,
    )
}

fn print_summary(made: &Import, audit: &Audit, flags: &cli::Import, format: Format) {
    if format == Format::Json {
        let dropped = made.dropped.iter().map(|(tag, why)| serde_json::json!({ "tag": tag, "why": why }));
        let open = made.open.iter().map(|(name, need)| serde_json::json!({ "feature": name, "needs": need }));
        let mut document = serde_json::json!({
            "schema": crate::output::SCHEMA,
            "policy": flags.output.to_string_lossy(),
            "tailscale": audit.release,
            "release_stated": audit.release_stated,
            "dropped": dropped.collect::<Vec<_>>(),
            "open": open.collect::<Vec<_>>(),
            "reasons": made.reasons,
        });
        if is_stdout(flags) {
            document["text"] = made.text.as_str().into();
        }
        output::json(&document);
        return;
    }
    if !audit.release_stated {
        progress::warn(&format!("no release was stated; the policy pins the newest that is known, {}", audit.release));
    }
    made.dropped.iter().for_each(|(tag, why)| progress::warn(&format!("`{tag}` is not in the policy: {why}")));
    for (name, need) in &made.open {
        progress::warn(&format!("`{name}` is kept and needs `{need}`, which is omitted: decide one of the two"));
    }
    let counts = format!("{} features in, {} out", audit.kept.len(), audit.omitted.len());
    let name = if is_stdout(flags) { "stdout".into() } else { flags.output.to_string_lossy() };
    progress::line("Wrote", &format!("{name}: {counts}; {} reasons to write", made.reasons));
    if is_stdout(flags) {
        output::product(format_args!("{}", made.text));
    } else {
        outln!("{}", escape::line(&flags.output.to_string_lossy()));
    }
}
