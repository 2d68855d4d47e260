//! Compares tags, registries and audits with upstream's own programs and packages. Needs the network once.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::common::{RELEASE, cache, skip};
use featureset::name::FeatureName;
use featureset::release::Release;
use featureset::upstream_data::UpstreamData;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use tailscale_featureset::tools::go::{self, Go};
use tailscale_featureset::upstream::{self, Upstream};

/// Fetches a release; reports a skipped test if that fails.
fn fetched(release: Release) -> Option<(Go, Upstream)> {
    let found = go::find_or_provide(&cache())
        .and_then(|go| upstream::fetch(&go, &cache(), release, None).map(|upstream| (go, upstream)));
    match found {
        Ok(found) => Some(found),
        Err(error) => {
            skip(&format!("Tailscale {release} can't be fetched: {error:?}"));
            None
        }
    }
}

#[test]
fn tags_of_random_selections_equal_featuretags() {
    for release in ["1.90.9", "1.96.5", "1.98.10", RELEASE] {
        let release: Release = release.parse().unwrap();
        let Some((go, upstream)) = fetched(release) else { return };
        let program = upstream.featuretags(&go).unwrap();
        let registry = UpstreamData::embedded().registry(release).unwrap();
        let names: Vec<FeatureName> = registry.features.keys().cloned().collect();
        let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
        let picks = prop::collection::vec(any::<Index>(), 0..30);
        let outcome = runner.run(&picks, |picks| {
            let wanted: BTreeSet<FeatureName> = picks.iter().map(|pick| pick.get(&names).clone()).collect();
            let closed: BTreeSet<FeatureName> = wanted.iter().flat_map(|name| registry.requires(name)).collect();
            let ours = registry.tags(&closed).join(",") + "\n";
            // Upstream closes what it is given; a closed selection must come out as it went in.
            prop_assert_eq!(&featuretags(&program, &closed), &ours);
            prop_assert_eq!(&featuretags(&program, &wanted), &ours);
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{release}: {error}"));
    }
}

fn featuretags(program: &Path, keeps: &BTreeSet<FeatureName>) -> String {
    let names: Vec<&str> = keeps.iter().map(FeatureName::as_str).collect();
    let output = Command::new(program).arg("--min").arg(format!("--add={}", names.join(","))).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn registry_equals_upstream_declarations() {
    for release in ["1.92.5", RELEASE] {
        let release: Release = release.parse().unwrap();
        let Some((go, upstream)) = fetched(release) else { return };
        let declared = upstream.declared(&go).unwrap();
        let registry = UpstreamData::embedded().registry(release).unwrap();
        assert_eq!(registry.releases[&release].go, upstream.needs);
        assert_eq!(declared.len(), registry.features.len());
        for (name, feature) in &registry.features {
            let declared = &declared[name.as_str()];
            assert_eq!(feature.description, featureset::registry::TextDigest::new(&declared.description));
            assert!(feature.needs.iter().map(FeatureName::as_str).eq(sorted(&declared.needs)), "{name}");
        }
    }
}

fn sorted(names: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Packages and, for those of other modules, the module's version.
fn listed(mut command: Command) -> BTreeSet<String> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.replace(&format!("tailscale.com@v{RELEASE}"), "tailscale.com@"))
        .collect()
}

#[test]
fn generated_module_lists_the_same_packages_as_upstream() {
    let release: Release = RELEASE.parse().unwrap();
    let Some((go, upstream)) = fetched(release) else { return };
    let registry = UpstreamData::embedded().registry(release).unwrap();
    let keeps = ["cli", "dns", "netstack", "gro", "osrouter"].map(|name| FeatureName::new(name).unwrap());
    let tags = format!("-tags={}", registry.tags(&keeps.into()).join(","));
    let format = "-f={{.ImportPath}}{{with .Module}} {{.Path}}@{{.Version}}{{end}}";
    let arguments = ["list", "-deps", format, &tags, "tailscale.com/cmd/tailscaled"];
    let variables =
        [go::plain("local"), vec![("GOOS".to_owned(), "linux".to_owned()), ("GOARCH".to_owned(), "arm64".to_owned())]]
            .concat();
    let outside = listed(upstream.go(&go, &arguments, &variables));
    let mut inside = go.command(&arguments, &variables);
    inside.current_dir(go.module_cache().unwrap().join(format!("tailscale.com@v{RELEASE}")));
    let inside = listed(inside);
    assert!(inside.len() > 300, "{}", inside.len());
    assert_eq!(outside, inside);
}

/// The output of one of upstream's programs; `None` if it failed.
fn printed(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

/// The lists of a script.
fn lists(script: &str) -> Vec<featureset::audit::List> {
    featureset::audit::Recipe::new("a.sh", script, Default::default()).lists(None, UpstreamData::embedded())
}

/// Audits a script with such a call; returns the tags, or `None` if the call fails.
fn audited(script: &str, release: Release) -> Option<String> {
    let lists = lists(script);
    let [list] = &lists[..] else { panic!("{script}: {lists:?}") };
    let evaluated = list.evaluate(UpstreamData::embedded().registry(release).unwrap(), UpstreamData::embedded());
    let tags: BTreeSet<&str> = evaluated.tags.iter().map(|word| word.text.as_str()).collect();
    (!evaluated.fails).then(|| tags.into_iter().collect::<Vec<_>>().join(","))
}

#[test]
fn audit_of_featuretags_calls_equals_the_program() {
    for release in ["1.90.9", "1.98.10", RELEASE] {
        let release: Release = release.parse().unwrap();
        let Some((go, upstream)) = fetched(release) else { return };
        let program = upstream.featuretags(&go).unwrap();
        for arguments in [
            &["--min", "--add=osrouter"][..],
            &["-min", "-add", "ssh,cli"],
            &["--min", "--add=netstak,osrouter"],
            &["--min", "--add=osrouter, dns"],
            &["--min", "--add=ts_omit_dns,DNS,lazywg"],
            &["--min", "--add=dns", "--add=osrouter"],
            &["--min", "dns", "--add=osrouter"],
            &["--min", "--add=osrouter", "dns", "--remove=nonesuch"],
            &["--min=false", "--add=osrouter"],
            &["--min=true", "--add="],
            &["--add=cli,dns"],
            &["--remove=aws,kube"],
            &["--remove=lazywg"],
            &["--remove=netstack"],
            &["--min", "--remove=netstack"],
            &["--min", "--add=tap", "--remove=tap"],
            &["--remove=cli"],
            &["--remove=nonesuch"],
            &["--minimal"],
        ] {
            let words: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
            let script = format!("go build -tags \"$(featuretags {})\" ./cmd/tailscaled", words.join(" "));
            assert_eq!(audited(&script, release), printed(&program, arguments), "{release}: {arguments:?}");
        }
    }
}

#[test]
fn audit_of_build_dist_calls_equals_the_script() {
    for release in ["1.90.9", "1.98.10", RELEASE] {
        let release: Release = release.parse().unwrap();
        let Some((go, upstream)) = fetched(release) else { return };
        let program = upstream.featuretags(&go).unwrap();
        let folder = tempfile::tempdir().unwrap();
        // The script's own Go: it answers what is asked of it, and prints the tags that a build gets.
        let fake = format!(
            "#!/bin/sh\ncase \"$*\" in\nenv*) echo linux;;\n*mkversion*) echo 'VERSION_SHORT=1 VERSION_LONG=1';;\n\
             *featuretags*) shift 2; exec {} \"$@\";;\nbuild*) for a; do case \"$a\" in -tags=*) echo \"${{a#-tags=}}\";; \
             --*) exit 2;; esac; done;;\nesac\n",
            program.display()
        );
        let path = folder.path().join("go");
        std::fs::write(&path, fake).unwrap();
        assert!(Command::new("chmod").arg("755").arg(&path).status().unwrap().success());
        let script = upstream.source(&go).unwrap().join("build_dist.sh");
        for (tags, arguments) in [
            ("", &["--extra-small", "./cmd/tailscaled"][..]),
            ("", &["--extra-small", "--box", "-o", "x", "./cmd/tailscaled"]),
            ("", &["--box", "--extra-small", "./cmd/tailscaled"]),
            ("", &["--min", "--box", "./cmd/tailscaled"]),
            ("ts_omit_aws", &["./cmd/tailscaled"]),
            ("ts_omit_aws", &["--min", "./cmd/tailscaled"]),
            ("", &["./cmd/tailscaled"]),
        ] {
            let mut command = Command::new("sh");
            command.arg(&script).args(arguments).env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));
            let output = command.env("TAGS", tags).output().unwrap();
            let given = String::from_utf8(output.stdout).unwrap();
            // Empty tags are none.
            let given: BTreeSet<&str> = given.trim().split(',').filter(|tag| !tag.is_empty()).collect();
            let ours = audited(&format!("TAGS={tags} ./build_dist.sh {}", arguments.join(" ")), release).unwrap();
            let ours: BTreeSet<&str> = ours.split(',').filter(|tag| !tag.is_empty()).collect();
            assert_eq!(ours, given, "{release}: {tags} {arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
        }
        for arguments in [&["--extra-small", "./cmd/tailscaled"][..], &["--box", "./cmd/tailscaled"]] {
            let mut command = Command::new("sh");
            command.arg(&script).args(arguments).env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));
            assert!(!command.env("TAGS", "ts_omit_aws").status().unwrap().success(), "refused with TAGS");
            let lists = lists(&format!("TAGS=ts_omit_aws ./build_dist.sh {}", arguments.join(" ")));
            assert!(lists[0].findings.iter().any(|finding| finding.code.as_str() == "build-dist-fails"));
        }
    }
}

#[test]
fn registry_extra_small_equals_the_script() {
    for release in ["1.90.9", RELEASE, "1.104.5"] {
        let release: Release = release.parse().unwrap();
        let Some((go, upstream)) = fetched(release) else { return };
        let script = std::fs::read_to_string(upstream.source(&go).unwrap().join("build_dist.sh")).unwrap();
        let read = tailscale_featureset::registries::extra_small(&script).unwrap();
        assert_eq!(Some(&read), UpstreamData::embedded().registry(release).unwrap().extra_small.as_ref());
    }
    assert_eq!(tailscale_featureset::registries::extra_small("case x in\n--extra-small)\n\tnothing;;\nesac"), None);
}
