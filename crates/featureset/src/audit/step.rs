//! Changes that moving an unchanged list to a newer release makes without anyone's decision.

use std::collections::BTreeSet;

use serde::Serialize;

use super::judge::{Subject, open_needs};
use crate::change::{HazardChange, HazardChanges};
use crate::name::FeatureName;
use crate::release::Release;
use diagnostics::{Code, Diagnostic, Label, NextStep, Span};

/// The step of a list to a newer release.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The newer release.
    pub to: Release,
    /// Whether the list can't be made there: `featuretags` refuses it.
    pub fails: bool,
    /// Features that come with it and that the list lets in.
    pub comes_in: BTreeSet<FeatureName>,
    /// Features that come with it and that the list leaves out, whether or not their code was there before.
    pub left_out: BTreeSet<FeatureName>,
    /// Features that were out and are in.
    pub gained: BTreeSet<FeatureName>,
    /// Features that were in and are out.
    pub lost: BTreeSet<FeatureName>,
    /// Features that it no longer has: their tags do nothing there.
    pub removed: BTreeSet<FeatureName>,
    /// Kept features and a need of each that is declared there, and omitted.
    pub opened: BTreeSet<(FeatureName, FeatureName)>,
    /// Hazards that begin to apply, or may.
    pub hazards_begun: Vec<HazardChange>,
    /// Hazards that cease to.
    pub hazards_ended: Vec<HazardChange>,
}

impl Step {
    /// The step to a release; `None` if the release is not known.
    pub(super) fn new(subject: &Subject<'_>, to: Release) -> Option<Self> {
        let registry = subject.facts.registry(to)?;
        let evaluated = subject.list.evaluate(registry, subject.facts);
        let (kept, omitted) = evaluated.features(registry);
        let new = |name: &&FeatureName| !subject.registry.features.contains_key(*name);
        let hazards_of = |release, kept, omitted| {
            let mut found = subject.applying(release, kept, omitted);
            found.retain(|applying| subject.concerns(applying));
            let processors = subject.goarchs().into_iter().map(str::to_owned).collect();
            HazardChanges::new(found, processors, |hazard, _| subject.asked.accepted.contains(&hazard.id))
        };
        let (before, after) =
            (hazards_of(subject.release, subject.kept, subject.omitted), hazards_of(to, &kept, &omitted));
        let known = |name: &&FeatureName| registry.features.contains_key(*name);
        Some(Self {
            to,
            fails: evaluated.fails,
            comes_in: kept.iter().filter(new).cloned().collect(),
            left_out: omitted.iter().filter(new).filter(|name| name.is_omittable()).cloned().collect(),
            gained: kept.intersection(subject.omitted).cloned().collect(),
            lost: omitted.intersection(subject.kept).cloned().collect(),
            removed: subject.registry.features.keys().filter(|name| !known(name)).cloned().collect(),
            opened: open_needs(registry, &kept)
                .difference(&open_needs(subject.registry, subject.kept))
                .cloned()
                .collect(),
            hazards_begun: after.without(&before),
            hazards_ended: if evaluated.fails { Vec::new() } else { before.without(&after) },
        })
    }

    /// The changes, each as a phrase.
    #[must_use]
    pub fn phrases(&self) -> Vec<String> {
        let names = |names: &BTreeSet<FeatureName>, says: &str| {
            let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            (!quoted.is_empty()).then(|| format!("{} {says}", quoted.join(", ")))
        };
        let hazards = |hazards: &[HazardChange], says: &str| {
            let ids: Vec<String> = hazards.iter().map(|one| format!("{} ({})", one.hazard, one.title)).collect();
            (!ids.is_empty()).then(|| format!("{says}: {}", ids.join("; ")))
        };
        let opened: Vec<String> = self.opened.iter().map(|(name, need)| format!("`{name}` lacks `{need}`")).collect();
        [
            self.fails.then(|| "`featuretags` refuses the list".to_owned()),
            names(&self.comes_in, "come in, new there"),
            names(&self.left_out, "are left out, new there"),
            names(&self.gained, "come in, left out before"),
            names(&self.lost, "are left out, in before"),
            names(&self.removed, "are features no more, and their tags do nothing"),
            (!opened.is_empty()).then(|| opened.join(", ")),
            hazards(&self.hazards_begun, "begin to apply, or may"),
            hazards(&self.hazards_ended, "cease to apply"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The same as a note.
    pub(super) fn finding(&self, place: Span) -> Option<Diagnostic> {
        let phrases = self.phrases();
        let message = format!("moving this list to {} changes what is in the binary: {}", self.to, phrases.join("; "));
        let next = NextStep::new("Decide each before the release moves; ")
            .command("import")
            .text(" makes a policy that ")
            .command("bump")
            .text(" holds to it.");
        (!phrases.is_empty())
            .then(|| Diagnostic::new(Code::SilentUpgrade, message, next).at(Label::new(place, "this list")))
    }
}
