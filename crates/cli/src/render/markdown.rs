//! A change of the policy as Markdown, made for a pull request: what was decided, what follows, what to answer.

use std::collections::BTreeMap;

use diagnostics::{Diagnostic, Severity};
use featureset::change::{Base, Change, DecisionChange, Edit, HazardChange, Setting, Stated, TargetEffect};

use featureset::cost::format_difference;
use featureset::policy::format_size;

use crate::costs::MeasuredCosts;
use crate::escape::{self, WORD_JOINER};
use crate::invocation::program;
use crate::proofs::Shown;

/// The change as a page. `base` is the revision that it is compared with, as the user named it; `costs` are what was
/// measured of the policy, `shown` is what a running daemon showed; `totals` is the line of [`totals`].
#[must_use]
pub fn change(change: &Change, base: &str, totals: &str, costs: &MeasuredCosts, shown: &Shown) -> String {
    let mut page = format!("## Policy review against `{}`\n\n{totals}\n\n{}\n", code(base), verdict(change));
    page += match change.base {
        Base::Missing => "\nThe base has no policy: everything is new.\n",
        Base::Unreadable => "\nThe base has no policy that can be read: everything counts as new.\n",
        Base::Faulty => "\nThe base has errors of its own; what could be read of it is compared.\n",
        Base::Sound => "",
    };
    page += &section("Questions to answer", questions(&change.questions));
    // A whole new policy is read in the file, not here.
    if matches!(change.base, Base::Missing | Base::Unreadable) {
        let kept = change.decisions.iter().filter(|one| one.to.as_ref().is_some_and(|to| to.verdict == "keep"));
        page += &format!("\n{} features are decided, {} of them kept.\n", change.decisions.len(), kept.count());
    } else {
        page += &section("Decisions", change.decisions.iter().map(|one| decision(one, costs, shown)).collect());
        page += &section("Reasons and references", change.edits.iter().map(edit).collect());
        page += &section("Settings", change.settings.iter().map(setting).collect());
        page += &section("Accepted hazards", change.acceptances.iter().map(acceptance).collect());
    }
    page += &section("Binaries", targets(change, costs));
    page += &section("Hazards gained", change.hazards_gained.iter().map(|one| hazard(one, "accepted")).collect());
    page += &section("Hazards cleared", change.hazards_cleared.iter().map(|one| hazard(one, "was accepted")).collect());
    page +=
        &section("New findings", change.findings_gained.iter().map(|said| format!("- {}\n", prose(said))).collect());
    if change.findings_cleared > 0 {
        page += &format!("\n{} of the base's findings are gone.\n", change.findings_cleared);
    }
    page
}

/// The change in one line: the errors of the new policy, the hazards, and the estimated bytes of each target.
#[must_use]
pub fn totals(change: &Change, errors: usize, sizes: &BTreeMap<String, (Option<u64>, Option<u64>)>) -> String {
    let counted = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let mut parts = vec![
        counted(errors, "error"),
        format!("{} gained", counted(change.hazards_gained.len(), "hazard")),
        format!("{} cleared", change.hazards_cleared.len()),
    ];
    parts.extend(sizes.iter().filter_map(|(target, sizes)| match *sizes {
        (Some(before), Some(after)) if before != after => {
            let difference = i64::try_from(after).ok()?.checked_sub(i64::try_from(before).ok()?)?;
            Some(format!("`{}` about {}", code(target), format_difference(difference)))
        }
        (None, Some(after)) => Some(format!("`{}` about {}", code(target), format_size(after))),
        _ => None,
    }));
    format!("**{}.**", parts.join(", "))
}

fn verdict(change: &Change) -> &'static str {
    if change.says_nothing_new() {
        "Nothing changes in any binary: only comments, layout or order differ, if anything does."
    } else if change.reaches_a_binary() {
        "**The binaries change.**"
    } else {
        "No binary changes; what the policy says does."
    }
}

pub(super) fn section(title: &str, entries: Vec<String>) -> String {
    if entries.is_empty() { String::new() } else { format!("\n### {title}\n\n{}", entries.concat()) }
}

fn questions(questions: &[Diagnostic]) -> Vec<String> {
    let one = |question: &Diagnostic| {
        let mark = if question.severity == Severity::Warning { "⚠️ " } else { "" };
        let (message, next) = (prose(&question.message), prose(&question.next.render(&program())));
        format!("- [ ] {mark}{message}. {next} (`{}`)\n", question.code)
    };
    questions.iter().map(one).collect()
}

fn decision(one: &DecisionChange, costs: &MeasuredCosts, shown: &Shown) -> String {
    let word = |stated: &Option<Stated>| stated.as_ref().map_or("undecided", |stated| stated.verdict);
    let on = on_targets(one.target.as_slice());
    let mut text = format!("- **`{}`**{on}: {} → **{}**\n", one.feature, word(&one.from), word(&one.to));
    let reason = |said: &str, stated: &Option<Stated>| match stated {
        Some(stated) => format!("  - {said}: {}\n", quoted(&stated.reason)),
        None => String::new(),
    };
    if one.same_reason {
        text += &reason("⚠️ the reason did not change", &one.to);
    } else {
        text += &reason("was", &one.from);
        text += &reason("now", &one.to);
    }
    if !one.along.is_empty() {
        let names: Vec<String> = one.along.iter().map(|name| format!("`{name}`")).collect();
        text += &format!("  - tied by upstream's dependencies to {}\n", names.join(", "));
    }
    for phrase in costs.phrases(&one.feature) {
        text += &format!("  - costs, on {phrase}\n");
    }
    text + &proofs(one, shown)
}

/// Observations of a running daemon under the old and the new decision. Most decisions don't have any.
fn proofs(one: &DecisionChange, shown: &Shown) -> String {
    let of = |stated: &Option<Stated>| {
        stated.as_ref().map(|stated| shown.passed_checks(stated.verdict, &one.feature)).unwrap_or_default()
    };
    match (of(&one.from), of(&one.to)) {
        (was, now) if was.is_empty() && now.is_empty() => String::new(),
        (was, now) if now.is_empty() => {
            format!("  - as it was, it was shown on a running daemon by {}; as it is, not yet\n", was.join(", "))
        }
        (_, now) => format!("  - shown on a running daemon by {}\n", now.join(", ")),
    }
}

fn edit(one: &Edit) -> String {
    let decision = if one.verdict == "keep" { "kept" } else { "omitted" };
    let mut text = format!("- `{}`{} (still {decision})\n", one.feature, on_targets(one.target.as_slice()));
    if let Some((from, to)) = &one.reason {
        text += &format!("  - was: {}\n  - now: {}\n", quoted(from), quoted(to));
    }
    let listed = |refs: &[String]| refs.iter().map(|one| prose(one)).collect::<Vec<_>>().join(", ");
    if !one.refs_added.is_empty() {
        text += &format!("  - references added: {}\n", listed(&one.refs_added));
    }
    if !one.refs_removed.is_empty() {
        text += &format!("  - references removed: {}\n", listed(&one.refs_removed));
    }
    text
}

fn setting(one: &Setting) -> String {
    let value = |value: &Option<String>| value.as_ref().map_or("not stated".to_owned(), |value| prose(value));
    format!("- `{}`: {} → {}\n", code(&one.path), value(&one.from), value(&one.to))
}

fn acceptance(one: &Setting) -> String {
    let (id, on) = (code(&one.path), on_targets(one.target.as_slice()));
    match (&one.from, &one.to) {
        (Some(from), Some(to)) => format!("- `{id}`{on}\n  - was: {}\n  - now: {}\n", quoted(from), quoted(to)),
        (None, Some(to)) => format!("- `{id}` is accepted{on}: {}\n", quoted(to)),
        (from, None) => {
            format!("- `{id}` is no longer accepted{on}; it was: {}\n", quoted(from.as_deref().unwrap_or("")))
        }
    }
}

/// One entry for the targets that share an effect: the tags of one feature change in all of them.
fn targets(change: &Change, costs: &MeasuredCosts) -> Vec<String> {
    let mut groups: Vec<(&TargetEffect, Vec<&str>)> = Vec::new();
    for (name, effect) in &change.targets {
        match groups.iter_mut().find(|(known, _)| *known == effect) {
            Some((_, names)) => names.push(name),
            None => groups.push((effect, vec![name])),
        }
    }
    if groups.iter().all(|(effect, _)| **effect == TargetEffect::Same) {
        return Vec::new();
    }
    let one = |(effect, names): (&TargetEffect, Vec<&str>)| {
        let names: Vec<String> = names.iter().map(|name| format!("`{}`", code(name))).collect();
        format!("- {}: {}\n", names.join(", "), effect_in_words(effect))
    };
    groups.into_iter().map(one).chain([size(change, costs)]).collect()
}

/// What is known of the size without building.
fn size(change: &Change, costs: &MeasuredCosts) -> String {
    let measured = change.decisions.iter().any(|one| !costs.phrases(&one.feature).is_empty());
    let said = if measured {
        "Each size was measured by inverting one decision; sizes don't add up, so build both to compare."
    } else {
        "The sizes in the first line are estimated: build both to compare."
    };
    format!("- {said}\n")
}

fn effect_in_words(effect: &TargetEffect) -> String {
    match effect {
        TargetEffect::Same => "the same binary".to_owned(),
        TargetEffect::Added => "a new target".to_owned(),
        TargetEffect::Removed => "no longer built".to_owned(),
        TargetEffect::Changed { tags_added, tags_removed } => {
            let listed =
                |tags: &[String]| tags.iter().map(|tag| format!("`{}`", code(tag))).collect::<Vec<_>>().join(" ");
            match (tags_added.is_empty(), tags_removed.is_empty()) {
                (true, true) => "another binary from the same tags".to_owned(),
                (false, true) => format!("tags added: {}", listed(tags_added)),
                (true, false) => format!("tags removed: {}", listed(tags_removed)),
                (false, false) => format!("tags added: {}; removed: {}", listed(tags_added), listed(tags_removed)),
            }
        }
    }
}

/// A hazard, and whether the policy that has it accepts it or only has a note about it.
fn hazard(one: &HazardChange, accepted: &str) -> String {
    let status = match (one.accepted, one.is_note) {
        (true, _) => format!(" — {accepted}"),
        (false, true) => " — a note".to_owned(),
        (false, false) => String::new(),
    };
    format!("- {}{status}\n", hazard_line(one))
}

/// Names targets after a statement; empty if there are none.
fn on_targets<'a>(targets: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<String> = targets.into_iter().map(|name| format!("`{}`", code(name))).collect();
    if names.is_empty() { String::new() } else { format!(" on {}", names.join(", ")) }
}

/// A hazard and the facts that it depends on.
pub(super) fn hazard_line(one: &HazardChange) -> String {
    let on = on_targets(&one.targets);
    let mut text = format!("`{}` ({}){on}: {}", one.hazard, one.effect, prose(&one.title));
    if !one.unstated.is_empty() {
        let facts: Vec<String> = one.unstated.iter().map(|fact| format!("`device.{fact}`")).collect();
        text += &format!(", depending on {}, which the policy does not state", facts.join(" and "));
    }
    text
}

/// A reason: one paragraph. An empty one is said to be.
pub(super) fn quoted(reason: &str) -> String {
    if reason.trim().is_empty() { "*(no reason)*".to_owned() } else { prose(reason) }
}

/// Text of a policy, safe in a comment: on one line, its code spans left, but no HTML, no image, and nobody
/// called by name.
pub(super) fn prose(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = escape::line(&line).replace('&', "&amp;").replace('<', "&lt;").replace("![", "!\\[");
    line.replace('@', &format!("@{WORD_JOINER}"))
}

/// Text between backticks.
fn code(text: &str) -> String {
    escape::line(&text.replace(['`', '\n', '\r'], "'")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_can_t_call_people_or_load_images() {
        assert_eq!(
            prose("see @someone\n  ![x](http://e.test) <img src=x> `a`"),
            "see @\u{2060}someone !\\[x](http://e.test) &lt;img src=x> `a`"
        );
        assert_eq!(code("a`b\nc"), "a'b'c");
    }
}
