//! The audit of what someone else builds: from a list of build tags, however it is written down, to what it means.
//!
//! A [`Recipe`] is a text in which tag lists are used, and a [`List`] is one of them; [`audit`] evaluates it for a release
//! and judges the result by the same facts as a policy.

mod compare;
mod judge;
mod list;
mod recipe;
mod step;
mod tag;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use compare::Comparison;
pub use list::{Evaluated, List, Tags};
pub use recipe::Recipe;
pub use step::Step;
pub(crate) use tag::near;
pub use tag::{Meaning, meaning};
pub use tagscan::{File, Program, Word};

use crate::name::FeatureName;
use crate::registry::Registry;
use crate::release::{GoVersion, Release};
use crate::upstream_data::UpstreamData;
use diagnostics::{Code, Diagnostic, Label, Severity};

/// Circumstances of the audit that the list does not state.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The release, where the list's own text does not say it or is not to be believed.
    pub release: Option<Release>,
    /// What is known of the device: a fact that is not here is unknown.
    pub device: BTreeMap<String, String>,
    /// Hazards that are lived with, by id.
    pub accepted: BTreeSet<String>,
    /// Omissions that a policy has a reason for: their silence is wanted.
    pub reasoned: BTreeSet<FeatureName>,
}

/// The meaning of a list on a release.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audit {
    /// A short name of the audited list: ``the tags of `go build` ``.
    pub what: String,
    /// The program that the list builds.
    pub program: Program,
    /// The release that it was judged for.
    pub release: Release,
    /// Whether someone said which release it is; else it is the newest that is known.
    pub release_stated: bool,
    /// The toolchain, where it is known.
    pub go: Option<GoVersion>,
    /// The version that the binary reports, if known.
    pub stamp: Option<String>,
    /// Whether the whole list could be resolved; else what follows is what is known of it.
    pub complete: bool,
    /// Whether the kept features are not known: then no omission is certain but the ones listed.
    pub is_open: bool,
    /// Facts that the text states of the build, by the name of the variable, and `go` and `upx`.
    pub facts: BTreeMap<&'static str, BTreeSet<String>>,
    /// Whether UPX packs the program.
    pub is_packed: bool,
    /// Whether there is a tag line at all: the program that makes it may fail.
    pub fails: bool,
    /// The build tags, sorted, each once.
    pub tags: BTreeSet<String>,
    /// The features that are in.
    pub kept: BTreeSet<FeatureName>,
    /// The features that are left out.
    pub omitted: BTreeSet<FeatureName>,
    /// Tags that have nothing to do with features: other programs', and Tailscale's own that are none.
    pub other_tags: BTreeSet<String>,
    /// Facts of the device that findings depend on, and which findings.
    pub depends_on: BTreeMap<String, BTreeSet<String>>,
    /// The findings: those that will go wrong by severity and effect, then those about unknown facts, then the rest.
    #[serde(skip)]
    pub findings: Vec<Diagnostic>,
    /// Changes that moving to the newest known release makes without anyone's decision.
    pub newest: Option<Step>,
}

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
    let (kept, omitted) = features(&evaluated, registry);
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

/// The release, if its line is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownLine(
    /// The release.
    pub Option<Release>,
);

/// Features that the tags keep and omit; both are unknown without a tag line.
fn features(evaluated: &Evaluated, registry: &Registry) -> (BTreeSet<FeatureName>, BTreeSet<FeatureName>) {
    if evaluated.fails {
        return Default::default();
    }
    if evaluated.has_open_allowlist {
        // What is not named may be in or out.
        let omits = |name: &&FeatureName| {
            name.is_omittable() && evaluated.tags.iter().any(|word| word.text == name.build_tag())
        };
        return (evaluated.keeps.clone(), registry.features.keys().filter(omits).cloned().collect());
    }
    let tags: BTreeSet<&str> = evaluated.tags.iter().map(|word| word.text.as_str()).collect();
    // The tag of `cli` brings it in, every other leaves its feature out.
    registry.features.keys().cloned().partition(|name| tags.contains(name.build_tag().as_str()) != name.is_omittable())
}
