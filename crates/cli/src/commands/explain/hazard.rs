//! Describes one hazard.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use featureset::hazard::Hazard;
use featureset::hazard::applying::Applying;
use featureset::policy::Policy;
use featureset::proof::{Established, Observation};
use featureset::rules;
use serde_json::json;

use crate::format::Format;
use crate::outcome::Outcome;
use crate::output::{self, product};
use crate::project::Project;
use crate::render::wrapped;

/// Prints a hazard and whether it applies to the policy.
pub(super) fn run(project: &Project, hazard: &Hazard, format: Format) -> Result<Outcome> {
    let policy = project.reading.policy.clone().unwrap_or_default();
    let applying = rules::hazards(&policy, &project.facts);
    let states = states(&policy, hazard, applying.iter().find(|applying| applying.hazard.id == hazard.id));
    let state = states.iter().map(|state| state.describe(policy.targets.len())).collect::<Vec<_>>().join("; ");
    let accepted: BTreeMap<String, String> = policy
        .effective()
        .filter_map(|target| Some((target.name()?.to_owned(), rules::acceptance(target, hazard)?.to_owned())))
        .collect();
    if format == Format::Json {
        let document = serde_json::json!({
            "schema": crate::output::SCHEMA,
            "hazard": hazard.id,
            "state": state,
            "targets": states.iter().map(|state| json!({ "targets": state.targets, "state": state.text })).collect::<Vec<_>>(),
            "accepted": accepted,
            "established": hazard.established().word(),
            "record": hazard.record,
            "proof": hazard.proof,
        });
        output::json(&document);
    } else {
        product(format_args!("{}", describe(hazard, &state, &accepted)));
    }
    Ok(Outcome::Clean)
}

/// The relation of a hazard to some targets of the policy.
struct State {
    targets: Vec<String>,
    text: &'static str,
}

impl State {
    /// Describes the state, with the targets if they are not all of the policy's.
    fn describe(&self, all: usize) -> String {
        let names = self.targets.join(", ");
        if self.targets.len() == all { self.text.to_owned() } else { format!("{} ({names})", self.text) }
    }
}

/// Returns the relation of a hazard to every target, with equal ones together. One state names no targets.
fn states(policy: &Policy, hazard: &Hazard, applying: Option<&Applying<'_>>) -> Vec<State> {
    let mut states: Vec<State> = Vec::new();
    for target in policy.effective() {
        let Some(name) = target.name() else { continue };
        let is_in = |names: &BTreeSet<String>| names.contains(name);
        let text = match applying {
            Some(one) if is_in(&one.targets) && rules::acceptance(target, hazard).is_some() => {
                "applies to this policy and is accepted"
            }
            Some(one) if is_in(&one.targets) && !hazard.record.effect.can_be_accepted() => {
                "applies to this policy and can't be accepted"
            }
            Some(one) if is_in(&one.targets) && hazard.is_note() => {
                "applies to this policy; the decision's own reason is its acceptance"
            }
            Some(one) if is_in(&one.targets) => "applies to this policy",
            Some(one) if is_in(&one.possible) => "depends on a device fact that the policy does not set",
            _ => "does not apply to this policy",
        };
        match states.iter_mut().find(|state| state.text == text) {
            Some(state) => state.targets.push(name.to_owned()),
            None => states.push(State { targets: vec![name.to_owned()], text }),
        }
    }
    if states.is_empty() {
        states.push(State { targets: Vec::new(), text: "does not apply to this policy" });
    }
    states
}

fn describe(hazard: &Hazard, state: &str, accepted: &BTreeMap<String, String>) -> String {
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
    section("remedy", &wrapped(&record.remedies(), "  "));
    let reasons: BTreeSet<&String> = accepted.values().collect();
    let reasons: Vec<String> = reasons.into_iter().map(|reason| wrapped(reason, "  ")).collect();
    if !reasons.is_empty() {
        section("accepted", &reasons.join("\n"));
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
        let text = anstream::adapter::strip_str(&describe(hazard, "does not apply to this policy", &BTreeMap::new()))
            .to_string();
        insta::assert_snapshot!(text);
    }
}
