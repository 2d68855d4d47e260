//! The lists that are found in texts, judged on a release.

use std::sync::Arc;

use super::super::{Asked, Audit, List, Program, Recipe, audit};
use crate::limits::RELEASES;
use crate::limits::{TAGS, TAGS_OF_TEXT};
use crate::upstream_data::UpstreamData;
use proptest::prelude::*;

/// The lists of a text.
fn read(name: &str, text: &str) -> Vec<List> {
    let recipe: Arc<Recipe> = Recipe::new(name, text, Default::default());
    recipe.lists("1.102.5".parse().ok(), UpstreamData::embedded())
}

/// The lists of a text, audited on a release.
fn audits(name: &str, text: &str) -> Vec<Audit> {
    let asked = Asked { release: "1.102.5".parse().ok(), ..Asked::default() };
    read(name, text).iter().map(|list| audit(list, &asked, UpstreamData::embedded()).unwrap()).collect()
}

/// The tags of each list, or what is kept where that is shorter to say.
fn tags(name: &str, text: &str) -> Vec<String> {
    audits(name, text).iter().map(|audit| audit.tags.iter().cloned().collect::<Vec<_>>().join(",")).collect()
}

fn kept(name: &str, text: &str) -> Vec<String> {
    let said = |audit: &Audit| audit.kept.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    audits(name, text).iter().map(said).collect()
}

fn codes(name: &str, text: &str) -> Vec<String> {
    let mut codes: Vec<String> =
        audits(name, text).iter().flat_map(|audit| &audit.findings).map(|finding| finding.code.to_string()).collect();
    codes.sort();
    codes.dedup();
    codes
}

const BOTH: &str = "ts_omit_aws,ts_omit_bird";

#[test]
fn a_list_is_found_however_it_is_written() {
    for (name, text) in [
        ("a.sh", "go build -tags ts_omit_aws,ts_omit_bird ./cmd/tailscaled"),
        ("a.sh", "go build -tags=ts_omit_aws,,ts_omit_bird,ts_omit_aws ./cmd/tailscaled"),
        ("a.sh", "go build -tags 'ts_omit_aws ts_omit_bird' \\\n  ./cmd/tailscaled"),
        ("a.sh", "go build -tags \"ts_omit_aws,\\\nts_omit_bird\" ./cmd/tailscaled"),
        ("a.sh", "T=ts_omit_aws\nT=\"${T},ts_omit_bird\"\ngo build -tags \"$T\" ./cmd/tailscaled"),
        ("a.sh", "T=ts_omit_aws\nT+=,ts_omit_bird\ngo build -tags $T ./cmd/tailscaled"),
        ("a.sh", "T=(\n  ts_omit_aws # no cloud\n  ts_omit_bird\n)\ngo build -tags \"${T[*]}\" ./cmd/tailscaled"),
        ("a.sh", "for f in aws bird; do\n  T=\"${T:+$T,}ts_omit_$f\"\ndone\ngo build -tags \"$T\" ./cmd/tailscaled"),
        (
            "a.sh",
            "O='aws bird'\nT=\nfor f in $O; do T=\"$T,ts_omit_$f\"; done\ngo build -tags=\"${T#,}\" ./cmd/tailscaled",
        ),
        ("a.sh", "A=(-trimpath -tags ts_omit_aws,ts_omit_bird)\ngo build \"${A[@]}\" ./cmd/tailscaled"),
        ("a.sh", "F='-v -tags=ts_omit_aws,ts_omit_bird'\ngo build $F ./cmd/tailscaled"),
        ("a.sh", "export GOFLAGS=-tags=ts_omit_aws,ts_omit_bird\ngo build ./cmd/tailscaled"),
        ("a.sh", "GOFLAGS='-trimpath -tags=ts_omit_aws,ts_omit_bird' go install tailscale.com/cmd/tailscaled@v1.102.5"),
        ("a.sh", "TAGS=ts_omit_aws,ts_omit_bird ./build_dist.sh tailscale.com/cmd/tailscaled"),
        ("a.sh", "T=$(echo ts_omit_aws ts_omit_bird | tr ' ' ',')\ngo build -tags \"$T\" ./cmd/tailscaled"),
        ("a.sh", "docker build --build-arg TAGS=ts_omit_aws,ts_omit_bird ."),
        (
            "Dockerfile",
            "ARG TAGS=ts_omit_aws,ts_omit_bird\nRUN go build \\\n # the daemon\n -tags ${TAGS} ./cmd/tailscaled",
        ),
        ("Dockerfile", "ENV TAGS ts_omit_aws ts_omit_bird\nRUN go build -tags \"$TAGS\" ./cmd/tailscaled"),
        ("Makefile", "TAGS := ts_omit_aws\nTAGS += ts_omit_bird\nall:\n\t@go build -tags '$(TAGS)' ./cmd/tailscaled"),
        (
            "Makefile",
            "O := aws bird\ncomma := ,\nempty :=\nspace := $(empty) $(empty)\nT := $(subst $(space),$(comma),$(addprefix ts_omit_,$(O)))\nall:\n\tgo build -tags $(T) ./cmd/tailscaled",
        ),
        (
            "a.yml",
            "jobs:\n  a:\n    env:\n      TAGS: ts_omit_aws,ts_omit_bird\n    steps:\n      - run: go build -tags \"${{ env.TAGS }}\" ./cmd/tailscaled",
        ),
        (
            "a.yml",
            "steps:\n  - run: |\n      echo \"TAGS=ts_omit_aws,ts_omit_bird\" >> $GITHUB_ENV\n  - run: go build -tags \"$TAGS\" ./cmd/tailscaled",
        ),
        (
            "a.yaml",
            "builds:\n  - main: ./cmd/tailscaled\n    tags:\n      - ts_omit_aws # cloud\n      - ts_omit_bird\n",
        ),
        ("a.json", "{\"tags\": [\"ts_omit_aws\", \"ts_omit_bird\"]}"),
        ("a.json", "{\"tags\": \"ts_omit_aws,ts_omit_bird\"}"),
        ("a.nix", "tags = [\n  \"ts_omit_aws\" # cloud\n  \"ts_omit_bird\"\n];"),
    ] {
        assert_eq!(tags(name, text), [BOTH], "{text}");
        assert!(!codes(name, text).contains(&"unresolved-list".to_owned()), "{text}");
    }
}

#[test]
fn calls_of_featuretags_are_followed() {
    for text in [
        "T=$(go run ./cmd/featuretags --min --add=osrouter,cli)\ngo build -tags \"$T\" ./cmd/tailscaled",
        "T=$(go run ./cmd/featuretags -min -add osrouter,cli)\ngo build -tags $T ./cmd/tailscaled",
        "T=`go run tailscale.com/cmd/featuretags@v1.102.5 --min --add osrouter`\ngo build -tags $T,ts_include_cli ./cmd/tailscaled",
        "K=osrouter\nK=\"${K},cli\"\ngo build -tags \"$(./featuretags --min --add=\"$K\")\" ./cmd/tailscaled",
        "K=(osrouter cli)\nT=$(featuretags --min --add=\"$(IFS=,; echo \"${K[*]}\")\")\ngo build -tags $T ./cmd/tailscaled",
        "K='osrouter cli'\nT=$(featuretags --min --add=${K// /,})\ngo build -tags $T ./cmd/tailscaled",
        "K=$(printf '%s,' osrouter cli)\nT=$(featuretags --min --add=${K%,})\ngo build -tags $T ./cmd/tailscaled",
        "featuretags --min --add=osrouter,cli > tags.txt\ngo build -tags \"$(cat tags.txt)\" ./cmd/tailscaled",
        "T=$(featuretags --min --add=osrouter,cli)\nA=(-trimpath -tags \"$T\")\ngo build \"${A[@]}\" ./cmd/tailscaled",
        "T=$(featuretags --min --add=osrouter,cli)\nA=(-trimpath \"-tags=$T\")\ngo build \"${A[@]}\" ./cmd/tailscaled",
        "./build_dist.sh --extra-small --box -o x ./cmd/tailscaled",
        "T=$(featuretags --min --add=osrouter,cli | sed 's/ts_omit_nonesuch,//')\ngo build -tags $T ./cmd/tailscaled",
    ] {
        assert_eq!(kept("a.sh", text), ["cli,osrouter"], "{text}");
    }
    let make = "T := $(shell go run ./cmd/featuretags --min --add=osrouter,cli)\nall:\n\tgo build -tags '$(T)' ./cmd/tailscaled";
    assert_eq!(kept("Makefile", make), ["cli,osrouter"]);
    assert!(codes("Makefile", make).contains(&"silent-fallback".to_owned()));
}

#[test]
fn what_strips_a_list_afterwards_is_heeded() {
    for text in [
        "T=$(featuretags --min --add=cli | sed -e 's/ts_omit_osrouter,//' -e 's/,ts_omit_dns//g')\ngo build -tags $T ./cmd/tailscaled",
        "T=$(featuretags --min --add=cli | sed -E 's/(ts_omit_osrouter|ts_omit_dns),?//g')\ngo build -tags $T ./cmd/tailscaled",
        "T=$(featuretags --min --add=cli)\nT=$(echo \"$T\" | sed 's/ts_omit_osrouter,//;s/ts_omit_dns,//')\ngo build -tags $T ./cmd/tailscaled",
        "T=$(featuretags --min --add=cli)\nT=${T//ts_omit_osrouter,/}\nT=${T/ts_omit_dns,/}\ngo build -tags $T ./cmd/tailscaled",
    ] {
        assert_eq!(kept("a.sh", text), ["cli,dns,osrouter"], "{text}");
    }
    let odd = "T=$(featuretags --min | awk '{gsub(/a/, x); print}')\ngo build -tags $T ./cmd/tailscaled";
    assert!(codes("a.sh", odd).contains(&"unresolved-list".to_owned()));
}

#[test]
fn what_can_not_be_resolved_is_said() {
    for text in [
        "go build -tags \"ts_omit_aws,$EXTRA\" ./cmd/tailscaled",
        "go build -tags \"ts_omit_aws,ts_omit_$EXTRA\" ./cmd/tailscaled",
        "T=$(./list-tags.sh)\ngo build -tags \"$T\" ./cmd/tailscaled",
        "go build $FLAGS ./cmd/tailscaled",
        "go build \"$@\" ./cmd/tailscaled",
        "T=ts_omit_aws\nread -r T < tags\ngo build -tags \"$T\" ./cmd/tailscaled",
        "for f in aws bird; do\n [ $f = $X ] && continue\n T=$T,ts_omit_$f\n unset T\n read T\ndone\ngo build -tags \"$T\" ./cmd/tailscaled",
        "T=$(featuretags --min --add=$1)\ngo build -tags \"$T\" ./cmd/tailscaled",
        "for f in $(cat features); do T=\"$T,ts_omit_$f\"; done\ngo build -tags \"$T\" ./cmd/tailscaled",
    ] {
        let found = audits("a.sh", text);
        assert!(!found.is_empty() && found.iter().any(|audit| !audit.complete), "{text}");
    }
    let stock = "go build -ldflags \"$(./flags)\" -o \"$OUT\" ./cmd/tailscaled";
    assert!(audits("a.sh", stock).iter().all(|audit| audit.complete && audit.omitted.len() == 1));
    let note = "T=${TAGS:-ts_omit_aws}\ngo build -tags \"$T\" ./cmd/tailscaled";
    assert_eq!(tags("a.sh", note), ["ts_omit_aws"]);
    assert!(codes("a.sh", note).contains(&"environment-decides".to_owned()));
}

#[test]
fn a_branch_may_be_taken_or_not() {
    let text =
        "T=ts_omit_aws\nif [ -n \"$BOX\" ]; then\n  T=\"$T,ts_include_cli\"\nfi\ngo build -tags $T ./cmd/tailscaled";
    assert_eq!(tags("a.sh", text), ["ts_omit_aws", "ts_include_cli,ts_omit_aws"]);
    let both = "if x; then T=ts_omit_aws; else T=ts_omit_bird; fi\ngo build -tags $T ./cmd/tailscaled";
    assert_eq!(tags("a.sh", both), ["ts_omit_aws", "ts_omit_bird"]);
    let case = "case $1 in\n a) T=ts_omit_aws;;\n *) T=ts_omit_bird;;\nesac\ngo build -tags $T ./cmd/tailscaled";
    assert_eq!(tags("a.sh", case), ["ts_omit_aws", "ts_omit_bird"]);
    assert_eq!(tags("a.sh", &format!("T=\n{case}")), ["ts_omit_aws", "ts_omit_bird"]);
    // Where only a branch sets it, it may come from outside.
    let perhaps = "if [ -n \"$S\" ]; then T=ts_omit_aws; fi\ngo build -tags \"$T\" ./cmd/tailscaled";
    assert_eq!(tags("a.sh", perhaps), ["", "ts_omit_aws"]);
    assert!(codes("a.sh", perhaps).contains(&"environment-decides".to_owned()));
    for guard in ["$S &&", "[ \"$S\" ] &&", "(( S )) &&", "grep -q x y ||"] {
        for set in ["T=\"$T,ts_omit_bird\"", "{ echo; T=\"$T,ts_omit_bird\"; }"] {
            let text = format!("T=ts_omit_aws\n{guard} {set}\ngo build -tags \"$T\" ./cmd/tailscaled");
            assert_eq!(tags("a.sh", &text), ["ts_omit_aws", "ts_omit_aws,ts_omit_bird"], "{text}");
        }
    }
}

#[test]
fn more_ways_than_are_followed_are_said_to_be_more() {
    let ifs: String =
        ["aws", "bird", "kube"].iter().map(|name| format!("[ $X ] && T=\"$T,ts_omit_{name}\"\n")).collect();
    let found = audits("a.sh", &format!("T=ts_omit_tap\n{ifs}go build -tags \"$T\" ./cmd/tailscaled"));
    assert!(found.iter().any(|audit| !audit.complete), "{found:?}");
}

#[test]
fn functions_are_followed_where_they_are_called() {
    let text = "small() { T=ts_omit_aws; }\nfull() { T=; }\nsmall\ngo build -tags \"$T\" ./cmd/tailscaled";
    assert_eq!(tags("a.sh", text), ["ts_omit_aws"]);
    let arguments = "drop() {\n for f in \"$@\"; do T=\"$T,ts_omit_$f\"; done\n}\nT=ts_omit_tap\ndrop aws bird\n\
                     go build -tags \"$T\" ./cmd/tailscaled";
    assert_eq!(tags("a.sh", arguments), ["ts_omit_aws,ts_omit_bird,ts_omit_tap"]);
    let first = "function make_it { go build -tags \"$1\" ./cmd/tailscaled; }\nmake_it ts_omit_aws";
    assert_eq!(tags("a.sh", first), ["ts_omit_aws"]);
    // Functions that a package's tool calls are interpreted with the variables of the text.
    let package = "_tags=ts_omit_aws\nbuild() {\n go build -tags \"$_tags\" ./cmd/tailscaled\n}";
    assert_eq!(tags("APKBUILD", package), ["ts_omit_aws"]);
    let wrapped = "run() { echo \"$@\"; \"$@\"; }\nrun go build -tags ts_omit_aws ./cmd/tailscaled";
    assert_eq!(tags("a.sh", wrapped), ["ts_omit_aws"]);
    let endless = "f() { f; }\nf\ngo build -tags ts_omit_aws ./cmd/tailscaled";
    assert_eq!(tags("a.sh", endless), ["ts_omit_aws"]);
}

#[test]
fn what_docker_forgets_is_forgotten() {
    let build = "RUN go build -tags \"$T\" ./cmd/tailscaled";
    for (text, known) in [
        ("FROM go\nENV T=ts_omit_aws", true),
        ("ARG T=ts_omit_aws\nFROM go\nARG T", true),
        ("FROM go AS one\nENV T=ts_omit_aws\nFROM one", true),
        // None of these is there when it is built.
        ("ARG T=ts_omit_aws\nFROM go", false),
        ("FROM go AS one\nENV T=ts_omit_aws\nFROM go AS two", false),
        ("FROM go\nRUN export T=ts_omit_aws", false),
    ] {
        let found = audits("Dockerfile", &format!("{text}\n{build}"));
        let built: Vec<bool> =
            found.iter().filter(|audit| audit.what.starts_with("`go")).map(|one| one.complete).collect();
        assert_eq!(built, [known], "{text}: {found:?}");
    }
    let heredoc = "FROM go\nRUN --mount=type=cache,target=/x <<EOF\nT=ts_omit_aws\ngo build -tags \"$T,ts_omit_bird\" ./cmd/tailscaled\nEOF";
    assert_eq!(tags("Dockerfile", heredoc), ["ts_omit_aws,ts_omit_bird"]);
}

#[test]
fn what_make_does_with_a_list_is_done() {
    let build = "\nall:\n\tgo build -tags \"$(T)\" ./cmd/tailscaled\n";
    for (text, expected) in [
        ("T = $(A),ts_omit_tap\nA = ts_omit_aws", vec!["ts_omit_aws,ts_omit_tap"]),
        ("T = $(A)\nA = $(B)\nB = ts_omit_aws", vec!["ts_omit_aws"]),
        ("A = ts_omit_aws\nT = $(A)\nA += ts_omit_tap", vec!["ts_omit_aws,ts_omit_tap"]),
        ("A := aws\nA += bird\nT := $(addprefix ts_omit_,$(A) tap)", vec!["ts_omit_aws,ts_omit_bird,ts_omit_tap"]),
        ("T := ts_omit_aws\nsmall: T := ts_omit_tap\nsmall: all", vec!["ts_omit_aws", "ts_omit_tap"]),
        ("T := ts_omit_aws\nother: T := ts_omit_tap", vec!["ts_omit_aws"]),
    ] {
        assert_eq!(tags("Makefile", &format!("{text}{build}")), expected, "{text}");
    }
    let printed = audits("Makefile", &format!("T := ts_omit_aws\nT != cat list{build}"));
    assert!(printed.iter().any(|audit| !audit.complete), "{printed:?}");
}

#[test]
fn a_step_of_a_workflow_knows_its_own_variables_alone() {
    let build = "run: go build -tags \"$T\" ./cmd/tailscaled";
    let own = format!("env:\n  TT: x\njobs:\n  b:\n    steps:\n      - {build}\n        env:\n          T1: x\n");
    let with = |value: &str| own.replace("$T", "$T1").replace("T1: x", &format!("T1: {value}"));
    assert_eq!(tags("a.yml", &with("ts_omit_aws # ts_omit_tap")), ["ts_omit_aws"]);
    let later = with("ts_omit_aws") + "      - run: go build -tags \"$T1\" ./cmd/tailscaled\n";
    let complete: Vec<bool> = audits("a.yml", &later).iter().map(|audit| audit.complete).collect();
    assert_eq!(complete, [true, false]);
    let shells = "steps:\n  - run: TT=ts_omit_aws\n  - run: go build -tags \"$TT\" ./cmd/tailscaled\n";
    assert!(audits("a.yml", shells).iter().any(|audit| !audit.complete));
    let given =
        "steps:\n  - run: echo TT=ts_omit_aws >> $GITHUB_ENV\n  - run: go build -tags \"$TT\" ./cmd/tailscaled\n";
    assert_eq!(tags("a.yml", given), ["ts_omit_aws"]);
    let input = "env:\n  TT: ts_omit_aws\nsteps:\n  - run: go build -tags \"${{ inputs.TT }}\" ./cmd/tailscaled\n";
    assert!(audits("a.yml", input).iter().any(|audit| !audit.complete));
    let matrix = "jobs:\n b:\n  strategy:\n   matrix:\n    include:\n    - TT: ts_omit_aws\n    - TT: ts_omit_tap\n  steps:\n  - run: go build -tags \"${{ matrix.TT }}\" ./cmd/tailscaled\n";
    assert_eq!(tags("a.yml", matrix), ["ts_omit_aws", "ts_omit_tap"]);
}

#[test]
fn what_a_shell_does_with_a_list_is_done() {
    let build = "go build -tags \"$T\" ./cmd/tailscaled";
    for (text, expected) in [
        ("T=ts_omit_aws\nT+=\" ts_omit_bird\"\nT=${T// /,}", "ts_omit_aws,ts_omit_bird"),
        ("T=ts_omit_aws\n(T=ts_omit_bird; cd x)", "ts_omit_aws"),
        ("A=(ts_omit_{aws,bird})\nT=\"${A[*]}\"", "ts_omit_aws,ts_omit_bird"),
        ("for f in {aws,bird}; do T=$T,ts_omit_$f; done\nT=${T#,}", "ts_omit_aws,ts_omit_bird"),
    ] {
        let text = format!("T=\n{text}\n{build}");
        let found = tags("a.sh", &text);
        assert!(found.contains(&expected.to_owned()) && found.len() <= 2, "{text}: {found:?}");
    }
    let assigned = ": \"${T:=ts_omit_aws}\"\ngo build -tags \"$T\" ./cmd/tailscaled";
    assert_eq!(tags("a.sh", assigned), ["ts_omit_aws"]);
    assert!(codes("a.sh", assigned).contains(&"environment-decides".to_owned()));
    let sourced = "T=ts_omit_aws\n. ./config.sh\ngo build -tags \"$T\" ./cmd/tailscaled";
    assert!(codes("a.sh", sourced).contains(&"environment-decides".to_owned()));
    // Arguments that `build_dist.sh` passes on to Go.
    for passed in [
        "./build_dist.sh -tags ts_omit_aws -o x ./cmd/tailscaled",
        "export GOFLAGS=-tags=ts_omit_aws\n./build_dist.sh ./cmd/tailscaled",
    ] {
        assert_eq!(tags("a.sh", passed), ["ts_omit_aws"], "{passed}");
    }
    // Of several, Go takes the last.
    assert_eq!(tags("a.sh", "go build -tags ts_omit_aws -tags=ts_omit_bird ./cmd/tailscaled"), ["ts_omit_bird"]);
}

#[test]
fn a_failure_that_goes_unnoticed_is_told_from_one_that_ends_the_script() {
    let build = "go build -tags \"$T\" ./cmd/tailscaled";
    for (text, falls_back) in [
        ("T=$(featuretags --min)", true),
        ("set -e\nT=$(featuretags --min)", false),
        ("set -e\nT=$(featuretags --min) || T=", true),
        ("set -e\nT=$(featuretags --min || true)", true),
        ("set -e\nT=$(featuretags --min || echo '')", true),
        ("T=$(featuretags --min) || exit 1", false),
        ("T=$(featuretags --min) || { echo no; exit 1; }", false),
        ("set -e\nexport T=$(featuretags --min)", true),
        ("set -e\nT=$(featuretags --min | sed 's/ts_omit_dns,//')", true),
        ("set -euo pipefail\nT=$(featuretags --min | sed 's/ts_omit_dns,//')", false),
        ("T=ts_omit_aws,ts_omit_dns\nT=${T/ts_omit_dns/}", false),
    ] {
        let found = codes("a.sh", &format!("{text}\n{build}"));
        assert_eq!(found.contains(&"silent-fallback".to_owned()), falls_back, "{text}: {found:?}");
    }
    assert!(
        codes("a.sh", "set -e\ngo build -tags \"$(featuretags --min)\" ./cmd/tailscaled")
            .contains(&"silent-fallback".to_owned())
    );
}

#[test]
fn arguments_are_taken_as_go_s_flags_are() {
    let of = |call: &str| format!("T=$({call}) || exit 1\ngo build -tags $T ./cmd/tailscaled");
    assert_eq!(kept("a.sh", &of("featuretags --min --add=dns --add=osrouter")), ["osrouter"]);
    assert_eq!(kept("a.sh", &of("featuretags --min dns --add=osrouter")), [""]);
    assert_eq!(kept("a.sh", &of("featuretags --min --add=osrouter dns")), ["osrouter"]);
    assert!(codes("a.sh", &of("featuretags --min --add=osrouter dns")).contains(&"ignored-argument".to_owned()));
    assert!(codes("a.sh", &of("featuretags --minimal")).contains(&"featuretags-fails".to_owned()));
    assert!(codes("a.sh", &of("featuretags --min --add='osrouter, dns'")).contains(&"unknown-add".to_owned()));
}

#[test]
fn build_dist_refuses_what_it_refuses() {
    for (text, refused) in [
        ("./build_dist.sh --extra-small ./cmd/tailscaled", false),
        ("TAGS=ts_omit_aws ./build_dist.sh --extra-small ./cmd/tailscaled", true),
        ("TAGS=ts_omit_aws ./build_dist.sh --strip ./cmd/tailscaled", false),
        ("./build_dist.sh -o x --box ./cmd/tailscaled", true),
        ("export TAGS=ts_omit_aws\nsh build_dist.sh --box ./cmd/tailscaled", true),
    ] {
        assert_eq!(codes("a.sh", text).contains(&"build-dist-fails".to_owned()), refused, "{text}");
    }
}

#[test]
fn the_program_and_the_release_are_told() {
    let text = "go build -tags ts_omit_aws ./cmd/tailscale ./cmd/tailscaled\ngo build -tags ts_omit_dns ./cmd/tailscale\ngo install tailscale.com/cmd/tailscaled@v1.98.5";
    let lists = read("a.sh", text);
    let programs: Vec<Program> = lists.iter().map(|list| list.program).collect();
    assert_eq!(programs, [Program::Daemon, Program::CommandLine, Program::Daemon]);
    assert!(lists[2].release.is_some_and(|(release, _)| release.to_string() == "1.98.5"));
    let library = read("a.sh", "# uses tsnet\ngo build -tags ts_omit_aws ./cmd/mine");
    assert_eq!(library[0].program, Program::Library);
    let stated = |text: &str| read("a.sh", text)[0].release.map(|(release, _)| release.to_string());
    assert_eq!(
        stated("TAILSCALE_VERSION=v1.98.5\nGO=1.26.8\ngo build -tags ts_omit_aws ./cmd/tailscaled").as_deref(),
        Some("1.98.5")
    );
    let two = "OLD_TAILSCALE=1.96.5\nTAILSCALE_VERSION=1.98.5\ngo build -tags ts_omit_aws ./cmd/tailscaled";
    assert_eq!(stated(two), None);
    assert!(read("a.sh", two)[0].findings.iter().any(|finding| finding.message.contains("1.96.5, 1.98.5")));
}

#[test]
fn what_is_about_something_else_is_left_alone() {
    for (name, text) in [
        ("a.sh", "go build -tags netgo,osusergo ./cmd/other"),
        ("a.sh", "# go build -tags ts_omit_aws ./cmd/tailscaled"),
        ("a.sh", "grep -q ts_omit_aws build.log && echo found"),
        ("a.sh", "echo hello"),
        ("a.json", "{\"tags\": [\"netgo\"]}"),
        ("a.md", ""),
    ] {
        assert!(read(name, text).is_empty(), "{text}: {:?}", read(name, text));
    }
}

/// Small texts that make much work.
#[test]
fn an_analysis_that_stops_early_says_so() {
    let nested = |depth: usize, inner: &str| format!("{}{inner}{}", "if a; then\n".repeat(depth), "fi\n".repeat(depth));
    let build = "T=ts_omit_aws\ngo build -tags \"$T\" ./cmd/tailscaled\n";
    assert!(stops("a.sh", &format!("{}{build}", nested(60, "x\n"))));
    assert!(!stops("a.sh", &format!("{}{build}", nested(12, "x\n"))));
    // A list before the place where it stopped is known, and one after it may be missing.
    let before = format!("{build}{}", nested(60, "x\n"));
    assert_eq!(audits("a.sh", &before).iter().map(|audit| audit.complete).collect::<Vec<_>>(), [true]);
    assert!(codes("a.sh", &before).contains(&"incomplete-analysis".to_owned()));
    let sed = "|sed s/ts_omit_aws//".repeat(40_000);
    for (name, text) in [
        ("a.sh", format!("{build}T=$(echo ts_include_cli,ts_omit_aws{sed})\n")),
        ("a.sh", format!("{build}{}", "A=$A$B$B\n".repeat(100_000))),
        ("a.sh", (0..100).map(|n| format!("go build -tags ts_omit_aws,x{n} ./cmd/tailscaled\n")).collect()),
        ("a.json", (0..100).map(|n| format!("{{\"tags\": [\"ts_omit_aws\", \"x{n}\"]}}\n")).collect()),
        ("a.sh", format!("f() {{ f; }}\nf\n{build}")),
    ] {
        assert!(stops(name, &text), "{}", &text[..60]);
        assert!(codes(name, &text).contains(&"incomplete-analysis".to_owned()), "{}", &text[..60]);
    }
}

#[test]
fn what_is_judged_of_a_text_is_bounded() {
    let tags = |count: usize| (0..count).map(|n| format!("ts_omit_zz{n}")).collect::<Vec<_>>().join(",");
    let judged = |text: &str| audits("a.sh", text).iter().map(|audit| audit.tags.len()).collect::<Vec<_>>();
    let one = format!("go build -tags \"{}\" ./cmd/tailscaled\n", tags(8000));
    assert_eq!(judged(&one), [TAGS]);
    assert!(codes("a.sh", &one).contains(&"incomplete-analysis".to_owned()));
    // All lists together are bounded too.
    let many: String = (0..20).map(|n| format!("go build -tags x{n},{} ./cmd/tailscaled\n", tags(1000))).collect();
    assert!(judged(&many).iter().sum::<usize>() <= TAGS_OF_TEXT);
    let releases: String = (0..1000).map(|n| format!("# x\nTAILSCALE_VERSION=1.98.{n}\n")).collect();
    let found = audits("a.sh", &format!("{releases}go build -tags ts_omit_aws ./cmd/tailscaled"));
    let assumed = found[0].findings.iter().find(|finding| finding.message.contains("several releases")).unwrap();
    assert!(assumed.message.ends_with("1.98.7 and 992 more") && assumed.related.len() == RELEASES - 1, "{assumed:?}");
}

/// Whether a text is not read to its end.
fn stops(name: &str, text: &str) -> bool {
    Recipe::new(name, text, Default::default()).stopped(UpstreamData::embedded()).is_some()
}

#[test]
fn copies_of_variables_are_a_part_of_the_work() {
    let stages: String = (0..20).map(|n| format!("FROM s{n} AS s{}\nENV B{n}={}\n", n + 1, "b".repeat(4000))).collect();
    assert!(!stops("Dockerfile", &format!("FROM x AS s0\nENV A={}\n{stages}", "a".repeat(60_000))));
    let many: String = (0..2000).map(|n| format!("A{n}=x\n(B=x)\n")).collect();
    assert!(stops("a.sh", &many));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "go build -tags ", "$(", ")", "${", "}", "`", "\"", "'", "T=", "$T", "featuretags --min --add=", "| sed 's/ts_omit_dns,//'",
                "if ", "fi\n", "for f in a b; do ", "done\n", "case x in a)", ";;", "esac", "ts_omit_aws", ",", " ", "\n", "\\\n", "ä", "\\", "| tr ' ' '\u{a0}'", "<<E\n",
                "./cmd/tailscaled", "TAGS := ", "RUN ", "run: |\n  ", "(", "[@]", "//", "/", "%", "#", ":-", ":+", "||", "&&", "${{ env.T }}",
            ]),
            0..24,
        ),
    ) {
        let text: String = parts.concat();
        for name in ["a.sh", "Dockerfile", "Makefile", "a.yml", "a.json"] {
            for list in read(name, &text) {
                // Spans are in the text, at the edges of characters.
                prop_assert!(text.get(list.place.start..list.place.end).is_some(), "{name}: {text:?} {list:?}");
            }
            audits(name, &text);
        }
    }
}
