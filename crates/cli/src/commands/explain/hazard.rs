//! Describes one hazard.
use anyhow::Result;
use featureset::hazard::Hazard;
use featureset::proof::{Established, Observation};
use featureset::rules;

use crate::format::Format;
use crate::outcome::Outcome;
use crate::output::{self, product};
use crate::project::Project;
use crate::render::wrapped;

/// Prints a hazard and whether it applies to the policy.
pub(super) fn run(project: &Project, hazard: &Hazard, format: Format) -> Result<Outcome> {
    let applying = rules::hazards(&project.text, &project.reading, &project.facts);
    let here = applying.iter().find(|one| one.hazard.id == hazard.id);
    let accepted = project.reading.policy.as_ref().and_then(|policy| policy.accepted.get(&hazard.id));
    let state = match (here, accepted) {
        (None, _) => "does not apply to this policy",
        (Some(one), _) if one.targets.is_empty() => "depends on a device fact that the policy does not set",
        (Some(_), Some(_)) if hazard.record.effect.can_be_accepted() => "applies to this policy and is accepted",
        (Some(_), Some(_)) => "applies to this policy and can't be accepted",
        (Some(one), None) if one.hazard.is_note() => {
            "applies to this policy; the decision's own reason is its acceptance"
        }
        (Some(_), None) => "applies to this policy",
    };
    if format == Format::Json {
        let document = serde_json::json!({
            "schema": crate::output::SCHEMA,
            "hazard": hazard.id,
            "state": state,
            "accepted": accepted,
            "established": hazard.established().word(),
            "record": hazard.record,
            "proof": hazard.proof,
        });
        output::json(&document);
    } else {
        product(format_args!("{}", describe(hazard, state, accepted.map(String::as_str))));
    }
    Ok(Outcome::Clean)
}

fn describe(hazard: &Hazard, state: &str, accepted: Option<&str>) -> String {
    let (bold, dim, plain) = ("\u{1b}[1m", "\u{1b}[2m", "\u{1b}[0m");
    let record = &hazard.record;
    let mut text = format!("{bold}{}{plain}  {}\n{dim}{} · {state}{plain}\n\n", hazard.id, record.effect, record.title);
    text += &format!("{}\n\n", wrapped(&record.because, "  "));
    let mut section = |title: &str, body: &str| text += &format!("{bold}{title}{plain}\n{body}\n\n");
    if let Some(symptom) = &record.symptom {
        section("symptom", &format!("  {symptom}"));
    }
    section("when", &wrapped(&record.when.to_string(), "  "));
    if let Some(fact) = &record.supposes {
        section("if", &wrapped(fact, "  "));
    }
    section("in", &wrapped(&hazard.ranges(), "  "));
    let flips: Vec<String> = record.remedy.iter().map(ToString::to_string).collect();
    section("remedy", &wrapped(&flips.join(" and "), "  "));
    if let Some(reason) = accepted {
        section("accepted", &wrapped(reason, "  "));
    }
    let evidence: Vec<String> = record.evidence.iter().map(|evidence| format!("  {evidence}")).collect();
    section("evidence", &evidence.join("\n"));
    section("established", &established(hazard));
    text.trim_end().to_owned() + "\n"
}

fn established(hazard: &Hazard) -> String {
    let seen = |observation: &Observation| {
        let outcome = if observation.failed { "fails" } else { "passes" };
        let remedied = match observation.remedied {
            Some(true) => ", passes with the remedy",
            Some(false) => ", fails with the remedy too",
            None => "",
        };
        let (release, platform, how) = (observation.release, &observation.platform, observation.how.word());
        format!("  {release} {platform}: {outcome} ({how}){remedied}")
    };
    match &hazard.proof {
        Some(proof) if hazard.established() > Established::Read => {
            proof.observations.iter().map(seen).collect::<Vec<_>>().join("\n")
        }
        _ => "  from upstream's source or reports; not yet reproduced by this project".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use featureset::upstream_data::UpstreamData;

    #[test]
    fn a_hazard_told_to_a_person() {
        let hazard = UpstreamData::embedded().hazard("unixsocketidentity-cli").unwrap();
        let text = anstream::adapter::strip_str(&describe(hazard, "does not apply to this policy", None)).to_string();
        insta::assert_snapshot!(text);
    }
}
