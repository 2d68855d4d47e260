//! Edits of the text: stubs for undecided features and the order of the entries, everything else untouched.

use std::collections::BTreeMap;

use super::document::{Reading, read};
use super::places::Places;
use crate::facts::Facts;
use crate::finding::Span;
use crate::name::FeatureName;
use crate::registry::Registry;
use crate::rules::{Subject, judge};

/// What `check --fix` makes of a text: a stub for every undecided feature, and the entries in order.
///
/// Gives nothing where there is nothing to do, or where doing it would change a decision.
#[must_use]
pub fn fix(text: &str, facts: &Facts) -> Option<String> {
    let reading = read(text);
    let before = reading.policy.clone()?;
    let with_stubs = insert_stubs(text, &reading, facts);
    let fixed = sort(&with_stubs);
    // A layout that the splicing does not understand is left alone rather than damaged.
    let unchanged = read(&fixed).policy.is_some_and(|after| after == before);
    (fixed != text && unchanged).then_some(fixed)
}

fn insert_stubs(text: &str, reading: &Reading, facts: &Facts) -> String {
    let findings = judge(text, reading, facts);
    let mut edits: Vec<_> = findings
        .into_iter()
        .filter(|finding| finding.code == "undecided-feature")
        .filter_map(|finding| finding.edit)
        .collect();
    // From the end, so that earlier places stay where they are; stable, so that stubs for one place keep their order.
    edits.sort_by_key(|edit| edit.span.start);
    let mut fixed = text.to_owned();
    for edit in edits.iter().rev() {
        fixed.insert_str(edit.span.start, &edit.replacement);
    }
    fixed
}

/// The stub of an undecided feature, and where it belongs in the alphabet.
pub(crate) fn stub(subject: &Subject<'_>, registry: &Registry, name: &FeatureName) -> (Span, String) {
    let entries = entries(subject.places, subject.policy.features.keys().map(FeatureName::as_str));
    let indent = entries.values().next().map_or(2, |key| key.start - line_start(subject.text, key.start));
    let next =
        entries.iter().find(|(other, _)| **other > name.as_str()).map(|(_, key)| block_start(subject.text, key.start));
    let at = next.unwrap_or_else(|| section_end(subject.text, subject.places));
    let say = |label: &str, names: Vec<String>| {
        if names.is_empty() { String::new() } else { format!(" {label} {}.", names.join(", ")) }
    };
    let needs = say(
        "Needs",
        registry.features.get(name).into_iter().flat_map(|feature| &feature.needs).map(ToString::to_string).collect(),
    );
    let users = registry.required_by(name).into_iter().filter(|user| user != name);
    let users = say("Needed by", users.map(|user| user.to_string()).collect());
    let pad = " ".repeat(indent);
    let gap = if at == 0 || subject.text[..at].ends_with('\n') { "" } else { "\n" };
    (Span { start: at, end: at }, format!("{gap}{pad}{name}:\n{pad}  # keep: or omit:, and why.{needs}{users}\n"))
}

fn entries<'a>(places: &Places, names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, Span> {
    names.map(|name| (name, places.key(&["features", name]))).collect()
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The start of an entry's lines: its key's line and the comment lines right above it at its indentation.
fn block_start(text: &str, key: usize) -> usize {
    let mut start = line_start(text, key);
    let indent = key - start;
    while start > 0 {
        let above = line_start(text, start - 1);
        let line = &text[above..start];
        let own = line.len() - line.trim_start().len() == indent && line.trim_start().starts_with('#');
        if !own {
            break;
        }
        start = above;
    }
    start
}

/// The end of the features section: the next line that begins in the first column, or the end of the text.
fn section_end(text: &str, places: &Places) -> usize {
    let from = places.key(&["features"]).end;
    let mut at = from;
    let mut end = text.len();
    for line in text[from..].split_inclusive('\n').skip(1) {
        at += text[at..].find('\n').map_or(0, |newline| newline + 1);
        if line.starts_with(|c: char| !c.is_whitespace()) {
            end = at;
            break;
        }
    }
    end
}

/// Puts the entries of the features section into alphabetical order, each with the comments above it.
fn sort(text: &str) -> String {
    let reading = read(text);
    let names: Vec<String> = reading.places.children("features");
    let keys = entries(&reading.places, names.iter().map(String::as_str));
    let mut starts: Vec<(usize, &str)> = keys.iter().map(|(name, key)| (block_start(text, key.start), *name)).collect();
    starts.sort_unstable();
    let Some((first, _)) = starts.first().copied() else { return text.to_owned() };
    let end = section_end(text, &reading.places).max(first);
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([end]);
    let mut blocks: Vec<(&str, String)> = starts
        .iter()
        .zip(ends)
        .map(|((start, name), end)| {
            let block = &text[*start..end.max(*start)];
            (*name, if block.ends_with('\n') { block.to_owned() } else { format!("{block}\n") })
        })
        .collect();
    blocks.sort_by_key(|(name, _)| *name);
    let sorted: String = blocks.into_iter().map(|(_, block)| block).collect();
    let sorted =
        if text.ends_with('\n') || end < text.len() { sorted } else { sorted.trim_end_matches('\n').to_owned() };
    format!("{}{sorted}{}", &text[..first], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tests::clean_policy;

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
        let fixed = fix(&text, Facts::embedded()).unwrap();
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
        let fixed = fix(&text, Facts::embedded()).unwrap();
        assert!(fixed.ends_with("  zz0:\n    omit: Out of order.\n# the end\n"), "{fixed}");
    }

    #[test]
    fn a_layout_it_does_not_understand_is_left_alone() {
        assert_eq!(fix("tailscale: 1.102.5\nfeatures: {dns: {omit: x}, ace: {omit: y}}\n", Facts::embedded()), None);
    }
}
