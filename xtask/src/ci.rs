//! `ci`: the checks of CI as one program: if it passes locally, it passes remotely.

mod record;

use diagnostics::{Code, Diagnostic};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use xshell::{Cmd, Shell};

use self::record::Record;
use crate::args::Ci;
use tailscale_featureset::commands::{Outcome, registry};
use tailscale_featureset::test_variables::{FULL, REQUIRE_ALL};
use tailscale_featureset::tools::debian::is_debian;
use tailscale_featureset::{outln, process, progress};

/// A command and the name under which messages report it. A line that begins with `xtask` runs this program.
type Step = (&'static str, &'static str);

/// A part of `ci --full` that can run by itself.
#[derive(Debug)]
pub(crate) struct Part {
    /// The name that `--part` takes.
    pub(crate) name: &'static str,
    /// The planned duration on two cores, in minutes.
    pub(crate) minutes: u32,
    /// The steps, in order. Every part builds what it needs: a build that is up to date takes a second.
    pub(crate) steps: &'static [Step],
}

/// The name of the part that `ci` without `--full` runs.
pub(crate) const GATE: &str = "gate";

const BUILD: Step = ("build", "xtask build-tailscale --target amd64");

/// The parts of `ci --full`. A part that outgrows 40 minutes is split; new long checks are new parts or new steps.
pub(crate) const PARTS: &[Part] = &[
    Part {
        name: GATE,
        minutes: 15,
        steps: &[
            ("format", "cargo fmt --all --check"),
            ("clippy", "cargo clippy --locked --workspace --all-targets -- -D warnings"),
            ("test", "cargo test --locked --workspace"),
            ("docs", "xtask docs --check"),
            ("policy", "xtask check --deny warnings"),
            // A real build with the real packer, executed, and its image, linted before it takes its place.
            BUILD,
            ("image", "xtask image --target amd64"),
            // The same order each time, so that a failure repeats; the part `fuzz` searches in another order each time.
            ("fuzz", "xtask fuzz --seconds 120 --seed 1"),
        ],
    },
    Part { name: "long-tests", minutes: 25, steps: &[("long tests", LONG_TESTS)] },
    // Nobody who edits featureset.yaml breaks the tests.
    Part { name: "other-policy", minutes: 30, steps: &[("tests", OTHER_POLICY)] },
    Part {
        name: "targets",
        minutes: 15,
        steps: &[
            // The checked-in loaders of packed files, and the entrypoint's helper, are built from their sources.
            ("loaders", "xtask execpack loaders --check"),
            ("helper", "xtask image helper --check"),
            ("build all", "xtask build-tailscale"),
            ("image all", "xtask image"),
            ("login on arm64", "xtask verify --target arm64 --check login --require-all"),
            ("login on armv5", "xtask verify --target armv5 --check login --require-all"),
        ],
    },
    // Packed programs on whole machines, with kernels of Debian.
    Part { name: "emulated", minutes: 25, steps: &[("machines", EMULATED)] },
    // Every claim on the running daemon, and every check on a binary that must fail it.
    Part {
        name: "verify",
        minutes: 25,
        steps: &[BUILD, ("verify", "xtask verify --target amd64 --mutants --require-all")],
    },
    Part {
        name: "hazards",
        minutes: 35,
        steps: &[BUILD, ("hazards", "xtask verify --target amd64 --hazards --require-all")],
    },
    // Fails if the shipped binary is certainly slower; a machine too busy to tell is not a failure.
    Part {
        name: "bench",
        minutes: 15,
        steps: &[
            BUILD,
            ("bench", "xtask bench --target amd64"),
            ("speed", "cargo bench --locked --package tailscale-featureset --bench startup"),
        ],
    },
    Part { name: "fuzz", minutes: 25, steps: &[("fuzz", "xtask fuzz --seconds 1200")] },
];

/// The tests that skip themselves unless [`FULL`] is set.
const LONG_TESTS: &str = "cargo test --locked --package tailscale-featureset --package xtask --test it --test skipped -- action:: audit:: bench:: execpack:: go_packages:: \
    image_real:: installed:: measure:: provided_tools:: real_builds:: several_devices:: verify::";

/// The tests that boot emulated machines.
const EMULATED: &str = "cargo test --locked --package tailscale-featureset --test it -- emulated::";

/// The tests of the workspace in a copy of the repository with another featureset.yaml.
const OTHER_POLICY: &str = "cargo test --locked --package tailscale-featureset --test it -- other_policy::";

/// Runs the steps of the chosen parts and stops at the first that fails. The output of each step is passed through.
///
/// With `--full`, a step that passed on the same files before is skipped unless `--again` is given.
///
/// # Errors
/// A [`Diagnostic`] that names the step.
pub(crate) fn run(policy: Option<&Path>, flags: &Ci) -> Result<Outcome> {
    if flags.list_parts {
        PARTS.iter().for_each(list);
        return Ok(Outcome::Clean);
    }
    let start = Instant::now();
    let root = registry::repository(policy)?;
    let mut record = Record::open(&root, flags.require_all)?;
    let program = own_copy(&root)?;
    let shell = Shell::new()?;
    shell.change_dir(root);
    if flags.require_all {
        shell.set_var(REQUIRE_ALL, "1");
    }
    for part in PARTS.iter().filter(|part| is_chosen(part, flags)) {
        let long = (part.name != GATE).then(|| shell.push_env(FULL, "1"));
        for (name, line) in part.steps {
            if flags.full && !flags.again && record.has_passed(line) {
                progress::line("Skipped", &format!("{}/{name}: passed on these files; `--again` runs it", part.name));
                continue;
            }
            step(&format!("{}/{name}", part.name), command(&shell, &program, line))?;
            record.passed(line)?;
        }
        drop(long);
    }
    progress::line("Passed", &format!("every step in {:.0} s", start.elapsed().as_secs_f64()));
    Ok(Outcome::Clean)
}

fn is_chosen(part: &Part, flags: &Ci) -> bool {
    match (flags.full, flags.part.is_empty()) {
        (false, _) => part.name == GATE,
        (true, true) => true,
        (true, false) => flags.part.iter().any(|name| name == part.name),
    }
}

fn list(part: &Part) {
    let steps: Vec<&str> = part.steps.iter().map(|(name, _)| *name).collect();
    outln!("{:<11} {:>2} min  {}", part.name, part.minutes, steps.join(", "));
}

/// Copies this program and returns the copy's path: the tests build the program again with other features of its
/// dependencies, which replaces the file that is running.
fn own_copy(root: &Path) -> Result<PathBuf> {
    let copy = root.join("target/ci/xtask");
    let _ = std::fs::remove_file(&copy);
    std::fs::copy(std::env::current_exe()?, &copy).with_context(|| format!("writing {}", copy.display()))?;
    Ok(copy)
}

fn command<'a>(shell: &'a Shell, program: &Path, line: &str) -> Cmd<'a> {
    let mut words = line.split_whitespace();
    let command = match words.next() {
        Some("xtask") | None => shell.cmd(program),
        Some(program) => shell.cmd(program),
    };
    let shell_file = if line.starts_with("xtask image") { own_shell() } else { Vec::new() };
    command.args(words).args(shell_file)
}

/// The machine's own static shell for images. The pinned shells are packages of Debian, so other systems need it.
fn own_shell() -> Vec<OsString> {
    let own_shell = process::on_path("mksh-static").filter(|_| !is_debian());
    own_shell.into_iter().flat_map(|path| ["--shell-file".into(), path.into_os_string()]).collect()
}

fn step(name: &str, command: Cmd<'_>) -> Result<()> {
    progress::line("Step", &format!("{name}: {command}"));
    let begun = Instant::now();
    let ran = command.quiet().run();
    process::check_interrupt()?;
    ran.map_err(|error| {
        Diagnostic::failure(
            Code::CiStepFailed,
            format!("the step `{name}` failed"),
            error.to_string(),
            "Fix what its output shows and run the same command again; `ci --full` goes on at this step.",
        )
    })?;
    progress::line("Passed", &format!("{name} in {:.0} s", begun.elapsed().as_secs_f64()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest that a part may be planned for, in minutes.
    const LONGEST: u32 = 40;

    #[test]
    fn every_part_has_its_own_name_and_is_planned_within_the_limit() {
        for (index, part) in PARTS.iter().enumerate() {
            assert!(part.minutes <= LONGEST, "{} is planned for {} minutes", part.name, part.minutes);
            assert!(PARTS[..index].iter().all(|other| other.name != part.name), "{} is listed twice", part.name);
        }
    }

    #[test]
    fn every_long_test_is_in_a_part() {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/it");
        for file in std::fs::read_dir(tests).unwrap().map(|entry| entry.unwrap().path()) {
            let is_long = std::fs::read_to_string(&file).is_ok_and(|text| text.contains("!full()"));
            let name = file.file_stem().unwrap().to_str().unwrap();
            let is_run = [LONG_TESTS, EMULATED, OTHER_POLICY].iter().any(|line| line.contains(&format!(" {name}::")));
            assert!(!is_long || is_run, "{name} has tests that no part runs");
        }
    }
}
