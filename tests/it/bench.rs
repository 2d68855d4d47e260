//! `bench`: the shipped binary compared with the binary that Go links, in network namespaces.

use crate::common::{folder, full, policy, router, run, skip, unprivileged};
use tailscale_featureset::netlab::sandbox::missing_requirement;

#[test]
fn bench_of_unprivileged_user_is_skipped() {
    let project = folder(&policy(&[], "{ platform: linux/amd64 }"));
    let Some(run) = unprivileged(project.path()) else { return skip("only root can become another user") };
    let bench = |arguments: &[&str]| run(&[&["bench"], arguments].concat());
    let ran = bench(&[]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{}", ran.transcript());
    assert!(ran.stderr.contains("skipped: bench: creating namespaces with a TUN device needs root"), "{}", ran.stderr);
    assert_eq!(bench(&["--require-all"]).status, 1);
}

#[test]
fn bench_of_a_foreign_platform_is_refused() {
    let project = folder(&policy(&[], "{ platform: linux/arm/v5 }"));
    let ran = run(project.path(), &["bench", "--target", "one"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("error[not-native]"), "{}", ran.stderr);
}

#[test]
fn bench_of_rewritten_daemon_reports_less_memory_than_of_linked() {
    if !full() {
        return;
    }
    if let Some(why) = missing_requirement() {
        return skip(&why);
    }
    // A high limit: with few pairs, the estimate of a busy machine may be off by any factor.
    let ran = run(router(), &["bench", "--pairs", "6", "--load", "one-stream", "--limit", "10", "--format", "json"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let (figures, runs) = (&document["loads"][0], document["runs"].as_array().unwrap());
    for figure in ["cpu_seconds_per_gb", "megabytes_per_second"] {
        let ratio = &figures[figure]["ratio"];
        let [low, estimate, high] = ["low", "estimate", "high"].map(|name| ratio[name].as_f64().unwrap());
        assert!(0.0 < low, "{figures}");
        assert!(low <= estimate, "{figures}");
        assert!(estimate <= high, "{figures}");
    }
    assert_eq!(runs.len(), 18);
    let idle = |binary: &str| {
        let memory = document["memory"].as_array().unwrap();
        memory.iter().find(|one| one["binary"] == binary).unwrap()["idle"].as_f64().unwrap()
    };
    let (linked, shipped) = (idle("packed-as-linked"), idle("shipped"));
    eprintln!("RssAnon packed: as linked {linked}, as shipped {shipped}");
    assert!(shipped + 2_500_000.0 <= linked, "{shipped} and {linked}");
}
