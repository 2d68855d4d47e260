//! Small Go programs that tests build and run, natively or under an emulator.

use std::path::PathBuf;
use std::process::{Command, Stdio};

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
