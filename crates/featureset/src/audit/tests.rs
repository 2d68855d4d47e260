//! The meaning of a list on a release, and its findings.

use std::collections::BTreeSet;

use super::*;
use crate::name::{CLI, FeatureName, INCLUDE_CLI};
use crate::release::Release;
use diagnostics::{Code, Severity};
use proptest::prelude::*;
use proptest::sample::Index;

fn release(text: &str) -> Option<Release> {
    Some(text.parse().unwrap())
}

fn audited(tags: &str, on: &str) -> Audit {
    let asked = Asked { release: release(on), ..Asked::default() };
    audit(&List::line(tags, "a line"), &asked, UpstreamData::embedded()).unwrap()
}

/// The first list of a script.
fn script(text: &str) -> List {
    Recipe::new("build.sh", text, Default::default()).lists(release("1.102.5"), UpstreamData::embedded()).remove(0)
}

fn call(min: bool, add: &str, remove: &str) -> List {
    let flags = [
        (min, "--min", String::new()),
        (!add.is_empty(), "--add=", add.to_owned()),
        (!remove.is_empty(), "--remove=", remove.to_owned()),
    ];
    let flags: String =
        flags.iter().filter(|(given, ..)| *given).map(|(_, flag, value)| format!(" '{flag}{value}'")).collect();
    script(&format!("set -e\nT=$(featuretags{flags})\ngo build -tags \"$T\" -ldflags -X=Stamp=1 ./cmd/tailscaled"))
}

fn called(list: &List, on: &str) -> Audit {
    audit(list, &Asked { release: release(on), ..Asked::default() }, UpstreamData::embedded()).unwrap()
}

fn found<'a>(audit: &'a Audit, code: &str) -> Vec<&'a str> {
    audit
        .findings
        .iter()
        .filter(|finding| finding.code.as_str() == code)
        .map(|finding| finding.message.as_str())
        .collect()
}

#[test]
fn every_kind_of_tag_that_does_nothing_is_named() {
    let line = "ts_omit_lazywg,ts_omit_nattraversal ts_omit_dsn\tosrouter,,ts_omit_cli,netgo,TS_OMIT_AWS,with_x,ts_kube,ts_omit_kube,kube";
    let audit = audited(line, "1.102.5");
    assert!(found(&audit, "absent-tag")[0].contains("removed in 1.98"), "{:?}", audit.findings);
    assert!(found(&audit, "absent-tag")[1].contains("came with 1.104"));
    let misspelled: Vec<&Diagnostic> =
        audit.findings.iter().filter(|finding| finding.code == Code::MisspelledTag).collect();
    assert_eq!(misspelled.len(), 2);
    assert!(
        misspelled[0].next.to_string().contains("`ts_omit_dns`")
            && misspelled[1].next.to_string().contains("`ts_omit_aws`"),
        "{misspelled:?}"
    );
    assert_eq!(found(&audit, "omitted-cli").len(), 1);
    let positive: Vec<Severity> = audit
        .findings
        .iter()
        .filter(|finding| finding.code == Code::PositiveTag)
        .map(|finding| finding.severity)
        .collect();
    assert_eq!(positive, [Severity::Error, Severity::Warning], "`kube` is out, `osrouter` is in anyway");
    let other: Vec<&str> = audit.other_tags.iter().map(String::as_str).collect();
    assert_eq!(other, ["netgo", "ts_kube", "with_x"]);
    assert_eq!(audit.omitted.iter().map(FeatureName::as_str).collect::<Vec<_>>(), ["cli", "kube"]);
}

#[test]
fn tags_that_older_lines_read_without_declaring_them_are_not_said_to_do_nothing() {
    for (tag, on, silent) in [
        ("ts_omit_completion_scripts", "1.94.2", true),
        ("ts_omit_conn25", "1.94.2", true),
        ("ts_omit_conn25", "1.92.5", false),
    ] {
        assert_eq!(found(&audited(tag, on), "absent-tag").is_empty(), silent, "{tag} on {on}");
    }
}

#[test]
fn a_keep_without_its_declared_need_is_an_open_dependency() {
    let audit = audited("ts_include_cli,ts_omit_c2n", "1.102.5");
    assert!(found(&audit, "open-dependency").iter().any(|message| message.contains("`advertiseroutes`")));
    assert!(audited(INCLUDE_CLI, "1.102.5").findings.iter().all(|finding| finding.code != Code::OpenDependency));
}

#[test]
fn hazards_depend_on_the_device_until_it_is_stated() {
    let list = List::line("ts_include_cli", "a line");
    let asked = |facts: &[(&str, &str)]| Asked {
        release: release("1.102.5"),
        device: facts.iter().map(|(fact, value)| ((*fact).to_owned(), (*value).to_owned())).collect(),
        ..Asked::default()
    };
    let unknown = audit(&list, &asked(&[]), UpstreamData::embedded()).unwrap();
    assert!(unknown.depends_on["storage"].contains("cachenetmap-flash-wear"));
    let severity = |audit: &Audit, id: &str| {
        audit.findings.iter().find(|finding| finding.code.as_str() == id).map(|finding| finding.severity)
    };
    assert_eq!(severity(&unknown, "cachenetmap-flash-wear"), Some(Severity::Warning));
    let flash = audit(&list, &asked(&[("storage", "flash")]), UpstreamData::embedded()).unwrap();
    assert_eq!(severity(&flash, "cachenetmap-flash-wear"), Some(Severity::Error));
    assert!(!flash.depends_on.contains_key("storage"));
    let disk = audit(&list, &asked(&[("storage", "disk")]), UpstreamData::embedded()).unwrap();
    assert_eq!(severity(&disk, "cachenetmap-flash-wear"), None);
    let accepted =
        Asked { accepted: BTreeSet::from(["cachenetmap-flash-wear".to_owned()]), ..asked(&[("storage", "flash")]) };
    let accepted = audit(&list, &accepted, UpstreamData::embedded()).unwrap();
    assert_eq!(severity(&accepted, "cachenetmap-flash-wear"), Some(Severity::Note));
}

#[test]
fn what_does_not_compile_can_not_be_accepted() {
    let list = call(true, "syspolicy", "");
    let accepted = BTreeSet::from(["clientmetrics-syspolicy".to_owned()]);
    let audit =
        audit(&list, &Asked { release: release("1.102.5"), accepted, ..Asked::default() }, UpstreamData::embedded())
            .unwrap();
    let finding = audit.findings.iter().find(|finding| finding.code.as_str() == "clientmetrics-syspolicy").unwrap();
    assert_eq!(finding.severity, Severity::Error);
    assert!(!finding.next.to_string().contains("--accept"));
}

#[test]
fn only_what_compiles_is_judged_of_other_programs() {
    let library = List { program: Program::Library, ..call(true, "syspolicy", "") };
    let audit = called(&library, "1.102.5");
    let hazards: Vec<&str> = audit
        .findings
        .iter()
        .map(|finding| finding.code.as_str())
        .filter(|code| UpstreamData::embedded().hazard(code).is_some())
        .collect();
    assert_eq!(hazards, ["clientmetrics-syspolicy", "ipnbus-tsnet"]);
    assert_eq!(found(&audit, "other-program").len(), 1);
}

#[test]
fn a_list_of_keeps_loses_direct_connections_and_a_list_of_omissions_does_not() {
    let keeps = called(&call(true, "osrouter,cli", ""), "1.102.5");
    let step = keeps.newest.unwrap();
    assert!(
        step.left_out.contains("nattraversal")
            && step.hazards_begun.iter().any(|one| one.hazard == "nattraversal-derp")
    );
    let fixed = audited(&keeps.tags.into_iter().collect::<Vec<_>>().join(","), "1.102.5");
    let step = fixed.newest.unwrap();
    assert!(
        step.comes_in.contains("nattraversal")
            && !step.hazards_begun.iter().any(|one| one.hazard == "nattraversal-derp"),
        "{step:?}"
    );
}

#[test]
fn extra_small_is_what_the_script_of_that_release_makes_it() {
    let list = script("./build_dist.sh --extra-small --box ./cmd/tailscaled");
    let kept = |on: &str| called(&list, on).kept.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    assert_eq!(kept("1.102.5"), "cli,osrouter");
    assert_eq!(kept("1.104.5"), "cli,nattraversal,osrouter,udptransport");
    // Upstream's own script keeps what an allowlist by hand loses.
    assert!(called(&list, "1.104.5").findings.iter().all(|finding| finding.code.as_str() != "nattraversal-derp"));
}

#[test]
fn a_name_that_add_does_not_know_is_taken_in_silence_and_remove_fails() {
    let silent = called(&call(true, "osrouter, dns,lazywg,ts_omit_ssh,NETSTACK", ""), "1.102.5");
    assert_eq!(found(&silent, "unknown-add").len(), 4, "{:?}", silent.findings);
    assert!(!silent.fails && silent.kept.iter().map(FeatureName::as_str).eq(["osrouter"]));
    for (min, remove, said) in [
        (false, "lazywg", "no feature `lazywg`"),
        (true, "netstack", "`netstack` is needed"),
        (false, CLI, "can't be removed"),
    ] {
        let audit = called(&call(min, "", remove), "1.102.5");
        assert!(audit.fails && audit.kept.is_empty() && audit.tags.is_empty());
        assert!(found(&audit, "featuretags-fails")[0].contains(said), "{:?}", audit.findings);
    }
    let whole = called(&call(false, "dns", "aws"), "1.102.5");
    assert_eq!((found(&whole, "add-without-min").len(), whole.omitted.len()), (1, 2));
}

#[test]
fn nothing_is_said_of_a_line_that_no_one_read() {
    let list = List::line("ts_omit_aws", "a line");
    let asked = Asked { release: release("1.88.4"), ..Asked::default() };
    assert_eq!(audit(&list, &asked, UpstreamData::embedded()), Err(UnknownLine(release("1.88.4"))));
    let none = audit(&list, &Asked::default(), UpstreamData::embedded()).unwrap();
    assert!(!none.release_stated && found(&none, "release-assumed").len() == 1);
}

#[test]
fn two_versions_differ_by_what_came_and_went() {
    let (old, new) =
        (called(&call(true, "osrouter,ssh", ""), "1.102.5"), called(&call(true, "osrouter,dns", ""), "1.102.5"));
    let comparison = Comparison::between(&old, &new);
    assert!(comparison.came.iter().map(FeatureName::as_str).eq(["dns"]));
    assert!(comparison.went.contains("ssh") && comparison.went.contains("netstack"), "what came along goes along");
    assert!(comparison.findings_gained.contains_key("dns-netstack-quad100") && !comparison.is_same());
    assert!(Comparison::between(&old, &old).is_same());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_audit_of_a_closed_selection_finds_it_again(picks in prop::collection::vec(any::<Index>(), 0..30), line in 0_usize..8) {
        let registry = UpstreamData::embedded().registries().nth(line).unwrap();
        let on = registry.releases.keys().next_back().unwrap().to_string();
        let names: Vec<FeatureName> = registry.features.keys().cloned().collect();
        let closed: BTreeSet<FeatureName> = picks.iter().flat_map(|pick| registry.requires(pick.get(&names))).collect();
        let audit = audited(&registry.tags(&closed).join(","), &on);
        prop_assert_eq!(&audit.kept, &closed);
        prop_assert!(audit.findings.iter().all(|finding| finding.code != Code::OpenDependency));
        let add = closed.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        prop_assert_eq!(called(&call(true, &add, ""), &on).tags, audit.tags);
    }

    #[test]
    fn no_line_makes_it_panic(tags in "[a-z_,\\s]{0,60}(ts_omit_[a-z]{0,12},?){0,4}.{0,40}") {
        for on in ["1.90.9", "1.104.5"] {
            audited(&tags, on);
        }
    }
}
