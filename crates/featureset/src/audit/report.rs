//! The report of an audit.

use std::collections::{BTreeMap, BTreeSet};

use diagnostics::Diagnostic;
use serde::Serialize;
use tagscan::Program;

use super::step::Step;
use crate::name::FeatureName;
use crate::release::{GoVersion, Release};

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

/// The release, if its line is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownLine(
    /// The release.
    pub Option<Release>,
);
