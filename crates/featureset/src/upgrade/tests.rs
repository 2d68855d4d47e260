//! Steps between the releases that are known, for policies of both kinds.

use super::*;
use crate::policy::read;
use crate::rules::tests::clean_policy;

fn upgrade(text: &str, to: &str) -> Result<Upgrade, Unknown> {
    let reading = read(text);
    Upgrade::new(Side { text, reading: &reading }, to.parse().unwrap(), UpstreamData::embedded())
}

fn names<'a>(features: impl IntoIterator<Item = &'a FeatureName>) -> Vec<&'a str> {
    features.into_iter().map(FeatureName::as_str).collect()
}

fn hazard_ids(hazards: &[HazardChange]) -> Vec<&str> {
    hazards.iter().map(|one| one.hazard.as_str()).collect()
}

fn keeping(text: &str, name: &str) -> String {
    let omitted = format!("  {name}:\n    omit: ");
    assert!(text.contains(&omitted), "{name}");
    text.replace(&omitted, &format!("  {name}:\n    keep: "))
}

#[test]
fn a_policy_without_direct_connections_of_its_own_is_told_that_it_would_lose_them() {
    let step = upgrade(&clean_policy(), "1.104.5").unwrap();
    let added = step.added.iter().map(|added| &added.feature);
    let expected =
        ["androidbin", "androiddns", "connreject", "dnsresolvecache", "favorites", "nattraversal", "udptransport"];
    assert_eq!(names(added), expected);
    assert_eq!(step.undecided(), 5, "androidbin and androiddns have the standard reason");
    assert_eq!((step.go_from.to_string(), step.go_to.to_string()), ("1.26.8".into(), "1.27.3".into()));
    let find = |name: &str| step.added.iter().find(|added| added.feature.as_str() == name).unwrap();
    assert!(hazard_ids(&find("udptransport").if_omitted).contains(&"udptransport-derp-only"));
    assert!(hazard_ids(&find("nattraversal").if_omitted).contains(&"nattraversal-derp"));
    assert_eq!(names(&find("nattraversal").needs), ["udptransport"]);
    assert!(find("udptransport").needed_by_kept.is_empty());
    assert!(find("favorites").if_omitted.is_empty());
    assert!(step.hazards_begun().iter().all(|one| !one.hazard.starts_with("udptransport")));
}

#[test]
fn a_policy_that_keeps_what_needs_them_gets_dependency_findings() {
    let text = keeping(&keeping(&clean_policy(), "portmapper"), "listenrawdisco");
    let step = upgrade(&text, "1.104.5").unwrap();
    let changed: Vec<(&str, Vec<&str>, Vec<&str>)> =
        step.dependencies.iter().map(|one| (one.feature.as_str(), names(&one.gained), names(&one.missing))).collect();
    assert_eq!(
        changed,
        [
            ("listenrawdisco", vec!["udptransport"], vec!["udptransport"]),
            ("portmapper", vec!["nattraversal"], vec!["nattraversal", "udptransport"]),
        ]
    );
    assert!(step.dependencies.iter().all(|one| one.kept));
    assert!(step.change.findings_gained.iter().any(|said| said.contains("needed by `portmapper`, which is kept")));
    let udp = step.added.iter().find(|added| added.feature.as_str() == "udptransport").unwrap();
    assert_eq!(names(&udp.needed_by_kept), ["listenrawdisco", "portmapper"]);
}

#[test]
fn back_again_undoes_it_but_for_the_toolchain() {
    let step = upgrade(&clean_policy(), "1.104.5").unwrap();
    let back = upgrade(&step.text, "1.102.5").unwrap();
    assert_eq!(names(back.removed.iter().map(|one| &one.feature)).len(), 7);
    assert!(back.added.is_empty());
    assert_eq!(back.text, clean_policy().replace("go: 1.26.8", "go: 1.27.3"));
}

#[test]
fn a_patch_forces_nothing_and_keeps_the_toolchain() {
    let step = upgrade(&clean_policy().replace("1.102.5", "1.102.4"), "1.102.5").unwrap();
    assert!(step.added.is_empty() && step.removed.is_empty() && step.dependencies.is_empty());
    assert_eq!(step.go_from, step.go_to);
}

#[test]
fn what_is_not_known_is_refused() {
    assert_eq!(upgrade(&clean_policy(), "1.400.0").unwrap_err(), Unknown::Registry("1.400.0".parse().unwrap()));
    assert!(matches!(upgrade("tailscale: 1.102.5\n", "1.104.5").unwrap_err(), Unknown::Policy(_)));
    // A patch of a known line that nobody read: what Go it needs is not known.
    assert!(matches!(upgrade(&clean_policy(), "1.104.99").unwrap_err(), Unknown::Registry(_)));
}

#[test]
fn what_the_trees_said_is_laid_onto_the_features() {
    let mut step = upgrade(&clean_policy(), "1.104.5").unwrap();
    let evidence = Evidence { path: "a.go".into(), kind: Part::File, name: String::new(), from: String::new() };
    let whole = Origin { in_this_build: Vec::new(), in_a_whole_build: vec![evidence.clone()] };
    let own = Origin { in_this_build: vec![evidence.clone()], in_a_whole_build: vec![evidence] };
    let name = |text| FeatureName::new(text).unwrap();
    with_origins(&mut step, BTreeMap::from([(name("favorites"), whole), (name("udptransport"), own)]));
    let novelty: Vec<Novelty> = step.added.iter().map(|added| added.origin.as_ref().unwrap().novelty()).collect();
    assert_eq!((novelty[0], novelty[4], novelty[6]), (Novelty::New, Novelty::SplitOutOfOmitted, Novelty::SplitOut));
}

#[test]
fn added_features_get_entries_with_what_is_known() {
    let text = keeping(&clean_policy(), "portmapper");
    let reading = read(&text);
    let mut step = upgrade(&text, "1.104.5").unwrap();
    let evidence = Evidence { path: "a.go".into(), kind: Part::File, name: String::new(), from: String::new() };
    let own = Origin { in_this_build: vec![evidence], in_a_whole_build: Vec::new() };
    with_origins(&mut step, BTreeMap::from([(FeatureName::new("nattraversal").unwrap(), own)]));
    step.add_entries(Side { text: &text, reading: &reading }, UpstreamData::embedded());
    let lines: Vec<&str> = step.text.lines().filter(|line| !text.lines().any(|old| old == *line)).collect();
    insta::assert_snapshot!(lines.join("\n"));
    let moved = read(&step.text);
    let open = crate::rules::judge(&step.text, &moved, UpstreamData::embedded());
    let open = open.iter().filter(|finding| finding.code == diagnostics::Code::UndecidedFeature).count();
    assert_eq!((open, step.undecided()), (5, 5));
    assert_eq!(crate::policy::edit::sort(&step.text).as_deref(), Some(step.text.as_str()));
}
