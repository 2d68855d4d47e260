//! The table of hazards tests itself, and conditions are judged as they read.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::platform::Platform;
use crate::policy::device::VOCABULARY;
use crate::upstream_data::UpstreamData;

fn name(text: &str) -> FeatureName {
    FeatureName::new(text).unwrap()
}

fn names(texts: &[&str]) -> BTreeSet<FeatureName> {
    texts.iter().map(|text| name(text)).collect()
}

/// Circumstances in which exactly one way holds.
struct Case {
    kept: BTreeSet<FeatureName>,
    omitted: BTreeSet<FeatureName>,
    device: BTreeMap<String, String>,
    os: String,
    goarch: String,
    build: BuildFacts,
}

impl Case {
    fn new(way: &[(Atom, bool)]) -> Self {
        let mut case = Self {
            kept: BTreeSet::new(),
            omitted: BTreeSet::new(),
            device: BTreeMap::new(),
            os: "linux".to_owned(),
            goarch: "arm".to_owned(),
            build: BuildFacts::default(),
        };
        for (atom, holds) in way {
            match (atom, holds) {
                (Atom::Keep(name), true) | (Atom::Omit(name), false) => drop(case.kept.insert(name.clone())),
                (Atom::Omit(name), true) | (Atom::Keep(name), false) => drop(case.omitted.insert(name.clone())),
                (Atom::Device(fact, value), true) => drop(case.device.insert(fact.clone(), value.clone())),
                (Atom::Os(os), true) => case.os.clone_from(os),
                (Atom::Os(_), false) => "windows".clone_into(&mut case.os),
                (Atom::Goarch(names), true) => case.goarch.clone_from(&names[0]),
                (Atom::Start(setting), true) => drop(case.device.insert("start".to_owned(), setting.clone())),
                (Atom::MemoryBelow(_), true) => drop(case.device.insert("memory".to_owned(), "1 MB".to_owned())),
                (Atom::Go(versions), true) => case.build.go = versions.from.or(versions.to),
                (Atom::Upx(versions), true) => case.build.upx = Packed::Upx(versions.from.or(versions.to)),
                (Atom::Platform(name), true) => case.build.platform = Platform::find(name),
                (Atom::Program(program), true) => case.build.program = *program,
                (Atom::Start(_), false) => drop(case.device.entry("start".to_owned()).or_default()),
                (_, false) => {}
            }
        }
        case
    }

    fn circumstances(&self, release: Release) -> Circumstances<'_> {
        let Self { kept, omitted, device, os, goarch, .. } = self;
        let build = self.build;
        Circumstances { release, kept, omitted, device, os, goarch, build }
    }
}

#[test]
fn every_hazard_is_met_by_its_ways_and_cleared_by_its_remedy() {
    for hazard in UpstreamData::embedded().hazards() {
        let release = hazard.record.releases[0].from;
        for way in hazard.record.when.alternatives() {
            let mut case = Case::new(&way);
            assert_eq!(hazard.applies(&case.circumstances(release)), Answer::Yes, "{}: {way:?}", hazard.id);
            let fixed = |fix: &Fix| {
                let mut circumstances = case.circumstances(release);
                match fix {
                    Fix::Release(release) => circumstances.release = *release,
                    Fix::Go(version) => circumstances.build.go = Some(*version),
                    Fix::Other(_) => return,
                }
                assert_eq!(hazard.applies(&circumstances), Answer::No, "{}: {fix}", hazard.id);
            };
            hazard.record.fixes.iter().for_each(fixed);
            if hazard.record.remedy.is_empty() {
                continue;
            }
            for flip in &hazard.record.remedy {
                let (from, to) = match flip.verdict() {
                    Verdict::Keep => (&mut case.omitted, &mut case.kept),
                    Verdict::Omit => (&mut case.kept, &mut case.omitted),
                };
                from.remove(flip.feature());
                to.insert(flip.feature().clone());
            }
            assert_eq!(hazard.applies(&case.circumstances(release)), Answer::No, "{}: {way:?} remedied", hazard.id);
        }
    }
}

#[test]
fn every_hazard_s_features_exist_in_the_releases_it_names() {
    let facts = UpstreamData::embedded();
    let newest = facts.registries().next_back().unwrap().line;
    for hazard in facts.hazards() {
        for range in &hazard.record.releases {
            let last = range.to.map_or(newest, Release::line);
            let lines: Vec<_> =
                facts.registries().filter(|registry| (range.from.line()..=last).contains(&registry.line)).collect();
            assert!(!lines.is_empty(), "{}", hazard.id);
            // A feature of an `any` may come later; each must exist somewhere, and one of them everywhere.
            for registry in &lines {
                let known = |atom: &&Atom| atom.feature().is_some_and(|name| registry.features.contains_key(name));
                let is_about_decisions = hazard.record.when.is_about_decisions();
                assert!(
                    !is_about_decisions || hazard.record.when.atoms().iter().any(known),
                    "{} on {}",
                    hazard.id,
                    registry.line
                );
            }
            for atom in hazard.record.when.atoms() {
                let Some(name) = atom.feature() else { continue };
                assert!(lines.iter().any(|registry| registry.features.contains_key(name)), "{}: {name}", hazard.id);
            }
        }
    }
}

#[test]
fn every_hazard_is_well_formed() {
    let facts = UpstreamData::embedded();
    let ids: Vec<&str> = facts.hazards().map(|hazard| hazard.id.as_str()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b) && ids.len() >= 60, "{ids:?}");
    for hazard in facts.hazards() {
        let (id, record) = (&hazard.id, &hazard.record);
        assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_'), "{id}");
        assert!(!record.title.ends_with('.') && record.because.trim().ends_with('.'), "{id}");
        assert!(!(record.evidence.is_empty() || record.remedy.is_empty() && record.fixes.is_empty()), "{id}");
        for range in &record.releases {
            assert!(range.to.is_some() != range.checked.is_some(), "{id}: closed, or open and checked");
            assert!(range.to.or(range.checked).unwrap() >= range.from, "{id}");
        }
        for pair in record.releases.windows(2) {
            assert!(pair[0].to.is_some_and(|to| to < pair[1].from), "{id}: ranges in order and apart");
        }
        for evidence in &record.evidence {
            let kinds = [&evidence.file, &evidence.issue, &evidence.commit];
            assert_eq!(kinds.iter().filter(|kind| kind.is_some()).count(), 1, "{id}");
            assert_eq!(evidence.file.is_some(), evidence.at.is_some(), "{id}: a file has its tag");
        }
        // An undeclared need is one that the condition is about: the need is what it finds omitted.
        for need in record.needs.values() {
            assert!(record.when.atoms().contains(&&Atom::Omit(need.clone())), "{id}: {need}");
        }
        for atom in record.when.atoms() {
            if let Atom::Device(fact, value) = atom {
                let entry = VOCABULARY.iter().find(|entry| entry.fact == fact).unwrap();
                assert!(entry.values.has(value), "{id}: {fact} {value}");
            }
        }
    }
}

#[test]
fn no_proof_contradicts_its_hazard() {
    for hazard in UpstreamData::embedded().hazards() {
        if let Some(proof) = &hazard.proof {
            assert!(proof.contradictions().is_empty(), "{}: {:?}", hazard.id, proof.contradictions());
        }
    }
}

#[test]
fn an_unknown_fact_leaves_the_answer_open_only_where_it_matters() {
    let condition: Condition = serde_yaml::from_str("all: [{ omit: dns }, { device: { storage: flash } }]").unwrap();
    let (kept, omitted, device) = (BTreeSet::new(), names(&["dns"]), BTreeMap::new());
    let at = |omitted, device| Circumstances {
        release: "1.102.5".parse().unwrap(),
        kept: &kept,
        omitted,
        device,
        os: "linux",
        goarch: "arm64",
        build: BuildFacts::default(),
    };
    assert_eq!(condition.holds(&at(&omitted, &device)), Answer::Depends(BTreeSet::from(["storage".to_owned()])));
    assert_eq!(condition.holds(&at(&kept, &device)), Answer::No);
    let flash = BTreeMap::from([("storage".to_owned(), "flash".to_owned())]);
    assert_eq!(condition.holds(&at(&omitted, &flash)), Answer::Yes);
}

#[test]
fn one_omission_is_told_from_a_pair() {
    let rests = |text: &str| serde_yaml::from_str::<Condition>(text).unwrap().rests_on_one_omission();
    assert!(rests("omit: dns"));
    assert!(rests("any: [{ omit: kube }, { omit: aws }]"));
    assert!(rests("all: [{ omit: dns }, { device: { storage: flash } }]"));
    assert!(!rests("all: [{ omit: dns }, { keep: cli }]"));
    assert!(!rests("all: [{ omit: dns }, { omit: ssh }]"));
    assert!(!rests("keep: dns"));
    assert!(serde_yaml::from_str::<Condition>("{ keep: dns, omit: ssh }").is_err());
}
