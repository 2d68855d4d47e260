//! `explain`: describes one feature or hazard, as text or JSON.

mod hazard;

use anyhow::Result;
use featureset::cost::{estimate, format_difference};
use featureset::explain::{Danger, Explanation, Relation, Undeclared, UnknownName, explain};
use featureset::name::{FeatureName, OMIT_PREFIX};
use featureset::run_time::Disabled;
use std::collections::BTreeSet;
use std::path::Path;

use crate::cli::Explain;
use crate::costs::{self, MeasuredCosts};
use crate::escape;
use crate::format::Format;
use crate::invocation::program;
use crate::outcome::Outcome;
use crate::output::{self, product};
use crate::project::{Pinned, Project};
use crate::proofs::Shown;
use crate::render::{hanging, wrapped};
use crate::upstream;
use diagnostics::{Code, Diagnostic, NextStep};

/// Runs the command, even if there are findings.
///
/// # Errors
/// A [`Diagnostic`] with the nearest name if no known release has the feature.
pub fn run(policy: Option<&Path>, format: Format, flags: &Explain) -> Result<Outcome> {
    let project = Project::open_or_newest(policy)?;
    let Some(pinned) = project.unless(format, |_| false)? else { return Ok(Outcome::Findings) };
    // People paste tags as well as names.
    let name = flags.name.strip_prefix(OMIT_PREFIX).unwrap_or(&flags.name);
    if let Some(hazard) = project.facts.hazard(name) {
        return hazard::run(&project, hazard, format);
    }
    let policy = match &flags.target {
        Some(target) => pinned.for_target(target)?,
        None => pinned.policy.common(),
    };
    let explanation = explain(name, policy, pinned.release, pinned.facts).map_err(|error| unknown(name, error))?;
    let words = upstream_description(&project, &explanation);
    let costs = MeasuredCosts::read(&project.root(), project.targets())?;
    let shown = Shown::read(&project.root(), project.targets());
    let own = explanation.overrides.iter().map(|own| own.decision);
    let decisions: BTreeSet<&str> = explanation.decision.into_iter().chain(own).collect();
    let proved: Vec<String> =
        decisions.into_iter().flat_map(|decision| shown.passed_checks(decision, &explanation.feature)).collect();
    match format {
        Format::Json => {
            let mut document = serde_json::json!({ "schema": crate::output::SCHEMA, "explanation": explanation });
            document["explanation"]["description"] = words.ok().into();
            let measured = costs.iter().filter_map(|(target, costs)| {
                Some((target.clone(), serde_json::to_value(costs.features.get(&explanation.feature)?).ok()?))
            });
            document["explanation"]["costs"] = measured.collect::<serde_json::Map<_, _>>().into();
            document["explanation"]["proved_by"] = proved.into();
            output::json(&document);
        }
        _ => {
            let prices = prices(pinned, &costs, &explanation.feature);
            product(format_args!(
                "{}",
                describe(&explanation, words.as_deref().map_err(String::as_str), &prices, &proved)
            ));
        }
    }
    Ok(Outcome::Clean)
}

/// Returns upstream's description, or why there is none.
fn upstream_description(project: &Project, explanation: &Explanation) -> Result<String, String> {
    if !explanation.in_release {
        return Err("not in the pinned release".to_owned());
    }
    let missing = || format!("not downloaded: `{} registry {}` or a build fetches it", program(), explanation.release);
    let declared = upstream::descriptions(&project.cache, explanation.release);
    let mut features =
        declared.map_err(|error| format!("can't be read from the module: {error}"))?.ok_or_else(missing)?;
    features.remove(explanation.feature.as_str()).map(|found| found.description).ok_or_else(missing)
}

/// Describes the size of the feature on each measured target, and whether the measurement is stale.
fn prices(pinned: Pinned<'_>, costs: &MeasuredCosts, name: &FeatureName) -> Vec<String> {
    let mut lines = costs.phrases(name);
    let remarks = costs.iter().filter_map(|(target, known)| {
        Some(format!("({target}: {})", costs::staleness(pinned, target, known).remark()?))
    });
    if !lines.is_empty() {
        lines.extend(remarks);
    }
    let measured: Vec<&String> = costs.iter().map(|(target, _)| target).collect();
    let unmeasured = pinned.policy.targets.iter().filter(|(target, _)| !measured.contains(target));
    let estimates = unmeasured.map(|(target, settings)| (target.as_str(), settings.platform, settings.build.clone()));
    // An empty policy has no targets.
    let any = || estimate::usual_target().map(|(platform, build)| ("arm64", platform, build));
    let estimates: Vec<_> = estimates.chain(pinned.policy.targets.is_empty().then(any).flatten()).collect();
    lines.extend(estimates.into_iter().filter_map(|(target, platform, build)| {
        let size = estimate::feature(platform, &build, name)?;
        let basis = &estimate::nearest(platform)?.basis.platform;
        Some(format!("{}: about {}, estimated from {basis}", escape::line(target), format_difference(size)))
    }));
    lines
}

fn unknown(name: &str, error: UnknownName) -> Diagnostic {
    let next = match error.nearest {
        Some(near) => format!("Did you mean `{near}`?").into(),
        None => NextStep::default().command("list").text(" prints every feature."),
    };
    Diagnostic::failure(
        Code::UnknownFeature,
        format!("unknown feature or hazard `{name}` in any known release"),
        "names are those of upstream's registry and of docs/hazards.md",
        next,
    )
}

/// Formats the explanation as paragraphs. Colours are removed later if the terminal does not support them.
fn describe(explanation: &Explanation, words: Result<&str, &str>, prices: &[String], proved: &[String]) -> String {
    let (bold, dim, plain) = ("\u{1b}[1m", "\u{1b}[2m", "\u{1b}[0m");
    let decision = match explanation.decision {
        Some("keep") => format!("\u{1b}[32mkept{plain}"),
        Some(_) => format!("\u{1b}[31momitted{plain}"),
        None if !explanation.in_release => "not".to_owned(),
        None => format!("\u{1b}[33mundecided{plain}"),
    };
    let is_off = explanation.disabled == Some(Disabled::Off);
    let decision = if is_off { format!("{decision}, \u{1b}[33moff at run time{plain},") } else { decision };
    let stray = if explanation.in_release || explanation.decision.is_none() { "" } else { ", which does not have it" };
    let mut text =
        format!("{bold}{}{plain}  {decision} in Tailscale {}{stray}\n", explanation.feature, explanation.release);
    text += &format!("{dim}{}{plain}\n\n", facts_line(explanation));
    if let Some(reason) = explanation.reason.as_deref().filter(|reason| !reason.is_empty()) {
        text += &format!("{}\n", wrapped(reason, "  "));
        if !explanation.refs.is_empty() {
            text += &format!("  see {}\n", escape::line(&explanation.refs.join(", ")));
        }
        text.push('\n');
    }
    text += &effect_at_run_time(explanation);
    for own in &explanation.overrides {
        let decision = if own.decision == "keep" { "kept" } else { "omitted" };
        text += &format!("{bold}on {}{plain}  {decision}\n", escape::line(&own.target));
        text += &format!("{}\n\n", wrapped(&own.reason, "  "));
    }
    if !proved.is_empty() {
        text += &format!("{}\n\n", wrapped(&format!("Proved by {}.", proved.join("; ")), "  "));
    }
    let upstream = match words {
        Ok(words) => wrapped(&format!("“{words}”"), "  "),
        Err(reason) => wrapped(&format!("({reason})"), "  "),
    };
    text += &format!("{bold}upstream's description{plain}\n{upstream}\n\n");
    text += &format!("{bold}needs{plain}\n{}\n", related(&explanation.needs));
    text += &undeclared("needs (undeclared)", &explanation.needs_undeclared);
    text += &format!("{bold}needed by{plain}\n{}\n", related(&explanation.needed_by));
    text += &undeclared("needed by (undeclared)", &explanation.needed_by_undeclared);
    text += &dangers(&explanation.hazards);
    if !prices.is_empty() {
        let lines: String = prices.iter().map(|price| wrapped(price, "  ") + "\n").collect();
        text += &format!("{bold}size{plain}\n{lines}\n");
    }
    if explanation.in_release {
        text += &format!("{bold}changing it to {}{plain}\n{}\n", explanation.opposite.to, flipping(explanation));
    }
    text.trim_end().to_owned() + "\n"
}

/// Describes the effect of `TS_DISABLE_FEATURE` in the start command; empty if that does not name the feature.
fn effect_at_run_time(explanation: &Explanation) -> String {
    let effect = match explanation.disabled {
        Some(Disabled::Off) => {
            "The start command of the device turns it off with TS_DISABLE_FEATURE: it is in the binary and behaves as if \
             it were omitted."
        }
        Some(Disabled::Ignored) => {
            "TS_DISABLE_FEATURE in the start command of the device names it without effect: it stays on."
        }
        None => return String::new(),
    };
    format!("{}\n\n", wrapped(effect, "  "))
}

fn facts_line(explanation: &Explanation) -> String {
    let mut parts = vec![format!("build tag {}", explanation.build_tag), format!("since {}", explanation.since)];
    parts.extend(explanation.removed_in.map(|line| format!("removed in {line}")));
    parts.extend(explanation.implementation_detail.then(|| "an implementation detail".to_owned()));
    parts.join(" · ")
}

fn related(relations: &[Relation]) -> String {
    if relations.is_empty() {
        return "  none declared by upstream\n".to_owned();
    }
    let width = relations.iter().map(|relation| relation.feature.as_str().len()).max().unwrap_or(0);
    let line = |relation: &Relation| {
        let decision = relation.decision();
        let through = if relation.direct { "" } else { "  (through another)" };
        format!("  {:width$}  {decision}{through}\n", relation.feature)
    };
    relations.iter().map(line).collect()
}

/// Formats dependencies that only hazards record; empty if there are none.
fn undeclared(title: &str, needs: &[Undeclared]) -> String {
    if needs.is_empty() {
        return String::new();
    }
    let width = needs.iter().map(|need| need.feature.as_str().len()).max().unwrap_or(0);
    let line = |need: &Undeclared| {
        let decision = if need.kept { "kept" } else { "omitted" };
        let text = format!("{:width$}  {decision:7}  otherwise: {} ({})", need.feature, need.title, need.hazard);
        format!("{}\n", hanging(&text, width + 13))
    };
    format!("\u{1b}[1m{title}\u{1b}[0m\n{}\n", needs.iter().map(line).collect::<String>())
}

/// Formats every hazard of the decision.
fn dangers(hazards: &[Danger]) -> String {
    if hazards.is_empty() {
        return String::new();
    }
    let line = |danger: &Danger| {
        let here = if danger.in_release { "" } else { "; not in this release" };
        let first = wrapped(&format!("{}: {}", danger.hazard, danger.title), "  ");
        let more = wrapped(&format!("{}, {}{here}; {}", danger.effect, danger.releases, danger.when), "    ");
        format!("{first}\n{more}\n")
    };
    format!("\u{1b}[1mhazards\u{1b}[0m\n{}\n", hazards.iter().map(line).collect::<String>())
}

fn flipping(explanation: &Explanation) -> String {
    let along: Vec<String> = explanation.opposite.along.iter().map(|name| format!("`{name}`")).collect();
    let (verb, why) = match (explanation.opposite.to, along.len()) {
        ("keep", _) => ("keeping", "which it needs"),
        (_, 1) => ("omitting", "which needs it"),
        _ => ("omitting", "which need it"),
    };
    match along.len() {
        0 => "  forces no other decision".to_owned(),
        _ => wrapped(&format!("forces {verb} {}, {why}", along.join(", ")), "  "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use featureset::policy::read;
    use featureset::upstream_data::UpstreamData;

    const POLICY: &str = "\
tailscale: 1.102.5
go: 1.26.8
targets: { amd64: { platform: linux/amd64 } }
features:
  c2n: { keep: Needed by advertiseroutes. }
  advertiseroutes:
    keep: >-
      The router offers its own network to the tailnet.
      Without it the packet filter drops what peers send to that network.
    refs: [tailscale/tailscale#17873]
";

    #[test]
    fn a_feature_that_is_off_at_run_time() {
        let text = POLICY
            .replace("tailscale: 1.102.5", "tailscale: 1.104.5")
            .replace("targets:", "device: { start: [\"TS_DISABLE_FEATURE=c2n,advertiseroutes\"] }\ntargets:");
        let policy = read(&text).policy.unwrap();
        let head = |name: &str| {
            let release = policy.tailscale.unwrap();
            let explanation = explain(name, policy.common(), release, UpstreamData::embedded()).unwrap();
            let text = describe(&explanation, Ok("…"), &[], &[]);
            anstream::adapter::strip_str(&text).to_string().split("upstream's").next().unwrap().to_owned()
        };
        insta::assert_snapshot!(format!("{}{}", head("c2n"), head("advertiseroutes")));
    }

    #[test]
    fn explanation_as_text() {
        let policy = read(POLICY).policy.unwrap();
        let text = |name: &str, words: Result<&str, &str>| {
            let explanation =
                explain(name, policy.common(), policy.tailscale.unwrap(), UpstreamData::embedded()).unwrap();
            anstream::adapter::strip_str(&describe(
                &explanation,
                words,
                &["arm64: +1.2 kB packed".to_owned()],
                &["`routes` on 1.102.5, amd64".to_owned()],
            ))
            .to_string()
        };
        insta::assert_snapshot!(
            [
                text("advertiseroutes", Ok("upstream's own words")),
                text("advertiseexitnode", Err("not downloaded")),
                text("lazywg", Err("not in the pinned release"))
            ]
            .join("\n=====\n")
        );
    }
}
