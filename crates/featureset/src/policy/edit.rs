//! Edits of the text: stubs for undecided features and the order of the entries, everything else untouched.

use super::document::read;
use super::places::Places;
use crate::facts::Facts;
use crate::finding::{Finding, Span};
use crate::name::FeatureName;
use crate::registry::Registry;
use crate::rules::judge;

/// A text after `check --fix`, and what was done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The text.
    pub text: String,
    /// How many stubs were inserted.
    pub stubs: usize,
    /// Whether entries changed places.
    pub sorted: bool,
}

/// What `check --fix` makes of a text: a stub for every undecided feature, and the entries in order.
///
/// Gives nothing where there is nothing to do, or where the layout is not understood: then it is left alone.
#[must_use]
pub fn fix(text: &str, facts: &Facts) -> Option<Fixed> {
    let reading = read(text);
    let before = reading.policy.clone()?;
    let found = judge(text, &reading, facts);
    if found.iter().any(|finding| finding.code == "duplicate-feature") {
        return None;
    }
    let (with_stubs, stubs) = insert_stubs(text, &found);
    let sorted = sort(&with_stubs)?;
    // Rather nothing than damage: every line is still there, no decision and no finding is new, and nothing is left to do.
    let after = read(&sorted);
    let left = judge(&sorted, &after, facts);
    let intact = lines(&with_stubs) == lines(&sorted)
        && after.policy.as_ref() == Some(&before)
        && left.len() <= found.len()
        && insert_stubs(&sorted, &left).1 == 0
        && sort(&sorted).as_deref() == Some(sorted.as_str());
    (intact && sorted != text).then(|| Fixed { stubs, sorted: sorted != with_stubs, text: sorted })
}

/// The lines of a text in no order; a missing line break at the end does not count.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn insert_stubs(text: &str, found: &[Finding]) -> (String, usize) {
    let undecided = found.iter().filter(|finding| finding.code == "undecided-feature");
    let mut edits: Vec<_> = undecided.filter_map(|finding| finding.edit.as_ref()).collect();
    // From the end, so that earlier places stay where they are; stable, so that stubs for one place keep their order.
    edits.sort_by_key(|edit| edit.span.start);
    let mut fixed = text.to_owned();
    for edit in edits.iter().rev() {
        fixed.insert_str(edit.span.start, &edit.replacement);
    }
    (fixed, edits.len())
}

/// The lines of the features section, where it is laid out as a block with one entry below the other.
pub(crate) struct Section<'a> {
    text: &'a str,
    /// Name and start of each entry, in the order of the text. The comments right above an entry are part of it.
    entries: Vec<(String, usize)>,
    /// How far the keys are indented.
    indent: usize,
    /// The end of the last entry. Comments and empty lines after it belong to what follows.
    end: usize,
}

impl<'a> Section<'a> {
    pub(crate) fn of(text: &'a str, places: &Places) -> Option<Self> {
        let keys = places.children("features").into_iter().map(|name| {
            let start = places.key(&["features", &name]).start;
            (name, start)
        });
        let mut keys: Vec<(String, usize)> = keys.collect();
        keys.sort_by_key(|(_, start)| *start);
        let (first, last) = (keys.first()?.1, keys.last()?.1);
        let indent = first - line_start(text, first);
        let alone = |key: usize| {
            let start = line_start(text, key);
            key - start == indent && text[start..key].chars().all(|c| c == ' ')
        };
        if indent == 0 || !keys.iter().all(|(_, key)| alone(*key)) {
            return None;
        }
        let limit = places.top_level().into_iter().filter(|start| *start > last).min().unwrap_or(text.len());
        let mut end = last;
        let mut at = line_start(text, last);
        for line in text[at..limit].split_inclusive('\n') {
            at += line.len();
            if line.starts_with(' ') && !line.trim().is_empty() {
                end = at;
            }
        }
        let entries = keys.into_iter().map(|(name, key)| (name, entry_start(text, key, indent))).collect();
        Some(Self { text, entries, indent, end })
    }

    /// Each entry's name and lines.
    fn blocks(&self) -> Vec<(&str, &'a str)> {
        let ends = self.entries.iter().skip(1).map(|(_, start)| *start).chain([self.end]);
        self.entries.iter().zip(ends).map(|((name, start), end)| (name.as_str(), &self.text[*start..end])).collect()
    }

    /// The stub of an undecided feature, and where it belongs in the alphabet.
    pub(crate) fn stub(&self, registry: &Registry, name: &FeatureName) -> (Span, String) {
        let next = self.entries.iter().filter(|(other, _)| other.as_str() > name.as_str()).min();
        let at = next.map_or(self.end, |(_, start)| *start);
        let say = |label: &str, names: Vec<String>| {
            if names.is_empty() { String::new() } else { format!(" {label} {}.", names.join(", ")) }
        };
        let needs = registry.features.get(name).into_iter().flat_map(|feature| &feature.needs);
        let users = registry.required_by(name).into_iter().filter(|user| user != name);
        let needs = say("Needs", needs.map(ToString::to_string).collect());
        let users = say("Needed by", users.map(|user| user.to_string()).collect());
        let (pad, newline) = (" ".repeat(self.indent), newline(self.text));
        let gap = if at == 0 || self.text[..at].ends_with('\n') { "" } else { newline };
        let stub = format!("{gap}{pad}{name}:{newline}{pad}  # keep: or omit:, and why.{needs}{users}{newline}");
        (Span { start: at, end: at }, stub)
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The start of an entry's lines: the comments right above its key, and empty lines between those, come along.
fn entry_start(text: &str, key: usize, indent: usize) -> usize {
    let mut start = line_start(text, key);
    let mut at = start;
    while at > 0 {
        let above = line_start(text, at - 1);
        let line = text[above..at].trim_end();
        let comment = line.trim_start().starts_with('#') && line.len() - line.trim_start().len() <= indent;
        if !comment && !line.is_empty() {
            break;
        }
        at = above;
        if comment {
            start = above;
        }
    }
    start
}

/// Puts the entries of the features section into alphabetical order, each with the comments above it.
fn sort(text: &str) -> Option<String> {
    let reading = read(text);
    let section = Section::of(text, &reading.places)?;
    let mut blocks = section.blocks();
    blocks.sort_by_key(|(name, _)| *name);
    let start = section.entries.first()?.1;
    let mut sorted = text[..start].to_owned();
    for (_, block) in blocks {
        if !sorted.is_empty() && !sorted.ends_with('\n') {
            sorted += newline(text);
        }
        sorted += block;
    }
    let rest = &text[section.end..];
    if !rest.is_empty() && !sorted.ends_with('\n') {
        sorted += newline(text);
    }
    Some(sorted + rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tests::clean_policy;
    use proptest::prelude::*;

    #[test]
    fn a_clean_policy_is_left_alone() {
        assert_eq!(fix(&clean_policy(), Facts::embedded()), None);
    }

    #[test]
    fn stubs_and_order_without_touching_anything_else() {
        let text = clean_policy()
            .replace("  doctor:\n    omit: Only the decision on doctor.\n", "")
            .replace("  ace:\n    omit: Only the decision on ace.\n", "")
            .replace("  webclient:\n", "  # above webclient\n  webclient: # beside it\n")
            .replace("  acme:\n    omit: Only the decision on acme.\n", "")
            + "  acme:\n    omit: Only the decision on acme.\n";
        let fixed = fix(&text, Facts::embedded()).unwrap().text;
        assert!(
            fixed.contains("features:\n  ace:\n    # keep: or omit:, and why.\n  acme:\n    omit: Only"),
            "{fixed}"
        );
        assert!(fixed.contains("  doctor:\n    # keep: or omit:, and why.\n  drive:"), "{fixed}");
        assert!(fixed.contains("  # above webclient\n  webclient: # beside it\n"), "{fixed}");
        assert_eq!(fix(&fixed, Facts::embedded()), None, "a second run has nothing to do");
    }

    #[test]
    fn what_follows_the_section_stays_where_it_is() {
        let text =
            clean_policy().replace("features:\n", "features:\n  zz0:\n    omit: Out of order.\n") + "# the end\n";
        let fixed = fix(&text, Facts::embedded()).unwrap().text;
        assert!(fixed.ends_with("  zz0:\n    omit: Out of order.\n# the end\n"), "{fixed}");
    }

    #[test]
    fn a_layout_it_does_not_understand_is_left_alone() {
        assert_eq!(fix("tailscale: 1.102.5\nfeatures: {dns: {omit: x}, ace: {omit: y}}\n", Facts::embedded()), None);
    }

    #[test]
    fn comments_and_empty_lines_go_where_they_belong() {
        let entry = |name: &str| format!("  {name}:\n    omit: Only the decision on {name}.\n");
        let text = clean_policy()
            .replace(&entry("drive"), &format!("# --- files ---\n{}", entry("drive")))
            .replace(&entry("acme"), "")
            .replace(&entry("ace"), &format!("{}\n  # why ace\n\n{}", entry("acme"), entry("ace")))
            + "\n# before what follows\nimage: { shell: none }\n";
        let fixed = fix(&text, Facts::embedded()).unwrap().text;
        assert!(fixed.contains(&format!("  # why ace\n\n{}{}", entry("ace"), entry("acme"))), "{fixed}");
        assert!(fixed.contains(&format!("# --- files ---\n{}", entry("drive"))), "{fixed}");
        assert!(fixed.ends_with("on zz.\n\n# before what follows\nimage: { shell: none }\n"), "{fixed}");
        assert_eq!(lines(&fixed), lines(&text));
    }

    #[test]
    fn line_breaks_stay_as_they_are() {
        let text =
            clean_policy().replace("  doctor:\n    omit: Only the decision on doctor.\n", "").replace('\n', "\r\n");
        let fixed = fix(&text, Facts::embedded()).unwrap();
        assert_eq!((fixed.stubs, fixed.sorted), (1, false));
        assert_eq!(fixed.text.matches('\n').count(), fixed.text.matches("\r\n").count());
    }

    #[test]
    fn what_is_decided_twice_is_left_to_a_person() {
        let text = clean_policy() + "  ace:\n    omit: Again.\n";
        assert_eq!(fix(&text, Facts::embedded()), None);
    }

    #[test]
    fn two_sections_of_features_are_left_alone() {
        // The stubs would come into one of them, and be undecided in the other.
        let text = clean_policy().replace("  doctor:\n    omit: Only the decision on doctor.\n", "");
        let (head, features) = text.split_once("features:\n").unwrap();
        let (first, second) = features.split_at(features.find("  drive:\n").unwrap());
        let text = format!("{head}features:\n{first}features:\n{second}");
        assert_eq!(fix(&text, Facts::embedded()), None);
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
            if let Some(fixed) = fix(&text, Facts::embedded()) {
                prop_assert_eq!(lines(&fixed.text), lines(&text));
                prop_assert_eq!(fix(&fixed.text, Facts::embedded()), None);
            }
        }
    }
}
