//! `execpack loaders`: the loaders built from their sources by a compiler that is pinned by version and digest.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use execpack::Loader;
use xshell::cmd;

use crate::args::Built;
use crate::zig::{self, CheckedIn};
use diagnostics::Code;
use diagnostics::Diagnostic;
use tailscale_featureset::cache::Cache;
use tailscale_featureset::commands::{Outcome, registry};
use tailscale_featureset::{files, progress};

/// Where the sources are in this repository, and the results.
const SOURCES: &str = "crates/execpack/loader";
const RESULTS: &str = "crates/execpack/loader/built";

/// Each loader's name, compiler target, and flags of that processor.
const TARGETS: [(&str, &str, &[&str]); 4] = [
    ("amd64", "x86_64-freestanding-none", &["-fPIC", "-mno-red-zone", "-mno-mmx", "-mno-sse", "-mno-sse2"]),
    ("arm64", "aarch64-freestanding-none", &["-fPIC", "-mstrict-align", "-mgeneral-regs-only"]),
    // ARMv5TE: no unaligned access, no division.
    ("arm", "arm-freestanding-eabi", &["-fPIC", "-mcpu=arm926ej_s", "-marm"]),
    ("mipsle", "mipsel-freestanding-none", &["-fno-PIC", "-mcpu=mips32+soft_float+noabicalls"]),
];

/// Flags of every loader. Jump tables would be addresses.
const FLAGS: &[&str] = &[
    "-Os",
    "-std=c11",
    "-ffreestanding",
    "-fno-builtin",
    "-fvisibility=hidden",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fno-unwind-tables",
    "-fno-sanitize=all",
    "-fomit-frame-pointer",
    "-fno-jump-tables",
    "-fno-unroll-loops",
    "-fno-vectorize",
    "-fno-slp-vectorize",
    "-Wall",
    "-Wextra",
    "-Werror",
];

/// No loader is longer: it is a part of every packed file.
const LONGEST: usize = 10_000;

/// Except for MIPS, where every instruction has four bytes.
const LONGEST_MIPS: usize = 11_000;

/// The loaders as checked-in files.
const FILES: CheckedIn = CheckedIn {
    noun: "loader",
    differs: Code::LoadersDiffer,
    why: "a packed file would run code that nobody can read",
    command: "execpack loaders",
};

/// Runs the command. Nothing is written before every loader is built.
///
/// # Errors
/// A [`Diagnostic`] outside this repository, without the compiler, or if a checked loader differs.
pub(crate) fn run(policy: Option<&Path>, flags: &Built) -> Result<Outcome> {
    let root = registry::repository(policy)?;
    let zig = zig::provide(&Cache::of_user(), &root.join(SOURCES).join("requirements.txt"))?;
    let work = files::private_folder("loaders-")?;
    let mut built = Vec::new();
    for loader in Loader::ALL {
        let bytes = FILES.build(loader.name, || build(&zig, &root.join(SOURCES), work.path(), loader))?;
        built.push((loader, bytes));
    }
    if flags.check {
        let differing = built.iter().filter(|(loader, bytes)| loader.bytes != bytes);
        return FILES.compare(differing.map(|(loader, _)| loader.name));
    }
    let mut digests = String::new();
    for (loader, bytes) in &built {
        files::write_bytes(&root.join(RESULTS).join(format!("{}.bin", loader.name)), bytes)?;
        digests.push_str(&format!("{}  {}.bin\n", files::sha256(bytes), loader.name));
    }
    files::write(&root.join(RESULTS).join("SHA256SUMS"), &digests)?;
    progress::line("Wrote", RESULTS);
    Ok(Outcome::Clean)
}

/// Builds a loader. One that runs at any address is linked for two, and has to be the same.
fn build(zig: &Path, sources: &Path, work: &Path, loader: &Loader) -> Result<Vec<u8>> {
    let name = loader.name;
    let row = TARGETS.iter().find(|(row, ..)| *row == name);
    let (_, target, flags) = *row.with_context(|| format!("the loader `{name}` has no compiler target"))?;
    let shell = zig::shell(sources, work)?;
    let object = work.join(format!("{name}.o"));
    zig::run(cmd!(shell, "{zig} cc -target {target} {flags...} {FLAGS...} -c loader.c -o {object}"))?;
    let link = |address: u32| -> Result<Vec<u8>> {
        let base = format!("--defsym=BASE={:#x}", u64::from(address) + u64::from(loader.offset()));
        let (linked, bytes): (PathBuf, PathBuf) = (work.join(format!("{name}.elf")), work.join(format!("{name}.bin")));
        zig::run(cmd!(shell, "{zig} ld.lld -static {base} -T loader.ld {object} -o {linked}"))?;
        zig::run(cmd!(shell, "{zig} objcopy -O binary -j .text {linked} {bytes}"))?;
        files::read_bytes(&bytes)
    };
    let bytes = link(loader.address.unwrap_or(0x1_0000))?;
    let moved = if loader.address.is_none() { link(0x765_0000)? } else { bytes.clone() };
    if bytes != moved {
        let message = format!("the loader for {name} does not run at any address");
        let next = "Find the address in its code; a jump table or a pointer in static data is one.";
        return Err(Diagnostic::failure(
            Code::LoaderUnfit,
            message,
            "linked for another address, it has other bytes",
            next,
        )
        .into());
    }
    let longest = if name == "mipsle" { LONGEST_MIPS } else { LONGEST };
    if bytes.len() > longest {
        let message = format!("the loader for {name} has {} bytes, more than {longest}", bytes.len());
        return Err(
            Diagnostic::failure(Code::LoaderUnfit, message, "every packed file has it", "Make it smaller.").into()
        );
    }
    Ok(bytes)
}
