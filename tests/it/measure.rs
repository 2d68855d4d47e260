//! Measured sizes in the output of each command; and a few real builds, interrupted and resumed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::common::git::commit_all;
use crate::common::{GO, RELEASE, command, finish, folder, full, policy, run, wait_until};
use featureset::cost::{Basis, BinarySize, Cost, Costs, Memory};
use featureset::name::FeatureName;
use featureset::policy::read;
use featureset::selection::Selection;
use featureset::upstream_data::UpstreamData;

const TARGET: &str = "{ platform: linux/amd64 }";

fn name(text: &str) -> FeatureName {
    FeatureName::new(text).unwrap()
}

/// Costs that a sweep could have measured on the policy.
fn costs(text: &str) -> Costs {
    let policy = read(text).policy.unwrap();
    let registry = UpstreamData::embedded().registry(policy.tailscale.unwrap()).unwrap();
    let target = policy.for_target("one").unwrap();
    let selection = Selection::new(target, registry);
    let basis = Basis::new(target, &selection, gobinary::pclntab::REVISION, Some("4.2.2".to_owned())).unwrap();
    let cost = |feature: &FeatureName, packed: i64| {
        let along = selection.forced_by_inverting(feature);
        let packages = BTreeSet::from([format!("tailscale.com/feature/{feature}")]);
        // A significant difference, and one within the noise.
        let memory = [("netstack", 900_000), ("dns", 90_000)].into_iter().find(|(name, _)| *name == feature.as_str());
        let memory = memory.map(|(_, bytes)| Memory { bytes, spread: 100_000 });
        let modules = BTreeSet::new();
        Cost::Measured { along, raw: packed * 4, packed, memory, without_memory: None, packages, modules }
    };
    let mut features: BTreeMap<FeatureName, Cost> = BTreeMap::new();
    for (index, feature) in registry.features.keys().enumerate() {
        features.insert(feature.clone(), cost(feature, i64::try_from(index * index * 97).unwrap() - 900));
    }
    let said = "feature/acme/acme.go:1:2: undefined: serve".to_owned();
    features.insert(name("acme"), Cost::DoesNotCompile { said, hazard: Some("serve-acme".to_owned()) });
    features.insert(name("wakeonlan"), Cost::DoesNotStart { said: "panic: nothing".to_owned() });
    let whole = BinarySize { raw: 14_100_000, packed: 3_750_000 };
    Costs { generated_by: "cargo xtask measure".to_owned(), basis, whole, memory: None, features }
}

/// A project with a policy and its measured costs.
fn measured(text: &str) -> tempfile::TempDir {
    let folder = folder(text);
    let file = folder.path().join("docs/costs/one.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, costs(text).to_json().unwrap()).unwrap();
    folder
}

#[test]
fn explain_and_list_with_costs_show_sizes() {
    let folder = measured(&policy(&[], TARGET));
    let explained = |name: &str| {
        let told = run(folder.path(), &["explain", name]).stdout;
        told.split("size\n").nth(1).unwrap().split("changing it").next().unwrap().to_owned()
    };
    for name in ["netstack", "dns", "acme", "wakeonlan"] {
        insta::assert_snapshot!(format!("explain_cost_of_{name}"), explained(name));
    }
    let list = run(folder.path(), &["list", "--by", "cost", "--decision", "keep"]);
    insta::assert_snapshot!("list_by_cost", list.transcript());
    let json = run(folder.path(), &["explain", "netstack", "--format", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["explanation"]["costs"]["one"]["result"], "measured");
}

#[test]
fn frontier_of_each_kind_of_budget() {
    let folder = measured(&policy(&["portmapper", "webclient", "serve", "wakeonlan"], TARGET));
    for (case, budget) in
        [("reachable", "3.4MB"), ("already_met", "4MB"), ("unreachable", "2.1 MB"), ("without_unit", "1")]
    {
        let ran = run(folder.path(), &["measure", "frontier", "--budget", budget]);
        insta::assert_snapshot!(format!("frontier_budget_{case}"), ran.transcript());
    }
    let json = run(folder.path(), &["measure", "frontier", "--budget", "3.2MB", "--format", "json"]);
    insta::assert_snapshot!("frontier_json", json.stdout);
}

#[test]
fn review_with_costs_shows_sizes_and_stale_costs() {
    let text = policy(&[], TARGET);
    let folder = measured(&text);
    commit_all(folder.path());
    let (kept, omitted) = ("    keep: This device decides on netstack.", "    omit: Nobody asks here.");
    assert!(text.contains(kept));
    std::fs::write(folder.path().join("featureset.yaml"), text.replace(kept, omitted)).unwrap();
    let page = run(folder.path(), &["review", "--base", "HEAD"]).stdout;
    insta::assert_snapshot!(page);
    let drifted = run(folder.path(), &["explain", "dns"]).stdout;
    assert!(drifted.contains("(one: measured with 1 decision different)"), "{drifted}");
    std::fs::write(folder.path().join("featureset.yaml"), text.replace(GO, "1.26.9")).unwrap();
    let stale = run(folder.path(), &["explain", "dns"]).stdout;
    let expected = format!("(one: stale, measured with Go {GO}, now 1.26.9)");
    assert!(stale.contains(&expected), "{stale}");
}

#[test]
fn commands_without_costs_report_the_next_step() {
    let folder = folder(&policy(&[], TARGET));
    for arguments in [
        &["list", "--target", "other"][..],
        &["measure", "--feature", "nonesuch"],
        &["measure", "--target", "nonesuch"],
    ] {
        let ran = run(folder.path(), arguments);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("= next: "), "{}", ran.stderr);
    }
    let damaged = measured(&policy(&[], TARGET));
    std::fs::write(damaged.path().join("docs/costs/one.json"), "{").unwrap();
    let ran = run(damaged.path(), &["explain", "dns"]);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("error[costs-damaged]"), "{}", ran.stderr);
}

#[test]
fn chart_of_costs_has_a_bar_for_each_feature() {
    let costs = costs(&policy(&[], TARGET));
    let chart = tailscale_featureset::render::chart::costs("one", &costs);
    assert!(chart.starts_with("<svg "), "{chart}");
    assert!(chart.ends_with("</svg>\n"), "{chart}");
    let bar =
        regex::Regex::new(r#"<text [^>]*>(\w+)[ †]*</text><rect class="(kept|omitted)" [^>]*width="(\d+)""#).unwrap();
    let bars: Vec<(&str, &str, u32)> = bar
        .captures_iter(&chart)
        .map(|bar| bar.extract().1)
        .map(|[name, decision, width]| (name, decision, width.parse().unwrap()))
        .collect();
    assert!(bars.is_sorted_by(|before, after| before.2 >= after.2), "the largest first: {bars:?}");
    let kept: BTreeSet<&str> = bars.iter().filter(|bar| bar.1 == "kept").map(|bar| bar.0).collect();
    assert_eq!(kept, BTreeSet::from(["cli", "dns", "ipnbus", "netstack", "osrouter", "unixsocketidentity"]));
    // Without a bar: four that are too small, and `acme` and `wakeonlan`, which have no size.
    assert_eq!(bars.len() + 6, costs.features.len());
    let notes = [
        format!("Tailscale {RELEASE}, Go {GO}, inlining full, symbols all"),
        "4 more cost less than 1 kB; 2 do not compile or start with the opposite decision.".to_owned(),
    ];
    for note in notes {
        assert!(chart.contains(&note), "no `{note}` in {chart}");
    }
}

/// The files of results, by name.
fn results(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder.join("target/tailscale/.measure/one")).into_iter().flatten().flatten();
    let files = files.filter(|entry| entry.path().is_file());
    files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())).collect()
}

#[test]
fn measure_killed_and_resumed_equals_two_shards() {
    if !full() {
        return;
    }
    let features = ["--feature", "colorable", "--feature", "gro", "--feature", "serve", "--feature", "syslog"];
    let text = policy(&[], TARGET);
    let measure = |folder: &Path, more: &[&str]| {
        let arguments: Vec<&str> = ["measure"].iter().chain(&features).chain(more).copied().collect();
        command(folder, &arguments)
    };
    let done = |folder: &Path, more: &[&str]| {
        let ran = finish(measure(folder, more));
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        ran.stderr
    };
    let folders = [folder(&text), folder(&text), folder(&text)];
    let [killed, first, second] = folders.each_ref().map(tempfile::TempDir::path);

    let mut child = measure(killed, &[]).stderr(std::process::Stdio::null()).spawn().unwrap();
    wait_until("three results are written", || results(killed).len() >= 3);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = results(killed);
    assert!((2..5).contains(&before.len()), "{:?}", before.keys());
    assert!(done(killed, &["--resume"]).contains("4 of 79"));

    done(first, &["--shard", "1/2"]);
    done(second, &["--shard", "2/2"]);
    for (name, bytes) in results(second) {
        std::fs::write(first.join("target/tailscale/.measure/one").join(name), bytes).unwrap();
    }
    assert!(done(first, &["--resume"]).contains("4 of 79"));
    assert_eq!(results(first), results(killed));
}
