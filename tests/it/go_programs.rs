//! Our small Go programs compile with the newest release of every supported line. Type-checked from the real modules, without
//! linking; needs the network once.

use crate::common::{RELEASE, cache, skip};
use featureset::upstream_data::UpstreamData;
use tailscale_featureset::programs::{CONTROL, Program};
use tailscale_featureset::tools::go::{self, Go};
use tailscale_featureset::typecheck::TypeChecker;
use tailscale_featureset::typecheck::complaints;
use tailscale_featureset::upstream;

fn go() -> Option<Go> {
    go::find_or_provide(&cache()).inspect_err(|error| skip(&format!("Go is not available: {error}"))).ok()
}

#[test]
fn type_check_of_every_program_and_line_passes() {
    let Some(go) = go() else { return };
    let releases = UpstreamData::embedded().newest_releases();
    assert!(releases.len() >= 8, "{releases:?}");
    for release in releases {
        if let Err(error) = upstream::fetch(&go, &cache(), release, None) {
            skip(&format!("Tailscale {release} can't be fetched: {error:?}"));
            continue;
        }
        assert_eq!(complaints(&go, &cache(), release).unwrap(), Vec::<String>::new());
    }
}

/// A program that uses a field as it was up to 1.102.
const OUTDATED: Program = Program {
    name: "outdated",
    sources: &[(
        "main.go",
        "package main\n\nimport (\n\t\"fmt\"\n\n\t\"tailscale.com/tailcfg\"\n)\n\n\
         func main() {\n\tfmt.Println(tailcfg.DERPMap{Regions: map[int]*tailcfg.DERPRegion{}})\n}\n",
    )],
};

#[test]
fn type_check_against_a_changed_package_reports_the_line() {
    let Some(go) = go() else { return };
    let fetch = |release: &str| upstream::fetch(&go, &cache(), release.parse().unwrap(), None);
    let (Ok(before), Ok(after)) = (fetch(RELEASE), fetch("1.104.5")) else {
        return skip("the releases can't be fetched");
    };
    let check = |upstream| TypeChecker::new(&go, upstream).unwrap().check_program(&OUTDATED).unwrap();
    assert_eq!(check(&before), Vec::<String>::new());
    let complaints = check(&after);
    assert!(complaints[0].starts_with("main.go:10:"), "{complaints:?}");
    assert!(complaints[0].contains("DERPRegionID"), "{complaints:?}");
    let error = after.build_program(&go, &OUTDATED).unwrap_err();
    let problem = error.downcast_ref::<diagnostics::Diagnostic>().unwrap();
    insta::assert_snapshot!(format!("{}\n{}\n{}\n{}", problem.code, problem.message, problem.why, problem.next));
}

/// Two runs with different toolchains share this module. Go would write its own version into it, which the older one rejects.
#[test]
fn fetch_with_a_newer_go_leaves_the_empty_module_as_it_was() {
    let Some(go) = go() else { return };
    let Ok(upstream) = upstream::fetch(&go, &cache(), "1.104.5".parse().unwrap(), None) else {
        return skip("1.104.5 can't be fetched");
    };
    let go_mod = upstream.module.with_file_name("none").join("go.mod");
    assert_eq!(std::fs::read_to_string(go_mod).unwrap(), "module featureset.invalid/none\n\ngo 1.21\n");
}

#[test]
fn complaints_of_a_network_failure_are_empty() {
    let output = |stderr: &str| tailscale_featureset::process::Output {
        bytes: Vec::new(),
        status: std::process::Command::new("false").status().unwrap(),
        stdout: String::new(),
        stderr: stderr.to_owned(),
    };
    let network = output("main.go imports\n\ttailscale.com/x: dial tcp: lookup proxy: no such host\n");
    assert_eq!(CONTROL.complaints(&network), Vec::<&str>::new());
    let code = output("# featureset.invalid/build\n./server.go:7:1: undefined: x\n../other.go:7:1: undefined: x\n");
    assert_eq!(CONTROL.complaints(&code), ["./server.go:7:1: undefined: x"]);
}
