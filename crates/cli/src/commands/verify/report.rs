//! Results of checks and scenarios, as status lines, a Markdown table, JSON and annotations.

use std::path::PathBuf;

use featureset::release::Release;
use serde::{Deserialize, Serialize};

use super::checks;
use crate::cli::Format;
use crate::render::annotate;
use crate::{outln, output, progress};

/// An event of the process inside, one per line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event {
    /// A check begins.
    Begins {
        /// Its name.
        check: String,
    },
    /// A check has ended.
    Ended(Report),
    /// A daemon was measured.
    Rested {
        /// Its `RssAnon` in bytes, or `None` if it did not become idle.
        anonymous: Option<u64>,
        /// The reason, if it did not become idle.
        why: String,
    },
}

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The property holds.
    Passed {
        /// The observation.
        observed: String,
    },
    /// The property does not hold.
    Failed {
        /// The observation.
        why: String,
    },
    /// The machine does not meet a requirement.
    Skipped {
        /// The missing requirement.
        why: String,
    },
    /// The check does not apply to the policy.
    NotClaimed {
        /// The reason.
        why: String,
    },
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its name.
    pub check: String,
    /// Its outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Its duration.
    pub seconds: f64,
    /// The logs of its hosts, by file name; empty unless it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<(String, String)>,
}

/// The result of a check on a mutant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Mutant {
    /// The check that names the decision.
    pub check: String,
    /// The inverted decision, such as `omit ipnbus`, or the fault.
    pub with: String,
    /// Features that had to follow, because of dependencies.
    pub along: Vec<String>,
    /// Whether the check failed, as it must.
    pub caught: bool,
    /// The observation.
    pub seen: String,
    /// The duration of the check, without the build.
    pub seconds: f64,
}

/// The result of a hazard scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ScenarioResult {
    /// The hazard's id.
    pub hazard: String,
    /// The release.
    pub release: Release,
    /// Whether the symptom appeared on the offending binary, and not on the remedied one.
    pub shown: bool,
    /// The reason why it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The symptom, or the observation without it.
    pub offending: String,
    /// The observation on the remedied binary; `None` if the decision has no effect.
    pub remedied: Option<String>,
    /// The duration of both runs, without the builds.
    pub seconds: f64,
    /// The logs of both runs; saved only if it failed.
    #[serde(skip)]
    pub logs: Vec<(String, String)>,
}

impl ScenarioResult {
    pub(super) fn skipped(hazard: &str, release: Release, why: &str) -> Self {
        let (hazard, skipped) = (hazard.to_owned(), Some(why.to_owned()));
        let (offending, logs) = Default::default();
        Self { hazard, release, shown: false, skipped, offending, remedied: None, seconds: 0.0, logs }
    }

    /// Whether it counts as a success.
    pub(super) fn is_fine(&self, require_all: bool) -> bool {
        self.shown || (self.skipped.is_some() && !require_all)
    }

    fn word(&self) -> &'static str {
        match (&self.skipped, self.shown) {
            (Some(_), _) => "skipped",
            (None, true) => "shown",
            (None, false) => "NOT SHOWN",
        }
    }

    /// Prints a status line.
    pub(super) fn tell(&self) {
        let (hazard, release) = (&self.hazard, self.release);
        if let Some(why) = &self.skipped {
            return progress::warn(&format!("skipped: {hazard} on {release}: {why}"));
        }
        let remedied = self.remedied.as_deref().unwrap_or("the same");
        let line = format!("{hazard} on {release} in {:.1} s: {}; remedied: {remedied}", self.seconds, self.offending);
        if self.shown { progress::line("Shown", &line) } else { progress::warn(&format!("NOT SHOWN: {line}")) }
    }
}

/// Prints the results of scenarios.
pub(super) fn print_hazards(staged: &[ScenarioResult], target: &str, kept: &[PathBuf], format: Format) {
    match format {
        Format::Human => outln!("{}", hazards_markdown(staged, target)),
        Format::Json => {
            output::json(&serde_json::json!({ "schema": 1, "target": target, "hazards": staged, "logs": kept }));
        }
        Format::Github | Format::Sarif => {
            for one in staged.iter().filter(|one| !one.shown) {
                let level = if one.skipped.is_some() { "warning" } else { "error" };
                let why = one.skipped.as_deref().unwrap_or(&one.offending);
                annotate(level, &format!("verify {} {}", one.hazard, one.word()), why);
            }
        }
    }
}

/// Returns the Markdown table of scenarios.
fn hazards_markdown(staged: &[ScenarioResult], target: &str) -> String {
    let mut text = format!(
        "## Hazards on {target}, running\n\n| hazard | release | | seconds | offending | remedied |\n|---|---|---|---|---|---|\n"
    );
    for one in staged {
        let offending = cell(one.skipped.as_deref().unwrap_or(&one.offending));
        let remedied = cell(one.remedied.as_deref().unwrap_or_default());
        let (hazard, release, word, seconds) = (&one.hazard, one.release, one.word(), one.seconds);
        text += &format!("| {hazard} | {release} | {word} | {seconds:.1} | {offending} | {remedied} |\n");
    }
    text.trim_end().to_owned()
}

impl Mutant {
    /// Returns the decision and the features that follow it.
    pub(super) fn decisions(&self) -> String {
        let along = self.along.join(", ");
        if along.is_empty() { self.with.clone() } else { format!("{} (with {along})", self.with) }
    }
}

impl Report {
    pub(super) fn skipped(check: &str, why: &str) -> Self {
        let outcome = Outcome::Skipped { why: why.to_owned() };
        Self { check: check.to_owned(), outcome, seconds: 0.0, logs: Vec::new() }
    }

    pub(super) fn not_claimed(check: &str, why: &str) -> Self {
        let outcome = Outcome::NotClaimed { why: why.to_owned() };
        Self { check: check.to_owned(), outcome, seconds: 0.0, logs: Vec::new() }
    }

    /// Whether it counts as a success.
    #[must_use]
    pub fn is_fine(&self, require_all: bool) -> bool {
        match self.outcome {
            Outcome::Passed { .. } | Outcome::NotClaimed { .. } => true,
            Outcome::Skipped { .. } => !require_all,
            Outcome::Failed { .. } => false,
        }
    }

    /// Returns a word for the outcome, and the observation or the reason.
    pub(super) fn summary(&self) -> (&'static str, &str) {
        match &self.outcome {
            Outcome::Passed { observed } => ("passed", observed),
            Outcome::Failed { why } => ("FAILED", why),
            Outcome::Skipped { why } => ("skipped", why),
            Outcome::NotClaimed { why } => ("not claimed", why),
        }
    }

    /// Prints a status line.
    pub(super) fn tell(&self) {
        let (word, detail) = self.summary();
        let line = format!("{} in {:.1} s: {detail}", self.check, self.seconds);
        match self.outcome {
            Outcome::Passed { .. } => progress::line("Passed", &line),
            Outcome::Failed { .. } => progress::warn(&format!("FAILED {line}")),
            _ => progress::warn(&format!("{word}: {}: {detail}", self.check)),
        }
    }
}

/// Prints the results: a Markdown table, one JSON document, or annotations.
pub(super) fn print(
    reports: &[Report],
    mutants: &[Mutant],
    (release, target): (Release, &str),
    kept: &[PathBuf],
    format: Format,
) {
    match format {
        Format::Human => outln!("{}", markdown(reports, mutants, release, target)),
        Format::Json => {
            let document = serde_json::json!({
                "schema": 1,
                "release": release,
                "target": target,
                "checks": reports.iter().map(value).collect::<Vec<_>>(),
                "mutants": mutants,
                "logs": kept,
            });
            output::json(&document);
        }
        Format::Github | Format::Sarif => {
            for report in reports {
                let (word, detail) = report.summary();
                let level = match report.outcome {
                    Outcome::Failed { .. } => "error",
                    Outcome::Skipped { .. } => "warning",
                    _ => "notice",
                };
                annotate(level, &format!("verify {} {word}", report.check), detail);
            }
            for mutant in mutants.iter().filter(|mutant| !mutant.caught) {
                let (title, message) =
                    (format!("verify {} blind", mutant.check), format!("It passes with {}.", mutant.decisions()));
                annotate("error", &title, &message);
            }
        }
    }
}

fn value(report: &Report) -> serde_json::Value {
    let proves = checks::find(&report.check).map(|check| check.proves.iter().map(|claim| claim.to_string()));
    let mut value = serde_json::json!(Report { logs: Vec::new(), ..report.clone() });
    value["proves"] = proves.into_iter().flatten().collect();
    value
}

/// Returns the Markdown tables of a run.
pub(super) fn markdown(reports: &[Report], mutants: &[Mutant], release: Release, target: &str) -> String {
    let mut text = format!(
        "## Tailscale {release} on {target}, running\n\n| check | | seconds | observed | proves |\n|---|---|---|---|---|\n"
    );
    for report in reports {
        let (word, detail) = report.summary();
        let detail = cell(detail);
        let claims = checks::find(&report.check).map(|check| check.claims()).unwrap_or_default();
        text += &format!("| {} | {word} | {:.1} | {detail} | {claims} |\n", report.check, report.seconds);
    }
    if !mutants.is_empty() {
        text += "\n### With one decision inverted\n\n| check | with | | seconds | observed |\n|---|---|---|---|---|\n";
    }
    for mutant in mutants {
        let (word, with) = (if mutant.caught { "caught" } else { "NOT CAUGHT" }, mutant.decisions());
        let (check, seconds, seen) = (&mutant.check, mutant.seconds, cell(&mutant.seen));
        text += &format!("| {check} | {with} | {word} | {seconds:.1} | {seen} |\n");
    }
    text.trim_end().to_owned()
}

fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports() -> Vec<Report> {
        let report =
            |check: &str, outcome| Report { check: check.to_owned(), outcome, seconds: 1.25, logs: Vec::new() };
        vec![
            report("login", Outcome::Passed { observed: "Running at 100.64.0.1".to_owned() }),
            report("cli", Outcome::Failed { why: "`tailscale ip`: Access denied | exit 1\nsecond line".to_owned() }),
            report("login", Outcome::Skipped { why: "not root".to_owned() }),
            report("cli", Outcome::NotClaimed { why: "`cli` is omitted".to_owned() }),
        ]
    }

    #[test]
    fn results_as_markdown() {
        let mutant = |caught, along: &[&str]| Mutant {
            check: "dns".to_owned(),
            with: "omit netstack".to_owned(),
            along: along.iter().map(|name| (*name).to_owned()).collect(),
            caught,
            seen: "no answer".to_owned(),
            seconds: 5.0,
        };
        let mutants = [mutant(true, &["gro"]), mutant(false, &[])];
        insta::assert_snapshot!(markdown(&reports(), &mutants, "1.102.5".parse().unwrap(), "amd64"));
    }

    #[test]
    fn skipped_check_fails_only_with_require_all() {
        let fine = |all| reports().iter().map(|report| report.is_fine(all)).collect::<Vec<_>>();
        assert_eq!(fine(false), [true, false, true, true]);
        assert_eq!(fine(true), [true, false, false, true]);
    }

    #[test]
    fn events_round_trip_as_json() {
        for report in reports() {
            let event = Event::Ended(report);
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        }
    }
}
