//! `ci`: the checks of CI as one program: if it passes locally, it passes remotely.

pub(crate) mod parts;
mod record;

use diagnostics::{Code, Diagnostic};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use xshell::{Cmd, Shell};

use self::parts::{GATE, PARTS, Part};
use self::record::Record;
use crate::args::Ci;
use tailscale_featureset::commands::{Outcome, registry};
use tailscale_featureset::test_variables::{FULL, REQUIRE_ALL};
use tailscale_featureset::tools::debian::is_debian;
use tailscale_featureset::{outln, process, progress};

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
            let is_run = [parts::LONG_TESTS, parts::EMULATED, parts::OTHER_POLICY]
                .iter()
                .any(|line| line.contains(&format!(" {name}::")));
            assert!(!is_long || is_run, "{name} has tests that no part runs");
        }
    }
}
