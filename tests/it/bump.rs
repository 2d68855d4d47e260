//! `bump` on the real modules: every step since features were declared, and steps that fail. Needs the network once.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{GO, RELEASE, cache, command, finish, folder, policy, policy_of, run, skip, wait_until};
use serde_json::Value;
use tailscale_featureset::tools::go;
use tailscale_featureset::upstream;

const TARGET: &str = "{ platform: linux/amd64 }";

fn read(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("featureset.yaml")).unwrap()
}

/// Returns whether upstream's releases can be listed; reports a skipped test if not.
fn online() -> bool {
    let listed = go::find_or_provide(&cache()).and_then(|go| upstream::releases(&go, &cache()));
    if let Err(error) = &listed {
        skip(&format!("upstream's releases can't be listed: {error:?}"));
    }
    listed.is_ok()
}

/// Returns the origin of each added feature: `split-out`, `split-out-of-omitted` or `new`.
fn novelties(document: &Value) -> BTreeMap<String, &'static str> {
    let count = |added: &Value, side: &str| added["origin"][side].as_array().unwrap().len();
    let kind = |added: &Value| match (count(added, "in_this_build"), count(added, "in_a_whole_build")) {
        (0, 0) => "new",
        (0, _) => "split-out-of-omitted",
        _ => "split-out",
    };
    let added = document["upgrade"]["added"].as_array().unwrap();
    added.iter().map(|added| (added["feature"].as_str().unwrap().to_owned(), kind(added))).collect()
}

/// Returns the lines that were inserted; fails if a line is missing or changed.
fn inserted<'a>(old: &[&str], new: &[&'a str]) -> Vec<&'a str> {
    let mut rest = old.iter().peekable();
    let added = new.iter().filter(|line| rest.next_if(|old| old == line).is_none()).copied().collect();
    assert_eq!(rest.next(), None);
    added
}

/// Decides every feature that a stub stands for, as a person would after the step.
fn decide(folder: &Path, word: &str) {
    let ran = run(folder, &["check", "--fix"]);
    assert!(ran.stderr.contains("Fixed") || ran.stderr.contains("Unchanged"), "{}", ran.stderr);
    let mut text = String::new();
    for line in read(folder).lines() {
        match line.strip_prefix("    #: keep: or omit:") {
            Some(_) => text += &format!("    {word}: Decided at line {}.\n", text.lines().count()),
            None => text += &format!("{line}\n"),
        }
    }
    std::fs::write(folder.join("featureset.yaml"), text).unwrap();
}

#[test]
fn bump_through_every_line_lists_the_changes() {
    if !online() {
        return;
    }
    let keeps: Vec<String> = {
        let facts = featureset::upstream_data::UpstreamData::embedded();
        facts.registry("1.90.9".parse().unwrap()).unwrap().features.keys().map(ToString::to_string).collect()
    };
    let keeps: Vec<&str> = keeps.iter().map(String::as_str).collect();
    let folder = folder(&policy_of("1.90.9", "1.25.5", &keeps, TARGET));
    let mut told = String::new();
    for release in ["1.92.5", "1.94.2", "1.96.5", "1.98.10", "1.100.0", RELEASE, "1.104.5"] {
        let before = read(folder.path());
        let ran = run(folder.path(), &["bump", release, "--format", "json"]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        let after = read(folder.path());
        let pins = |text: &str| -> Vec<String> {
            let is_pin = |line: &&str| line.starts_with("tailscale:") || line.starts_with("go:");
            text.lines().filter(is_pin).map(str::to_owned).collect()
        };
        let changed: Vec<(String, String)> =
            pins(&before).into_iter().zip(pins(&after)).filter(|(old, new)| old != new).collect();
        let is_pinned = |line: &&str| !line.starts_with("tailscale:") && !line.starts_with("go:");
        let rest: Vec<&str> = before.lines().filter(is_pinned).collect();
        inserted(&rest, &after.lines().filter(is_pinned).collect::<Vec<_>>());
        let upgrade = &document["upgrade"];
        told += &format!("{} → {release}: {changed:?}\n", upgrade["from"].as_str().unwrap());
        for (name, kind) in novelties(&document) {
            told += &format!("  + {name}: {kind}\n");
        }
        for removed in upgrade["removed"].as_array().unwrap() {
            told += &format!("  - {}\n", removed["feature"].as_str().unwrap());
        }
        for change in upgrade["dependencies"].as_array().unwrap() {
            told += &format!("  ~ {} {} {}\n", change["feature"], change["gained"], change["lost"]);
        }
        decide(folder.path(), "keep");
    }
    insta::assert_snapshot!(told);
    let moved = run(folder.path(), &["check", "--format", "json"]);
    assert!(!moved.stdout.contains("undecided-feature"), "{}", moved.stdout);
}

#[test]
fn bump_with_unread_output_moves_the_pin() {
    if !online() {
        return;
    }
    let folder = folder(&policy(&["cli"], TARGET));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = command(folder.path(), &["bump", "1.104.5"]).stdout(writer).status().unwrap();
    assert!(status.success(), "{status}");
    assert!(read(folder.path()).contains("tailscale: 1.104.5\n"), "{status}");
}

#[test]
fn bump_to_1_104_asks_for_the_new_features() {
    if !online() {
        return;
    }
    let words = regex::Regex::new("upstream says: “[^”]+”").unwrap();
    for (name, keeps) in [("keeps_neither", &[][..]), ("keeps_both", &["portmapper", "listenrawdisco"][..])] {
        let text = policy(keeps, TARGET);
        let folder = folder(&text);
        let dry = run(folder.path(), &["bump", "v1.104.5", "--dry-run"]);
        assert_eq!((dry.status, read(folder.path()) == text), (0, true), "{}", dry.stderr);
        let ran = run(folder.path(), &["bump", "1.104.5"]);
        assert_eq!(ran.stdout, dry.stdout);
        // Upstream's own words are shown, and are not ours to keep.
        assert_eq!(words.find_iter(&ran.stdout).count(), 7);
        insta::assert_snapshot!(name, words.replace_all(&ran.stdout, "upstream says: “…”"));
        let expected = text.replace(RELEASE, "1.104.5").replace(GO, "1.27.3");
        let after = read(folder.path());
        let entries = inserted(&expected.lines().collect::<Vec<_>>(), &after.lines().collect::<Vec<_>>());
        insta::assert_snapshot!(format!("{name}_entries"), entries.join("\n"));
        // The report does not decide silently: check requires each decision.
        let check = run(folder.path(), &["check", "--all"]);
        assert_eq!(check.status, 1);
        assert!(check.stderr.contains("`udptransport` is not decided"), "{}", check.stderr);
        assert_eq!(
            check.stderr.contains("needed by `listenrawdisco`, `portmapper`, which is kept"),
            name == "keeps_both"
        );
        // The release is embedded, so no registry is written next to the policy.
        assert!(!folder.path().join("registry").exists());
    }
}

#[test]
fn bump_of_a_policy_with_two_devices_keeps_the_sections_of_the_targets() {
    if !online() {
        return;
    }
    let folder = folder(crate::several_devices::TWO_ROUTERS);
    let before = read(folder.path());
    let ran = run(folder.path(), &["bump", "1.104.5"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let after = read(folder.path());
    let targets = |text: &str| {
        let from = text.find("\ntargets:").unwrap();
        let features = text[from..].find("\nfeatures:").unwrap();
        text[from..from + features].to_owned()
    };
    assert_eq!(targets(&after), targets(&before));
    assert!(after.contains("  androidbin:\n    omit: >-\n      Android only:"), "{after}");
    let open = run(folder.path(), &["check", "--format", "json"]).stdout;
    assert_eq!(open.matches("\"undecided-feature\"").count(), 5, "{open}");
}

#[test]
fn bump_keeps_comments() {
    if !online() {
        return;
    }
    let text = policy(&[], TARGET)
        .replace(
            &format!("tailscale: {RELEASE}\n"),
            &format!("# tailscale: {RELEASE}\n\"tailscale\" : '1.102.4' # 1.102.4, not go: {GO}\n\n"),
        )
        .replace("features:\n", &format!("features:   # 1.102.4\n\n# go: {GO}\n"))
        .replace("  ace:\n", "\t# a tab\n  ace: # ü\n")
        + "# the end";
    let folder = folder(&text);
    let ran = run(folder.path(), &["bump", RELEASE]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(read(folder.path()), text.replace("'1.102.4'", &format!("'{RELEASE}'")));
    let again = run(folder.path(), &["bump", RELEASE]);
    assert_eq!(again.status, 0, "{}", again.transcript());
    assert!(again.stderr.contains("Unchanged"), "{}", again.transcript());
    assert!(again.stdout.is_empty(), "{}", again.transcript());
}

#[test]
fn bump_check_with_newer_release_reports_it_and_changes_nothing() {
    if !online() {
        return;
    }
    let newest = {
        let go = go::find_or_provide(&cache()).unwrap();
        upstream::releases(&go, &cache()).unwrap().pop().unwrap().to_string()
    };
    for (release, status) in [("1.102.4", 1), (newest.as_str(), 0)] {
        let text = policy(&[], TARGET).replace(RELEASE, release);
        let folder = folder(&text);
        let ran = run(folder.path(), &["bump", "--check", "--format", "json"]);
        assert_eq!(ran.status, status, "{}", ran.transcript());
        assert_eq!(ran.stdout.contains("newer-release") && ran.stdout.contains(&newest), status == 1, "{}", ran.stdout);
        assert_eq!(read(folder.path()), text);
    }
}

#[test]
fn bump_that_fails_changes_nothing() {
    let text = policy(&[], TARGET);
    let folder = folder(&text);
    for arguments in [&["bump"][..], &["bump", "1.103.0"], &["bump", "1.104"], &["bump", "latest", "--check"]] {
        let ran = run(folder.path(), arguments);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{arguments:?}");
    }
    // Without the network, and without what was fetched before.
    let empty = tempfile::tempdir().unwrap();
    for version in ["latest", "1.104.5"] {
        let lone = crate::common::folder(&text);
        let mut offline = command(lone.path(), &["bump", version]);
        offline.env("GOPROXY", "off").env("GOMODCACHE", empty.path());
        let ran = finish(offline);
        assert_eq!(ran.status, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("error[release"), "{}", ran.stderr);
        assert_eq!(read(lone.path()), text);
        assert!(!lone.path().join("registry").exists());
    }
    let unpinned = crate::common::folder(&text.replace(&format!("tailscale: {RELEASE}\n"), ""));
    let ran = run(unpinned.path(), &["bump", "latest"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("missing-key"), "{}", ran.stderr);
}

#[test]
fn bump_interrupted_changes_nothing() {
    if !online() {
        return;
    }
    let text = policy(&[], TARGET);
    let (folder, caches) = (folder(&text), tempfile::tempdir().unwrap());
    let mut bump = command(folder.path(), &["bump", "1.104.5"]);
    // A cache without modules: the program that reads the registry is built again, which takes long enough.
    bump.env("XDG_CACHE_HOME", caches.path());
    bump.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = bump.spawn().unwrap();
    let has_started = || std::fs::read_dir(caches.path()).unwrap().next().is_some();
    wait_until("the command has written to its cache", has_started);
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(read(folder.path()), text);
    assert!(!folder.path().join("registry").exists());
}
