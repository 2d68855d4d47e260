//! `check --fix`: inserts stubs for undecided features, sorts the entries, and deletes idle acceptances and the notes of
//! decisions that have a reason. The rest of the text does not change.

use diagnostics::{Code, Diagnostic, Edit};

use crate::policy::edit::{Section, sort, without_notes};
use crate::policy::effective::path;
use crate::policy::{ParsedPolicy, Policy, read};
use crate::rules::{is_empty_reason, judge};
use crate::upstream_data::UpstreamData;

/// The result of `check --fix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The text.
    pub text: String,
    /// The number of inserted stubs.
    pub stubs: usize,
    /// The deleted acceptances.
    pub acceptances: Vec<String>,
    /// The number of deleted notes: comments of stubs whose reason is written.
    pub notes: usize,
    /// Whether entries were moved.
    pub sorted: bool,
}

/// Inserts a stub for every undecided feature, sorts the entries, and deletes idle acceptances and the
/// notes of decisions that have a reason.
///
/// Returns `None` if there is nothing to do, or if the layout of the section is not understood.
#[must_use]
pub fn fix(text: &str, facts: &UpstreamData) -> Option<Fixed> {
    let reading = read(text);
    let before = reading.policy.clone()?;
    let found = judge(text, &reading, facts);
    if found.iter().any(|finding| finding.code == Code::DuplicateFeature) {
        return None;
    }
    let idle: Vec<&Diagnostic> = found.iter().filter(|finding| is_idle(finding) && !finding.edits.is_empty()).collect();
    let stubs: Vec<&Diagnostic> = found.iter().filter(|finding| finding.code == Code::UndecidedFeature).collect();
    let mut expected = before;
    let (deletions, acceptances) = deletions(text, &reading, &mut expected, &idle);
    let edited = apply(text, deletions.iter().chain(stubs.iter().flat_map(|finding| &finding.edits)));
    let (edited, notes) = without_settled_notes(&edited);
    let sorted = sort(&edited)?;
    // Otherwise nothing is changed: every line is still there, no decision and no finding is new, and nothing is left to do.
    let after = read(&sorted);
    let left = judge(&sorted, &after, facts);
    let undone = |finding: &&Diagnostic| is_idle(finding) || finding.code == Code::UndecidedFeature;
    let intact = lines(&edited) == lines(&sorted)
        && after.policy.as_ref() == Some(&expected)
        && left.len() <= found.len()
        && left.iter().filter(undone).all(|finding| finding.edits.is_empty())
        && sort(&sorted).as_deref() == Some(sorted.as_str());
    (intact && sorted != text).then(|| Fixed {
        stubs: stubs.iter().filter(|finding| !finding.edits.is_empty()).count(),
        acceptances,
        notes,
        sorted: sorted != edited,
        text: sorted,
    })
}

/// Returns the text without the notes of decisions that have a reason, and the number of these notes.
fn without_settled_notes(text: &str) -> (String, usize) {
    let reading = read(text);
    let stated = reading.policy.iter().flat_map(|policy| policy.stated_decisions());
    let settled = stated.filter(|stated| !is_empty_reason(&stated.decision.reason));
    let mut keys: Vec<usize> = settled.map(|stated| reading.places.key(&stated.entry_path()).start).collect();
    // From the end, so that earlier positions stay valid.
    keys.sort_unstable();
    keys.iter().rev().fold((text.to_owned(), 0), |(text, notes), key| {
        let (text, deleted) = without_notes(&text, *key);
        (text, notes + deleted)
    })
}

/// Returns the lines of a text, sorted, to compare two texts without their order.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Returns whether a finding is about an acceptance that has no effect.
fn is_idle(finding: &Diagnostic) -> bool {
    matches!(finding.code, Code::UnneededAcceptance | Code::UnacceptableHazard)
}

/// Returns the edits that delete the acceptances without effect, and the names of these acceptances, and removes them from
/// the policy. A section that would be empty is deleted whole.
fn deletions(
    text: &str,
    reading: &ParsedPolicy,
    policy: &mut Policy,
    idle: &[&Diagnostic],
) -> (Vec<Edit>, Vec<String>) {
    let places = &reading.places;
    let (mut edits, mut names) = (Vec::new(), Vec::new());
    let own = policy.targets.iter_mut().map(|(target, own)| (Some(target.as_str()), &mut own.accepted));
    for (target, accepted) in std::iter::once((None, &mut policy.accepted)).chain(own) {
        let section = path(target, &["accepted"]);
        let key = |id: &String| places.key(&[&section[..], &[id.as_str()]].concat());
        let gone: Vec<&Diagnostic> =
            idle.iter().filter(|finding| accepted.keys().any(|id| key(id) == finding.span())).copied().collect();
        accepted.retain(|id, _| {
            let is_gone = gone.iter().any(|finding| key(id) == finding.span());
            if is_gone {
                names.push(target.map_or_else(|| id.clone(), |target| format!("{id} of {target}")));
            }
            !is_gone
        });
        match Section::find(text, places, &section).filter(|_| accepted.is_empty() && !gone.is_empty()) {
            Some(whole) => edits.push(Edit {
                title: String::new(),
                span: whole.whole(places, &section),
                replacement: String::new(),
            }),
            None => edits.extend(gone.iter().flat_map(|finding| finding.edits.clone())),
        }
    }
    (edits, names)
}

fn apply<'a>(text: &str, edits: impl Iterator<Item = &'a Edit>) -> String {
    let mut edits: Vec<&Edit> = edits.collect();
    // From the end, so that earlier offsets stay valid; stable, so that stubs at one offset keep their order.
    edits.sort_by_key(|edit| edit.span.start);
    let mut fixed = text.to_owned();
    for edit in edits.iter().rev() {
        fixed.replace_range(edit.span.start..edit.span.end, &edit.replacement);
    }
    fixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tests::clean_policy;
    use proptest::prelude::*;

    #[test]
    fn a_clean_policy_is_left_alone() {
        assert_eq!(fix(&clean_policy(), UpstreamData::embedded()), None);
    }

    #[test]
    fn a_section_with_a_carriage_return_alone_is_left_as_it_is() {
        let text = clean_policy().replace("  acme:\n    omit", "  acme:\r    omit") + "  aaa: { omit: Unsorted. }\n";
        assert_eq!(fix(&text, UpstreamData::embedded()).map(|fixed| fixed.text), None);
    }

    #[test]
    fn stubs_and_order_without_touching_anything_else() {
        let text = clean_policy()
            .replace("  doctor:\n    omit: Only the decision on doctor.\n", "")
            .replace("  ace:\n    omit: Only the decision on ace.\n", "")
            .replace("  webclient:\n", "  # above webclient\n  webclient: # same line\n")
            .replace("  acme:\n    omit: Only the decision on acme.\n", "")
            + "  acme:\n    omit: Only the decision on acme.\n";
        let fixed = fix(&text, UpstreamData::embedded()).unwrap().text;
        assert!(
            fixed.contains("features:\n  ace:\n    #: keep: or omit:, and why.\n  acme:\n    omit: Only"),
            "{fixed}"
        );
        assert!(fixed.contains("  doctor:\n    #: keep: or omit:, and why.\n  drive:"), "{fixed}");
        assert!(fixed.contains("  # above webclient\n  webclient: # same line\n"), "{fixed}");
        assert_eq!(fix(&fixed, UpstreamData::embedded()), None, "a second run has nothing to do");
    }

    #[test]
    fn notes_are_deleted_once_the_reason_is_written() {
        let stub = "  doctor:\n    #: Needs c2n.\n    # mine\n    omit:\n";
        let text = clean_policy().replace("  doctor:\n    omit: Only the decision on doctor.\n", stub);
        assert_eq!(fix(&text, UpstreamData::embedded()), None, "the reason is open");
        let text = text.replace("    omit:\n", "    omit: >-\n      Nobody asks.\n      #: Part of the reason.\n");
        let fixed = fix(&text, UpstreamData::embedded()).unwrap();
        assert_eq!((fixed.notes, fixed.text), (1, text.replace("    #: Needs c2n.\n", "")));
    }

    #[test]
    fn a_section_of_acceptances_without_effect_is_deleted_whole() {
        let clean = clean_policy();
        let (head, rest) = clean.split_once("accepted:\n").unwrap();
        let rest = &rest[rest.find("features:").unwrap()..];
        let text = format!("{head}\naccepted:\n  ipnbus-tsnet: No.\n  wakeonlan-transport: No.\n\n{rest}");
        let fixed = fix(&text, UpstreamData::embedded()).unwrap();
        assert_eq!(fixed.acceptances, ["ipnbus-tsnet", "wakeonlan-transport"]);
        assert_eq!(fixed.text, format!("{head}\n{rest}"));
    }

    #[test]
    fn acceptances_of_targets_without_effect_are_deleted() {
        let own = "  amd64:\n    platform: linux/amd64\n    accepted:\n      # Why.\n      ipnbus-tsnet: No.\n";
        let more = "      wakeonlan-transport: >-\n        Never.\n    budget: 99 MB\n";
        let clean = clean_policy();
        let (head, rest) = clean.split_once("targets:\n").unwrap();
        let rest = rest.split_once('\n').unwrap().1;
        let text = format!("{head}targets:\n{own}{more}{rest}");
        let fixed = fix(&text, UpstreamData::embedded()).unwrap();
        assert_eq!(fixed.acceptances, ["ipnbus-tsnet of amd64", "wakeonlan-transport of amd64"]);
        let left = "  amd64:\n    platform: linux/amd64\n    budget: 99 MB\n";
        assert_eq!(fixed.text, format!("{head}targets:\n{left}{rest}"));
    }

    #[test]
    fn what_follows_the_section_stays_where_it_is() {
        let text =
            clean_policy().replace("features:\n", "features:\n  zz0:\n    omit: Out of order.\n") + "# the end\n";
        let fixed = fix(&text, UpstreamData::embedded()).unwrap().text;
        assert!(fixed.ends_with("  zz0:\n    omit: Out of order.\n# the end\n"), "{fixed}");
    }

    #[test]
    fn a_layout_it_does_not_understand_is_left_alone() {
        assert_eq!(
            fix("tailscale: 1.102.5\nfeatures: {dns: {omit: x}, ace: {omit: y}}\n", UpstreamData::embedded()),
            None
        );
    }

    #[test]
    fn comments_and_empty_lines_go_where_they_belong() {
        let entry = |name: &str| format!("  {name}:\n    omit: Only the decision on {name}.\n");
        let text = clean_policy()
            .replace(&entry("drive"), &format!("# --- files ---\n{}", entry("drive")))
            .replace(&entry("acme"), "")
            .replace(&entry("ace"), &format!("{}\n  # why ace\n\n{}", entry("acme"), entry("ace")))
            + "\n# before what follows\nimage: { shell: none }\n";
        let fixed = fix(&text, UpstreamData::embedded()).unwrap().text;
        assert!(fixed.contains(&format!("  # why ace\n\n{}{}", entry("ace"), entry("acme"))), "{fixed}");
        assert!(fixed.contains(&format!("# --- files ---\n{}", entry("drive"))), "{fixed}");
        assert!(fixed.ends_with("on zz.\n\n# before what follows\nimage: { shell: none }\n"), "{fixed}");
        assert_eq!(lines(&fixed), lines(&text));
    }

    #[test]
    fn line_breaks_stay_as_they_are() {
        let text =
            clean_policy().replace("  doctor:\n    omit: Only the decision on doctor.\n", "").replace('\n', "\r\n");
        let fixed = fix(&text, UpstreamData::embedded()).unwrap();
        assert_eq!((fixed.stubs, fixed.sorted), (1, false));
        assert_eq!(fixed.text.matches('\n').count(), fixed.text.matches("\r\n").count());
    }

    #[test]
    fn what_is_decided_twice_is_left_to_a_person() {
        let text = clean_policy() + "  ace:\n    omit: Again.\n";
        assert_eq!(fix(&text, UpstreamData::embedded()), None);
    }

    #[test]
    fn two_sections_of_features_are_left_alone() {
        // The stubs would come into one of them, and be undecided in the other.
        let text = clean_policy().replace("  doctor:\n    omit: Only the decision on doctor.\n", "");
        let (head, features) = text.split_once("features:\n").unwrap();
        let (first, second) = features.split_at(features.find("  drive:\n").unwrap());
        let text = format!("{head}features:\n{first}features:\n{second}");
        assert_eq!(fix(&text, UpstreamData::embedded()), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn no_line_is_ever_lost(order in Just((0..79_usize).collect::<Vec<_>>()).prop_shuffle(), gaps in prop::collection::vec(0..4_usize, 79)) {
            let clean = clean_policy();
            let (head, features) = clean.split_once("features:\n").unwrap();
            let starts: Vec<usize> = features.match_indices("\n  ").map(|(at, _)| at + 1).filter(|at| !features[*at..].starts_with("   ")).collect();
            let bounds: Vec<usize> = [0].into_iter().chain(starts).chain([features.len()]).collect();
            let blocks: Vec<&str> = bounds.windows(2).map(|pair| &features[pair[0]..pair[1]]).collect();
            let between = ["", "\n", "  # a comment\n", "# another\n\n"];
            let body: String = order.iter().zip(gaps).map(|(index, gap)| format!("{}{}", between[gap], blocks[*index])).collect();
            let text = format!("{head}features:\n{body}");
            if let Some(fixed) = fix(&text, UpstreamData::embedded()) {
                prop_assert_eq!(lines(&fixed.text), lines(&text));
                prop_assert_eq!(fix(&fixed.text, UpstreamData::embedded()), None);
            }
        }
    }
}
