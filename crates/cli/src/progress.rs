//! Progress of long steps: a line with a timer on a terminal, and a final line.

use crate::{errln, escape};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A running step. Dropping it without [`Step::done`] removes its line.
pub struct Step {
    verb: &'static str,
    subject: String,
    start: Instant,
    bar: ProgressBar,
}

/// Begins a step: `verb` as in `Building`, `subject` as in `arm64 (linux/arm64)`.
///
/// On a terminal the line has a running timer. Elsewhere it is printed once.
#[must_use]
pub fn step(verb: &'static str, subject: impl Into<String>) -> Step {
    let subject = escape::line(&subject.into()).into_owned();
    let bar = ProgressBar::new_spinner();
    if bar.is_hidden() {
        errln!("{verb:>12} {subject}");
    } else {
        style(&bar, verb, "{msg}");
        bar.set_message(subject.clone());
    }
    Step { verb, subject, start: Instant::now(), bar }
}

/// Shows a progress line with the verb, the message and a running timer.
fn style(bar: &ProgressBar, verb: &'static str, message: &str) {
    let template = format!("{{prefix:>12.cyan}} {message} {{elapsed:.dim}}");
    bar.set_style(ProgressStyle::with_template(&template).unwrap_or(ProgressStyle::default_bar()));
    bar.set_prefix(verb);
    bar.enable_steady_tick(Duration::from_millis(200));
}

impl Step {
    /// Ends the step and prints a line: `verb` as in `Built`, `detail` as in `3.75 MB`.
    pub fn done(self, verb: &'static str, detail: &str) {
        self.bar.finish_and_clear();
        line(verb, &format!("{} {detail} in {:.1} s", self.subject, self.start.elapsed().as_secs_f64()));
    }

    /// Changes the text after the verb.
    pub fn update(&self, subject: &str) {
        let subject = escape::line(subject);
        if self.bar.is_hidden() {
            errln!("{:>12} {subject}", self.verb);
        } else {
            self.bar.set_message(subject.into_owned());
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A progress bar for many equal jobs: the jobs done, the total, and the remaining time.
pub struct Bar {
    bar: ProgressBar,
    /// Counted here, because two threads could read the same position of the bar.
    done: AtomicU64,
    start: Instant,
}

/// Begins `total` jobs. On a terminal a bar is shown below the lines until the last one is done.
#[must_use]
pub fn bar(verb: &'static str, total: u64) -> Bar {
    let bar = ProgressBar::new(total);
    style(&bar, verb, "[{wide_bar}] {pos} of {len} {msg}");
    Bar { bar, done: AtomicU64::new(0), start: Instant::now() }
}

impl Bar {
    /// Counts one finished job and prints a line with the estimated remaining time. Any thread may call it.
    pub fn one_more(&self, verb: &str, text: &str) {
        let (done, total) = (self.done.fetch_add(1, Ordering::Relaxed) + 1, self.bar.length().unwrap_or(0));
        let each = self.start.elapsed().as_secs_f64() / done as f64;
        let left = format!("{:.0} min to go", (each * total.saturating_sub(done) as f64 / 60.0).ceil());
        self.bar.inc(1);
        self.bar.set_message(left.clone());
        self.bar.suspend(|| line(verb, &format!("{text} ({done} of {total}, {left})")));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Prints a line of status.
pub fn line(verb: &str, text: &str) {
    let green = "\u{1b}[1;32m";
    errln!("{green}{verb:>12}\u{1b}[0m {}", escape::line(text));
}

/// Prints a warning that does not stop the command.
pub fn warn(text: &str) {
    errln!("\u{1b}[1;33m{:>12}\u{1b}[0m {}", "Warning", escape::line(text));
}
