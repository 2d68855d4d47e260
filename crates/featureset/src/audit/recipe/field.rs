//! Recipes in the manner of those that people publish: one test for each kind that is easy to misread, in several spellings.

use super::super::{Asked, Audit, Program, Recipe, audit};
use crate::upstream_data::UpstreamData;
use diagnostics::Severity;

fn audits(name: &str, text: &str, release: Option<&str>) -> Vec<Audit> {
    let release = release.map(|release| release.parse().unwrap());
    let asked = Asked { release, ..Asked::default() };
    let recipe = Recipe::new(name, text, Default::default());
    recipe
        .lists(release, UpstreamData::embedded())
        .iter()
        .map(|list| audit(list, &asked, UpstreamData::embedded()).unwrap())
        .collect()
}

/// The audit of the only list of a text.
fn only(name: &str, text: &str) -> Audit {
    let mut audits = audits(name, text, Some("1.102.5"));
    assert_eq!(audits.len(), 1, "{text}\n{audits:#?}");
    audits.remove(0)
}

fn kept(audit: &Audit) -> String {
    audit.kept.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn severity(audit: &Audit, code: &str) -> Option<Severity> {
    audit.findings.iter().find(|finding| finding.code.as_str() == code).map(|finding| finding.severity)
}

const FIVE: &str = "dns,ipnbus,netstack,osrouter,unixsocketidentity";

#[test]
fn audit_command_prefix_in_substitution_is_one_known_list() {
    for (name, text) in [
        (
            "a.sh",
            "set -e\nT=$(GOOS= GOARCH= go run ./cmd/featuretags --min --add=KEEP)\ngo build -tags $T ./cmd/tailscaled",
        ),
        (
            "a.sh",
            "set -e\nT=$(GOOS= \"$GO\" run ./cmd/featuretags --min --add=KEEP)\n$GO build -tags $T ./cmd/tailscaled",
        ),
        ("a.sh", "cd d && T=$(X= go run ./cmd/featuretags --min --add=KEEP) && go build -tags $T ./cmd/tailscaled"),
        ("a.sh", "T=`X= go run ./cmd/featuretags --min --add=KEEP` || exit 1\ngo build -tags $T ./cmd/tailscaled"),
        ("a.sh", "go build -tags \"$(X= go run ./cmd/featuretags --min --add=KEEP)\" ./cmd/tailscaled"),
        (
            "Makefile",
            "all:\n\tcd d && T=$$(X= go run ./cmd/featuretags --min --add=KEEP) && go build -tags $$T ./cmd/tailscaled",
        ),
    ] {
        let audit = only(name, &text.replace("KEEP", FIVE));
        assert!(audit.complete && kept(&audit) == FIVE, "{text}: {audit:#?}");
    }
}

#[test]
fn audit_unknown_part_of_an_allowlist_makes_no_omission_certain() {
    for (name, text) in [
        (
            "a.sh",
            "set -e\n. ./build.conf\nT=$(go run ./cmd/featuretags --min --add=\"$FEATURES\")\ngo build -tags \"$T\" ./cmd/tailscaled",
        ),
        ("a.sh", "set -e\nT=$(featuretags --min --add=\"osrouter,$EXTRA\")\ngo build -tags \"$T\" ./cmd/tailscaled"),
        (
            "a.sh",
            "set -e\nT=$(featuretags --min --add=\"$(tr '\\n' , < FILE)\")\ngo build -tags \"$T\" ./cmd/tailscaled",
        ),
        ("a.sh", "set -e\nT=$(featuretags --min --add=\"$1\")\ngo build -tags \"$T\" ./cmd/tailscaled"),
        (
            "a.yml",
            "jobs:\n  a:\n    steps:\n    - run: |\n        T=$(featuretags --min --add=\"${{ inputs.features }}\")\n        go build -tags \"$T\" ./cmd/tailscaled",
        ),
    ] {
        let audit = only(name, text);
        assert!(!audit.complete && audit.is_open && audit.omitted.is_empty(), "{text}: {audit:#?}");
        let errors = audit.findings.iter().filter(|finding| finding.severity == Severity::Error);
        assert_eq!(errors.count(), 0, "{text}: {audit:#?}");
    }
}

#[test]
fn audit_sed_with_intervals_and_alternatives_applies_them() {
    for strip in [
        "sed -e 's/ts_omit_netstack,\\{0,1\\}//g' -e 's/ts_omit_ipnbus,\\{0,1\\}//g' -e 's/ts_omit_unixsocketidentity,\\{0,1\\}//g' -e 's/,$//'",
        "sed -E 's/ts_omit_(netstack|ipnbus|unixsocketidentity),?//g'",
        "sed 's/\\bts_omit_netstack\\b,\\?//; s/\\<ts_omit_ipnbus\\>,*//; s/ts_omit_unixsocketidentity\\(,\\|$\\)//'",
        "tr ',' '\\n' | grep -vE '^ts_omit_(netstack|ipnbus|unixsocketidentity)$' | paste -sd, -",
    ] {
        let text = format!(
            "FROM golang:1.26 AS build\nARG TAILSCALE_VERSION=v1.102.5\n\
             RUN git clone --branch ${{TAILSCALE_VERSION}} https://github.com/tailscale/tailscale /src\n\
             RUN ALL=$(GOOS= GOARCH= go run ./cmd/featuretags --min --add=osrouter) && \\\n  \
             TAGS=$(echo \"ts_include_cli,${{ALL}}\" | {strip}) && \\\n  go build -tags \"${{TAGS}}\" ./cmd/tailscaled\n"
        );
        let found = audits("Dockerfile", &text, None);
        let [audit] = found.as_slice() else { panic!("{text}: {found:#?}") };
        assert_eq!(kept(audit), "cli,ipnbus,netstack,osrouter,unixsocketidentity", "{strip}");
        assert!(audit.complete && audit.release_stated && audit.release.to_string() == "1.102.5");
        assert_eq!(severity(audit, "silent-fallback"), None, "`&&` ends the commands: {text}");
    }
}

#[test]
fn audit_function_in_substitution_is_followed() {
    for text in [
        "set -e\nomit() { go run ./cmd/featuretags --min --add=\"$1\"; }\nT=$(omit KEEP)\ngo build -tags \"$T\" ./cmd/tailscaled",
        "set -e\nomit() { local keep=$1; featuretags --min --add=\"$keep\"; }\ngo build -tags \"$(omit KEEP)\" ./cmd/tailscaled",
    ] {
        assert_eq!(kept(&only("a.sh", &text.replace("KEEP", FIVE))), FIVE, "{text}");
    }
    assert_eq!(only("a.sh", "tags() { echo ts_omit_a,b; }\ngo build -tags $(tags) ./cmd/tailscaled").tags.len(), 2);
}

#[test]
fn audit_sed_that_hits_a_longer_tag_does_what_sed_does() {
    let text = "set -e\nALL=$(go run ./cmd/featuretags --min --add=osrouter,netstack)\n\
                T=$(echo \"$ALL\" | sed 's/ts_omit_dns,\\?//g')\ngo build -tags \"$T\" ./cmd/tailscaled";
    let found = audits("a.sh", text, Some("1.104.5"));
    assert!(found[0].kept.contains("dnsresolvecache") && found[0].tags.contains("resolvecache"), "{found:#?}");
    assert!(severity(&found[0], "torn-tag").is_some() && severity(&found[0], "silent-fallback").is_none());
}

#[test]
fn audit_other_program_is_judged_by_tags_and_dependencies_only() {
    for package in ["./cmd/myapp", ".", "./bridge/web/main.go", "./cmd/derper"] {
        let text = format!(
            "TS_TAGS = $(shell go run tailscale.com/cmd/featuretags@v1.100.0 -min -add acme,serve,netstack)\n\
             bin:\n\tgo build -tags \"nomsgpack,$(TS_TAGS)\" -o out {package}\n"
        );
        let found = audits("Makefile", &text, None);
        assert_eq!((found.len(), found[0].program), (1, Program::Library), "{text}");
        assert_eq!(found[0].release.to_string(), "1.100.0");
        let codes = found[0].findings.iter().map(|finding| finding.code.as_str());
        let hazards: Vec<&str> = codes.filter(|code| UpstreamData::embedded().hazard(code).is_some()).collect();
        assert_eq!(hazards, ["ipnbus-tsnet"], "the only one that is about such programs");
    }
    let data = "{\"tags\": [\"with_tailscale\", \"with_gvisor\", \"ts_omit_aws\"]}";
    assert_eq!(only("a.json", data).program, Program::Library);
}

#[test]
fn audit_changed_build_script_is_not_taken_as_it_was() {
    let patched = "set -e\nsed -i \"s/--add=osrouter/--add=KEEP/\" build_dist.sh\nchmod +x ./build_dist.sh\n\
                   ./build_dist.sh --extra-small --box -o out ./cmd/tailscaled";
    let audit = only("a.sh", &patched.replace("KEEP", FIVE));
    assert_eq!(kept(&audit), format!("cli,{FIVE}"));
    for change in [
        "patch -p1 < small.patch",
        "git apply build_dist.patch",
        "sed -i 's/-trimpath/-x/;s/nonesuch/y/' build_dist.sh",
        "cp ../my/build_dist.sh .",
    ] {
        let audit = only("a.sh", &format!("{change}\n./build_dist.sh --extra-small ./cmd/tailscaled"));
        assert!(!audit.complete, "{change}: {}", kept(&audit));
    }
    for mention in
        ["chmod +x build_dist.sh", "cat build_dist.sh", "test -f ./build_dist.sh", "grep -q tags build_dist.sh"]
    {
        assert!(audits("a.sh", mention, Some("1.102.5")).is_empty(), "{mention}");
    }
}

#[test]
fn audit_release_is_one_that_is_fetched_and_none_of_prose() {
    let build = "go build -tags ts_include_cli,ts_omit_aws -o out ./cmd/tailscaled";
    let released = |name: &str, text: &str| {
        let found = audits(name, text, None);
        found.first().filter(|audit| audit.release_stated).map(|audit| audit.release.to_string())
    };
    let clone = "git clone -b ${V} https://github.com/tailscale/tailscale";
    for (text, release) in [
        (format!("V=v1.94.2\n{clone}\n{build}"), Some("1.94.2")),
        (
            format!(
                "V=v1.94.2\ngit clone https://github.com/tailscale/tailscale\ncd tailscale\ngit checkout \"$V\"\n{build}"
            ),
            Some("1.94.2"),
        ),
        (format!("go get tailscale.com@v1.98.5\n{build}"), Some("1.98.5")),
        (
            format!(
                "curl -L https://github.com/tailscale/tailscale/archive/refs/tags/v1.98.5.tar.gz | tar xz\n{build}"
            ),
            Some("1.98.5"),
        ),
        (format!("# built with Tailscale v1.98.5\n{build}"), None),
        (format!("echo 'Tailscale 1.98.5 is out'\n{build}"), None),
        // The newest one, or a fallback if asking fails.
        (format!("V=$(curl -s https://api.github.com/x) || V=v1.96.5\n{clone}\n{build}"), None),
        (format!("V=$(curl -s https://api.github.com/x)\n[ -n \"$V\" ] || V=v1.96.5\n{clone}\n{build}"), None),
    ] {
        assert_eq!(released("a.sh", &text).as_deref(), release, "{text}");
    }
    let workflow = format!(
        "on:\n  workflow_dispatch:\n    inputs:\n      version:\n        description: 'Tailscale version to build (e.g. v1.76.1)'\n\
         jobs:\n  build:\n    steps:\n      - run: {build}\n"
    );
    assert_eq!(released("a.yml", &workflow), None);
}

#[test]
fn audit_tags_in_prose_and_code_are_no_list() {
    let workflow = "jobs:\n  build:\n    steps:\n      - run: go build -tags ts_include_cli,ts_omit_aws -o out ./cmd/tailscaled\n      \
                    - uses: softprops/action-gh-release@v2\n        with:\n          body: |\n            \
                    One file is both programs (build tag `ts_include_cli`).\n";
    assert_eq!(only("a.yml", workflow).tags.len(), 2);
    for (name, text) in [
        ("a.sh", "echo 'omit it with ts_omit_aws, or not'"),
        ("a.sh", "perl -pe 's/ts_omit_aws/ts_omit_bird/g' build.go"),
        ("a.yml", "description: built with ts_omit_aws\n"),
        ("a.json", "{\"why\": \"the tag ts_omit_aws leaves it out\"}"),
    ] {
        let found = audits(name, text, Some("1.102.5"));
        assert!(
            found.is_empty(),
            "{text}: {:?}",
            found.iter().map(|audit| (&audit.what, &audit.tags)).collect::<Vec<_>>()
        );
    }
}

#[test]
fn audit_failure_that_stops_the_script_is_no_fallback() {
    let build = "TAGS=\"$T\" ./build_dist.sh -o out ./cmd/tailscaled";
    for (head, falls_back) in [
        ("set -e\nT=\"ts_include_cli,$(featuretags --min)\"", false),
        ("set -e\nT=$(featuretags --min)\nT=$(echo \"$T\" | sed 's/ts_omit_dns,//')", false),
        ("if ! T=$(featuretags --min); then exit 1; fi", false),
        ("T=\"ts_include_cli,$(featuretags --min)\"", true),
        ("T=$(featuretags --min) || true", true),
    ] {
        let audit = only("a.sh", &format!("{head}\n{build}"));
        assert_eq!(severity(&audit, "silent-fallback").is_some(), falls_back, "{head}: {audit:#?}");
    }
}

#[test]
fn audit_facts_of_the_text_decide_about_hazards() {
    let stamps = "-ldflags \"-X tailscale.com/version.shortStamp=1\"";
    for system in ["openbsd", "windows", "android", "js"] {
        let text = format!("GOOS={system} go build -tags ts_include_cli,ts_omit_resolved {stamps} ./cmd/tailscaled");
        let audit = only("a.sh", &text);
        assert!(severity(&audit, "other-system").is_some(), "{audit:#?}");
        assert!(
            audit.findings.iter().all(|finding| UpstreamData::embedded().hazard(finding.code.as_str()).is_none()),
            "{audit:#?}"
        );
    }
    let docker = |go: &str, environment: &str| {
        let text = format!(
            "FROM golang:{go} AS build\nARG TAILSCALE_VERSION=1.102.5\n\
             RUN git clone --depth 1 --branch v${{TAILSCALE_VERSION}} https://github.com/tailscale/tailscale /src\n\
             RUN {environment} go build -tags ts_include_cli,ts_omit_aws {stamps} -o /out ./cmd/tailscaled && upx --best /out\n"
        );
        audits("Dockerfile", &text, None).remove(0)
    };
    for (go, old) in [("1.24.1", true), ("1.24", true), ("1.26", false), ("1.26.8-alpine", false)] {
        let audit = docker(go, "GOOS=linux GOARCH=mipsle");
        assert_eq!(severity(&audit, "go-too-old").is_some(), old, "{go}: {audit:#?}");
        assert_eq!(severity(&audit, "mips-hardfloat"), Some(Severity::Warning));
        for other in ["GOARCH=mipsle GOMIPS=softfloat", "GOARCH=arm64", "GOOS=linux"] {
            assert_eq!(severity(&docker(go, other), "mips-hardfloat"), None, "{other}");
        }
    }
}

#[test]
fn audit_stamp_is_judged_though_another_argument_is_unknown() {
    for output in ["out", "\"dist/tailscaled.$1\"", "\"$HOME/x\""] {
        let text = format!("go build -tags ts_include_cli -ldflags \"-s -w\" -o {output} ./cmd/tailscaled");
        assert!(severity(&only("a.sh", &text), "no-version-stamp").is_some(), "{output}");
    }
    let unknown = "go build -tags ts_include_cli -ldflags \"$(./flags)\" ./cmd/tailscaled";
    assert!(severity(&only("a.sh", unknown), "no-version-stamp").is_none());
}

#[test]
fn audit_tags_after_extra_small_discard_its_list() {
    let audit = only("a.sh", "set -e\n./build_dist.sh --extra-small -o out -tags ts_include_cli ./cmd/tailscaled");
    assert!(severity(&audit, "discarded-tags").is_some() && audit.tags.len() == 1, "{audit:#?}");
}

#[test]
fn audit_yocto_pairs_are_chosen_by_packageconfig() {
    let recipe = "GO_IMPORT = \"tailscale.com\"\nGO_INSTALL = \"${GO_IMPORT}/cmd/tailscaled\"\n\
                  GOBUILDFLAGS:prepend = \"-tags=${@','.join(d.getVar('PACKAGECONFIG_CONFARGS').split())} \"\n\
                  PACKAGECONFIG ??= \"cli kube\"\nPACKAGECONFIG[cli] = \"ts_include_cli,ts_omit_include_cli\"\n\
                  PACKAGECONFIG[completion] = \"ts_completion,ts_omit_completion\"\n\
                  PACKAGECONFIG[kube] = \"ts_kube,ts_omit_kube\"\nPACKAGECONFIG[ssh] = \"ts_ssh,ts_omit_ssh\"\n";
    let tags: Vec<String> = only("tailscale_1.98.bb", recipe).tags.into_iter().collect();
    assert_eq!(tags, ["ts_include_cli", "ts_kube", "ts_omit_completion", "ts_omit_ssh"]);
}

#[test]
fn audit_lists_without_reasons_warn_of_silence_and_of_what_no_one_stated() {
    let judged = |line: &str| {
        let asked = Asked { release: "1.102.4".parse().ok(), ..Asked::default() };
        audit(&crate::audit::List::line(line, "a line"), &asked, UpstreamData::embedded()).unwrap()
    };
    assert_eq!(severity(&judged("ts_include_cli,ts_omit_relayserver"), "relayserver-silent"), Some(Severity::Warning));
    let bird = judged("ts_include_cli,ts_omit_bird");
    assert_eq!(severity(&bird, "flags-vanish"), Some(Severity::Warning));
    assert!(bird.findings.iter().any(|finding| finding.message.ends_with(", depending on the device: `start`")));
    assert_eq!(severity(&judged("ts_include_cli,ts_omit_tpm"), "tpm-state"), Some(Severity::Warning));
}
