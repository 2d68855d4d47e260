//! The audit of what someone else builds: from a list of build tags, however it is written down, to what it means.
//!
//! A [`Recipe`] is a text in which tag lists are used, and a [`List`] is one of them; [`audit`] evaluates it for a release
//! and judges the result by the same facts as a policy.

mod asked;
mod compare;
mod featuretags;
mod judge;
mod list;
mod recipe;
mod recipe_lists;
mod report;
mod step;
mod tag;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use asked::Asked;
pub use compare::Comparison;
pub use list::{Evaluated, List, Tags};
pub use recipe::Recipe;
pub use report::{Audit, UnknownLine};
pub use step::Step;
pub(crate) use tag::near;
pub use tag::{Meaning, meaning};
pub use tagscan::{File, Program, Word};

use crate::upstream_data::UpstreamData;
use diagnostics::{Code, Diagnostic, Label, Severity};

/// Audits a list.
///
/// # Errors
/// The line of a release that no registry was read of: then nothing can be said.
pub fn audit(list: &List, asked: &Asked, facts: &UpstreamData) -> Result<Audit, UnknownLine> {
    let newest = facts.registries().next_back().and_then(|registry| registry.releases.keys().next_back().copied());
    let stated = asked.release.or(list.release.as_ref().map(|(release, _)| *release));
    let release = stated.or(newest).ok_or(UnknownLine(None))?;
    let registry = facts.registry(release).ok_or(UnknownLine(Some(release)))?;
    let evaluated = list.evaluate(registry, facts);
    let (kept, omitted) = evaluated.features(registry);
    let subject =
        judge::Subject { list, asked, facts, registry, release, evaluated: &evaluated, kept: &kept, omitted: &omitted };
    let mut findings = [list.findings.clone(), evaluated.findings.clone()].concat();
    if stated.is_none() {
        let place = Label::new(list.place, format!("judged as {release}"));
        let next = "Name the release with `--release`.".to_owned();
        findings.push(
            Diagnostic::new(
                Code::ReleaseAssumed,
                format!("no release is stated; this is what it means on {release}"),
                next,
            )
            .at(place),
        );
    }
    findings.extend(subject.tags());
    let (mut depends_on, mut step) = (BTreeMap::new(), None);
    if !evaluated.fails {
        findings.extend(subject.dependencies());
        findings.extend(subject.hazards(&mut depends_on));
        step = newest.filter(|newest| *newest > release).and_then(|newest| Step::new(&subject, newest));
        findings.extend(step.as_ref().and_then(|step| step.finding(list.place)));
    }
    findings.extend(subject.build());
    diagnostics::sort(&mut findings);
    findings.dedup();
    findings.sort_by_key(|finding| section(finding, &depends_on, facts));
    Ok(Audit {
        what: list.what.clone(),
        program: list.program,
        release,
        release_stated: stated.is_some(),
        go: list.go,
        stamp: list.stamp.clone(),
        complete: evaluated.complete,
        is_open: evaluated.has_open_allowlist,
        facts: list.stated_facts(),
        is_packed: list.is_packed(),
        fails: evaluated.fails,
        tags: evaluated.tags.iter().map(|word| word.text.clone()).collect(),
        other_tags: subject.other_tags(),
        kept,
        omitted,
        depends_on,
        findings,
        newest: step,
    })
}

/// The part of a report that a finding belongs to, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    /// It will go wrong.
    Certain,
    /// It depends on a fact that is not known, or a part of the list is not known.
    Unknown,
    /// Everything else.
    Rest,
}

/// Returns the part of a finding. `depends_on` lists the hazards that depend on facts of the device.
fn section(finding: &Diagnostic, depends_on: &BTreeMap<String, BTreeSet<String>>, facts: &UpstreamData) -> Section {
    let hazard = match &finding.code {
        Code::Hazard(id) => facts.hazard(id),
        _ => None,
    };
    let is_conditional = hazard.is_some_and(|hazard| {
        hazard.record.supposes.is_some() || depends_on.values().any(|hazards| hazards.contains(&hazard.id))
    });
    match (finding.severity, &finding.code) {
        (Severity::Error, _) => Section::Certain,
        (Severity::Note, _) => Section::Rest,
        (_, Code::UnresolvedList | Code::IncompleteAnalysis | Code::ReleaseAssumed | Code::UnknownRelease) => {
            Section::Unknown
        }
        _ if is_conditional => Section::Unknown,
        _ if hazard.is_some() || finding.code == Code::OpenDependency => Section::Certain,
        _ => Section::Rest,
    }
}
