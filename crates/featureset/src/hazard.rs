//! Hazards: which combination of decisions goes wrong, in which releases, on which device, and why we know.
//!
//! Each is a file in `crates/featureset/hazards`, named by its id and written by hand; how it was established
//! comes from the generated proof of the same name in `crates/featureset/proofs`.

pub mod applying;
mod condition;
pub mod trial;

use std::collections::BTreeMap;
use std::fmt;

use diagnostics::{EffectLabel, Severity};
use serde::{Deserialize, Serialize};

pub(crate) use condition::START;
pub use condition::{Answer, Atom, BuildFacts, Circumstances, Condition, Packed, Versions};

use crate::name::FeatureName;
use crate::policy::Verdict;
use crate::proof::{Established, Proof};
use crate::release::{GoVersion, Release};

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hazard {
    /// Its id: the name of its file.
    pub id: String,
    /// What is said of it.
    pub record: Record,
    /// The evidence, if any.
    pub proof: Option<Proof>,
}

/// The content of a hazard's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The effect, as a headline.
    pub title: String,
    /// When it goes wrong; always, if the file does not say.
    #[serde(default, skip_serializing_if = "Condition::is_always")]
    pub when: Condition,
    /// The effect on the device.
    pub effect: Effect,
    /// A fact that it needs in addition to its condition and that no policy states, as the rest of a sentence that begins
    /// with "if": "the tailnet uses Tailnet Lock".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supposes: Option<String>,
    /// The releases that have it. Several ranges where a fix was carried back.
    pub releases: Vec<Range>,
    /// The symptom, in words that a user would search for: an error text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symptom: Option<String>,
    /// Why it goes wrong.
    pub because: String,
    /// The decisions to flip: together they clear it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedy: Vec<Remedy>,
    /// Other changes that clear it, each by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "serde_yaml::with::singleton_map_recursive")]
    pub fixes: Vec<Fix>,
    /// The needs that upstream does not declare and that this shows: a feature, and what it does not work without.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub needs: BTreeMap<FeatureName, FeatureName>,
    /// Where this is known from.
    pub evidence: Vec<Evidence>,
}

impl Record {
    /// Returns everything that clears it as a part of a sentence.
    #[must_use]
    pub fn remedies(&self) -> String {
        let decisions: Vec<String> = self.remedy.iter().map(ToString::to_string).collect();
        let decisions = (!decisions.is_empty()).then(|| decisions.join(" and "));
        decisions.into_iter().chain(self.fixes.iter().map(ToString::to_string)).collect::<Vec<_>>().join(", or ")
    }
}

/// Releases from one to another, both included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The first release that has it.
    pub from: Release,
    /// The last release that has it; `None` if no release is known to be free of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Release>,
    /// The last release that was looked at, where the range is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Release>,
}

/// Whether the decisions in a hazard's condition have reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reasons {
    /// They have, as in a policy.
    Given,
    /// They have not, as in a tag list.
    Missing,
}

/// A decision to flip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[serde(try_from = "RawRemedy", into = "RawRemedy")]
pub enum Remedy {
    /// Keep an omitted feature.
    Keep(FeatureName),
    /// Omit a kept feature.
    Omit(FeatureName),
}

/// A change that is not a decision and that clears a hazard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fix {
    /// Move to this release or a later one.
    Release(Release),
    /// Build with this version of Go or a later one.
    Go(GoVersion),
    /// Another change, as an imperative sentence without a full stop.
    Other(String),
}

impl Fix {
    /// Returns whether it leads to a later release than this one.
    #[must_use]
    pub fn is_ahead_of(&self, release: Release) -> bool {
        !matches!(self, Self::Release(fixed) if *fixed <= release)
    }
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(release) => write!(f, "move to Tailscale {release} or later"),
            Self::Go(version) => write!(f, "build with Go {version} or later"),
            Self::Other(change) => f.write_str(change),
        }
    }
}

/// A flip as the file has it: `keep: NAME` or `omit: NAME`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRemedy {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep: Option<FeatureName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    omit: Option<FeatureName>,
}

/// Where a fact is known from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// A file of upstream's and its line, at the tag that `at` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// An issue or pull request, `owner/repository#number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<String>,
    /// A commit, `owner/repository@digits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// How bad a hazard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Go refuses the build.
    DoesNotCompile,
    /// The daemon ends as it starts.
    DoesNotStart,
    /// The daemon dies while it works.
    Crash,
    /// The daemon is ended from outside, again and again.
    DoesNotStayUp,
    /// It runs, and can't be used.
    Unusable,
    /// A protection is gone.
    Insecure,
    /// Something that is kept, or that people rely on, does not work.
    Broken,
    /// Other nodes of the tailnet suffer.
    BreaksPeers,
    /// Traffic goes through a relay instead of directly to the peer.
    LosesDirectConnections,
    /// Writes that wear flash out.
    FlashWear,
    /// Something does nothing, and nothing says so.
    Silent,
    /// The daemon needs much more memory than it should.
    Memory,
    /// Bytes that one would think are saved.
    Size,
    /// The decision changes nothing.
    NoEffect,
}

impl Effect {
    /// Every effect, worst first.
    pub const ALL: [Self; 14] = [
        Self::DoesNotCompile,
        Self::DoesNotStart,
        Self::Crash,
        Self::DoesNotStayUp,
        Self::Unusable,
        Self::Insecure,
        Self::Broken,
        Self::BreaksPeers,
        Self::LosesDirectConnections,
        Self::FlashWear,
        Self::Silent,
        Self::Memory,
        Self::Size,
        Self::NoEffect,
    ];

    /// The word that the files use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::DoesNotCompile => "does-not-compile",
            Self::DoesNotStart => "does-not-start",
            Self::DoesNotStayUp => "does-not-stay-up",
            Self::Crash => "crash",
            Self::Unusable => "unusable",
            Self::Broken => "broken",
            Self::BreaksPeers => "breaks-peers",
            Self::Insecure => "insecure",
            Self::Silent => "silent",
            Self::FlashWear => "flash-wear",
            Self::LosesDirectConnections => "loses-direct-connections",
            Self::Memory => "memory",
            Self::Size => "size",
            Self::NoEffect => "no-effect",
        }
    }

    /// Returns the effect as a part of a diagnostic.
    #[must_use]
    pub fn label(self) -> EffectLabel {
        EffectLabel { rank: self as usize, word: self.word() }
    }

    /// Returns whether the daemon does its work all the same.
    #[must_use]
    pub fn is_mild(self) -> bool {
        matches!(self, Self::Silent | Self::Memory | Self::Size | Self::NoEffect)
    }

    /// Whether nothing that can be used is left.
    #[must_use]
    pub fn leaves_nothing(self) -> bool {
        matches!(self, Self::DoesNotCompile | Self::DoesNotStart | Self::DoesNotStayUp | Self::Crash | Self::Unusable)
    }

    /// Whether a policy may say that it lives with it: not with a binary that can't exist or can't start.
    #[must_use]
    pub fn can_be_accepted(self) -> bool {
        !matches!(self, Self::DoesNotCompile | Self::DoesNotStart)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Remedy {
    /// The feature.
    #[must_use]
    pub fn feature(&self) -> &FeatureName {
        match self {
            Self::Keep(name) | Self::Omit(name) => name,
        }
    }

    /// The decision after the flip.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Keep(_) => Verdict::Keep,
            Self::Omit(_) => Verdict::Omit,
        }
    }
}

impl TryFrom<RawRemedy> for Remedy {
    type Error = &'static str;

    fn try_from(raw: RawRemedy) -> Result<Self, Self::Error> {
        match (raw.keep, raw.omit) {
            (Some(name), None) => Ok(Self::Keep(name)),
            (None, Some(name)) => Ok(Self::Omit(name)),
            _ => Err("a remedy is `keep: NAME` or `omit: NAME`"),
        }
    }
}

impl From<Remedy> for RawRemedy {
    fn from(flip: Remedy) -> Self {
        match flip {
            Remedy::Keep(name) => Self { keep: Some(name), omit: None },
            Remedy::Omit(name) => Self { keep: None, omit: Some(name) },
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.verdict().word(), self.feature())
    }
}

impl Range {
    /// Whether a release is in the range.
    #[must_use]
    pub fn has(&self, release: Release) -> bool {
        release >= self.from && self.to.is_none_or(|to| release <= to)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.to, self.checked) {
            (Some(to), _) => write!(f, "{} to {to}", self.from),
            (None, Some(checked)) if checked == self.from => write!(f, "{checked}; later ones were not looked at"),
            (None, Some(checked)) => write!(f, "{} on, not fixed in {checked}", self.from),
            (None, None) => write!(f, "{} on", self.from),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_deref().map(|at| format!(" at {at}")).unwrap_or_default();
        let parts = [self.file.as_ref().map(|file| format!("{file}{at}")), self.issue.clone(), self.commit.clone()];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

impl Hazard {
    /// Whether a release has it.
    #[must_use]
    pub fn in_release(&self, release: Release) -> bool {
        self.record.releases.iter().any(|range| range.has(release))
    }

    /// Whether a release is later than the last one that was looked at.
    #[must_use]
    pub fn is_unchecked(&self, release: Release) -> bool {
        let range = self.record.releases.iter().find(|range| range.has(release));
        range.and_then(|range| range.checked).is_some_and(|checked| release > checked)
    }

    /// Whether it goes wrong in these circumstances.
    #[must_use]
    pub fn applies(&self, circumstances: &Circumstances<'_>) -> Answer {
        if self.in_release(circumstances.release) { self.record.when.holds(circumstances) } else { Answer::No }
    }

    /// Returns the decisions of the remedy that concern a part of the condition that is met or may be met.
    #[must_use]
    pub fn remedies(&self, circumstances: &Circumstances<'_>) -> Vec<&Remedy> {
        let possible = |(atom, holds): &(Atom, bool)| match Condition::Atom(atom.clone()).holds(circumstances) {
            Answer::Yes => *holds,
            Answer::No => !*holds,
            Answer::Depends(_) => true,
        };
        let paths: Vec<_> =
            self.record.when.alternatives().into_iter().filter(|path| path.iter().all(possible)).collect();
        let concerns = |flip: &&Remedy| paths.iter().flatten().any(|(atom, _)| atom.feature() == Some(flip.feature()));
        self.record.remedy.iter().filter(concerns).collect()
    }

    /// Whether it needs no acceptance: it has no effect, or it at worst misleads and rests on one omission, whose reason is
    /// its acceptance.
    #[must_use]
    pub fn is_note(&self) -> bool {
        let effect = self.record.effect;
        effect == Effect::NoEffect || (effect.is_mild() && self.record.when.rests_on_one_omission())
    }

    /// Returns the severity if the hazard applies; `is_certain` if every fact in its condition is known.
    #[must_use]
    pub fn severity(&self, is_certain: bool, reasons: Reasons) -> Severity {
        match self.record.effect {
            Effect::NoEffect => Severity::Note,
            _ if reasons == Reasons::Given && self.is_note() => Severity::Note,
            effect if effect.is_mild() => Severity::Warning,
            _ if !is_certain || self.record.supposes.is_some() => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// The ranges in words.
    #[must_use]
    pub fn ranges(&self) -> String {
        self.record.releases.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    /// Returns how it is known, as a word: by the strongest observation of the proof, else by reading the source or reports.
    #[must_use]
    pub fn known_by(&self) -> &'static str {
        let has_source = self.record.evidence.iter().any(|evidence| evidence.issue.is_none());
        match self.established() {
            Established::Read if !has_source => "reported",
            established => established.word(),
        }
    }

    /// How it is known: by the strongest that the proof has, else by reading.
    #[must_use]
    pub fn established(&self) -> Established {
        self.proof.as_ref().map_or(Established::Read, Proof::established)
    }
}

#[cfg(test)]
mod tests;
