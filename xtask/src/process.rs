//! Programs: run in a process group of their own, with their output held back, stopped when we are.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::problem::{Interrupted, Problem};

/// What a program left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Takes SIGINT, SIGTERM and SIGHUP from now on: the running program is stopped, what is half done is left out of the
/// way, and the command ends with [`Interrupted`].
///
/// Until then a signal ends the command at once, which is right where nothing is half done.
fn watch_signals() -> Result<()> {
    if STOP.get().is_some() {
        return Ok(());
    }
    let flag = STOP.get_or_init(|| Arc::new(AtomicBool::new(false)));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(flag)).context("watching for signals")?;
    }
    Ok(())
}

/// Ends a loop that waits for something else than a program.
///
/// # Errors
/// [`Interrupted`] once a signal came.
pub fn check_interrupt() -> Result<()> {
    let stopped = STOP.get().is_some_and(|flag| flag.load(Ordering::Relaxed));
    if stopped { Err(Interrupted.into()) } else { Ok(()) }
}

/// Runs a program to its end, however it ends.
///
/// # Errors
/// A [`Problem`] where it can't be started, [`Interrupted`] where we are asked to stop.
pub fn output(mut command: Command) -> Result<Output> {
    watch_signals()?;
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|error| {
        Problem::new(
            "tool-not-started",
            format!("can't start {program}"),
            error.to_string(),
            "Check that it is there and can be executed.",
        )
    })?;
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let status = wait(&mut child)?;
    let text = |thread: std::thread::JoinHandle<Vec<u8>>| {
        thread.join().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    };
    Ok(Output { status, stdout: text(stdout), stderr: text(stderr) })
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

fn wait(child: &mut Child) -> Result<ExitStatus> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().context("waiting for a program")? {
            return Ok(status);
        }
        if let Err(interrupted) = check_interrupt() {
            stop(child);
            return Err(interrupted);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Asks the program and its children to end, and makes them after two seconds.
fn stop(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let signal = |signal| group.map(|group| kill_process_group(group, signal));
    let _ = signal(Signal::TERM);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        if matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = signal(Signal::KILL);
    let _ = child.wait();
}

/// Runs a program that must succeed, and gives what it printed.
///
/// # Errors
/// A [`Problem`] with the end of its complaints where it fails, and as [`output`].
pub fn stdout(command: Command, next: &str) -> Result<String> {
    let shown = format!(
        "{} {}",
        command.get_program().to_string_lossy(),
        command.get_args().next().unwrap_or_default().to_string_lossy()
    );
    let output = output(command)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    Err(Problem::new("tool-failed", format!("`{shown}` failed ({})", output.status), tail(said), next).into())
}

/// The last lines of a program's complaints.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// The first program of this name on the PATH.
#[must_use]
pub fn on_path(name: &str) -> Option<std::path::PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let executable = |path: &std::path::PathBuf| {
        std::fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&std::env::var_os("PATH")?)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_end_of_what_was_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one >&2; echo two >&2; exit 3"]);
        let error = stdout(command, "Try again.").unwrap_err();
        let problem = error.downcast_ref::<Problem>().unwrap();
        assert_eq!((problem.code, problem.why.as_str()), ("tool-failed", "one\ntwo"));
    }

    #[test]
    fn a_missing_program_is_a_problem() {
        let error = output(Command::new("no-such-program-anywhere")).unwrap_err();
        assert_eq!(error.downcast_ref::<Problem>().unwrap().code, "tool-not-started");
    }
}
