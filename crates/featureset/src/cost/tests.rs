//! Differences that make costs stale, differences that do not, and drops that fit a budget.

use super::estimate::SizeModel;
use super::frontier::{frontier, levers};
use super::*;
use crate::platform::Platform;
use crate::policy::read;
use crate::rules::tests::clean_policy;
use crate::upstream_data::UpstreamData;

fn name(text: &str) -> FeatureName {
    FeatureName::new(text).unwrap()
}

fn basis(text: &str) -> Basis {
    let policy = read(text).policy.unwrap();
    let registry = UpstreamData::embedded().registry(policy.tailscale.unwrap()).unwrap();
    let target = policy.for_target("amd64").unwrap();
    Basis::new(target, &Selection::new(target, registry), 2, Some("4.2.2".to_owned())).unwrap()
}

fn cost(packed: i64, along: &[&str]) -> Cost {
    let along = along.iter().copied().map(name).collect();
    Cost::Measured {
        along,
        raw: packed * 4,
        packed,
        memory: None,
        without_memory: None,
        packages: BTreeSet::new(),
        modules: BTreeSet::new(),
    }
}

fn costs() -> Costs {
    let mut costs = Costs {
        generated_by: "cargo xtask measure".to_owned(),
        basis: basis(&clean_policy()),
        whole: BinarySize { raw: 14_000_000, packed: 3_700_000 },
        memory: None,
        features: BTreeMap::new(),
    };
    costs.basis.kept = ["netstack", "gro", "dns", "cli"].into_iter().map(name).collect();
    costs.features.insert(name("netstack"), cost(500_000, &["gro"]));
    costs.features.insert(name("gro"), cost(20_000, &[]));
    costs.features.insert(name("dns"), cost(150_000, &[]));
    costs.features.insert(name("cli"), cost(400_000, &[]));
    costs.features.insert(name("ssh"), cost(900_000, &[]));
    costs.features.insert(name("acme"), Cost::DoesNotCompile { said: "x.go:1:1: y".into(), hazard: None });
    costs
}

#[test]
fn another_release_go_setting_or_platform_is_stale_and_other_keeps_are_not() {
    let text = clean_policy();
    let then = basis(&text);
    assert!(then.stale(&basis(&text)).is_empty());
    for (from, to) in [
        ("tailscale: 1.102.5", "tailscale: 1.102.4"),
        ("go: 1.26.8", "go: 1.26.9"),
        ("inlining: none", "inlining: full"),
        ("inlining: none", "inlining: none\n  pack: none"),
        ("linux/amd64", "linux/arm64"),
        ("budget: 9 MB", "build: { extra_tags: { ts_package_container: Tells the console. } }"),
    ] {
        let now = basis(&text.replace(from, to));
        assert_eq!(then.stale(&now).len(), 1, "{to}: {:?}", then.stale(&now));
    }
    let now = basis(&text.replace("  netstack:\n    keep", "  netstack:\n    omit"));
    assert!(then.stale(&now).is_empty());
    assert_eq!(then.drift(&now), [name("netstack")].into());
    let upx = basis(&text.replace("inlining: none", "inlining: none\n  pack: upx"));
    assert!(then.stale(&upx).is_empty() && upx.stale(&then).is_empty(), "estimates scale the sizes of another packer");
    assert_eq!((then.other_packer(&upx), upx.other_packer(&then)), (Some("execpack"), Some("upx")));
    let unpacked = Basis { packer: None, ..then.clone() };
    assert!(then.stale(&unpacked).is_empty(), "an unknown value is not a difference");
    let rewritten = basis(&text.replace("inlining: none", "inlining: none\n  symbols: functions"));
    let anew = Basis { rewrite: Some(3), ..rewritten.clone() };
    assert_eq!(rewritten.stale(&anew), ["the rewrite's revision 2, now 3"]);
    assert_eq!(
        (then.rewrite, then.stale(&rewritten).len()),
        (None, 1),
        "without a rewrite its revision is not a difference"
    );
}

#[test]
fn costs_survive_their_file() {
    let costs = costs();
    assert_eq!(Costs::from_json(&costs.to_json().unwrap()).unwrap(), costs);
    assert!(Costs::from_json("{}").is_err());
    assert_eq!(costs.packed(&name("dns")), Some(150_000));
    assert_eq!(costs.packed(&name("acme")), None);
    assert!(costs.features["netstack"].is_shared() && !costs.features["gro"].is_shared());
}

#[test]
fn ways_to_fit_start_with_the_least_that_suffices() {
    let costs = costs();
    let registry = UpstreamData::embedded().registry("1.102.5".parse().unwrap()).unwrap();
    let (model, selection) = (SizeModel::from_costs(&costs), Selection::keeping(&costs.basis.kept, registry));
    let one = |way: &frontier::Way| {
        let drops: Vec<&str> = way.drops.iter().map(|drop| drop.feature.as_str()).collect();
        (drops.join(" "), way.estimate)
    };
    let found = |budget: u64| frontier(&model, &selection, budget, |kept| kept.contains("cli"));
    let told = |budget: u64| found(budget).ways.iter().map(one).collect::<Vec<_>>();
    assert_eq!(told(3_700_000), []);
    // What is omitted can't be dropped, and what may not go is not proposed.
    let single = |name: &str, estimate| (name.to_owned(), estimate);
    assert_eq!(told(3_600_000), [single("dns", 3_550_000), single("netstack", 3_200_000)]);
    // gro goes with netstack: it is not counted twice.
    assert_eq!(told(3_060_000), [single("netstack dns", 3_050_000)]);
    assert_eq!(told(3_000_000), []);
    assert_eq!(one(&found(3_000_000).lowest), single("netstack dns", 3_050_000));
}

#[test]
fn a_size_that_no_binary_has_is_refused() {
    let costs = Costs {
        generated_by: String::new(),
        basis: basis(&clean_policy()),
        whole: BinarySize { raw: LARGEST, packed: 0 },
        memory: None,
        features: [(name("dns"), cost(1, &[]))].into(),
    };
    let json = costs.to_json().unwrap();
    assert_eq!(Costs::from_json(&json), Ok(costs));
    for (from, to) in [("1099511627776", "1099511627777"), ("\"packed\": 1", "\"packed\": -9223372036854775808")] {
        assert!(Costs::from_json(&json.replace(from, to)).is_err_and(|why| why.contains("more than")), "{to}");
    }
}

#[test]
fn differences_are_told_in_kilobytes() {
    let told = |bytes| format_difference(bytes);
    assert_eq!(
        [told(0), told(49), told(-1_234), told(9_949), told(123_456)],
        ["+0.0 kB", "+0.0 kB", "−1.2 kB", "+9.9 kB", "+123 kB"]
    );
}

#[test]
fn memory_is_a_median_and_a_difference_within_chance_tells_nothing() {
    let seen = |figures: &[u64]| Memory::from_samples(figures.to_vec());
    assert_eq!(seen(&[]), None);
    let (one, other) = (seen(&[24_100, 24_600, 24_200]).unwrap(), seen(&[23_000, 23_100, 22_900]).unwrap());
    assert_eq!((one.bytes, one.spread, other.bytes, other.spread), (24_200, 500, 23_000, 200));
    assert_eq!(one.less(other), Memory { bytes: 1200, spread: 500 });
    assert!(one.less(other).tells() && !one.less(one).tells() && other.less(one).tells());
}

#[test]
fn a_setting_that_the_platform_does_not_support_is_not_proposed() {
    let settings = |platform: &str| {
        let (platform, build) = (Platform::find(platform).unwrap(), Build { pack: Pack::None, ..Build::default() });
        levers(platform, &build, None, &costs().basis.kept).into_iter().map(|lever| lever.setting).collect::<Vec<_>>()
    };
    assert!(settings("linux/mipsle/softfloat").contains(&"symbols: none".to_owned()));
    assert!(!settings("linux/mips/softfloat").contains(&"symbols: none".to_owned()));
}
