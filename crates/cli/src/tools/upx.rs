//! UPX: the packer, found on the PATH if it is compatible, else provided from the distribution's packages.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{debian, is_final, numbers};
use crate::cache::Cache;
use crate::{files, process, progress};
use diagnostics::{Code, Diagnostic};

/// A UPX that can pack shipped binaries.
#[derive(Debug, Clone)]
pub struct Upx {
    /// The program.
    pub program: PathBuf,
    /// Its version, such as `4.2.2`.
    pub version: String,
}

/// The arguments with the smallest result. No filter or brute force is smaller in acceptable time.
const ARGUMENTS: &[&str] = &["--lzma", "--best"];

/// The same for processors whose instructions are four bytes long: LZMA then does better with contexts that know the position
/// in a word (`lp`), and with fewer bits of the byte before (`lc`). UPX does not document these options; they are in its
/// `src/main.cpp`.
///
/// Measured in one run with UPX 4.2.2 on the binaries of Tailscale 1.102.5, function tables rewritten, in bytes: arm64 3,355,032
/// to 3,319,236, arm v7 3,340,180 to 3,314,628, arm v5 3,351,540 to 3,326,876, mipsle 3,342,208 to 3,297,308, in the same time;
/// amd64, whose instructions have any length, 4,080,456 to 4,081,244.
const ARGUMENTS_FOR_WORDS: &[&str] = &["--lzma", "--best", "--crp-lzma-lc=2", "--crp-lzma-lp=2", "--crp-lzma-fb=128"];

/// The versions whose loader for 32-bit arm can crash at start: an executable segment of whole pages is mapped wrongly. UPX's
/// own test passes such a file (upx/upx#18898, tried on hardware with 3.96 to 5.2.0; only 4.2.4 is right before 5.2.1).
const CRASH_ON_WHOLE_PAGES: [Range<[u32; 3]>; 2] = [[0, 0, 0]..[4, 2, 4], [5, 0, 0]..[5, 2, 1]];

/// The size of a page on 32-bit arm.
const PAGE: u64 = 4096;

/// Before 4.2.0 MIPS programs came out broken (3.96, 4.0.2), and the loader needed /proc/self/exe.
const OLDEST: [u32; 3] = [4, 2, 0];

/// From 5.0.0 on the loader needs memfd_create, and crashes were reported on kernels before 4.14 and others.
const FIRST_DOUBTFUL: [u32; 3] = [5, 0, 0];

/// The name of the provided UPX in the cache.
const PROVIDED: &str = "upx-debian";

/// Finds a compatible UPX, or provides one.
///
/// # Errors
/// A [`Diagnostic`] if there is none.
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
            progress::warn(&format!("UPX {} packs, but its loader crashes on some kernels; 4.2 is safe", upx.version));
            Ok(upx)
        }
        old => {
            let found = old.map_or("there is none on the PATH".to_owned(), |(upx, _)| {
                format!("UPX {} is older than 4.2", upx.version)
            });
            let why = format!("{found}, and none could be provided: apt-get: {error}");
            let next = "Install UPX 4.2 (`apt-get install upx-ucl` on Ubuntu and Debian except 12, `bookworm-backports` on Debian 12, `brew install upx`, `apk add upx`), or set `pack: none`.";
            Err(Diagnostic::failure(Code::UpxMissing, "there is no compatible UPX", why, next).into())
        }
    }
}

/// Finds any UPX, on the PATH or provided earlier. A version that must not pack can still unpack.
///
/// # Errors
/// A [`Diagnostic`] if the cache can't be trusted.
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

/// Returns the arguments for a processor, by the value of `GOARCH`.
#[must_use]
pub fn arguments(goarch: &str) -> &'static [&'static str] {
    match goarch {
        "arm" | "arm64" | "mips" | "mipsle" | "mips64" | "mips64le" => ARGUMENTS_FOR_WORDS,
        _ => ARGUMENTS,
    }
}

impl Upx {
    /// Refuses a binary that this version is known to break.
    fn check(&self, bytes: &[u8], goarch: &str) -> Result<()> {
        let breaks = numbers(&self.version)
            .is_some_and(|version| CRASH_ON_WHOLE_PAGES.iter().any(|range| range.contains(&version)));
        let segments = gobinary::executable_segments(bytes).unwrap_or_default();
        let Some(size) = segments.into_iter().find(|size| size % PAGE == 0) else { return Ok(()) };
        if goarch != "arm" || !breaks {
            return Ok(());
        }
        let why = format!(
            "its executable segment has {size} bytes, whole pages; packed by UPX {} such a program crashes as it starts on \
             32-bit arm, though UPX's own test passes (upx/upx#18898)",
            self.version
        );
        let next = "Nothing was replaced. Install UPX 4.2.4 or 5.2.1, set `build: { pack: none }` for this target, or change any decision: \
             another binary has another size.";
        Err(Diagnostic::failure(Code::PackedWouldCrash, "this UPX would break this binary", why, next).into())
    }

    /// Packs `raw`, a binary for `goarch`, into `packed`.
    ///
    /// # Errors
    /// A [`Diagnostic`] if it can't be packed, or if this version is known to break it.
    pub fn pack(&self, raw: &Path, packed: &Path, goarch: &str) -> Result<()> {
        self.check(&files::read_bytes(raw)?, goarch)?;
        let mut command = process::tied(&self.program);
        command.args(["-q", "-q"]).args(arguments(goarch)).arg("-o").arg(packed).arg(raw);
        process::stdout(command, "Set `build: { pack: none }` for this target, or try another UPX.").map(drop)
    }

    /// Unpacks an untrusted file, with limits on memory and on the size of the result.
    ///
    /// # Errors
    /// A [`Diagnostic`] if `sh`, which sets the limits, is missing.
    pub fn unpack(&self, packed: &Path, raw: &Path, memory: u64, largest: u64) -> Result<Command> {
        let mut command = process::tied(&process::needed("sh")?);
        // `ulimit` counts file sizes in blocks of 512 bytes and memory in KiB.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the headers of a program for 32-bit arm with one executable segment of this size.
    fn program(size: u32) -> Vec<u8> {
        let words = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
        let mut bytes = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0".to_vec();
        bytes.extend(words(&[1, 0x1_0000, 52, 0, 0x500_0200]));
        bytes.extend([52, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(words(&[1, 0, 0x1_0000, 0x1_0000, size, size, 5, 0x1_0000]));
        bytes
    }

    fn outcome(version: &str, size: u32, goarch: &str) -> Option<String> {
        let upx = Upx { program: PathBuf::new(), version: version.to_owned() };
        let error = upx.check(&program(size), goarch).err()?;
        let failure = error.downcast::<Diagnostic>().unwrap();
        assert_eq!(failure.code, Code::PackedWouldCrash);
        Some(failure.why.into_owned())
    }

    #[test]
    fn a_segment_of_whole_pages_is_refused_on_arm_by_the_versions_that_break_it() {
        for version in ["3.96.0", "4.2.2", "4.2.3", "5.0.0", "5.2.0"] {
            assert!(outcome(version, 0x7d_0000, "arm").unwrap().contains("8192000 bytes, whole pages"), "{version}");
            assert_eq!(outcome(version, 0x7d_0008, "arm"), None);
            assert_eq!(outcome(version, 0x7d_0000, "arm64"), None);
        }
        for version in ["4.2.4", "5.2.1"] {
            assert_eq!(outcome(version, 0x7d_0000, "arm"), None, "{version}");
        }
    }

    #[test]
    fn words_are_packed_as_words() {
        assert!(arguments("arm64").contains(&"--crp-lzma-lp=2") && arguments("mipsle") == arguments("arm"));
        assert_eq!(arguments("amd64"), ["--lzma", "--best"]);
    }
}
