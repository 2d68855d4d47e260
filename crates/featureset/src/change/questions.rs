//! The questions that a change of the policy must answer. docs/reviewing.md has the long form of each.

use super::model::{Change, Setting, TargetEffect};
use crate::policy::SourceMap;
use crate::policy::effective::path;
use diagnostics::area::Review;
use diagnostics::{Diagnostic, Label, NextStep};

/// Creates a question about a path of the new policy.
fn question(code: Review, places: &SourceMap, path: &[&str], message: String, next: impl Into<NextStep>) -> Diagnostic {
    // If the new text does not have the path, its section is the nearest position.
    let path = if places.has(path) { path } else { &path[..1] };
    Diagnostic::new(code.into(), message, next).at(Label::new(places.key(path), ""))
}

/// Names targets after a statement; empty if there are none.
fn on_targets<'a>(targets: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<&str> = targets.into_iter().map(String::as_str).collect();
    if names.is_empty() { String::new() } else { format!(" on {}", names.join(", ")) }
}

/// The questions that a change must answer: warnings first, then in the order of their codes.
pub(super) fn open_questions(change: &Change, places: &SourceMap) -> Vec<Diagnostic> {
    let mut found = decisions(change, places);
    for one in change.hazards_gained.iter().filter(|one| !one.accepted && !one.is_note) {
        let message = format!("`{}` ({}){}: {}", one.hazard, one.effect, on_targets(&one.targets), one.title);
        let next = NextStep::new("What clears it, or why is it acceptable on this device? ")
            .command(format!("explain {}", one.hazard))
            .text(" shows all that is known.");
        found.push(question(Review::HazardGained, places, &["features"], message, next));
    }
    for one in &change.mentions {
        let names: Vec<String> = one.mentioned.iter().map(|name| format!("`{name}`")).collect();
        let (on, names) = (on_targets(&one.target), names.join(" and "));
        let message = format!("the reason of `{}`{on} mentions {names}, whose decision has changed", one.feature);
        let path = path(one.target.as_deref(), &["features", one.feature.as_str()]);
        found.push(question(Review::ReasonMentions, places, &path, message, "Is the reason still true?"));
    }
    for setting in change.acceptances.iter().filter(|setting| setting.to.is_some()) {
        let message = match setting.from {
            None => format!("`{}` is accepted{}", setting.path, on_targets(&setting.target)),
            Some(_) => format!("`{}` is accepted for another reason{}", setting.path, on_targets(&setting.target)),
        };
        let path = path(setting.target.as_deref(), &["accepted", &setting.path]);
        let next = "Who lives with it, and how would they notice that it happened?".to_owned();
        found.push(question(Review::AcceptedHazard, places, &path, message, next));
    }
    found.extend(change.settings.iter().filter_map(|setting| of_setting(change, setting, places)));
    found.sort_by(|a, b| (a.severity, a.code.as_str(), &a.message).cmp(&(b.severity, b.code.as_str(), &b.message)));
    found
}

fn decisions(change: &Change, places: &SourceMap) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for one in &change.decisions {
        let path = path(one.target.as_deref(), &["features", one.feature.as_str()]);
        let on = on_targets(&one.target);
        if one.is_flip() && one.same_reason {
            let message = format!("`{}` flipped{on}, and its reason did not", one.feature);
            let next = "What changed on this device? Write it as the reason.".to_owned();
            found.push(question(Review::ReasonUnchanged, places, &path, message, next));
        }
        if one.is_lost() {
            let message = format!("the binary loses `{}`{on}", one.feature);
            let next = NextStep::new("Who uses it today, and what will they see? ")
                .command(format!("explain {}", one.feature))
                .text(" shows what depends on it.");
            found.push(question(Review::FeatureLost, places, &path, message, next));
        } else if one.is_flip() {
            let message = format!("the binary gains `{}`{on}", one.feature);
            let next = "What is it for on this device, and is that worth its bytes and its open doors?".to_owned();
            found.push(question(Review::FeatureGained, places, &path, message, next));
        }
    }
    found
}

fn of_setting(change: &Change, setting: &Setting, places: &SourceMap) -> Option<Diagnostic> {
    let path: Vec<&str> = setting.path.split('.').collect();
    let (from, to) = (setting.from.as_deref(), setting.to.as_deref());
    let moved = || format!("`{}`: {} → {}", setting.path, from.unwrap_or("not stated"), to.unwrap_or("not stated"));
    match path.as_slice() {
        ["tailscale"] if from.is_some() => {
            let next = "Which decisions does the new release put in doubt, in addition to the features that it adds?"
                .to_owned();
            Some(question(Review::ReleaseChanged, places, &path, moved(), next))
        }
        ["device", _] | ["targets", _, "device", _] if from.is_some() => {
            let next = "Was it looked up on the device, and do all targets run on such a device?".to_owned();
            Some(question(Review::DeviceChanged, places, &path, moved(), next))
        }
        ["targets", name, "budget"]
            if raised(from?, to) && change.targets.get(*name) != Some(&TargetEffect::Removed) =>
        {
            let next = "What grew, and what was tried to win it back?".to_owned();
            Some(question(Review::BudgetRaised, places, &path, moved(), next))
        }
        ["targets", name, "platform"] if to.is_none() => {
            let next = "Who still runs it, and where will they look for a binary?".to_owned();
            Some(question(Review::TargetRemoved, places, &["targets"], format!("the target `{name}` is gone"), next))
        }
        _ => None,
    }
}

/// Whether a budget grew or was given up.
fn raised(from: &str, to: Option<&str>) -> bool {
    let size = |text: &str| crate::policy::parse_size(text);
    to.is_none_or(|to| size(to) > size(from))
}
