//! Policies: read, judged, fixed and moved to another release.

use diagnostics::Severity;
use featureset::change::{Change, Side};
use featureset::fix;
use featureset::policy::{pin, read};
use featureset::recipe::Recipe;
use featureset::rules::{hazards, judge};
use featureset::selection::Selection;
use featureset::upstream_data::UpstreamData;

use crate::text::{findings_are_in, no_line_is_lost};

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let facts = UpstreamData::embedded();
    let reading = read(text);
    findings_are_in(text, &reading.findings);
    let found = judge(text, &reading, facts);
    findings_are_in(text, &found);
    fixing_loses_nothing(text);
    moving_changes_two_lines(text);
    let Some(policy) = &reading.policy else { return };
    if let Some(registry) = policy.tailscale.and_then(|release| facts.registry(release)) {
        let _ = hazards(policy, facts);
        for target in policy.effective() {
            let _ = Recipe::new(target, &Selection::new(target, registry), None);
        }
        let side = Side { text, reading: &reading };
        let change = Change::between(Some(side), side, facts);
        assert!(change.says_nothing_new(), "a policy differs from itself");
    }
}

fn errors(text: &str) -> usize {
    let found = judge(text, &read(text), UpstreamData::embedded());
    found.iter().filter(|finding| finding.severity == Severity::Error).count()
}

fn fixing_loses_nothing(text: &str) {
    let facts = UpstreamData::embedded();
    let Some(fixed) = fix::fix(text, facts) else { return };
    if fixed.acceptances.is_empty() {
        no_line_is_lost(text, &fixed.text);
    }
    assert!(fix::fix(&fixed.text, facts).is_none(), "fixing twice differs from fixing once");
    assert!(errors(&fixed.text) <= errors(text), "fixing adds errors");
}

fn moving_changes_two_lines(text: &str) {
    let (Ok(release), Ok(go)) = ("1.104.5".parse(), "1.27.3".parse()) else { return };
    let Ok(moved) = pin(text, release, go) else { return };
    assert_eq!(text.lines().count(), moved.lines().count(), "moving the pin changes the number of lines");
    let changed = text.lines().zip(moved.lines()).filter(|(old, new)| old != new).count();
    assert!(changed <= 2, "moving the pin changes {changed} lines");
    let policy = read(&moved).policy.unwrap_or_default();
    assert_eq!((policy.tailscale, policy.go), (Some(release), Some(go)), "the pin is not where it was moved");
}
