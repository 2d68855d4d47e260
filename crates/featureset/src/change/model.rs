//! The change of a policy as values.

use std::collections::{BTreeMap, BTreeSet};

use diagnostics::Diagnostic;
use serde::Serialize;

use crate::hazard::Effect;
use crate::name::FeatureName;
use crate::policy::{Decision, Verdict};

/// A change of the policy and its consequences.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The state of the base.
    pub base: Base,
    /// Decisions that are not what they were, alphabetically.
    pub decisions: Vec<DecisionChange>,
    /// Unchanged decisions with another reason or other references, alphabetically.
    pub edits: Vec<Edit>,
    /// Unchanged reasons that mention a feature whose decision was inverted, alphabetically.
    pub mentions: Vec<Mention>,
    /// Everything else that the policy states: pin, device, build, image, targets.
    pub settings: Vec<Setting>,
    /// Acceptances that came, went, or have another reason.
    pub acceptances: Vec<Setting>,
    /// The change of each target, by name.
    pub targets: BTreeMap<String, TargetEffect>,
    /// Hazards that apply to the new policy and did not to the old one, by id.
    pub hazards_gained: Vec<HazardChange>,
    /// Hazards that applied to the old policy and do not to the new one, by id.
    pub hazards_cleared: Vec<HazardChange>,
    /// The new policy's errors and warnings that the old one did not have.
    pub findings_gained: Vec<String>,
    /// How many of the old policy's errors and warnings the new one does not have.
    pub findings_cleared: usize,
    /// Questions that this change must answer, with their spans in the new text.
    #[serde(skip)]
    pub questions: Vec<Diagnostic>,
}

/// The state of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// The base does not have a policy: everything is new.
    Missing,
    /// The base has no policy that can be read: everything counts as new.
    Unreadable,
    /// It has errors; what could be read of it is compared.
    Faulty,
    /// It has none.
    Sound,
}

/// A feature whose decision is not what it was. At least one of `from` and `to` is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecisionChange {
    /// The feature.
    pub feature: FeatureName,
    /// The target, if only its decision changed; `None` for the common decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The old decision, if there was one.
    pub from: Option<Stated>,
    /// The new decision, if there is one.
    pub to: Option<Stated>,
    /// Whether the decision flipped and its reason did not.
    pub same_reason: bool,
    /// The features of this change that upstream's declared dependencies tie to it.
    pub along: Vec<FeatureName>,
}

/// A decision and its reason, as the policy states them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stated {
    /// `keep` or `omit`.
    pub verdict: &'static str,
    /// The reason.
    pub reason: String,
}

/// Another reason, or other references, for an unchanged decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// The feature.
    pub feature: FeatureName,
    /// The target, if it decides the feature itself; `None` for the common decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The decision: `keep` or `omit`.
    pub verdict: &'static str,
    /// The old and the new reason, where they differ.
    pub reason: Option<(String, String)>,
    /// References that came.
    pub refs_added: Vec<String>,
    /// References that went.
    pub refs_removed: Vec<String>,
}

/// A setting that is not what it was: its path, such as `targets.arm64.budget`, and both values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The target of an acceptance; `None` for a common one and for settings, whose path has the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The path, its parts joined by dots.
    pub path: String,
    /// The old value.
    pub from: Option<String>,
    /// The new value.
    pub to: Option<String>,
}

/// The change of a target's binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
pub enum TargetEffect {
    /// The same recipe: the same binary.
    Same,
    /// Another recipe.
    Changed {
        /// Build tags that came, in the order of the tag line.
        tags_added: Vec<String>,
        /// Build tags that went.
        tags_removed: Vec<String>,
    },
    /// The base did not have it.
    Added,
    /// The new policy does not have it.
    Removed,
}

/// A hazard that came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HazardChange {
    /// Its id.
    pub hazard: String,
    /// How bad it is.
    pub effect: Effect,
    /// The effect.
    pub title: String,
    /// The targets that come to have it or no longer do; empty if these are all of them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub targets: BTreeSet<String>,
    /// Whether every target on that side accepts it.
    pub accepted: bool,
    /// Whether the reason of the decision is enough, so that it needs no acceptance.
    pub is_note: bool,
    /// The facts of the device that it depends on and that the policy does not state.
    pub unstated: BTreeSet<String>,
}

/// An unchanged reason that mentions features whose decisions have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mention {
    /// The feature with the reason.
    pub feature: FeatureName,
    /// The target that states the reason; `None` for the common section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The mentioned features.
    pub mentioned: BTreeSet<FeatureName>,
}

/// Settings or acceptances by target and path.
pub(super) type Settings = BTreeMap<(Option<String>, String), String>;

impl Change {
    /// Whether any target's binary becomes another one, comes or goes.
    #[must_use]
    pub fn reaches_a_binary(&self) -> bool {
        self.targets.values().any(|effect| *effect != TargetEffect::Same)
    }

    /// Whether nothing but comments, layout and order differ.
    #[must_use]
    pub fn says_nothing_new(&self) -> bool {
        self.decisions.is_empty()
            && self.edits.is_empty()
            && self.settings.is_empty()
            && self.acceptances.is_empty()
            && self.findings_gained.is_empty()
            && self.findings_cleared == 0
            && !self.reaches_a_binary()
    }
}

impl From<&Decision> for Stated {
    fn from(decision: &Decision) -> Self {
        Self { verdict: decision.verdict.word(), reason: decision.reason.clone() }
    }
}

impl DecisionChange {
    /// Whether a kept feature becomes an omitted one, or the other way round.
    #[must_use]
    pub fn is_flip(&self) -> bool {
        self.from.is_some() && self.to.is_some()
    }

    /// Whether the binary loses the feature.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        let keeps =
            |stated: &Option<Stated>| stated.as_ref().is_some_and(|stated| stated.verdict == Verdict::Keep.word());
        keeps(&self.from) && !keeps(&self.to)
    }
}
