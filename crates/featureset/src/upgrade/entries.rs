//! Entries of added features in a policy: decided if the standard reason holds, else stubs with what the program knows.

use super::{Added, Novelty, Origin, Upgrade};
use crate::change::{Change, HazardChange, Side};
use crate::import::wrapped;
use crate::name::FeatureName;
use crate::policy::edit::{NOTE, STUB, Section, newline};
use crate::policy::read;
use crate::upstream_data::UpstreamData;

impl Upgrade {
    /// Writes an entry for each added feature into the text: decided if the standard reason holds, else a stub with the known
    /// facts. `old` is the policy before the step.
    pub fn add_entries(&mut self, old: Side<'_>, facts: &UpstreamData) {
        self.text = with_entries(&self.text, &self.added);
        let reading = read(&self.text);
        self.change = Change::between(Some(old), Side { text: &self.text, reading: &reading }, facts);
    }
}

/// Returns the text with an entry for each added feature that it does not decide; the same text if its section of features
/// has another layout.
fn with_entries(text: &str, added: &[Added]) -> String {
    let before = read(text);
    let Some(section) = Section::find(text, &before.places, &["features"]) else { return text.to_owned() };
    let (pad, newline) = (" ".repeat(section.indent()), newline(text));
    let open = added.iter().filter(|one| !one.decided && one.feature.is_omittable());
    let open: Vec<&Added> = open.filter(|one| !before.places.has(&["features", one.feature.as_str()])).collect();
    let mut edited = text.to_owned();
    // From the end, so that earlier positions stay valid.
    for one in open.iter().rev() {
        let lines: String = body(one).iter().map(|line| format!("{newline}{pad}  {line}")).collect();
        let (span, entry) = section.insertion(one.feature.as_str(), &lines);
        edited.replace_range(span.start..span.end, &entry);
    }
    let mut after = read(&edited).policy;
    if let Some(policy) = &mut after {
        policy.features.retain(|name, _| !open.iter().any(|one| one.feature == *name));
    }
    // If the text cannot take the entries, `check --fix` and the finding about each feature remain.
    if after == before.policy { edited } else { text.to_owned() }
}

/// Returns the lines of an entry.
fn body(one: &Added) -> Vec<String> {
    if let Some(reason) = &one.standard_reason {
        return vec!["omit: >-".to_owned(), format!("  {reason}")];
    }
    let names = |label: &str, names: &mut dyn Iterator<Item = &FeatureName>| {
        let names: Vec<&str> = names.map(FeatureName::as_str).collect();
        (!names.is_empty()).then(|| format!("{label} {}.", names.join(", ")))
    };
    let origin = match one.origin.as_ref().map(Origin::novelty) {
        Some(Novelty::SplitOut) => Some("Split out of code that this policy's binary has: omitted, that code is gone."),
        Some(Novelty::SplitOutOfOmitted) => Some("Split out of code that this policy omits already."),
        Some(Novelty::New) | None => None,
    };
    let hazard = |side: &str, one: &HazardChange| format!("If {side}, hazard {}: {}.", one.hazard, one.title);
    let known = [
        names("Needs", &mut one.needs.iter()),
        names("Needed by the kept", &mut one.needed_by_kept.iter()),
        names("Needed by", &mut one.needed_by.iter()),
        origin.map(str::to_owned),
    ];
    let known = known
        .into_iter()
        .flatten()
        .chain(one.if_omitted.iter().map(|one| hazard("omitted", one)))
        .chain(one.if_kept.iter().map(|one| hazard("kept", one)));
    let lines = known.flat_map(|sentence| wrapped(&sentence)).map(|line| format!("{NOTE} {line}"));
    lines.chain([STUB.to_owned()]).collect()
}
