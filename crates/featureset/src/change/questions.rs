//! The questions that a change of the policy must answer. docs/reviewing.md has the long form of each.

use super::{Change, Setting, TargetEffect};
use crate::finding::{Finding, Label, Severity};
use crate::policy::Places;

/// A kind of question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Its name, in kebab case: a heading of docs/reviewing.md.
    pub code: &'static str,
    /// A warning where the change contradicts itself or makes something worse, a note otherwise.
    pub severity: Severity,
    /// Why it is asked.
    pub why: &'static str,
}

const fn asked(code: &'static str, severity: Severity, why: &'static str) -> Asked {
    Asked { code, severity, why }
}

const ACCEPTED: Asked =
    asked("accepted-hazard", Severity::Note, "An acceptance holds for everyone who runs the binary.");
const BUDGET: Asked =
    asked("budget-raised", Severity::Note, "Flash does not grow; a budget that follows the size holds nothing.");
const DEVICE: Asked =
    asked("device-changed", Severity::Note, "Hazards are judged against what is stated here, not against the device.");
const LOST: Asked = asked("feature-lost", Severity::Note, "Upstream mostly says nothing where a feature is left out.");
const GAINED: Asked =
    asked("feature-gained", Severity::Note, "A kept feature costs flash and memory, and is code that runs.");
const HAZARD: Asked =
    asked("hazard-gained", Severity::Warning, "Something goes wrong with these decisions that did not before.");
const SAME: Asked =
    asked("reason-unchanged", Severity::Warning, "One reason cannot be why a feature is kept and why it is omitted.");
const PIN: Asked = asked("release-changed", Severity::Note, "Each decision was reviewed against the old release.");
const TARGET: Asked = asked("target-removed", Severity::Warning, "Devices of this target get no further binary.");

/// Every kind of question, sorted by code.
pub static ASKED: &[Asked] = &[ACCEPTED, BUDGET, DEVICE, GAINED, LOST, HAZARD, SAME, PIN, TARGET];

impl Asked {
    fn at(self, places: &Places, path: &[&str], message: String, next: String) -> Finding {
        // Where the path is gone from the new text, the section that it stood in is the nearest place.
        let found = if places.has(path) { path } else { &path[..1] };
        Finding {
            code: self.code.into(),
            severity: self.severity,
            message,
            place: Label::new(places.key(found), String::new()),
            related: Vec::new(),
            why: self.why.to_owned(),
            next,
            edit: None,
        }
    }
}

/// What a change must answer: warnings first, then in the order of their codes.
pub(super) fn of(change: &Change, places: &Places) -> Vec<Finding> {
    let mut found = decisions(change, places);
    for one in change.hazards_gained.iter().filter(|one| !one.accepted) {
        let message = format!("`{}` ({}): {}", one.hazard, one.effect, one.title);
        let next =
            format!("What clears it, or why can this device live with it? `explain {}` tells it in full.", one.hazard);
        found.push(HAZARD.at(places, &["features"], message, next));
    }
    for setting in change.acceptances.iter().filter(|setting| setting.to.is_some()) {
        let message = match setting.from {
            None => format!("`{}` is accepted", setting.path),
            Some(_) => format!("`{}` is accepted for another reason", setting.path),
        };
        let next = "Who lives with it, and how would they notice that it happened?".to_owned();
        found.push(ACCEPTED.at(places, &["accepted", &setting.path], message, next));
    }
    found.extend(change.settings.iter().filter_map(|setting| of_setting(change, setting, places)));
    found.sort_by(|a, b| (a.severity, &a.code, &a.message).cmp(&(b.severity, &b.code, &b.message)));
    found
}

fn decisions(change: &Change, places: &Places) -> Vec<Finding> {
    let mut found = Vec::new();
    for one in &change.decisions {
        let path = ["features", one.feature.as_str()];
        if one.is_flip() && one.same_reason {
            let message = format!("`{}` flipped, and its reason did not", one.feature);
            let next = "What changed on this device? Write it as the reason.".to_owned();
            found.push(SAME.at(places, &path, message, next));
        }
        if one.is_lost() {
            let message = format!("the binary loses `{}`", one.feature);
            let next = format!(
                "Who uses it today, and what will they see? `explain {}` tells what goes with it.",
                one.feature
            );
            found.push(LOST.at(places, &path, message, next));
        } else if one.is_flip() {
            let message = format!("the binary gains `{}`", one.feature);
            let next = "What is it for on this device, and is that worth its bytes and its open doors?".to_owned();
            found.push(GAINED.at(places, &path, message, next));
        }
    }
    found
}

fn of_setting(change: &Change, setting: &Setting, places: &Places) -> Option<Finding> {
    let path: Vec<&str> = setting.path.split('.').collect();
    let (from, to) = (setting.from.as_deref(), setting.to.as_deref());
    let moved = || format!("`{}`: {} → {}", setting.path, from.unwrap_or("not stated"), to.unwrap_or("not stated"));
    match path.as_slice() {
        ["tailscale"] if from.is_some() => {
            let next =
                "Which decisions does the new release put in doubt, beside the features that it adds?".to_owned();
            Some(PIN.at(places, &path, moved(), next))
        }
        ["device", _] if from.is_some() => {
            let next = "Was it looked up on the device, and do all targets run on such a device?".to_owned();
            Some(DEVICE.at(places, &path, moved(), next))
        }
        ["targets", name, "budget"]
            if raised(from?, to) && change.targets.get(*name) != Some(&TargetEffect::Removed) =>
        {
            let next = "What grew, and what was tried to win it back?".to_owned();
            Some(BUDGET.at(places, &path, moved(), next))
        }
        ["targets", name, "platform"] if to.is_none() => {
            let next = "Who still runs it, and where will they look for a binary?".to_owned();
            Some(TARGET.at(places, &["targets"], format!("the target `{name}` is gone"), next))
        }
        _ => None,
    }
}

/// Whether a budget grew or was given up.
fn raised(from: &str, to: Option<&str>) -> bool {
    let size = |text: &str| crate::policy::parse_size(text);
    to.is_none_or(|to| size(to) > size(from))
}
