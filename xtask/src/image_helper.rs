//! `image helper`: the entrypoint's helper, built for every processor by the compiler that also builds execpack's loaders.

use std::path::Path;

use anyhow::Result;
use image::helper::{ALL, Helper};
use xshell::{Shell, cmd};

use crate::args::Built;
use crate::zig;
use diagnostics::{Code, Diagnostic};
use tailscale_featureset::cache::Cache;
use tailscale_featureset::commands::{Outcome, registry};
use tailscale_featureset::{files, process, progress};

/// The sources and the results in this repository, and the pin of the compiler.
const SOURCES: &str = "crates/image/helper";
const RESULTS: &str = "crates/image/helper/built";
const COMPILER: &str = "crates/execpack/loader/requirements.txt";

/// Each helper's compiler target and processor, by its name.
const TARGETS: [(&str, &str, &str); 3] = [
    ("amd64", "x86_64-linux-musl", "-mcpu=x86_64"),
    ("arm64", "aarch64-linux-musl", "-mcpu=generic"),
    ("arm", "arm-linux-musleabi", "-mcpu=arm926ej_s"),
];

/// Flags for the smallest static program.
const FLAGS: &[&str] = &[
    "-Os",
    "-std=gnu11",
    "-static",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fno-stack-protector",
    "-fno-sanitize=all",
    "-fno-asynchronous-unwind-tables",
    "-fno-unwind-tables",
    "-ffunction-sections",
    "-fdata-sections",
    "-Wl,--gc-sections",
    "-Wl,-z,norelro",
    "-s",
];

/// Runs the command. Nothing is written before every helper is built.
///
/// # Errors
/// A [`Diagnostic`] outside this repository, without the compiler, or if a checked-in helper differs.
pub(crate) fn run(policy: Option<&Path>, flags: &Built) -> Result<Outcome> {
    let root = registry::repository(policy)?;
    let zig = zig::provide(&Cache::of_user(), &root.join(COMPILER))?;
    let work = files::private_folder("helper-")?;
    let mut built = Vec::new();
    for helper in &ALL {
        let step = progress::step("Building", format!("the helper for {}", helper.name));
        let bytes = build(&zig, &root.join(SOURCES), work.path(), helper)?;
        step.done("Built", &format!("{} bytes", bytes.len()));
        built.push((helper, bytes));
    }
    if flags.check {
        return compare(&built);
    }
    for (helper, bytes) in &built {
        files::write_bytes(&root.join(RESULTS).join(helper.name), bytes)?;
    }
    progress::line("Wrote", RESULTS);
    Ok(Outcome::Clean)
}

fn compare(built: &[(&Helper, Vec<u8>)]) -> Result<Outcome> {
    let other: Vec<&str> =
        built.iter().filter(|(helper, bytes)| helper.bytes != bytes).map(|(helper, _)| helper.name).collect();
    if other.is_empty() {
        progress::line("Compared", "the checked-in helpers are what the source builds to");
        return Ok(Outcome::Clean);
    }
    let message = format!("the helpers for {} are not what their source builds to", other.join(", "));
    let why = "an image would contain code that nobody can read";
    let next = "Run `cargo xtask image helper` and commit the result.";
    Err(Diagnostic::failure(Code::HelpersDiffer, message, why, next).into())
}

fn build(zig: &Path, sources: &Path, work: &Path, helper: &Helper) -> Result<Vec<u8>> {
    let name = helper.name;
    let row = TARGETS.iter().find(|(row, ..)| *row == name);
    let (_, target, processor) = *row.ok_or_else(|| anyhow::anyhow!("the helper `{name}` has no compiler target"))?;
    let shell = Shell::new()?;
    shell.change_dir(sources);
    // The compiler's cache goes with the folder.
    shell.set_var("ZIG_GLOBAL_CACHE_DIR", work.join("cache"));
    shell.set_var("ZIG_LOCAL_CACHE_DIR", work.join("cache"));
    let program = work.join(name);
    let compile = cmd!(shell, "{zig} cc -target {target} {processor} {FLAGS...} helper.c -o {program}");
    process::stdout(compile.into(), "Correct what the compiler reports and run it again.")?;
    files::read_bytes(&program)
}
