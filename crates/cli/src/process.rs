//! Child processes: found on absolute entries of the PATH, run in their own process groups with captured output, and
//! stopped with this process.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::files::error::disk_full;
use crate::interrupted::Interrupted;
use crate::unfetched;
use diagnostics::{Code, Diagnostic};

/// Captured output of a finished process.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its exit status.
    pub status: ExitStatus,
    /// Captured stdout.
    pub stdout: String,
    /// Captured stdout as bytes, because paths need not be UTF-8.
    pub bytes: Vec<u8>,
    /// Captured stderr.
    pub stderr: String,
}

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Installs handlers for SIGINT, SIGTERM and SIGHUP. On a signal the child process is killed, partial output stays in its
/// temporary location, and the command fails with [`Interrupted`].
///
/// Without handlers a signal ends this process immediately, which is right as long as no output is partial.
///
/// # Errors
/// If the handlers can't be installed.
pub fn watch_signals() -> Result<()> {
    if STOP.get().is_some() {
        return Ok(());
    }
    let flag = STOP.get_or_init(|| Arc::new(AtomicBool::new(false)));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(flag)).context("watching for signals")?;
    }
    Ok(())
}

/// Checks for a signal, in a loop that waits for something other than a child process.
///
/// # Errors
/// [`Interrupted`] after a signal.
pub fn check_interrupt() -> Result<()> {
    let stopped = STOP.get().is_some_and(|flag| flag.load(Ordering::Relaxed));
    if stopped { Err(Interrupted.into()) } else { Ok(()) }
}

/// Runs a program and captures its output, with any exit status.
///
/// # Errors
/// A [`Diagnostic`] if it can't be started, [`Interrupted`] after a signal.
pub fn output(command: Command) -> Result<Output> {
    output_within(command, None)
}

/// As [`output`], with a time limit: a program that exceeds it is terminated by a signal.
///
/// # Errors
/// As [`output`].
pub fn output_within(mut command: Command, patience: Option<Duration>) -> Result<Output> {
    watch_signals()?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(command)?;
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let status = wait(&mut child, patience)?;
    let (bytes, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Output { status, stdout: text(&bytes), bytes, stderr: text(&stderr) })
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Starts a program in its own process group. Every program that a command runs is started here.
///
/// Relative entries are removed from its PATH, because the current folder can contain programs of other people.
fn spawn(mut command: Command) -> Result<Child> {
    let program = command.get_program().to_owned();
    if !Path::new(&program).is_absolute() {
        return Err(not_started(&program, "its path is relative").into());
    }
    let set = command.get_envs().find(|(name, _)| *name == "PATH").map(|(_, value)| value.map(OsStr::to_owned));
    if let Some(path) = set.unwrap_or_else(|| std::env::var_os("PATH")) {
        command.env("PATH", absolute_entries(&path));
    }
    Ok(command.process_group(0).spawn().map_err(|error| not_started(&program, &error.to_string()))?)
}

/// Returns a PATH without its relative entries.
#[must_use]
pub fn absolute_entries(path: &OsStr) -> OsString {
    let entries = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    // Joining fails only for an entry that can't be part of a PATH.
    std::env::join_paths(entries).unwrap_or_default()
}

/// The error for a program that can't be started.
fn not_started(program: &OsStr, why: &str) -> Diagnostic {
    let message = format!("can't start {}", program.to_string_lossy());
    Diagnostic::failure(Code::ToolNotStarted, message, why, "Check that it exists and is executable.")
}

/// Starts a server whose output goes to a log file.
///
/// # Errors
/// A [`Diagnostic`] if it can't be started or the log can't be written.
pub fn start(mut command: Command, log: &Path) -> Result<Server> {
    watch_signals()?;
    let opened = std::fs::File::options().create(true).append(true).open(log);
    let file = opened.with_context(|| format!("opening {}", log.display()))?;
    command.stdin(Stdio::piped()).stdout(file.try_clone()?).stderr(file);
    Ok(Server(spawn(command)?))
}

/// A running server. Dropping it kills the process and its children; its stdin stays open until then.
#[derive(Debug)]
pub struct Server(Child);

impl Server {
    /// Returns its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Returns its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(group) = group(&self.0) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }

    /// Sends SIGTERM, and SIGKILL after a time limit. Returns its exit status.
    pub fn stop(&mut self, patience: Duration) -> Option<ExitStatus> {
        stop(&mut self.0, patience);
        self.ended()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a program and passes each line of its stdout to `line` immediately; its stderr is inherited.
///
/// # Errors
/// As [`output`], and an error of `line`.
pub fn lines(mut command: Command, mut line: impl FnMut(&str) -> Result<()>) -> Result<ExitStatus> {
    watch_signals()?;
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = spawn(command)?;
    let (sender, receiver) = std::sync::mpsc::channel();
    let stdout = child.stdout.take();
    std::thread::spawn(move || {
        let lines = stdout.into_iter().flat_map(|pipe| std::io::BufReader::new(pipe).lines());
        lines.map_while(Result::ok).take_while(|text| sender.send(text.clone()).is_ok()).for_each(drop);
    });
    loop {
        let taken = check_interrupt().and_then(|()| match receiver.recv_timeout(Duration::from_millis(50)) {
            Ok(text) => line(&text).map(|()| true),
            Err(RecvTimeoutError::Timeout) => Ok(true),
            Err(RecvTimeoutError::Disconnected) => Ok(false),
        });
        match taken {
            Ok(true) => {}
            Ok(false) => return wait(&mut child, None),
            Err(error) => {
                stop(&mut child, PATIENCE);
                return Err(error);
            }
        }
    }
}

fn wait(child: &mut Child, patience: Option<Duration>) -> Result<ExitStatus> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().context("waiting for a program")? {
            return Ok(status);
        }
        if let Err(interrupted) = check_interrupt() {
            stop(child, PATIENCE);
            return Err(interrupted);
        }
        if patience.is_some_and(|patience| begun.elapsed() > patience) {
            stop(child, PATIENCE);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// The time between SIGTERM and SIGKILL.
const PATIENCE: Duration = Duration::from_secs(2);

/// Returns the process group of a child.
fn group(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Sends SIGTERM to the program and its children, and SIGKILL after a time limit.
fn stop(child: &mut Child, patience: Duration) {
    let group = group(child);
    let signal = |signal| group.map(|group| kill_process_group(group, signal));
    let _ = signal(Signal::TERM);
    let start = Instant::now();
    while start.elapsed() < patience {
        if matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = signal(Signal::KILL);
    let _ = child.wait();
}

/// Runs a program that must succeed and returns its stdout.
///
/// # Errors
/// A [`Diagnostic`] with the end of its output if it fails, and as [`output`].
pub fn stdout(command: Command, next: &str) -> Result<String> {
    let described = description(&command);
    let output = output(command)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let printed = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let message = format!("`{described}` failed ({})", output.status);
    if is_disk_full(printed) {
        return Err(disk_full(message, tail(printed)).into());
    }
    if let Some(problem) = unfetched::problem(printed) {
        return Err(problem.into());
    }
    Err(Diagnostic::failure(Code::ToolFailed, message, tail(printed), next).into())
}

/// Returns a command's program and first argument.
fn description(command: &Command) -> String {
    let mut words: Vec<&OsStr> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    if words.get(1).is_some_and(|word| *word == TIED[0]) {
        words.drain(..=TIED.len());
    }
    let shown: Vec<_> = words.iter().take(2).map(|word| word.to_string_lossy()).collect();
    shown.join(" ")
}

/// Whether a program reports that the disk is full. Go prints the system's message in lower case.
#[must_use]
pub fn is_disk_full(printed: &str) -> bool {
    printed.to_lowercase().contains("no space left on device")
}

/// Returns the last lines of a program's output.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// Finds a program on the PATH. Relative entries are ignored, because they lead into the current folder.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let executable = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&std::env::var_os("PATH")?)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(executable)
}

/// As [`on_path`], for a required program.
///
/// # Errors
/// A [`Diagnostic`] if there is none.
pub fn needed(name: &str) -> Result<PathBuf> {
    let why = "no absolute entry of the PATH has a program of this name";
    Ok(on_path(name).ok_or_else(|| not_started(OsStr::new(name), why))?)
}

/// Arguments of util-linux's `setpriv` for a program that is terminated when its parent exits.
const TIED: [&str; 3] = ["--pdeathsig", "TERM", "--"];

/// Builds a command for a program that modifies files for a long time: it is terminated with this process even after SIGKILL.
/// Only util-linux's `setpriv` can do that without unsafe code; without it the program continues.
#[must_use]
pub fn tied(program: &Path) -> Command {
    static SETPRIV: OnceLock<Option<PathBuf>> = OnceLock::new();
    let setpriv = SETPRIV.get_or_init(|| {
        let found = on_path("setpriv")?;
        let mut trial = Command::new(&found);
        // Busybox's `setpriv` lacks the option.
        trial.args(TIED).arg(&found).arg("--version");
        output(trial).is_ok_and(|output| output.status.success()).then_some(found)
    });
    let Some(setpriv) = setpriv else { return Command::new(program) };
    let mut command = Command::new(setpriv);
    command.args(TIED).arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stdout_failure_reports_the_end_of_stderr() {
        let mut command = Command::new(needed("sh").unwrap());
        command.args(["-c", "echo one >&2; echo two >&2; exit 3"]);
        let error = stdout(command, "Try again.").unwrap_err();
        let problem = error.downcast_ref::<Diagnostic>().unwrap();
        assert_eq!((&problem.code, problem.why.as_ref()), (&Code::ToolFailed, "one\ntwo"));
    }

    #[test]
    fn output_within_terminates_after_the_time_limit() {
        let mut command = Command::new(needed("sleep").unwrap());
        command.arg("60");
        let output = output_within(command, Some(Duration::from_millis(100))).unwrap();
        assert_eq!(output.status.code(), None, "a signal ended it");
    }

    #[test]
    fn lines_are_passed_immediately_and_an_error_stops_the_program() {
        let mut command = Command::new(needed("sh").unwrap());
        command.args(["-c", "echo one; echo $$; exec sleep 60"]);
        let mut seen = Vec::new();
        let ended = lines(command, |line| {
            seen.push(line.to_owned());
            if seen.len() == 2 { Err(anyhow::anyhow!("enough")) } else { Ok(()) }
        });
        assert_eq!(ended.unwrap_err().to_string(), "enough");
        let [first, process] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!(first, "one");
        assert!(!Path::new("/proc").join(process).exists(), "the program still runs");
    }

    #[test]
    fn dropped_server_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(needed("sh").unwrap());
        command.args(["-c", "echo serving; exec sleep 60"]);
        let server = start(command, &folder.path().join("log")).unwrap();
        let process = format!("/proc/{}", server.id());
        assert!(Path::new(&process).exists());
        drop(server);
        assert!(!Path::new(&process).exists());
    }

    #[test]
    fn missing_program_is_a_problem() {
        let missing = [needed("no-such-program-anywhere").map(drop), output(Command::new("/nonexistent/x")).map(drop)];
        for error in missing.map(Result::unwrap_err) {
            assert_eq!(error.downcast_ref::<Diagnostic>().unwrap().code, Code::ToolNotStarted);
        }
    }

    #[test]
    fn relative_paths_and_path_entries_are_not_used() {
        let error = output(Command::new("./sh")).unwrap_err();
        assert_eq!(error.downcast_ref::<Diagnostic>().unwrap().why, "its path is relative");
        let mut command = Command::new(needed("sh").unwrap());
        command.args(["-c", "echo \"$PATH\""]).env("PATH", ":.:/usr/bin:bin:/bin");
        assert_eq!(output(command).unwrap().stdout, "/usr/bin:/bin\n");
    }

    #[test]
    fn a_full_disk_is_told_apart_from_other_failures() {
        let mut command = tied(&needed("sh").unwrap());
        command.args(["-c", "echo 'write x: no space left on device' >&2; exit 1"]);
        let error = stdout(command, "Try again.").unwrap_err();
        let problem = error.downcast_ref::<Diagnostic>().unwrap();
        let shell = needed("sh").unwrap();
        assert_eq!(problem.code, Code::DiskFull);
        assert_eq!(problem.message, format!("`{} -c` failed (exit status: 1)", shell.display()));
    }
}
