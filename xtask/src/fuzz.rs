//! `fuzz`: the search for an input that breaks a property of the fuzz targets (package `fuzz`), guided by coverage.
//!
//! libFuzzer needs instrumented code, and Rust's stable compiler can instrument; only the sanitizers need the nightly one. The
//! workspace forbids unsafe code, so panics, overflows, memory and time are what there is to find.

use diagnostics::{Code, Diagnostic};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::args::Fuzz;
use tailscale_featureset::cache::Cache;
use tailscale_featureset::commands::{Outcome, registry};
use tailscale_featureset::tools::go;
use tailscale_featureset::{process, progress};

/// The flags that instrument code for libFuzzer, as `cargo fuzz` sets them.
const INSTRUMENT: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// The toolchain of the program that two targets damage: one whose tables can be rewritten.
const TOOLCHAIN: &str = "go1.26.8";

/// The longest that one input may take before the search calls it a hang, in seconds. Far above what the documented bounds
/// allow, so that a busy machine is not an error.
const HANG: u64 = 30;

/// The most memory that the process may take, in MB: the corpus and libFuzzer's tables included.
const MEMORY: u64 = 1500;

/// The longest input that is generated, in bytes; longer files of the corpus are still replayed.
const LONGEST: u64 = 1 << 16;

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] that names the target and the input if a property does not hold, or if the targets can't be built.
pub(crate) fn run(policy: Option<&Path>, flags: &Fuzz) -> Result<Outcome> {
    let root = registry::repository(policy)?;
    let corpus = root.join("fuzz/corpus");
    let targets = chosen(&corpus, &flags.only)?;
    let fuzzer = Fuzzer { binary: build(&root)?, program: program(&root)?, corpus, folder: root.join("target/fuzz") };
    if let (Some(input), Some(target)) = (&flags.input, targets.first()) {
        return fuzzer.run(target, &[input.to_string_lossy().into_owned()], HANG).map(|_| Outcome::Clean);
    }
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.subsec_nanos());
    let seed = flags.seed.unwrap_or(clock).max(1);
    progress::line("Seed", &format!("{seed}; `--seed {seed}` searches in the same order"));
    let each = (flags.seconds / targets.len() as u64).max(1);
    for target in &targets {
        let step = progress::step("Fuzzing", target);
        let found = fuzzer.search(target, each, seed)?;
        step.done("Fuzzed", &found);
    }
    Ok(Outcome::Clean)
}

/// The names of the targets: the folders of the corpus.
fn chosen(corpus: &Path, only: &[String]) -> Result<Vec<String>> {
    let folders = std::fs::read_dir(corpus).with_context(|| format!("reading {}", corpus.display()))?;
    let mut names: Vec<String> = folders
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort_unstable();
    if let Some(unknown) = only.iter().find(|name| !names.contains(name)) {
        let message = format!("unknown fuzz target `{unknown}`");
        let next = format!("Name one of {}.", names.join(", "));
        return Err(
            Diagnostic::failure(Code::UnknownTarget, message, "each folder of fuzz/corpus is a target", next).into()
        );
    }
    names.retain(|name| only.is_empty() || only.contains(name));
    Ok(names)
}

/// Builds the targets, instrumented, apart from everything else that is built.
fn build(root: &Path) -> Result<PathBuf> {
    let next = "Fix what the compiler reports; libFuzzer itself needs a C++ compiler.";
    let mut version = Command::new(process::needed("rustc")?);
    version.arg("-vV");
    let version = process::stdout(version, "Install Rust with rustup.")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_owned();
    let folder = root.join("target/fuzz/build");
    let mut cargo = Command::new(process::needed("cargo")?);
    cargo.current_dir(root).env("RUSTFLAGS", INSTRUMENT);
    // With a target named, the flags are not for build scripts, which do not link libFuzzer.
    cargo.args(["build", "--quiet", "--locked", "--package", "fuzz", "--features", "libfuzzer", "--profile", "fuzz"]);
    cargo.args(["--bin", "fuzz", "--target", &host]).arg("--target-dir").arg(&folder);
    let step = progress::step("Building", "the fuzz targets");
    process::stdout(cargo, next)?;
    step.done("Built", "");
    Ok(folder.join(host).join("fuzz/fuzz"))
}

/// A small Go program as linked; some targets need a real function table.
fn program(root: &Path) -> Result<PathBuf> {
    let go = go::find_or_provide(&Cache::of_user())?;
    let output = root.join("target/fuzz/program");
    let mut variables = go::plain(TOOLCHAIN);
    variables.extend([("GOOS", "linux"), ("GOARCH", "amd64")].map(|(name, value)| (name.to_owned(), value.to_owned())));
    let arguments = ["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o"];
    let mut command = go.command(&arguments, &variables);
    command.arg(&output).arg(".").current_dir(root.join("tests/go/behaviour"));
    process::stdout(command, "Check that Go can build tests/go/behaviour.")?;
    Ok(output)
}

/// The built targets and where their inputs are.
struct Fuzzer {
    binary: PathBuf,
    program: PathBuf,
    corpus: PathBuf,
    /// Where inputs that were found are kept: those that reach new code, and those that break a property.
    folder: PathBuf,
}

impl Fuzzer {
    /// Searches for some seconds. Returns a summary of the search.
    fn search(&self, target: &str, seconds: u64, seed: u32) -> Result<String> {
        let own = self.folder.join("corpus").join(target);
        std::fs::create_dir_all(&own).with_context(|| format!("creating {}", own.display()))?;
        let folders = [own, self.corpus.join(target)].map(|folder| folder.to_string_lossy().into_owned());
        let mut limits = vec![
            format!("-max_total_time={seconds}"),
            format!("-seed={seed}"),
            format!("-max_len={LONGEST}"),
            "-print_final_stats=1".to_owned(),
        ];
        let dictionary = self.corpus.with_file_name("dictionaries").join(target);
        if dictionary.is_file() {
            limits.push(format!("-dict={}", dictionary.display()));
        }
        // The whole corpus is run first, and that time is not counted.
        let printed = self.run(target, &[folders.as_slice(), &limits].concat(), seconds + 10 * HANG)?;
        let figure = |name: &str| {
            let line = printed.lines().find(|line| line.contains(name));
            line.and_then(|line| line.rsplit(' ').next()).unwrap_or("an unknown number of").to_owned()
        };
        Ok(format!("with {} inputs", figure("number_of_executed_units")))
    }

    /// Runs libFuzzer. Returns its messages.
    fn run(&self, target: &str, arguments: &[String], seconds: u64) -> Result<String> {
        let found = self.folder.join("found");
        std::fs::create_dir_all(&found).with_context(|| format!("creating {}", found.display()))?;
        let prefix = found.join(format!("{target}-"));
        let mut command = Command::new(&self.binary);
        command.env("FUZZ_TARGET", target).env("FUZZ_PROGRAM", &self.program).args(arguments);
        command.arg(format!("-artifact_prefix={}", prefix.display()));
        command.args([format!("-timeout={HANG}"), format!("-rss_limit_mb={MEMORY}")]);
        let output = process::output_within(command, Some(Duration::from_secs(seconds)))?;
        if output.status.success() {
            return Ok(output.stderr);
        }
        let input = output.stderr.lines().find_map(|line| line.split("Test unit written to ").nth(1));
        let input = input.unwrap_or("(no input was kept)");
        Err(Diagnostic::failure(
            Code::FuzzPropertyBroken,
            format!("the fuzz target `{target}` fails on {input}"),
            reason(&output.stderr),
            format!(
                "Repeat it with `cargo xtask fuzz --only {target} --input FILE`, fix the cause and add the input to \
                 fuzz/corpus/{target}.",
            ),
        )
        .into())
    }
}

/// The lines of libFuzzer's messages that say what happened.
fn reason(printed: &str) -> String {
    let lines: Vec<&str> = printed.lines().collect();
    let start = lines.iter().position(|line| line.contains("panicked at") || line.contains("ERROR: libFuzzer"));
    // A failed comparison may print its whole input.
    let short = |line: &str| line.chars().take(300).collect::<String>();
    lines.into_iter().skip(start.unwrap_or(0)).take(4).map(short).collect::<Vec<_>>().join("\n")
}
