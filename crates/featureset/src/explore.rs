//! The data of the page that `explore` writes: everything that its evaluator needs, as values.
//!
//! The page repeats three functions of this crate: the closure of dependencies, the conditions of hazards and the
//! estimated size. tests/it/explore compares it with this crate on random selections.

use std::collections::{BTreeMap, BTreeSet};

use diagnostics::{Diagnostic, Lines, Severity};
use serde::Serialize;

use crate::change::Side;
use crate::cost::Cost;
use crate::cost::estimate::{IN_EVERY_OLDER_BINARY, SizeModel};
use crate::group::{Group, grouped};
use crate::hazard::{Atom, BuildFacts, Condition, Effect, Hazard, Packed, Range, Reasons, Versions};
use crate::name::FeatureName;
use crate::platform::{OS, Platform};
use crate::policy::device::{PROFILES, VOCABULARY, Values, Vocabulary};
use crate::policy::{Build, Decision, EffectivePolicy, parse_size};
use crate::registry::{Feature, Registry};
use crate::release::{GoVersion, Release, ReleaseLine};
use crate::rules::{self, hazard::acceptance, hazard::build_facts};
use crate::upstream_data::UpstreamData;
use tagscan::Program;

/// The version of the document. The page refuses any other.
pub const SCHEMA: u32 = 1;

/// The number of findings that a page lists.
const MOST_FINDINGS: usize = 500;

/// The inputs of a page.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The policy.
    pub policy: Side<'a>,
    /// The name of a revision, and the policy there.
    pub base: Option<(&'a str, Side<'a>)>,
    /// Upstream's descriptions, if the page contains them.
    pub descriptions: &'a BTreeMap<FeatureName, String>,
    /// The known data of upstream.
    pub facts: &'a UpstreamData,
}

/// The document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: u32,
    groups: Vec<Group>,
    lines: Vec<Line<'a>>,
    effects: Vec<&'static str>,
    hazards: Vec<HazardData<'a>>,
    vocabulary: Vec<Fact>,
    profiles: Vec<ProfileData>,
    policies: Vec<PolicyData<'a>>,
    /// The sizes by target.
    costs: BTreeMap<String, CostData>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    descriptions: &'a BTreeMap<FeatureName, String>,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    line: ReleaseLine,
    releases: Vec<Release>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_small: Option<&'a BTreeSet<FeatureName>>,
    features: BTreeMap<&'a FeatureName, FeatureData<'a>>,
}

#[derive(Debug, Serialize)]
struct FeatureData<'a> {
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    needs: &'a BTreeSet<FeatureName>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    detail: bool,
}

#[derive(Debug, Serialize)]
struct HazardData<'a> {
    id: &'a str,
    title: &'a str,
    effect: Effect,
    /// The severity if the hazard applies to a target, and if that depends on a fact that is not stated.
    severity: [&'static str; 2],
    can_be_accepted: bool,
    releases: Vec<[Option<Release>; 2]>,
    when: Clause<'a>,
    /// The condition in words.
    condition: String,
    because: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    symptom: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supposes: Option<&'a str>,
    remedy: Vec<[&'a str; 2]>,
    /// Releases and toolchains without it, in words.
    fixes: Vec<String>,
    evidence: Vec<String>,
    established: &'static str,
}

/// A condition. A new kind of condition or atom does not compile here until the page can evaluate it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Clause<'a> {
    All(Vec<Clause<'a>>),
    Any(Vec<Clause<'a>>),
    Not(Box<Clause<'a>>),
    Keep(&'a FeatureName),
    Omit(&'a FeatureName),
    Device([&'a str; 2]),
    Start(&'a str),
    /// In bytes.
    MemoryBelow(Option<u64>),
    Go([Option<GoVersion>; 2]),
    Upx([Option<String>; 2]),
    Platform(&'a str),
    Program(&'static str),
    Os(&'a str),
    Goarch(&'a [String]),
}

#[derive(Debug, Serialize)]
struct Fact {
    fact: &'static str,
    kind: &'static str,
    /// The words; `None` for another kind of value.
    values: Option<&'static [&'static str]>,
    meaning: &'static str,
}

#[derive(Debug, Serialize)]
struct ProfileData {
    name: &'static str,
    meaning: &'static str,
    facts: BTreeMap<&'static str, &'static str>,
}

#[derive(Debug, Serialize)]
struct PolicyData<'a> {
    /// The revision of a base; `None` for the policy itself.
    revision: Option<&'a str>,
    release: Option<Release>,
    go: Option<GoVersion>,
    profile: Option<String>,
    targets: Vec<TargetData>,
    features: BTreeMap<FeatureName, DecisionData>,
    findings: Vec<FindingData>,
}

#[derive(Debug, Serialize)]
struct TargetData {
    name: String,
    platform: &'static str,
    os: &'static str,
    goarch: &'static str,
    budget: Option<u64>,
    extra_tags: Vec<String>,
    device: BTreeMap<String, String>,
    go: Option<GoVersion>,
    program: &'static str,
    /// The version of UPX that packs it: `false` if none does, `None` if it is not known.
    upx: Upx,
    /// Its decisions in the place of common ones.
    features: BTreeMap<FeatureName, DecisionData>,
    /// The accepted hazards, with the reasons.
    accepted: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Upx {
    None(bool),
    Version(Option<String>),
}

#[derive(Debug, Serialize)]
struct DecisionData {
    decision: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refs: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FindingData {
    code: String,
    severity: &'static str,
    line: usize,
    message: String,
    why: String,
    next: String,
}

/// The sizes of a target: that of any selection is `packed` with the sizes of the features that differ from `kept`.
#[derive(Debug, Serialize)]
struct CostData {
    release: Release,
    /// The platform whose binary was measured, and the one on which the features were.
    binary: &'static str,
    features: &'static str,
    pack: &'static str,
    /// Whether `packed` was measured for this platform with these settings.
    measured: bool,
    packed: u64,
    kept: &'static BTreeSet<FeatureName>,
    own: BTreeMap<&'static FeatureName, i64>,
    /// The addition of a feature together with others: the bytes that only it needs, and its share of the pool.
    additions: BTreeMap<&'static FeatureName, (i64, f64)>,
    pool: u64,
    /// Features without a size, and why.
    without: BTreeMap<&'static FeatureName, &'static str>,
    /// Features that need no size, because every older binary contains them.
    implied: &'static [&'static str],
}

/// Returns the document of a page. Next steps that are commands use this name of the program.
#[must_use]
pub fn document<'a>(sources: Sources<'a>, program: &str) -> Document<'a> {
    let Sources { policy, base, descriptions, facts } = sources;
    let names: BTreeSet<&FeatureName> = facts.registries().flat_map(|registry| registry.features.keys()).collect();
    let mut policies = vec![policy_data(None, policy, facts, program)];
    policies.extend(base.map(|(revision, side)| policy_data(Some(revision), side, facts, program)));
    Document {
        schema: SCHEMA,
        groups: grouped(names),
        lines: facts.registries().map(line).collect(),
        effects: Effect::ALL.iter().map(|effect| effect.word()).collect(),
        hazards: facts.hazards().map(hazard).collect(),
        vocabulary: VOCABULARY.iter().map(fact).collect(),
        profiles: PROFILES
            .iter()
            .map(|profile| ProfileData {
                name: profile.name,
                meaning: profile.meaning,
                facts: profile.facts.iter().copied().collect(),
            })
            .collect(),
        policies,
        costs: costs(policy),
        descriptions,
    }
}

fn fact(entry: &Vocabulary) -> Fact {
    let (kind, values) = match entry.values {
        Values::Words(words) => ("words", Some(words)),
        Values::Settings => ("settings", None),
        Values::Size => ("size", None),
    };
    Fact { fact: entry.fact, kind, values, meaning: entry.meaning }
}

fn line(registry: &Registry) -> Line<'_> {
    Line {
        line: registry.line,
        releases: registry.releases.keys().copied().collect(),
        extra_small: registry.extra_small.as_ref(),
        features: registry.features.iter().map(feature).collect(),
    }
}

fn feature<'a>((name, feature): (&'a FeatureName, &'a Feature)) -> (&'a FeatureName, FeatureData<'a>) {
    (name, FeatureData { needs: &feature.needs, detail: feature.implementation_detail })
}

fn hazard(hazard: &Hazard) -> HazardData<'_> {
    let record = &hazard.record;
    let range = |range: &Range| [Some(range.from), range.to];
    HazardData {
        id: &hazard.id,
        title: &record.title,
        effect: record.effect,
        severity: [true, false].map(|certain| hazard.severity(certain, Reasons::Given).word()),
        can_be_accepted: record.effect.can_be_accepted(),
        releases: record.releases.iter().map(range).collect(),
        when: clause(&record.when),
        condition: record.when.to_string(),
        because: record.because.trim(),
        symptom: record.symptom.as_deref(),
        supposes: record.supposes.as_deref(),
        remedy: record.remedy.iter().map(|remedy| [remedy.verdict().word(), remedy.feature().as_str()]).collect(),
        fixes: record.fixes.iter().map(ToString::to_string).collect(),
        evidence: record.evidence.iter().map(ToString::to_string).collect(),
        established: hazard.established().word(),
    }
}

/// Returns the word for a program in conditions.
fn program_word(program: Program) -> &'static str {
    match program {
        Program::Daemon => "daemon",
        Program::CommandLine => "command-line",
        Program::Library => "library",
    }
}

fn clause(condition: &Condition) -> Clause<'_> {
    match condition {
        Condition::All(parts) => Clause::All(parts.iter().map(clause).collect()),
        Condition::Any(parts) => Clause::Any(parts.iter().map(clause).collect()),
        Condition::Not(part) => Clause::Not(Box::new(clause(part))),
        Condition::Atom(atom) => match atom {
            Atom::Keep(name) => Clause::Keep(name),
            Atom::Omit(name) => Clause::Omit(name),
            Atom::Device(fact, value) => Clause::Device([fact, value]),
            Atom::Start(setting) => Clause::Start(setting),
            Atom::MemoryBelow(size) => Clause::MemoryBelow(parse_size(size)),
            Atom::Go(Versions { from, to }) => Clause::Go([*from, *to]),
            Atom::Upx(Versions { from, to }) => Clause::Upx([from, to].map(|version| version.map(|it| it.to_string()))),
            Atom::Platform(name) => Clause::Platform(name),
            Atom::Program(program) => Clause::Program(program_word(*program)),
            Atom::Os(os) => Clause::Os(os),
            Atom::Goarch(names) => Clause::Goarch(names),
        },
    }
}

fn policy_data<'a>(revision: Option<&'a str>, side: Side<'_>, facts: &UpstreamData, program: &str) -> PolicyData<'a> {
    let policy = side.reading.policy.clone().unwrap_or_default();
    let lines = Lines::new(side.text);
    let finding = |finding: &Diagnostic| FindingData {
        code: finding.code.as_str().to_owned(),
        severity: finding.severity.word(),
        line: lines.position(finding.span().start).0,
        message: finding.message.clone(),
        why: finding.why.to_string(),
        next: finding.next.render(program),
    };
    let mut findings = rules::judge(side.text, side.reading, facts);
    findings.retain(|finding| finding.severity != Severity::Note);
    PolicyData {
        revision,
        release: policy.tailscale,
        go: policy.go,
        profile: policy.device.profile.clone(),
        targets: policy.effective().filter_map(|target| target_data(target, facts)).collect(),
        findings: findings.iter().take(MOST_FINDINGS).map(finding).collect(),
        features: policy.features.iter().map(|(name, decision)| (name.clone(), DecisionData::from(decision))).collect(),
    }
}

fn target_data(policy: EffectivePolicy<'_>, facts: &UpstreamData) -> Option<TargetData> {
    let (name, target) = (policy.name()?, policy.target()?);
    let accepted = |hazard: &Hazard| Some((hazard.id.clone(), acceptance(policy, hazard)?.to_owned()));
    let BuildFacts { go, platform, program, upx } = build_facts(policy);
    Some(TargetData {
        name: name.to_owned(),
        platform: platform?.name,
        os: OS,
        goarch: target.platform.goarch,
        budget: target.budget,
        extra_tags: target.build.extra_tags.keys().cloned().collect(),
        device: policy.facts(),
        go,
        program: program_word(program),
        upx: match upx {
            Packed::No => Upx::None(false),
            Packed::Upx(version) => Upx::Version(version.map(|version| version.to_string())),
        },
        features: target.features.iter().map(|(name, decision)| (name.clone(), decision.into())).collect(),
        accepted: facts.hazards().filter_map(accepted).collect(),
    })
}

impl From<&Decision> for DecisionData {
    fn from(decision: &Decision) -> Self {
        Self { decision: decision.verdict.word(), reason: decision.reason.clone(), refs: decision.refs.clone() }
    }
}

/// Returns the sizes of every target; those of amd64 if the policy has none.
fn costs(policy: Side<'_>) -> BTreeMap<String, CostData> {
    let targets = policy.reading.policy.iter().flat_map(|policy| &policy.targets);
    let mut settings: Vec<_> = targets.map(|(name, own)| (name.clone(), own.platform, own.build.clone())).collect();
    if settings.is_empty() {
        settings.extend(Platform::find("linux/amd64").map(|amd64| ("amd64".to_owned(), amd64, Build::default())));
    }
    let go = policy.reading.policy.as_ref().and_then(|policy| policy.go);
    let data = |(name, platform, build): (String, &Platform, Build)| {
        Some((name, cost_data(SizeModel::new(platform, &build, go)?, &build)?))
    };
    settings.into_iter().filter_map(data).collect()
}

fn cost_data(model: SizeModel<'static>, build: &Build) -> Option<CostData> {
    let without = model.costs.features.iter().filter(|(name, _)| !model.own.contains_key(name));
    Some(CostData {
        release: model.costs.basis.release,
        binary: model.binary,
        features: Platform::find(&model.costs.basis.platform)?.name,
        pack: build.pack.word(),
        measured: model.is_measured,
        packed: model.bytes,
        kept: model.kept,
        without: without.filter_map(|(name, cost)| Some((name, obstacle(cost)?))).collect(),
        own: model.own,
        additions: model
            .additions
            .into_iter()
            .map(|(name, addition)| (name, (addition.alone, addition.share)))
            .collect(),
        pool: model.pool,
        implied: IN_EVERY_OLDER_BINARY,
    })
}

/// Returns why a feature has no price; `None` if it has one.
fn obstacle(cost: &Cost) -> Option<&'static str> {
    match cost {
        Cost::Measured { .. } => None,
        Cost::DoesNotCompile { .. } => Some("does not compile with the opposite decision"),
        Cost::DoesNotStart { .. } => Some("does not start with the opposite decision"),
    }
}
