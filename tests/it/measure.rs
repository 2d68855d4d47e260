//! What was measured, as it is shown everywhere; and a few real builds, interrupted and resumed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::common::{command, finish, folder, full, policy, run};
use featureset::cost::{Basis, Cost, Costs, Memory, Weight};
use featureset::facts::Facts;
use featureset::name::FeatureName;
use featureset::policy::read;
use featureset::selection::Selection;

const TARGET: &str = "{ platform: linux/amd64 }";

fn name(text: &str) -> FeatureName {
    FeatureName::new(text).unwrap()
}

/// Costs that a sweep could have measured on the policy.
fn costs(text: &str) -> Costs {
    let policy = read(text).policy.unwrap();
    let registry = Facts::embedded().registry(policy.tailscale.unwrap()).unwrap();
    let selection = Selection::of(&policy, registry);
    let basis = Basis::of(&policy, &selection, "one", gobinary::pclntab::REVISION, Some("4.2.2".to_owned())).unwrap();
    let cost = |feature: &FeatureName, packed: i64| {
        let along = selection.flipping(feature);
        let packages = BTreeSet::from([format!("tailscale.com/feature/{feature}")]);
        // One that tells, and one that chance could have brought.
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
    let whole = Weight { raw: 14_100_000, packed: 3_750_000 };
    Costs { generated_by: "cargo xtask measure".to_owned(), basis, whole, memory: None, features }
}

/// A policy with costs beside it.
fn measured(text: &str) -> tempfile::TempDir {
    let folder = folder(text);
    let file = folder.path().join("docs/costs/one.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, costs(text).to_json().unwrap()).unwrap();
    folder
}

#[test]
fn the_price_stands_beside_the_decision() {
    let folder = measured(&policy(&[], TARGET));
    let explained = |name: &str| {
        let told = run(folder.path(), &["explain", name]).stdout;
        told.split("size\n").nth(1).unwrap().split("changing it").next().unwrap().to_owned()
    };
    let told: String =
        ["netstack", "dns", "acme", "wakeonlan"].map(|name| format!("{name}\n{}", explained(name))).concat();
    let list = run(folder.path(), &["list", "--by", "cost", "--decision", "keep"]);
    insta::assert_snapshot!(format!("{told}{}", list.shown()));
    let json = run(folder.path(), &["explain", "netstack", "--format", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["explanation"]["costs"]["one"]["result"], "measured");
}

#[test]
fn what_to_drop_to_fit() {
    let folder = measured(&policy(&["portmapper", "webclient", "serve", "wakeonlan"], TARGET));
    let told = |budget: &str| run(folder.path(), &["measure", "frontier", "--budget", budget]).shown();
    let json = run(folder.path(), &["measure", "frontier", "--budget", "3.2MB", "--format", "json"]);
    insta::assert_snapshot!(["3.4MB", "4MB", "2.1 MB", "1"].map(told).join("\n=====\n") + &json.stdout);
}

#[test]
fn a_flip_in_review_names_its_price_and_stale_costs_are_said_to_be() {
    let text = policy(&[], TARGET);
    let folder = measured(&text);
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=A", "-c", "user.email=a@example.test", "-c", "commit.gpgsign=false"];
        assert!(
            Command::new("git").args(identity).args(arguments).current_dir(folder.path()).status().unwrap().success()
        );
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=base"]);
    let (kept, omitted) = ("    keep: This device decides on netstack.", "    omit: Nobody asks here.");
    assert!(text.contains(kept));
    std::fs::write(folder.path().join("featureset.yaml"), text.replace(kept, omitted)).unwrap();
    let page = run(folder.path(), &["review", "--base", "HEAD"]).stdout;
    insta::assert_snapshot!(page);
    let drifted = run(folder.path(), &["explain", "dns"]).stdout;
    assert!(drifted.contains("(one: measured with 1 decision different)"), "{drifted}");
    std::fs::write(folder.path().join("featureset.yaml"), text.replace("1.26.8", "1.26.9")).unwrap();
    let stale = run(folder.path(), &["explain", "dns"]).stdout;
    assert!(stale.contains("(one: stale, measured with Go 1.26.8, now 1.26.9)"), "{stale}");
}

#[test]
fn without_figures_it_says_so() {
    let folder = folder(&policy(&[], TARGET));
    for arguments in [
        &["measure", "frontier", "--budget", "3MB"][..],
        &["list", "--by", "cost"],
        &["list", "--target", "other"],
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
    assert!(ran.status == 2 && ran.stderr.contains("error[costs-damaged]"), "{}", ran.stderr);
}

#[test]
fn the_chart_tells_what_stands_in_it() {
    let costs = costs(&policy(&[], TARGET));
    insta::assert_snapshot!(tailscale_featureset::render::chart::costs("one", &costs));
}

/// The files of results, by name.
fn results(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder.join("target/tailscale/.measure/one")).into_iter().flatten().flatten();
    let files = files.filter(|entry| entry.path().is_file());
    files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())).collect()
}

#[test]
fn a_sweep_that_was_killed_goes_on_and_says_what_two_shards_say() {
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
    let waited = std::time::Instant::now();
    while results(killed).len() < 3 && waited.elapsed().as_secs() < 900 {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
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
