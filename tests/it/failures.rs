//! Failures that no other module triggers: the shortest input that makes a command fail with each code.

use std::fmt::Write as _;

use diagnostics::{Code, Diagnostic};
use featureset::upstream_data::UpstreamData;
use tailscale_featureset::commands::registry;

use crate::common::binary::{binary, daemon};
use crate::common::fake_go::{FOREIGN_TARGET, Project};
use crate::common::planted::{PACKED, Planted};
use crate::common::{GO, RELEASE, cache, finish, policy};

/// The next release line of which the program has a registry.
const NEXT_RELEASE: &str = "1.104.5";

#[test]
fn commands_on_targets_that_do_not_fit_report_why() {
    let project = Project::new();
    project.fails(&["verify"], Code::NoNativeTarget);
    project.fails(&["verify", "--target", "one", "--hazard", "allowedips-leak"], Code::NoScenario);
    let with_image = "{ platform: linux/riscv64, build: { pack: none }, image: { shell: none } }";
    Project::with_policy(&policy(&["cli"], with_image)).fails(&["image"], Code::NoRouterosPlatform);
    let error = registry::repository(Some(&project.path().join("featureset.yaml"))).unwrap_err();
    assert_eq!(error.downcast_ref::<Diagnostic>().unwrap().code, Code::NotTheRepository);
}

#[test]
fn module_that_can_t_be_downloaded_is_reported_as_such() {
    let project = Project::new();
    project.module(RELEASE);
    project.go("main.go:12:2: gvisor.dev/gvisor@v0.0.0-20260915: reading the proxy: 404 Not Found");
    for command in ["build-tailscale", "measure"] {
        let ran = project.fails(&[command], Code::ModuleUnavailable);
        assert!(ran.stderr.contains("`gvisor.dev/gvisor@v0.0.0-20260915`"), "{}", ran.transcript());
        assert!(!ran.stderr.contains("Report"), "{}", ran.transcript());
    }
}

#[test]
fn script_with_a_flag_whose_feature_is_omitted_is_refused() {
    let arguments = ["image", "script", "--routeros", "7.20", "--routes", "192.168.88.0/24"];
    Project::new().fails(&arguments, Code::ScriptRefused);
}

#[test]
fn audits_and_imports_of_unfit_input_report_why() {
    let project = Project::new();
    project.write("large.sh", format!("go build -tags ts_omit_aws ./cmd/tailscaled\n{}", "#".repeat(2 << 20)));
    project.fails(&["audit", "large.sh"], Code::InputTooLarge);
    project.write("router.zip", b"PK\x03\x04");
    project.fails(&["audit", "router.zip"], Code::UnsupportedFormat);
    project.fails(&["import", "--tags", "ts_omit_aws", "--line", "9", "-o", "-"], Code::UnknownList);
    project.write("open.sh", "go build -tags \"$(curl example.com)\" ./cmd/tailscaled\n");
    project.fails(&["import", "open.sh", "--release", RELEASE, "-o", "-"], Code::UnresolvedImport);
    let archive = |members: &[(&str, Vec<u8>)]| {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, bytes) in members {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o755);
            archive.append_data(&mut header, name, &bytes[..]).unwrap();
        }
        archive.into_inner().unwrap()
    };
    project.write("text.tar", archive(&[("readme", b"text".to_vec())]));
    project.fails(&["audit", "text.tar"], Code::NoTailscaleFound);
    let program = binary("go1.26.8", &daemon(RELEASE, "ts_omit_aws"));
    let names: Vec<String> = (0..20).map(|number| format!("tailscaled-{number}")).collect();
    let members: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), program.clone())).collect();
    project.write("many.tar", archive(&members));
    let ran = finish(project.command(&["audit", "many.tar"]));
    assert!(ran.stderr.contains("only the first 16 programs"), "{}", ran.transcript());
    let opened = tailscale_featureset::artifact::open(&project.path().join("many.tar"), &cache());
    let others = opened.unwrap().others;
    assert!(others.iter().any(|other| other.code == Code::AnalysisLimit), "{others:?}");
}

#[test]
fn audit_of_a_program_that_upx_packed_twice_reports_packed_twice() {
    let project = Project::new();
    Planted::new(project.path(), &project.path().join("marker"));
    // It copies its last argument to that of `-o`.
    let script = "[ \"$1\" = --version ] && { echo upx 4.2.2; exit; }\n\
                  for file; do :; done\n\
                  while [ $# -gt 0 ]; do [ \"$1\" = -o ] && cp \"$file\" \"$2\"; shift; done";
    project.program("upx", script);
    project.fails(&["audit", PACKED], Code::PackedTwice);
}

#[test]
fn registries_next_to_a_policy_that_do_not_fit_are_refused() {
    let project = Project::new();
    project.write("registry/1.200.json", "{");
    project.fails(&["check"], Code::RegistryDamaged);
    std::fs::remove_file(project.path().join("registry/1.200.json")).unwrap();
    let mut registry = UpstreamData::embedded().registry(RELEASE.parse().unwrap()).unwrap().clone();
    registry.features.pop_first();
    project.write(&format!("registry/{}.json", registry.line), registry.to_json().unwrap());
    project.fails(&["check"], Code::RegistryContradicts);
}

#[test]
fn docs_with_costs_of_another_release_report_stale_costs() {
    let project = Project::new();
    let costs = serde_json::json!({
        "generated_by": "tailscale-featureset measure",
        "basis": {
            "release": "1.100.0", "go": GO, "pack": "none", "packer": null, "platform": "linux/riscv64",
            "inlining": "full", "symbols": "all", "rewrite": null, "extra_tags": [], "kept": [],
        },
        "whole": { "raw": 2, "packed": 1 },
        "features": {},
    });
    project.write("docs/costs/one.json", costs.to_string());
    let ran = project.fails(&["docs", "--check"], Code::StaleCosts);
    assert_eq!(ran.status, 1, "{}", ran.transcript());
}

#[test]
fn releases_that_cannot_be_read_are_reported() {
    let project = Project::new();
    project.go("no network");
    project.fails(&["bump", "--check"], Code::ReleasesUnavailable);
    project.fails(&["registry", RELEASE], Code::ReleaseUnavailable);
    project.module("1.88.0");
    std::fs::remove_dir_all(project.path().join("mod/tailscale.com@v1.88.0/feature")).unwrap();
    project.fails(&["registry", "1.88.0"], Code::NoRegistry);
    // The registry next to the policy has features, and the release declares none.
    let registry = UpstreamData::embedded().registry(RELEASE.parse().unwrap()).unwrap();
    project.write(&format!("registry/{}.json", registry.line), registry.to_json().unwrap());
    project.module(RELEASE);
    project.fails(&["registry", RELEASE], Code::RegistryChanged);
}

#[test]
fn bump_of_a_pin_that_is_not_plain_text_is_refused() {
    let mut escaped = String::new();
    for character in RELEASE.chars() {
        write!(escaped, "\\u{:04x}", u32::from(character)).unwrap();
    }
    let pin = format!("tailscale: {RELEASE}\n");
    let text = policy(&["cli"], FOREIGN_TARGET).replace(&pin, &format!("tailscale: \"{escaped}\"\n"));
    let project = Project::with_policy(&text);
    project.go("no network");
    [RELEASE, NEXT_RELEASE].iter().for_each(|release| project.module(release));
    project.fails(&["bump", NEXT_RELEASE], Code::PinNotEditable);
}

#[test]
fn bump_with_a_program_of_ours_that_does_not_build_names_the_side_at_fault() {
    for (message, code) in [
        ("main.go: module lookup disabled", Code::ProgramNotBuilt),
        ("./main.go:9:2: undefined: build.Context", Code::ProgramOutdated),
    ] {
        let project = Project::new();
        project.go(message);
        [RELEASE, NEXT_RELEASE].iter().for_each(|release| project.module(release));
        project.fails(&["bump", NEXT_RELEASE], code);
    }
}

#[test]
fn measure_of_a_policy_that_does_not_compile_reports_not_measurable() {
    let project = Project::new();
    project.go("ipn/ipnlocal/local.go:1:1: undefined: everything");
    project.module(RELEASE);
    project.fails(&["measure", "--feature", "dns"], Code::NotMeasurable);
}
