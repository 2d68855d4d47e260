//! Runs recipes with substitutes for the programs that they call, and compares the tags that reach `go build` with those that
//! the reader reports.
//!
//! A recipe whose header has `unknown` can not be determined from its text: the reader must say so.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a panic is how a test reports")]

mod toy;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tagscan::{File, List, Program, scan};

/// Go as far as the recipes use it. It writes the program and the tags of each build to a log.
const GO: &str = r#"#!/bin/bash
PATH=/usr/bin:/bin
case "$1" in
build|install) ;;
run)
	shift
	case "$1" in
	*cmd/featuretags*) shift; exec "$STANDINS/featuretags" "$@" ;;
	esac
	exit 1 ;;
*) exit 0 ;;
esac
shift
tags=
for flag in $GOFLAGS; do case $flag in -tags=*) tags=${flag#-tags=} ;; esac; done
program=
here=${PWD##*/}
while [ $# -gt 0 ]; do
	case "$1" in
	-tags) tags=$2; shift ;;
	-tags=*) tags=${1#-tags=} ;;
	-o|-ldflags) shift ;;
	-*) ;;
	.) program=$here ;;
	*) [ "$program" = tailscaled ] || program=${1##*/} ;;
	esac
	shift
done
echo "$program $(echo "$tags" | tr ' \t\n' ',' | tr ',' '\n' | grep -v '^$' | sort -u | paste -sd, -)" >> "$STANDINS/log"
"#;

/// Upstream's build script, as far as tags go.
const BUILD_DIST: &str = r#"#!/bin/sh
set -e
tags="${TAGS:-}"
while [ "$#" -gt 1 ]; do
	case "$1" in
	--extra-small)
		if [ ! -z "${TAGS:-}" ]; then echo "set either --extra-small or TAGS" >&2; exit 1; fi
		shift
		tags="${tags:+$tags,}$(GOOS= GOARCH= go run ./cmd/featuretags --min --add=osrouter)" ;;
	--box)
		if [ ! -z "${TAGS:-}" ]; then echo "set either --box or TAGS" >&2; exit 1; fi
		shift
		tags="${tags:+$tags,}ts_include_cli" ;;
	*) break ;;
	esac
done
exec go build ${tags:+-tags=$tags} -trimpath -ldflags "" "$@"
"#;

/// `featuretags` on the features of the toy release.
fn featuretags() -> String {
    format!(
        r#"#!/bin/bash
PATH=/usr/bin:/bin
min= add= remove=
while [ $# -gt 0 ]; do
	case "$1" in
	-min|--min) min=1 ;;
	-add|--add) add=$2; shift ;;
	-add=*|--add=*) add=${{1#*=}} ;;
	-remove|--remove) remove=$2; shift ;;
	-remove=*|--remove=*) remove=${{1#*=}} ;;
	*) break ;;
	esac
	shift
done
tags=
for name in {}; do
	case ",$add," in
	*,"$name",*) [ "$name" = cli ] && tags="$tags ts_include_cli"; continue ;;
	esac
	[ -n "$min" ] && [ "$name" != cli ] && tags="$tags ts_omit_$name"
done
for name in ${{remove//,/ }}; do tags="$tags ts_omit_$name"; done
printf '%s\n' $tags | sort -u | paste -sd, -
"#,
        toy::FEATURES.join(" ")
    )
}

struct Recipe {
    kind: String,
    name: String,
    text: String,
    is_open: bool,
}

fn recipes() -> Vec<Recipe> {
    let text = include_str!("recipes.txt");
    let sections = text.split("### ").filter(|section| !section.trim().is_empty());
    sections
        .map(|section| {
            let (head, body) = section.split_once('\n').unwrap();
            let (kind, name) = head.split_once(": ").unwrap();
            let is_open = name.starts_with("unknown: ");
            Recipe { kind: kind.to_owned(), name: name.to_owned(), text: body.trim_end().to_owned() + "\n", is_open }
        })
        .collect()
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The builds of a recipe: programs and sorted tags.
fn run(recipe: &Recipe) -> Option<BTreeSet<String>> {
    let folder = tempfile::tempdir().unwrap();
    let (standins, work) = (folder.path().join("bin"), folder.path().join("work"));
    fs::create_dir_all(&standins).unwrap();
    fs::create_dir_all(&work).unwrap();
    program(&standins.join("go"), GO);
    program(&standins.join("featuretags"), &featuretags());
    for name in ["git", "curl", "wget", "docker", "upx"] {
        program(&standins.join(name), "#!/bin/sh\nexit 0\n");
    }
    program(&work.join("build_dist.sh"), BUILD_DIST);
    let (shell, file) = match recipe.kind.as_str() {
        "make" => ("make", "Makefile"),
        kind => (kind, "recipe.sh"),
    };
    fs::write(work.join(file), &recipe.text).unwrap();
    let mut command = Command::new("timeout");
    command.args(["20", shell]);
    if recipe.kind != "make" {
        command.arg(file);
    }
    command
        .current_dir(&work)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", standins.display()))
        .env("STANDINS", &standins)
        .env("LC_ALL", "C")
        .stdin(std::process::Stdio::null());
    let output = command.output().ok()?;
    let log = fs::read_to_string(standins.join("log")).unwrap_or_default();
    assert!(!log.is_empty() || recipe.is_open, "{}: {output:?}", recipe.name);
    Some(log.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.starts_with("derper")).collect())
}

fn display_text(list: &List) -> String {
    let program = match list.program {
        Program::Daemon => "tailscaled",
        Program::CommandLine => "tailscale",
        Program::Library => "other",
    };
    let tags: BTreeSet<&str> = list.tags.iter().map(|word| word.text.as_str()).collect();
    format!("{program} {}", tags.into_iter().collect::<Vec<_>>().join(",")).trim_end().to_owned()
}

#[test]
fn the_tags_that_reach_go_are_those_that_are_reported() {
    for program in ["bash", "make", "timeout", "perl"] {
        if Command::new(program).arg("--version").output().is_err() {
            eprintln!("SKIPPED: {program} is not here");
            return;
        }
    }
    let (mut wrong, mut unknown, mut known) = (Vec::new(), Vec::new(), 0);
    for recipe in recipes() {
        let built = run(&recipe).unwrap();
        let name = if recipe.kind == "make" { "Makefile" } else { "recipe.sh" };
        let found = scan(&File { name: name.to_owned(), text: recipe.text.clone() }, &[], &toy::Toy);
        let complete: BTreeSet<String> =
            found.lists.iter().filter(|list| list.unknown.is_empty()).map(display_text).collect();
        let open = found.lists.iter().any(|list| !list.unknown.is_empty());
        let report = || format!("{}\n  runs as {built:?}\n  read as {:?}", recipe.name, found.lists);
        if recipe.is_open {
            // Alternatives are an answer too, if what runs is one of them.
            let fits = open || (complete.len() > 1 && built.is_subset(&complete));
            if !fits {
                wrong.push(report());
            }
            continue;
        }
        known += 1;
        if complete == built && !open {
            continue;
        }
        if open { unknown.push(report()) } else { wrong.push(report()) }
    }
    let opened = recipes().iter().filter(|recipe| recipe.is_open).count();
    assert!(known >= 60 && opened >= 10, "{known} and {opened} recipes");
    assert!(wrong.is_empty(), "wrong:\n{}", wrong.join("\n"));
    assert!(unknown.len() * 10 <= known, "unknown:\n{}", unknown.join("\n"));
    eprintln!("{}", unknown.join("\n"));
    eprintln!("{known} recipes, {} unknown; {opened} that can not be determined", unknown.len());
}
