//! Small Go programs that tests build and run, natively or under an emulator.

#![allow(dead_code, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::PathBuf;
use std::process::{Command, Stdio};

use xtask::files;
use xtask::tools::go::{self, Go};

use super::{root, skip, target};

/// Go, or the test is skipped.
pub(crate) fn go() -> Option<Go> {
    match go::find_or_provide(&target()) {
        Ok(go) => Some(go),
        Err(error) => {
            skip(&format!("Go is missing: {error}"));
            None
        }
    }
}

/// The behaviour program for a processor, as linked; built by the toolchain that is named, or the one at hand.
pub(crate) fn behaviour(go: &Go, goarch: &str, toolchain: &str) -> Vec<u8> {
    build(go, "behaviour", goarch, toolchain)
}

/// A program of `tests/go` for a processor without floating-point registers, as linked.
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

/// Runs what was written just now. Another test that starts a program at that moment holds the file open for writing until its
/// own has begun, and the kernel then calls it busy.
pub(crate) fn patiently<T>(mut run: impl FnMut() -> std::io::Result<T>) -> T {
    loop {
        match run() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            ended => return ended.unwrap(),
        }
    }
}

/// A program in a folder that goes with it.
pub(crate) struct Program {
    _folder: tempfile::TempDir,
    /// The file.
    pub(crate) path: PathBuf,
    /// The emulator, if this machine can't run it.
    under: Option<&'static str>,
}

impl Program {
    /// Writes the program; `under` names the emulator that runs it.
    pub(crate) fn new(bytes: &[u8], under: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        files::write_executable(&path, bytes).unwrap();
        Self { _folder: folder, path, under }
    }

    /// The command of a case.
    pub(crate) fn command(&self, case: &str) -> Command {
        let mut command = match self.under {
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

    /// How a case ends, what it prints, and what it says of a fault without the places.
    pub(crate) fn run(&self, case: &str) -> (Option<i32>, String, String) {
        let output = patiently(|| self.command(case).output());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fault = text(&output.stderr);
        let said = fault.lines().take_while(|line| !line.starts_with("goroutine ")).collect::<Vec<_>>().join("\n");
        // A fault's address in the code stays, and pointers into the heap are never the same.
        (output.status.code(), text(&output.stdout), said)
    }
}

/// This machine's processor as Go names it.
pub(crate) fn std_goarch() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    }
}
