//! Small Go programs that tests build and run, natively or under an emulator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use object::{Object, ObjectSegment};
use tailscale_featureset::files;
use tailscale_featureset::tools::go::{self, Go};

use super::{cache, root, skip};

/// Go, or the test is skipped.
pub(crate) fn go() -> Option<Go> {
    match go::find_or_provide(&cache()) {
        Ok(go) => Some(go),
        Err(error) => {
            skip(&format!("Go is not available: {error}"));
            None
        }
    }
}

/// Builds `tests/go/behaviour` for a processor with a toolchain.
pub(crate) fn build_behaviour(go: &Go, goarch: &str, toolchain: &str) -> Vec<u8> {
    build(go, "behaviour", goarch, toolchain)
}

/// Builds a program of `tests/go` for a processor, without floating-point registers, with a toolchain.
pub(crate) fn build(go: &Go, program: &str, goarch: &str, toolchain: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("program");
    let mut variables = go::plain(toolchain);
    let processor = [("GOOS", "linux"), ("GOARCH", goarch), ("GOARM", "5"), ("GOMIPS", "softfloat")];
    variables.extend(processor.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let arguments = ["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", output.to_str().unwrap(), "."];
    let mut command = go.command(&arguments, &variables);
    command.current_dir(root().join("tests/go").join(program));
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    std::fs::read(output).unwrap()
}

/// Runs a file that was just written, and retries while the kernel reports it as busy: a test that
/// forks at the same time holds the file open for writing until its own `exec`.
pub(crate) fn run_when_not_busy<T>(mut run: impl FnMut() -> std::io::Result<T>) -> T {
    loop {
        match run() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            ended => return ended.unwrap(),
        }
    }
}

/// A program in a temporary folder.
pub(crate) struct Program {
    _folder: tempfile::TempDir,
    /// The file.
    pub(crate) path: PathBuf,
    /// The emulator that runs it, if this machine can't.
    emulator: Option<&'static str>,
}

impl Program {
    /// Writes the program.
    pub(crate) fn new(bytes: &[u8], emulator: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        files::write_executable(&path, bytes).unwrap();
        Self { _folder: folder, path, emulator }
    }

    /// The command of a case.
    pub(crate) fn command(&self, case: &str) -> Command {
        let mut command = match self.emulator {
            None => Command::new(&self.path),
            Some(emulator) => {
                let mut command = Command::new(emulator);
                command.arg(&self.path);
                command
            }
        };
        command.args((!case.is_empty()).then_some(case)).stdin(Stdio::null());
        command
    }

    /// Runs a case. Returns the exit status, stdout, and stderr without the traceback.
    pub(crate) fn run(&self, case: &str) -> (Option<i32>, String, String) {
        let output = run_when_not_busy(|| self.command(case).output());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let stderr = text(&output.stderr);
        let error = stderr.lines().take_while(|line| !line.starts_with("goroutine ")).collect::<Vec<_>>().join("\n");
        (output.status.code(), text(&output.stdout), error)
    }
}

/// This machine's `GOARCH`.
pub(crate) fn host_goarch() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    }
}

/// Mappings of a process: their starts, ends and protections.
pub(crate) type Mappings = BTreeMap<u64, (u64, String)>;

/// Returns the first address after the segments of a program that no page of 64 KiB shares with them.
pub(crate) fn end_of_segments(program: &[u8]) -> u64 {
    let file = object::File::parse(program).unwrap();
    let end = file.segments().map(|segment| segment.address() + segment.size()).max();
    end.unwrap().next_multiple_of(65536)
}

/// The inode of the shared copy that a process maps, from the output of the process program; `None` if it maps none.
pub(crate) fn copy_of(text: &str) -> Option<u64> {
    let mapping = text.lines().find(|line| line.starts_with("map ") && line.contains("/memfd:execpack"))?;
    mapping.split_whitespace().nth(5)?.parse().ok()
}

/// Splits the output of the process program, which ran from `path`, into what the kernel gave it and its mappings below an
/// address.
pub(crate) fn process_output(text: &str, path: &Path, end: u64) -> (Vec<String>, Mappings) {
    let (maps, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("map "));
    let mut mappings = Mappings::new();
    for line in maps {
        let mut words = line.split_whitespace().skip(1);
        let (start, stop) = words.next().unwrap().split_once('-').unwrap();
        let [start, stop] = [start, stop].map(|number| u64::from_str_radix(number, 16).unwrap());
        let protection = words.next().unwrap();
        assert!(!(protection.contains('w') && protection.contains('x')), "{line}");
        if start < end {
            // Zeroed memory after a segment's bytes is a separate mapping of the kernel's loader.
            match mappings.values_mut().next_back().filter(|(last, same)| *last == start && same == protection) {
                Some((last, _)) => *last = stop,
                None => drop(mappings.insert(start, (stop, protection.to_owned()))),
            }
        }
    }
    let path = path.to_str().unwrap();
    let rest = rest.into_iter().filter(|line| !line.starts_with("copy "));
    (rest.map(|line| line.replace(path, "PROGRAM")).collect(), mappings)
}
