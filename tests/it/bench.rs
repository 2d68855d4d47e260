//! `bench`: the binary that ships beside what Go links, in namespaces of their own.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::common::{finish, folder, full, policy, root, run, skip};
use tailscale_featureset::netlab::sandbox::missing_requirement;

#[test]
fn without_the_right_to_it_nothing_is_measured_and_nothing_is_said() {
    // As somebody else, from a place that everyone can read.
    if !rustix::process::geteuid().is_root() {
        return skip("not root, so it can't become somebody else");
    }
    let project = folder(&policy(&[], "{ platform: linux/amd64 }"));
    std::fs::set_permissions(project.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = project.path().join("program");
    std::fs::copy(env!("CARGO_BIN_EXE_tailscale-featureset"), &program).unwrap();
    let bench = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("bench").args(arguments).current_dir(project.path()).env("NO_COLOR", "1").uid(65534).gid(65534);
        finish(command)
    };
    let ran = bench(&[]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{}", ran.shown());
    assert!(ran.stderr.contains("skipped: bench: creating namespaces with a TUN device needs root"), "{}", ran.stderr);
    assert_eq!(bench(&["--require-all"]).status, 1);
}

#[test]
fn an_emulator_is_not_measured() {
    let project = folder(&policy(&[], "{ platform: linux/arm/v5 }"));
    let ran = run(project.path(), &["bench", "--target", "one"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("error[not-native]"), "{}", ran.stderr);
}

#[test]
fn both_are_run_in_turn_and_the_rewritten_daemon_takes_less_memory_than_the_packed_one_as_linked() {
    if !full() {
        return;
    }
    if let Some(why) = missing_requirement() {
        return skip(&why);
    }
    // The limit is no matter here: a busy machine may be off by any factor in few pairs.
    let ran = run(root(), &["bench", "--pairs", "6", "--load", "one-stream", "--limit", "10", "--format", "json"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let (figures, runs) = (&document["loads"][0], document["runs"].as_array().unwrap());
    for figure in ["cpu_seconds_per_gb", "megabytes_per_second"] {
        let ratio = &figures[figure]["ratio"];
        let [low, estimate, high] = ["low", "estimate", "high"].map(|name| ratio[name].as_f64().unwrap());
        assert!(0.0 < low && low <= estimate && estimate <= high, "{figures}");
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
