//! `audit` and `import` as people and programs see them, on recipes in the manner of those that others use.

use std::path::Path;
use std::process::Command;

use crate::common::{Ran, cache, folder, full, policy, root, run, skip, target};
use featureset::audit::Recipe;
use featureset::upstream_data::UpstreamData;

/// The audit of a recipe: the report in full, and of each error and warning its first line and its place.
fn audit(arguments: &[&str]) -> String {
    let folder = root().join("tests/recipes");
    let ran = run(&folder, &[&["audit"], arguments].concat());
    let kept = |line: &&str| {
        line.starts_with("error[") || line.starts_with("warning[") || line.trim_start().starts_with("--> ")
    };
    let heads: Vec<&str> = ran.stderr.lines().filter(kept).map(str::trim_start).collect();
    format!("exit {}\n{}---\n{}\n", ran.status, ran.stdout, heads.join("\n"))
}

#[test]
fn an_allowlist_without_ipnbus_and_netstack() {
    insta::assert_snapshot!(audit(&["small-openwrt.sh", "--device", "openwrt"]));
}

#[test]
fn a_long_list_of_omissions_with_a_dead_one() {
    insta::assert_snapshot!(audit(&["applications.json"]));
}

#[test]
fn a_list_that_sed_strips_afterwards() {
    insta::assert_snapshot!(audit(&["Dockerfile.router", "--device", "routeros-container"]));
}

#[test]
fn positive_names_as_tags_and_a_fallback_that_builds_everything() {
    insta::assert_snapshot!(audit(&["release.yml"]));
}

#[test]
fn a_fixed_list_of_eight() {
    insta::assert_snapshot!(audit(&["Makefile.package"]));
}

#[test]
fn the_smallest_by_upstream_s_script_before_and_after_it_had_to_keep_more() {
    insta::assert_snapshot!(
        ["1.102.5", "1.104.5"].map(|on| audit(&["extra-small.sh", "--release", on])).join("=====\n")
    );
}

#[test]
fn the_smallest_by_hand_loses_direct_connections_in_silence() {
    let (before, after) =
        (audit(&["hand-min.sh", "--release", "1.102.5"]), audit(&["hand-min.sh", "--release", "1.104.5"]));
    assert!(before.contains("nattraversal-derp (All but the nearest"), "{before}");
    insta::assert_snapshot!(after);
}

#[test]
fn a_misspelled_add_and_a_remove_of_what_another_needs() {
    insta::assert_snapshot!(audit(&["misspelled.sh"]));
}

#[test]
fn a_list_of_nix() {
    insta::assert_snapshot!(audit(&["package.nix"]));
}

#[test]
fn two_versions_of_one_list() {
    let told = audit(&["versions/keep-2.sh", "--against", "versions/keep-1.sh"]);
    let (_, told) = told.split_once("against").unwrap();
    insta::assert_snapshot!(told.split("---").next().unwrap());
}

/// A short line with one finding of each severity.
const LINE: &[&str] = &[
    "audit",
    "--tags",
    "ts_include_cli,ts_omit_aws,ts_omit_kube,ts_omit_logtail,ts_omit_lazywg,ts_omit_serv,netgo",
    "--release",
    "1.102.5",
    "--device",
    "openwrt",
    "--accept",
    "cachenetmap-flash-wear",
];

fn line(more: &[&str]) -> Ran {
    run(root(), &[LINE, more].concat())
}

#[test]
fn a_line_for_people_for_programs_and_for_github() {
    insta::assert_snapshot!(
        [line(&[]), line(&["--format", "json"]), line(&["--format", "github"])]
            .map(|ran| ran.transcript())
            .join("=====\n")
    );
}

#[test]
fn the_exit_status_is_the_usual_one() {
    let status = |arguments: &[&str]| run(root(), arguments).status;
    let clean = ["audit", "--tags", "ts_include_cli,netgo", "--release", "1.102.5", "--device", "systemd-host"];
    let accepted = ["--accept", "allowedips-leak", "--accept", "iptables-nftables-only"];
    let clean = [&clean[..], &accepted].concat();
    assert_eq!(status(&clean), 0, "{}", run(root(), &clean).stderr);
    assert_eq!(status(&[&clean[..], &["--deny", "warnings"]].concat()), 0);
    let dead = ["audit", "--tags", "ts_include_cli,ts_omit_lazywg", "--release", "1.102.5", "--device", "systemd-host"];
    assert_eq!((status(&dead), status(&[&dead[..], &["--deny", "warnings"]].concat())), (0, 1));
    assert_eq!(line(&[]).status, 1);
}

#[test]
fn what_keeps_an_audit_or_an_import_from_running() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("empty.sh", "echo hello\n");
    write("open.sh", "go build -tags \"ts_omit_aws,$MORE\" ./cmd/tailscaled\n");
    write("two.sh", "go build -tags ts_omit_aws ./cmd/tailscaled\ngo build -tags ts_omit_bird ./cmd/tailscaled\n");
    write("featureset.yaml", "tailscale: 1.102.5\n");
    write("large.sh", &"# nothing\n".repeat(1 << 17));
    let shown = [
        &["audit", "missing.sh"][..],
        &["audit", "empty.sh"],
        &["audit", "large.sh"],
        &["audit", "--tags", "ts_omit_aws", "--release", "1.88.4"],
        &["audit", "--tags", "ts_omit_aws", "--accept", "ipnbus-down"],
        &["audit", "two.sh", "--against", "open.sh"],
        &["import", "--tags", "ts_omit_aws"],
        &["import", "two.sh", "-o", "new.yaml"],
        &["import", "two.sh", "--line", "3", "-o", "new.yaml"],
        &["import", "open.sh", "-o", "new.yaml"],
    ]
    .map(|arguments| run(folder.path(), arguments).transcript());
    assert!(!folder.path().join("new.yaml").exists());
    insta::assert_snapshot!(shown.join("=====\n"));
}

#[test]
fn an_import_gives_the_tags_of_what_was_audited_and_waits_for_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(folder.path(), arguments);
    let recipe = root().join("tests/recipes/small-openwrt.sh");
    let imported = run(&["import", recipe.to_str().unwrap(), "-o", "featureset.yaml"]);
    assert_eq!((imported.status, imported.stdout.as_str()), (0, "featureset.yaml\n"), "{}", imported.stderr);
    let tags = run(&["tags"]).stdout;
    let again = run(&["audit", "--tags", tags.trim(), "--release", "1.98.5", "--format", "json"]).stdout;
    let first = run(&["audit", recipe.to_str().unwrap(), "--format", "json"]).stdout;
    let audited = |text: &str| {
        let document: serde_json::Value = serde_json::from_str(text).unwrap();
        document["sources"][0]["lists"][0]["tags"].clone()
    };
    assert_eq!(audited(&again), audited(&first));
    let check = run(&["check"]);
    assert_eq!((check.status, check.stderr.matches("error[empty-reason]: 73 decisions").count()), (1, 1));
    let all = run(&["check", "--all"]);
    assert_eq!((all.status, all.stderr.matches("error[empty-reason]").count()), (1, 73));
    assert_eq!(run(&["build-tailscale"]).status, 1, "nothing ships without reasons");
    let line = run(&[
        "import",
        "--tags",
        "ts_omit_c2n,netgo,ts_omit_lazywg",
        "--release",
        "1.102.5",
        "--force",
        "-o",
        "featureset.yaml",
    ]);
    let warned: Vec<&str> = line.stderr.lines().filter(|line| line.contains("Warning")).collect();
    assert_eq!((line.status, warned.len()), (0, 7), "{}", line.stderr);
    let two = root().join("tests/recipes/release.yml");
    assert_eq!(run(&["import", two.to_str().unwrap(), "--line", "21", "-o", "other.yaml"]).status, 0);
}

#[test]
fn a_binary_is_judged_by_its_own_build_information() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write(
        "tailscaled",
        &crate::common::binary::binary(
            "go1.26.5",
            &crate::common::binary::daemon("1.102.5", "ts_include_cli,ts_omit_aws,ts_omit_lazywg,netgo"),
        ),
    );
    write(
        "unknown",
        &crate::common::binary::binary(
            "go1.26.8",
            &crate::common::binary::daemon("(devel)", "ts_omit_aws").replace("v(", "("),
        ),
    );
    write(
        "other",
        &crate::common::binary::binary("go1.26.8", "path\texample.com/mine\nmod\texample.com/mine\tv1.0.0\n"),
    );
    write("script.bin", &[0, 1, 2, 3]);
    let shown = [
        &["audit", "tailscaled", "--device", "systemd-host"][..],
        &["audit", "tailscaled", "--format", "github"],
        &["audit", "unknown", "--device", "systemd-host"],
        &["audit", "other"],
        &["audit", "script.bin"],
    ]
    .map(|arguments| run(folder.path(), arguments).transcript());
    insta::assert_snapshot!(shown.join("=====\n"));
    let imported = run(folder.path(), &["import", "tailscaled", "-o", "featureset.yaml"]);
    assert_eq!(imported.status, 0, "{}", imported.stderr);
    let text = std::fs::read_to_string(folder.path().join("featureset.yaml")).unwrap();
    assert!(text.contains("go: 1.26.5\n") && text.contains("linux/riscv64"), "{text}");
    assert_eq!(run(folder.path(), &["tags"]).stdout, "ts_include_cli,ts_omit_aws,netgo\n");
}

/// The audits of a file, as programs get them.
fn audits(folder: &Path, file: &str) -> Vec<serde_json::Value> {
    let ran = run(folder, &["audit", file, "--format", "json"]);
    let document: serde_json::Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.transcript()));
    document["sources"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|source| source["lists"].as_array().unwrap().clone())
        .collect()
}

#[test]
fn what_we_ship_is_what_the_policy_says_packed_and_as_an_image() {
    if !full() {
        return;
    }
    let ran = run(root(), &["image", "--target", "amd64", "--format", "json"]);
    if ran.status != 0 {
        skip(&format!("the image can't be made: {}", ran.stderr));
        return;
    }
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let archive = document["images"]["amd64"]["archive"].as_str().unwrap().to_owned();
    let tags = run(root(), &["tags", "--target", "amd64"]).stdout;
    let packed = target().join("tailscale/amd64/tailscaled");
    for file in [packed.to_str().unwrap(), &archive] {
        let [audit] = &audits(root(), file)[..] else { panic!("{file}") };
        let listed: Vec<&str> = audit["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
        assert_eq!(listed.join(","), tags.trim());
        assert!(audit["what"].as_str().unwrap().contains("unpacked by UPX"), "{}", audit["what"]);
        assert_eq!((&audit["release"], &audit["release_stated"]), (&"1.102.5".into(), &true.into()));
        let clean =
            run(root(), &["--policy", "featureset.yaml", "audit", file, "--target", "amd64", "--deny", "warnings"]);
        assert_eq!(clean.status, 0, "{}", clean.transcript());
    }
}

#[test]
fn the_stock_binary_has_everything() {
    if !full() {
        return;
    }
    let folder = folder(&policy(&[], "{ platform: linux/amd64 }"));
    let output = folder.path().join("tailscaled");
    let built = Command::new("go")
        .args(["build", "-mod=mod", "-trimpath", "-o", output.to_str().unwrap(), "tailscale.com/cmd/tailscaled"])
        .current_dir(cache().folder().unwrap().join("modules/1.102.5"))
        .env("CGO_ENABLED", "0")
        .output();
    if !built.as_ref().is_ok_and(|built| built.status.success()) {
        skip(&format!("the stock binary can't be built: {built:?}"));
        return;
    }
    let [audit] = &audits(folder.path(), "tailscaled")[..] else { panic!("one program") };
    let omitted: Vec<&str> = audit["omitted"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!((audit["kept"].as_array().unwrap().len(), omitted), (78, vec!["cli"]));
    assert_eq!(audit["release"], "1.102.5");
}

#[test]
fn no_text_makes_more_work_than_a_fixed_amount() {
    let noise: String = (0..1_u32 << 18).map(|n| char::from((n.wrapping_mul(2_654_435_761) >> 24) as u8)).collect();
    let texts = [
        "$(".repeat(1 << 18),
        "${".repeat(1 << 18),
        "`".repeat(1 << 19),
        "if ".repeat(1 << 18),
        "if x\n".repeat(1 << 17),
        "T=$T$T\n".repeat(1 << 16),
        format!("T=ts_omit_a\n{}go build -tags $T ./cmd/tailscaled", "T=\"$T,$T\"\n".repeat(1000)),
        "for a in 1 2 3 4 5 6 7 8 9; do ".repeat(1 << 14),
        format!("{}T=$T,ts_omit_$a\n{}", "for a in 1 2 3 4 5 6 7 8 9; do\n".repeat(9), "done\n".repeat(9)),
        format!("{}{}", "for a in 1 2; do\n".repeat(1 << 14), "done\n".repeat(1 << 14)),
        format!(
            "T=ts_omit_a\n{}go build -tags $T ./cmd/tailscaled",
            "T=$(echo $T | sed s/ts_omit_a,//),x\n".repeat(1 << 14)
        ),
        format!("T=ts_omit_a\n{}go build -tags $T ./cmd/tailscaled", "T=${T/ts_omit_a/}\n".repeat(1 << 15)),
        "ts_omit_aws,".repeat(1 << 16),
        "go build -tags ts_omit_a ./cmd/tailscaled\n".repeat(1 << 14),
        "case x in a) ".repeat(1 << 16),
        "\"".repeat(1 << 19) + "ts_omit_aws",
        "\\\n".repeat(1 << 19),
        "(".repeat(1 << 20),
        "A=(".repeat(1 << 18),
        "cat <<A\n".repeat(1 << 17),
        "f() {\n".repeat(1 << 17),
        (0..1 << 15).map(|n| format!("f{n}() {{ f{0}; f{0}; }}\n", n + 1)).collect::<String>() + "f0",
        (0..1 << 14).map(|n| format!("FROM a AS b{n}\nENV T{n}=ts_omit_aws,ts_omit_tap\n")).collect(),
        (0..1 << 15).map(|n| format!("A{n} = $(A{})\n", n + 1)).collect(),
        "- run: echo TT=ts_omit_aws >> $GITHUB_ENV\n".repeat(1 << 14),
        noise,
    ];
    for text in texts {
        for name in ["a.sh", "Dockerfile", "Makefile", "a.yml", "a.json", "a.bb"] {
            let recipe = Recipe::new(name, &text, Default::default());
            assert!(recipe.lists(None, UpstreamData::embedded()).len() <= 64);
            let work = recipe.work(UpstreamData::embedded());
            assert!(work <= 8_000_000, "{name}: {work} for {:?}", text.chars().take(40).collect::<String>());
        }
    }
}

/// Writes a folder of files, audits it, and returns a line for each list: place, program, release, and number of omissions.
fn project(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let ran = run(folder.path(), &["audit", ".", "--format", "json"]);
    let document: serde_json::Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.transcript()));
    let mut lines = String::new();
    for source in document["sources"].as_array().unwrap() {
        for list in source["lists"].as_array().unwrap() {
            let omitted = list["omitted"].as_array().unwrap().len();
            let stated = if list["release_stated"] == true { "" } else { ", assumed" };
            let complete = if list["complete"] == true { "" } else { ", incomplete" };
            let (source, release) = (source["source"].as_str().unwrap(), list["release"].as_str().unwrap());
            lines += &format!(
                "{source}: {}: {release}{stated}, {omitted} omitted{complete}\n",
                list["what"].as_str().unwrap()
            );
        }
    }
    lines
}

#[test]
fn audit_of_a_folder_follows_a_workflow_through_a_dockerfile_to_a_script() {
    let workflow = "on: push\nenv: { TS_VERSION: v1.102.5 }\njobs:\n  image:\n    runs-on: ubuntu-latest\n    strategy: { matrix: { arch: [arm64, arm] } }\n    steps:\n      - run: docker build --build-arg TS_VERSION=${TS_VERSION} --build-arg GOARCH=${{ matrix.arch }} -t router .\n";
    let dockerfile = "FROM golang:1.26 AS build\nARG TS_VERSION\nARG GOARCH\nRUN git clone --depth 1 --branch ${TS_VERSION} https://github.com/tailscale/tailscale /src\nWORKDIR /src\nCOPY features.env scripts/build.sh ./\nRUN GOARCH=${GOARCH} ./build.sh /tailscaled\nFROM scratch\nCOPY --from=build /tailscaled /tailscaled\n";
    let script = "#!/bin/sh\nset -eu\n. ./features.env\nTAGS=$(go run ./cmd/featuretags --min --add=\"$(echo \"$FEATURES\" | tr ' ' ',')\")\ngo build -tags \"ts_include_cli,$TAGS\" -o \"$1\" ./cmd/tailscaled\n";
    let lines = project(&[
        (".github/workflows/release.yml", workflow),
        ("Dockerfile", dockerfile),
        ("features.env", "FEATURES=\"osrouter dns netstack ipnbus unixsocketidentity\"\n"),
        ("scripts/build.sh", script),
        ("README.md", "Once this used ts_omit_aws and v1.90.1.\n"),
        ("old.snap", "-tags ts_omit_aws\n"),
    ]);
    insta::assert_snapshot!(lines, @"./.github/workflows/release.yml: `go build` of tailscaled: 1.102.5, 73 omitted");
}

#[test]
fn audit_of_a_feed_follows_an_included_makefile() {
    let makefile = "include $(TOPDIR)/rules.mk\ninclude tags.mk\nPKG_NAME:=tailscale\nPKG_VERSION:=1.98.5\nPKG_SOURCE_URL:=https://codeload.github.com/tailscale/tailscale/tar.gz/v$(PKG_VERSION)?\nGO_PKG:=tailscale.com/cmd/tailscaled\nGO_PKG_TAGS:=$(TAILSCALE_TAGS)\n";
    let tags = "comma:=,\nspace:=$(subst ,, )\nOMIT:=aws bird kube tap\nTAILSCALE_TAGS:=ts_include_cli$(comma)$(subst $(space),$(comma),$(OMIT:%=ts_omit_%))\n";
    let lines = project(&[("net/tailscale/Makefile", makefile), ("net/tailscale/tags.mk", tags)]);
    insta::assert_snapshot!(lines, @"./net/tailscale/Makefile: the variable `GO_PKG_TAGS`: 1.98.5, 4 omitted");
}

#[test]
fn a_recipe_with_the_tags_of_a_policy_audits_clean_with_that_policy() {
    let folder = folder(&policy(&[], "{ platform: linux/amd64 }"));
    let tags = run(folder.path(), &["tags"]).stdout;
    let script = format!(
        "git clone --branch v1.102.5 https://github.com/tailscale/tailscale\ngo build -tags {} -ldflags \"-X tailscale.com/version.shortStamp=1.102.5\" ./cmd/tailscaled\n",
        tags.trim()
    );
    std::fs::write(folder.path().join("build.sh"), script).unwrap();
    let ran = run(folder.path(), &["--policy", "featureset.yaml", "audit", ".", "--deny", "warnings"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stderr.contains("Audited 1 list: no findings"), "{}", ran.transcript());
}
