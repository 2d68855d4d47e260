//! The step to another release as Markdown: what must be decided, and what each decision would do.

use std::collections::{BTreeMap, BTreeSet};

use featureset::change::HazardChange;
use featureset::name::FeatureName;
use featureset::upgrade::{Added, DependencyChange, Evidence, Novelty, Part, Removed, Upgrade};

use super::markdown::{hazard_line, prose, quoted, section};
use crate::invocation::program;

/// How many declarations of a file are named; the rest is counted.
const NAMED: usize = 4;

/// The step as a page, with upstream's own words where they are at hand.
#[must_use]
pub fn upgrade(step: &Upgrade, words: &BTreeMap<FeatureName, String>) -> String {
    let mut page = format!("## Tailscale {} → {}\n\n{}\n", step.from, step.to, verdict(step));
    page += &if step.go_from == step.go_to {
        format!("\nGo stays at {}.\n", step.go_to)
    } else {
        format!("\nGo moves from {} to {}: the release needs it.\n", step.go_from, step.go_to)
    };
    page += &section("Added", step.added.iter().map(|one| added(one, words.get(&one.feature))).collect());
    page += &section("Removed", step.removed.iter().map(|one| removed(one, words.get(&one.feature))).collect());
    page += &section("Dependencies changed", step.dependencies.iter().map(dependency).collect());
    page += &section("Hazards that begin", hazards(step.hazards_begun()));
    page += &section("Hazards that end", hazards(step.change.hazards_cleared.iter()));
    page += &section("Next", next(step));
    page
}

fn verdict(step: &Upgrade) -> String {
    let lost: Vec<&Added> =
        step.added.iter().filter(|one| novelty(one) == Some(Novelty::SplitOut) && !one.decided).collect();
    let open = step.undecided();
    match (lost.len(), open) {
        (0, 0) => "Nothing new to decide.".to_owned(),
        (0, 1) => "**One feature must be decided.**".to_owned(),
        (0, _) => format!("**{open} features must be decided.**"),
        _ => {
            let names: BTreeSet<&FeatureName> = lost.iter().map(|one| &one.feature).collect();
            format!(
                "**{open} to decide. ⚠️ This policy's binary has the code of {} now: omitted, or left undecided, it is gone without a word.**",
                listed(&names)
            )
        }
    }
}

fn hazards<'a>(these: impl IntoIterator<Item = &'a HazardChange>) -> Vec<String> {
    these.into_iter().map(|one| format!("- {}\n", hazard_line(one))).collect()
}

fn novelty(one: &Added) -> Option<Novelty> {
    one.origin.as_ref().map(featureset::upgrade::Origin::novelty)
}

fn listed<'a>(names: impl IntoIterator<Item = &'a &'a FeatureName>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn named(names: &BTreeSet<FeatureName>) -> String {
    listed(&names.iter().collect::<Vec<_>>())
}

fn added(one: &Added, words: Option<&String>) -> String {
    let kind = match novelty(one) {
        Some(Novelty::SplitOut) => "⚠️ split out of code that this policy's binary has",
        Some(Novelty::SplitOutOfOmitted) => "split out of code that this policy leaves out already",
        Some(Novelty::New) | None => "new",
    };
    let decided = match (one.decided, &one.standard_reason) {
        (true, _) => ", decided already",
        (false, Some(_)) => ", omitted: it is for another system",
        (false, None) => "",
    };
    let mut text = format!("- **`{}`**: {kind}{decided}\n", one.feature);
    if let Some(words) = words {
        text += &format!("  - upstream says: “{}”\n", prose(words));
    }
    if !one.needs.is_empty() {
        text += &format!("  - needs {}\n", named(&one.needs));
    }
    if !one.needed_by_kept.is_empty() {
        text += &format!("  - ⚠️ needed by {}, kept here\n", named(&one.needed_by_kept));
    }
    if !one.needed_by.is_empty() {
        text += &format!("  - needed by {}, not kept here\n", named(&one.needed_by));
    }
    if let Some(origin) = &one.origin {
        text += &parts("⚠️ omitting it takes from this policy's binary", &origin.in_this_build);
        if origin.in_this_build.is_empty() {
            text += &parts("it was, where nothing was omitted", &origin.in_a_whole_build);
        }
    }
    for (side, hazards) in [("omitted", &one.if_omitted), ("kept", &one.if_kept)] {
        text += &hazards.iter().map(|one| format!("  - if {side}, {}\n", hazard_line(one))).collect::<String>();
    }
    text
}

fn parts(title: &str, evidence: &[Evidence]) -> String {
    if evidence.is_empty() {
        return String::new();
    }
    let mut groups: Vec<(&Evidence, Vec<String>)> = Vec::new();
    for one in evidence {
        let name = format!("`{}`", one.name);
        match groups.iter_mut().find(|(first, _)| (first.kind, &first.path) == (one.kind, &one.path)) {
            Some((_, names)) => names.push(name),
            None => groups.push((one, vec![name])),
        }
    }
    let lines: String = groups.iter().map(|(first, names)| format!("    - {}\n", part(first, names))).collect();
    format!("  - {title}:\n{lines}")
}

/// The parts of one kind in one file.
fn part(first: &Evidence, names: &[String]) -> String {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(NAMED);
    let shown = if more > 0 { format!("{shown} and {more} more") } else { shown };
    let from = if first.from.is_empty() { String::new() } else { format!(", from `{}`", first.from) };
    match first.kind {
        Part::File => format!("the file `{}`", first.path),
        Part::Declaration => format!("{shown}, now in `{}`{from}", first.path),
        Part::Guard => format!("parts of {shown} in `{}`{from}", first.path),
        Part::Import => format!("the package `{}`", first.path),
    }
}

fn removed(one: &Removed, words: Option<&String>) -> String {
    let words = words.map(|words| format!(" (“{}”)", prose(words))).unwrap_or_default();
    let mut text = format!("- `{}`{words}\n", one.feature);
    if let Some(decision) = &one.decision {
        text += &format!("  - its decision can go: {}: {}\n", decision.verdict, quoted(&decision.reason));
    }
    text
}

fn dependency(one: &DependencyChange) -> String {
    let mut text = format!("- `{}`, {} here", one.feature, if one.kept { "kept" } else { "not kept" });
    for (verb, names) in [("needs", &one.gained), ("no longer needs", &one.lost)] {
        if !names.is_empty() {
            text += &format!(", {verb} {}", named(names));
        }
    }
    if one.kept && !one.missing.is_empty() {
        text += &format!(": ⚠️ {} must be kept with it", named(&one.missing));
    }
    text + "\n"
}

fn next(step: &Upgrade) -> Vec<String> {
    let (mut steps, program) = (Vec::new(), program());
    if step.undecided() > 0 {
        steps.push(format!(
            "- Decide each stub in the policy, by hand or with `{program} decide FEATURE keep|omit --reason TEXT`; until then `{program} check` fails.\n"
        ));
    }
    if step.removed.iter().any(|one| one.decision.is_some()) {
        steps.push("- Delete the decisions on removed features.\n".to_owned());
    }
    steps.push(format!(
        "- `{program} check`, then `{program} review --base` with the revision before, then `{program} build-tailscale`.\n"
    ));
    steps
}
