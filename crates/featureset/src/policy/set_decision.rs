//! One decision or acceptance written into the text of a policy: comments and layout stay as they are.

use diagnostics::Span;

use super::edit::{Section, line_start, newline, without_notes};
use super::effective::path;
use super::model::{Decision, Policy, Target, Verdict};
use super::parse::read;
use super::set_version::NotEditable;
use super::source_map::SourceMap;
use crate::name::FeatureName;

/// Returns the text with another decision on a feature, or another reason for the same one: in the common section, or in that
/// of a target.
///
/// References stay with the feature. The feature may be undecided. The notes of a stub are deleted.
///
/// # Errors
/// [`NotEditable`] if the text is not a policy, does not have the target, its layout is not understood, or the result would
/// differ in anything else.
pub fn decide(
    text: &str,
    target: Option<&str>,
    name: &FeatureName,
    verdict: Verdict,
    reason: &str,
) -> Result<String, NotEditable> {
    let reading = read(text);
    let Some(mut expected) = reading.policy else { return Err(cannot("the policy can't be read")) };
    let features = match target {
        Some(target) => &mut own(&mut expected, target)?.features,
        None => &mut expected.features,
    };
    let old = features.get(name).cloned();
    let refs = old.as_ref().map(|decision| decision.refs.clone()).unwrap_or_default();
    let reason = normalized(reason);
    features.insert(name.clone(), Decision { verdict, reason: reason.clone(), refs });
    let (section, entry) = (path(target, &["features"]), path(target, &["features", name.as_str()]));
    let edited = match old {
        Some(old) => {
            let path = [&entry[..], &[old.verdict.word()]].concat();
            let (key, value) = (reading.places.key(&path), reading.places.value(&path));
            replace_entry(text, key, value, verdict.word(), &reason)?
        }
        None => {
            if reading.places.has(&entry) {
                // The notes are before the decision, and the stub has nothing else.
                let key = reading.places.key(&entry);
                let (text, _) = without_notes(text, key.start);
                let edited = complete_stub(&text, key, reading.places.value(&entry), verdict, &reason)?;
                return verified(edited, &expected);
            }
            let block = |indent: usize| {
                let newline = newline(text);
                format!("{newline}{}{}", " ".repeat(indent + 2), block(verdict.word(), &reason, indent + 2, newline))
            };
            let flow = format!("{{ {}: {} }}", verdict.word(), quoted(&reason));
            insert_entry(text, &reading.places, &section, name.as_str(), block, &flow)?
        }
    };
    // The edits come after the key, so its position is the same.
    let edited = match reading.places.has(&entry) {
        true => without_notes(&edited, reading.places.key(&entry).start).0,
        false => edited,
    };
    verified(edited, &expected)
}

/// Returns the text with the acceptance of a hazard, or with another reason for it: in the common section, or in that of a
/// target.
///
/// # Errors
/// [`NotEditable`] as for [`decide`].
pub fn accept(text: &str, target: Option<&str>, hazard: &str, reason: &str) -> Result<String, NotEditable> {
    let reading = read(text);
    let Some(mut expected) = reading.policy else { return Err(cannot("the policy can't be read")) };
    let reason = normalized(reason);
    match target {
        Some(target) => own(&mut expected, target)?.accepted.insert(hazard.to_owned(), reason.clone()),
        None => expected.accepted.insert(hazard.to_owned(), reason.clone()),
    };
    let (section, entry) = (path(target, &["accepted"]), path(target, &["accepted", hazard]));
    let newline = newline(text);
    let edited = if reading.places.has(&entry) {
        replace_entry(text, reading.places.key(&entry), reading.places.value(&entry), hazard, &reason)?
    } else if target.is_some() || reading.places.has(&section) {
        let block = |indent: usize| folded(&reason, indent, newline);
        insert_entry(text, &reading.places, &section, hazard, block, &quoted(&reason))?
    } else {
        let lines = format!("accepted:\n  {hazard}: {}\n\n", folded(&reason, 2, "\n"));
        let (at, entry) = Section::before(text, &reading.places, "features", &lines)
            .ok_or_else(|| cannot("the section `features` is missing"))?;
        splice(text, at, &entry)
    };
    verified(edited, &expected)
}

fn own<'p>(policy: &'p mut Policy, target: &str) -> Result<&'p mut Target, NotEditable> {
    policy.targets.get_mut(target).ok_or_else(|| cannot("the policy does not have the target"))
}

/// Inserts an entry into a section: in block style if the section has that, else in braces. A target that does not have the
/// section gets it. `block` returns the text after the key for the key's indentation; `flow` is the same in braces.
fn insert_entry(
    text: &str,
    places: &SourceMap,
    section: &[&str],
    key: &str,
    block: impl Fn(usize) -> String,
    flow: &str,
) -> Result<String, NotEditable> {
    let layout = || cannot(&format!("the section `{}` is not a list of one entry below the other", section.join(".")));
    if let Some(found) = Section::find(text, places, section) {
        let (at, entry) = found.insertion(key, &block(found.indent()));
        return Ok(splice(text, at, &entry));
    }
    let (["targets", _], [name]) = section.split_at(section.len() - 1) else { return Err(layout()) };
    if places.has(section) {
        return insert_in_braces(text, places.value(section), &format!("{key}: {flow}")).ok_or_else(layout);
    }
    let target = &section[..section.len() - 1];
    if let Some(found) = Section::find(text, places, target) {
        let (indent, newline) = (found.indent() + 2, newline(text));
        let gap = if text[..found.end()].ends_with('\n') { "" } else { newline };
        let (outer, inner) = (" ".repeat(found.indent()), " ".repeat(indent));
        let body = block(indent);
        let space = if body.starts_with(newline) { "" } else { " " };
        let lines = format!("{gap}{outer}{name}:{newline}{inner}{key}:{space}{body}{newline}");
        return Ok(splice(text, Span { start: found.end(), end: found.end() }, &lines));
    }
    insert_in_braces(text, places.value(target), &format!("{name}: {{ {key}: {flow} }}")).ok_or_else(layout)
}

/// Inserts an entry at the end of a mapping in braces; `None` if the span is not one.
fn insert_in_braces(text: &str, mapping: Span, entry: &str) -> Option<String> {
    // The span ends before the closing brace.
    text.get(mapping.end..)?.strip_prefix('}')?;
    let inside = text.get(mapping.start..mapping.end)?.strip_prefix('{')?;
    let end = mapping.start + 1 + inside.trim_end().len();
    let comma = if inside.trim().is_empty() || inside.trim_end().ends_with(',') { "" } else { "," };
    Some(splice(text, Span { start: end, end }, &format!("{comma} {entry}")))
}

fn cannot(why: &str) -> NotEditable {
    NotEditable(why.to_owned())
}

/// Returns the edited text if it says exactly what is expected.
fn verified(edited: String, expected: &Policy) -> Result<String, NotEditable> {
    match read(&edited).policy {
        Some(policy) if policy == *expected => Ok(edited),
        _ => Err(cannot("the policy would differ in more than this entry")),
    }
}

/// Replaces a key and its value by another key with a reason, in the style of the mapping around them.
fn replace_entry(text: &str, key: Span, value: Span, word: &str, reason: &str) -> Result<String, NotEditable> {
    if key.end == 0 || value.start < key.end {
        return Err(cannot("the entry's position in the text is not known"));
    }
    if value.start == value.end {
        return complete_entry(text, key, word, reason);
    }
    // A comment can be before the reason, and after the `>-` of a reason that begins on the next line.
    let body = &text[value.start..value.end];
    let head = if body.starts_with(['>', '|']) { line_end(text, value.start) } else { value.start };
    if text[key.end..head].contains(" #") {
        return Err(cannot("the comment between the key and its reason would be lost"));
    }
    let indent = key.start - line_start(text, key.start);
    let is_block = text[line_start(text, key.start)..key.start].chars().all(|c| c == ' ');
    let entry =
        if is_block { block(word, reason, indent, newline(text)) } else { format!("{word}: {}", quoted(reason)) };
    Ok(splice(text, Span { start: key.start, end: value.end }, &entry))
}

/// Writes the reason of an entry that has none, and its word. Comments after the key stay: in block style after the `>-`.
fn complete_entry(text: &str, key: Span, word: &str, reason: &str) -> Result<String, NotEditable> {
    let colon = after_colon(text, key)?;
    let start = line_start(text, key.start);
    if text[start..key.start].chars().any(|c| c != ' ') {
        return Ok(splice(text, Span { start: key.start, end: colon }, &format!("{word}: {}", quoted(reason))));
    }
    let end = line_end(text, colon);
    let entry = block(word, reason, key.start - start, newline(text));
    let (head, lines) = entry.split_at(entry.find(newline(text)).unwrap_or(entry.len()));
    let rest = text[colon..end].trim_end();
    Ok(splice(text, Span { start: key.start, end }, &format!("{head}{rest}{lines}")))
}

/// Writes the decision of an entry that has nothing but comments.
fn complete_stub(text: &str, key: Span, value: Span, verdict: Verdict, reason: &str) -> Result<String, NotEditable> {
    let start = line_start(text, key.start);
    if value.start != value.end || text[start..key.start].chars().any(|c| c != ' ') {
        return Err(cannot("the feature has an entry without a decision; complete it by hand"));
    }
    let (indent, newline) = (key.start - start + 2, newline(text));
    let end = line_end(text, after_colon(text, key)?);
    let entry = block(verdict.word(), reason, indent, newline);
    Ok(splice(text, Span { start: end, end }, &format!("{newline}{}{entry}", " ".repeat(indent))))
}

/// The position after the colon that follows a key.
fn after_colon(text: &str, key: Span) -> Result<usize, NotEditable> {
    let rest = text[key.end..].trim_start_matches(' ');
    rest.strip_prefix(':').map(|rest| text.len() - rest.len()).ok_or_else(|| cannot("the key has no colon after it"))
}

/// The end of the line, before its line break.
fn line_end(text: &str, at: usize) -> usize {
    let line = &text[at..];
    at + line.find('\n').map_or(line.len(), |end| line[..end].trim_end_matches('\r').len())
}

/// An entry in block style, without the indentation of its first line: one sentence per line.
fn block(word: &str, reason: &str, indent: usize, newline: &str) -> String {
    format!("{word}: {}", folded(reason, indent, newline))
}

/// A reason as a folded block scalar.
fn folded(reason: &str, indent: usize, newline: &str) -> String {
    let mut entry = ">-".to_owned();
    for sentence in sentences(reason) {
        entry += newline;
        entry += &" ".repeat(indent + 2);
        entry += sentence;
    }
    entry
}

/// The sentences of a reason: they end with a full stop before a space and a capital letter.
fn sentences(reason: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut rest = reason;
    while let Some(end) = rest
        .match_indices(". ")
        .map(|(at, _)| at)
        .find(|at| rest[at + 2..].starts_with(|c: char| c.is_uppercase() || c == '`'))
    {
        sentences.push(&rest[..=end]);
        rest = &rest[end + 2..];
    }
    sentences.push(rest);
    sentences
}

/// A text in double quotes, which YAML reads as JSON does.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One paragraph without line breaks, as the reader of policies returns it.
fn normalized(reason: &str) -> String {
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn splice(text: &str, span: Span, replacement: &str) -> String {
    format!("{}{replacement}{}", &text[..span.start], &text[span.end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tests::clean_policy;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn name(text: &str) -> FeatureName {
        FeatureName::new(text).unwrap()
    }

    fn decided(text: &str, feature: &str, verdict: Verdict, reason: &str) -> Result<String, NotEditable> {
        decide(text, None, &name(feature), verdict, reason)
    }

    #[test]
    fn a_decision_is_replaced_and_every_other_byte_stays() {
        let text = clean_policy().replace("  doctor:\n", "  # about doctors\n  doctor: # none\n");
        let edited = decided(&text, "doctor", Verdict::Keep, "People ask. They get answers.").unwrap();
        let expected = text.replace(
            "    omit: Only the decision on doctor.\n",
            "    keep: >-\n      People ask.\n      They get answers.\n",
        );
        assert_eq!(edited, expected);
        let back = decided(&edited, "doctor", Verdict::Omit, "Only the decision on doctor.").unwrap();
        assert_eq!(read(&back).policy, read(&text).policy);
    }

    #[test]
    fn a_stub_is_completed_and_its_notes_are_deleted() {
        let decided_entry = "  doctor:\n    omit: Only the decision on doctor.\n";
        let written = clean_policy().replace(decided_entry, "  doctor:\n    # mine\n    keep: >-\n      People ask.\n");
        for stub in [
            "  doctor:\n    #: keep: or omit:, and why.\n    # mine\n",
            "  doctor:\n    #: Needs c2n.\n    # mine\n    #: Measured on arm64.\n    omit:\n",
            "  doctor:\n    # mine\n    #: Needs c2n.\n    keep: \n",
        ] {
            let text = clean_policy().replace(decided_entry, stub);
            let edited = decided(&text, "doctor", Verdict::Keep, "People ask.").unwrap();
            let (edited, expected) = (edited.replace("keep: >-", "keep:"), written.replace("keep: >-", "keep:"));
            let sorted = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<BTreeSet<_>>();
            assert_eq!(sorted(&edited), sorted(&expected), "{stub}");
        }
        let text = clean_policy().replace(decided_entry, "  doctor: # mine\n    #: keep: or omit:, and why.\n");
        let edited = decided(&text, "doctor", Verdict::Omit, "Not here.").unwrap();
        assert!(edited.contains("  doctor: # mine\n    omit: >-\n      Not here.\n  drive:"), "{edited}");
    }

    #[test]
    fn a_flow_mapping_stays_one() {
        let text = "tailscale: 1.102.5\ngo: 1.26.8\ntargets: { a: { platform: linux/arm64 } }\nfeatures:\n  ace: { omit: 'it''s, so', refs: [a/b#1] } # x\n";
        let edited = decided(text, "ace", Verdict::Keep, "Say \"yes\": # so").unwrap();
        assert_eq!(edited, text.replace("omit: 'it''s, so'", "keep: \"Say \\\"yes\\\": # so\""));
    }

    #[test]
    fn an_undecided_feature_gets_an_entry_in_alphabetical_order() {
        let text = clean_policy().replace("  doctor:\n    omit: Only the decision on doctor.\n", "");
        let edited = decided(&text, "doctor", Verdict::Omit, "Not here.").unwrap();
        assert!(edited.contains("  doctor:\n    omit: >-\n      Not here.\n  drive:\n"), "{edited}");
    }

    #[test]
    fn a_number_sign_in_a_reason_is_not_a_comment() {
        for reason in ["\"Wanted, # 1.\"", "'Wanted, # 1.'", ">-\n      Wanted, # 1."] {
            let text = clean_policy().replace("omit: Only the decision on doctor.", &format!("omit: {reason}"));
            let edited = decided(&text, "doctor", Verdict::Omit, "Not here.").unwrap();
            assert_eq!(edited, text.replace(reason, ">-\n      Not here."));
        }
        for comment in ["# why\n      Wanted.", ">- # why\n      Wanted."] {
            let text = clean_policy().replace("omit: Only the decision on doctor.", &format!("omit: {comment}"));
            assert!(decided(&text, "doctor", Verdict::Omit, "Not here.").is_err(), "{comment}");
        }
    }

    #[test]
    fn an_entry_without_a_reason_or_a_decision_is_completed() {
        let omitted = "    omit: Only the decision on doctor.\n";
        for (entry, completed) in [
            ("    omit:\n", "    keep: >-\n      People ask.\n"),
            ("    omit: # write why\n", "    keep: >- # write why\n      People ask.\n"),
            ("    # Needs nothing.\n    omit:\n", "    # Needs nothing.\n    keep: >-\n      People ask.\n"),
            ("    omit:\n    refs: [a/b#1]\n", "    keep: >-\n      People ask.\n    refs: [a/b#1]\n"),
            ("    #: keep: or omit:, and why. Needs c2n.\n", "    keep: >-\n      People ask.\n"),
            ("    # a note\n", "    keep: >-\n      People ask.\n    # a note\n"),
            ("", "    keep: >-\n      People ask.\n"),
        ] {
            for newline in ["\n", "\r\n"] {
                let text = clean_policy().replace(omitted, entry).replace('\n', newline);
                let edited = decided(&text, "doctor", Verdict::Keep, "People ask.").unwrap();
                let expected = clean_policy().replace(omitted, completed).replace('\n', newline);
                assert_eq!(edited, expected, "{entry}");
            }
        }
        let flow = "tailscale: 1.102.5\ngo: 1.26.8\ntargets: { a: { platform: linux/arm64 } }\nfeatures:\n  ace: { omit: , refs: [a/b#1] } # x\n";
        let edited = decided(flow, "ace", Verdict::Keep, "Say yes.").unwrap();
        assert_eq!(edited, flow.replace("omit: ,", "keep: \"Say yes.\" ,"));
    }

    #[test]
    fn an_acceptance_is_added_or_replaced() {
        let plain = "tailscale: 1.102.5\ngo: 1.26.8\ntargets: { a: { platform: linux/arm64 } }\n\nfeatures:\n  ace: { omit: x }\n";
        let first = accept(plain, None, "nc-dial", "Nobody dials.").unwrap();
        assert_eq!(first, plain.replace("features:", "accepted:\n  nc-dial: >-\n    Nobody dials.\n\nfeatures:"));
        let second = accept(&first, None, "clientupdate-disabled", "Images.").unwrap();
        assert!(second.contains("accepted:\n  clientupdate-disabled: >-\n    Images.\n  nc-dial: >-\n"), "{second}");
        let third = accept(&second, None, "tpm-state", "No TPM.").unwrap();
        assert!(third.contains("    Nobody dials.\n  tpm-state: >-\n    No TPM.\n\nfeatures:"), "{third}");
        let replaced = accept(&third, None, "nc-dial", "Still nobody.").unwrap();
        assert_eq!(replaced, third.replace("Nobody dials.", "Still nobody."));
    }

    /// Returns the clean policy with two targets, the first in braces and the second in block style.
    fn two_targets() -> String {
        let second = "budget: 9 MB }\n  second:\n    platform: linux/arm64 # the second\n    budget: 9 MB\n";
        clean_policy().replace("budget: 9 MB }\n", second)
    }

    #[test]
    fn a_decision_of_a_target_is_written_in_its_section() {
        let text = two_targets();
        let decide = |text: &str, target: &str, feature: &str| {
            decide(text, Some(target), &name(feature), Verdict::Keep, "People ask. They get answers.").unwrap()
        };
        let lines = "      doctor:\n        keep: >-\n          People ask.\n          They get answers.\n";
        let first = decide(&text, "second", "doctor");
        assert_eq!(first, text.replace("    budget: 9 MB\n", &format!("    budget: 9 MB\n    features:\n{lines}")));
        let second = decide(&first, "second", "bird");
        let bird = lines.replace("doctor", "bird");
        assert_eq!(second, first.replace("    features:\n", &format!("    features:\n{bird}")));
        let braces = decide(&text, "amd64", "doctor");
        let flow = "features: { doctor: { keep: \"People ask. They get answers.\" } } }";
        assert_eq!(braces, text.replace("budget: 9 MB }", &format!("budget: 9 MB, {flow}")));
        let again = decide(&braces, "amd64", "bird");
        assert!(again.contains("answers.\" }, bird: { keep: \"People"), "{again}");
        assert!(super::decide(&text, Some("third"), &name("doctor"), Verdict::Keep, "People ask.").is_err());
    }

    #[test]
    fn an_acceptance_of_a_target_is_written_in_its_section() {
        let text = two_targets();
        let edited = accept(&text, Some("second"), "nc-dial", "Nobody dials.").unwrap();
        let lines = "    budget: 9 MB\n    accepted:\n      nc-dial: >-\n        Nobody dials.\n";
        assert_eq!(edited, text.replace("    budget: 9 MB\n", lines));
        let replaced = accept(&edited, Some("second"), "nc-dial", "Still nobody.").unwrap();
        assert_eq!(replaced, edited.replace("Nobody dials.", "Still nobody."));
        let braces = accept(&text, Some("amd64"), "nc-dial", "Nobody dials.").unwrap();
        assert!(braces.contains("budget: 9 MB, accepted: { nc-dial: \"Nobody dials.\" } }"), "{braces}");
    }

    #[test]
    fn a_layout_that_is_not_understood_is_left_alone() {
        let start = "tailscale: 1.102.5\ngo: 1.26.8\ntargets: { a: { platform: linux/arm64 } }\n";
        for features in
            ["features: { ace: { omit: x } }\n", "features:\n  doctor:\n    refs: [a/b#1]\n  ace: { omit: x }\n"]
        {
            assert!(decided(&format!("{start}{features}"), "doctor", Verdict::Omit, "No.").is_err(), "{features}");
        }
        let comment = "features:\n  ace:\n    omit: # a comment\n      because\n";
        assert!(decided(&format!("{start}{comment}"), "ace", Verdict::Keep, "Yes.").is_err());
    }

    proptest! {
        #[test]
        fn any_reason_of_a_target_is_read_back(reason in "\\PC{1,80}", block in any::<bool>()) {
            let (text, target) = (two_targets(), if block { "second" } else { "amd64" });
            if let Ok(edited) = decide(&text, Some(target), &name("doctor"), Verdict::Keep, &reason) {
                let policy = read(&edited).policy.unwrap();
                prop_assert_eq!(&policy.targets[target].features[&name("doctor")].reason, &normalized(&reason));
                prop_assert_eq!(&policy.features, &read(&text).policy.unwrap().features);
            }
        }

        #[test]
        fn any_reason_is_read_back_and_no_other_line_changes(reason in "\\PC{1,80}", keep in any::<bool>()) {
            let text = clean_policy();
            let verdict = if keep { Verdict::Keep } else { Verdict::Omit };
            if let Ok(edited) = decided(&text, "doctor", verdict, &reason) {
                let policy = read(&edited).policy.unwrap();
                prop_assert_eq!(&policy.features[&name("doctor")].reason, &normalized(&reason));
                let (head, tail) = text.split_once("    omit: Only the decision on doctor.\n").unwrap();
                prop_assert!(edited.starts_with(head) && edited.ends_with(tail));
            }
        }
    }
}
