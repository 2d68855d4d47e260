//! UPX: the packer, found on the PATH if it is fit, else provided from the distribution's own packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{debian, is_final, numbers};
use crate::cache::Cache;
use crate::problem::Problem;
use crate::{process, progress};

/// A UPX that is fit to pack what ships.
#[derive(Debug, Clone)]
pub struct Upx {
    /// The program.
    pub program: PathBuf,
    /// Its version, such as `4.2.2`.
    pub version: String,
}

/// The arguments that pack smallest. No filter or brute force is smaller in bearable time.
pub const ARGUMENTS: &[&str] = &["--lzma", "--best"];

/// Before 4.2.0 MIPS programs came out broken (3.96, 4.0.2), and the loader needed /proc/self/exe.
const OLDEST: [u32; 3] = [4, 2, 0];

/// From 5.0.0 on the loader needs memfd_create, and crashes were reported on kernels before 4.14 and others.
const FIRST_DOUBTFUL: [u32; 3] = [5, 0, 0];

/// The name of the provided UPX in the cache.
const PROVIDED: &str = "upx-debian";

/// Finds a fit UPX, or provides one.
///
/// # Errors
/// A [`Problem`] that says how to install it.
pub fn find_or_provide(cache: &Cache) -> Result<Upx> {
    let on_path =
        ["upx", "upx-ucl"].iter().find_map(|name| process::on_path(name)).and_then(|program| inspect(&program));
    let doubtful = match on_path {
        Some((upx, version)) if (OLDEST..FIRST_DOUBTFUL).contains(&version) => return Ok(upx),
        other => other,
    };
    if let Some((upx, _)) = cache.tool(PROVIDED)?.and_then(|program| inspect(&program)) {
        return Ok(upx);
    }
    let step = progress::step("Providing", "UPX");
    let error = match provide(cache) {
        Ok(upx) => {
            step.done("Provided", &format!("{} through apt-get", upx.version));
            return Ok(upx);
        }
        Err(error) if is_final(&error) => return Err(error),
        Err(error) => error,
    };
    drop(step);
    match doubtful {
        Some((upx, version)) if version >= FIRST_DOUBTFUL => {
            progress::warn(&format!(
                "UPX {} packs, but its loader is known to crash on some kernels; 4.2 is the safe one",
                upx.version
            ));
            Ok(upx)
        }
        old => {
            let found = old.map_or("there is none on the PATH".to_owned(), |(upx, _)| {
                format!("UPX {} is older than 4.2", upx.version)
            });
            let why = format!("{found}, and none could be provided: apt-get: {error}");
            let next =
                "Install UPX 4.2 (`apt-get install upx-ucl`, `brew install upx`, `apk add upx`), or set `pack: none`.";
            Err(Problem::new("upx-missing", "there is no fit UPX", why, next).into())
        }
    }
}

/// Any UPX that is there, on the PATH or provided before: what was packed by one is unpacked by another that is not fit to pack.
///
/// # Errors
/// A [`Problem`] if the cache can't be trusted.
pub fn find(cache: &Cache) -> Result<Option<Upx>> {
    let on_path = ["upx", "upx-ucl"].iter().find_map(|name| process::on_path(name));
    let program = match on_path {
        Some(program) => Some(program),
        None => cache.tool(PROVIDED)?,
    };
    Ok(program.and_then(|program| inspect(&program)).map(|(upx, _)| upx))
}

fn inspect(program: &Path) -> Option<(Upx, [u32; 3])> {
    let mut command = Command::new(program);
    command.arg("--version");
    let text = process::stdout(command, "").ok()?;
    let version = numbers(text.lines().next()?)?;
    let name = version.map(|number| number.to_string()).join(".");
    Some((Upx { program: program.to_owned(), version: name }, version))
}

fn provide(cache: &Cache) -> Result<Upx> {
    let program = cache.provide(PROVIDED, |folder| {
        debian::Apt::new(cache)?.unpack(&["upx-ucl".to_owned()], folder)?;
        Ok("usr/bin/upx-ucl".into())
    })?;
    Ok(inspect(&program).context("the provided UPX does not run")?.0)
}

impl Upx {
    /// Packs `raw` into `packed`.
    #[must_use]
    pub fn pack(&self, raw: &Path, packed: &Path) -> Command {
        let mut command = process::tied(&self.program);
        command.args(["-q", "-q"]).args(ARGUMENTS).arg("-o").arg(packed).arg(raw);
        command
    }

    /// Unpacks what someone else packed, however much it says it will be: within so much memory, and into a file of so many
    /// bytes at most.
    ///
    /// # Errors
    /// A [`Problem`] if there is no `sh`, which sets the limits.
    pub fn unpack(&self, packed: &Path, raw: &Path, memory: u64, largest: u64) -> Result<Command> {
        let mut command = process::tied(&process::needed("sh")?);
        // POSIX counts files in blocks of 512 bytes, and every shell counts memory in KiB.
        let limits = format!("ulimit -v {} && ulimit -f {} && exec \"$@\"", memory >> 10, largest >> 9);
        command.args(["-c", &limits, "sh"]).arg(&self.program).args(["-q", "-q", "-d", "-o"]).arg(raw).arg(packed);
        Ok(command)
    }

    /// Unpacks in memory and compares checksums.
    #[must_use]
    pub fn test(&self, packed: &Path) -> Command {
        let mut command = process::tied(&self.program);
        command.args(["-q", "-q", "-t"]).arg(packed);
        command
    }
}
