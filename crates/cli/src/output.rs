//! What is printed: products to stdout, everything else to stderr, with colours only where they are taken.
//!
//! Printing never ends a command: if the reader of stdout goes away, the work goes on and the exit status stays the same. If
//! a product can't be written (full disk, closed stdout), the exit status is 2 ([`failure`]). Errors of stderr are ignored.
//! Everything passes through [`escape`].

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::{LazyLock, OnceLock};

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::stdio::stdout;
use serde::Serialize;

use crate::escape;
use diagnostics::{Code, Diagnostic};

/// Prints a line of the product.
#[macro_export]
macro_rules! outln {
    ($($argument:tt)*) => { $crate::output::product(format_args!("{}\n", format_args!($($argument)*))) };
}

/// Prints a line of status.
#[macro_export]
macro_rules! errln {
    ($($argument:tt)*) => { $crate::output::status(format_args!("{}\n", format_args!($($argument)*))) };
}

/// Writes whole lines of text to stdout.
pub fn product(text: Arguments<'_>) {
    write(&escape::report(&text.to_string()));
}

/// The version of the JSON documents. It increases if a key or a code is renamed or removed.
pub const SCHEMA: u32 = 2;

/// Writes a JSON document to stdout, and a line break after it.
pub fn json(document: &serde_json::Value) {
    write(&(escape::json(&format!("{document:#}")) + "\n"));
}

/// Writes commands of GitHub's runner to stdout, one a line.
pub fn commands(text: &str) {
    write(&escape::commands(text));
}

/// Writes to stderr.
pub fn status(text: Arguments<'_>) {
    let _ = anstream::stderr().lock().write_all(escape::report(&text.to_string()).as_bytes());
}

/// Writes an event, as one line of JSON, for the process of this program that started this one.
///
/// # Errors
/// If that process is gone: unlike a product, the event is the only result of the work.
pub fn event(event: &impl Serialize) -> anyhow::Result<()> {
    let line = serde_json::to_string(event)?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

/// Why stdout takes no more.
enum Ended {
    /// The reader has what it wanted.
    ReaderLeft,
    Failed(String),
}

static ENDED: OnceLock<Ended> = OnceLock::new();

fn write(text: &str) {
    if ENDED.get().is_some() {
        return;
    }
    static UNWRITABLE: LazyLock<Option<&str>> = LazyLock::new(unwritable);
    if let Some(why) = *UNWRITABLE {
        let _ = ENDED.set(Ended::Failed(why.to_owned()));
        return;
    }
    let mut stdout = anstream::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        let left = error.kind() == ErrorKind::BrokenPipe;
        let _ = ENDED.set(if left { Ended::ReaderLeft } else { Ended::Failed(error.to_string()) });
    }
}

/// Why not all of the product could be written; `None` if it could, or if its reader left.
#[must_use]
pub fn failure() -> Option<Diagnostic> {
    let Ended::Failed(why) = ENDED.get()? else { return None };
    let next = "Redirect it to a file with enough room, to a pipe or to /dev/null, and run it again.";
    Some(Diagnostic::failure(Code::OutputError, "can't write to stdout", why.as_str(), next))
}

/// Returns why stdout can't be written to, or `None` if it can. `std` itself ignores the error of such a stdout (EBADF).
fn unwritable() -> Option<&'static str> {
    if closed_stdout::was_closed() {
        return Some("it is closed");
    }
    (fcntl_getfl(stdout()).ok()? & OFlags::RWMODE == OFlags::RDONLY).then_some("it is open for reading only")
}
