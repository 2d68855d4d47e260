//! Our small Go programs compile with the newest release of every supported line. Type-checked from the real modules, without
//! linking; needs the network once.

use crate::common::{RELEASE, cache, skip};
use featureset::facts::Facts;
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
    let releases = Facts::embedded().newest_releases();
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
    let problem = error.downcast_ref::<tailscale_featureset::problem::Problem>().unwrap();
    insta::assert_snapshot!(format!("{}\n{}\n{}\n{}", problem.code, problem.message, problem.why, problem.next));
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
