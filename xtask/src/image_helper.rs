//! `image helper`: the entrypoint's helper, built for every processor by the compiler that also builds execpack's loaders.

use std::path::Path;

use anyhow::Result;
use image::helper::{ALL, Helper};
use xshell::cmd;

use crate::args::Built;
use crate::zig::{self, CheckedIn};
use diagnostics::Code;
use tailscale_featureset::cache::Cache;
use tailscale_featureset::commands::{Outcome, registry};
use tailscale_featureset::{files, progress};

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

/// The helpers as checked-in files.
const FILES: CheckedIn = CheckedIn {
    noun: "helper",
    differs: Code::HelpersDiffer,
    why: "an image would contain code that nobody can read",
    command: "image helper",
};

/// Runs the command. Nothing is written before every helper is built.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] outside this repository, without the compiler, or if a checked-in helper differs.
pub(crate) fn run(policy: Option<&Path>, flags: &Built) -> Result<Outcome> {
    let root = registry::repository(policy)?;
    let zig = zig::provide(&Cache::of_user(), &root.join(COMPILER))?;
    let work = files::private_folder("helper-")?;
    let mut built = Vec::new();
    for helper in &ALL {
        let bytes = FILES.build(helper.name, || build(&zig, &root.join(SOURCES), work.path(), helper))?;
        built.push((helper, bytes));
    }
    if flags.check {
        let differing = built.iter().filter(|(helper, bytes)| helper.bytes != bytes);
        return FILES.compare(differing.map(|(helper, _)| helper.name));
    }
    for (helper, bytes) in &built {
        files::write_bytes(&root.join(RESULTS).join(helper.name), bytes)?;
    }
    progress::line("Wrote", RESULTS);
    Ok(Outcome::Clean)
}

fn build(zig: &Path, sources: &Path, work: &Path, helper: &Helper) -> Result<Vec<u8>> {
    let name = helper.name;
    let row = TARGETS.iter().find(|(row, ..)| *row == name);
    let (_, target, processor) = *row.ok_or_else(|| anyhow::anyhow!("the helper `{name}` has no compiler target"))?;
    let shell = zig::shell(sources, work)?;
    let program = work.join(name);
    let compile = cmd!(shell, "{zig} cc -target {target} {processor} {FLAGS...} helper.c -o {program}");
    zig::run(compile)?;
    files::read_bytes(&program)
}
