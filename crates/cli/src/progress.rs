//! The status line of long steps: what is being done and for how long; one line when it is done.

use crate::{errln, escape};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A step that is under way. Dropped without [`Step::done`], it leaves no line.
pub struct Step {
    verb: &'static str,
    subject: String,
    start: Instant,
    bar: ProgressBar,
}

/// Begins a step: `verb` as in `Building`, `subject` as in `arm64 (linux/arm64)`.
///
/// On a terminal a line counts the seconds until the step is done. Elsewhere the line stands once.
#[must_use]
pub fn step(verb: &'static str, subject: impl Into<String>) -> Step {
    let subject = escape::line(&subject.into()).into_owned();
    let bar = ProgressBar::new_spinner();
    if bar.is_hidden() {
        errln!("{verb:>12} {subject}");
    } else {
        stand(&bar, verb, "{msg}");
        bar.set_message(subject.clone());
    }
    Step { verb, subject, start: Instant::now(), bar }
}

/// Has a line stand on the terminal: the verb, what is told, and the seconds, which go on while nothing else does.
fn stand(bar: &ProgressBar, verb: &'static str, told: &str) {
    let template = format!("{{prefix:>12.cyan}} {told} {{elapsed:.dim}}");
    bar.set_style(ProgressStyle::with_template(&template).unwrap_or(ProgressStyle::default_bar()));
    bar.set_prefix(verb);
    bar.enable_steady_tick(Duration::from_millis(200));
}

impl Step {
    /// Ends the step with a line: `verb` as in `Built`, `detail` as in `3.75 MB`.
    pub fn done(self, verb: &'static str, detail: &str) {
        self.bar.finish_and_clear();
        line(verb, &format!("{} {detail} in {:.1} s", self.subject, self.start.elapsed().as_secs_f64()));
    }

    /// Changes what stands behind the verb.
    pub fn say(&self, subject: &str) {
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

/// Many alike that are under way: how many are done and left, and how long the rest will take.
pub struct Bar {
    bar: ProgressBar,
    /// Counted here: of two threads that add to the bar's own position and read it, both could be the second.
    done: AtomicU64,
    start: Instant,
}

/// Begins as many as `total`. On a terminal a bar stands below the lines until the last is done.
#[must_use]
pub fn bar(verb: &'static str, total: u64) -> Bar {
    let bar = ProgressBar::new(total);
    stand(&bar, verb, "[{wide_bar}] {pos} of {len} {msg}");
    Bar { bar, done: AtomicU64::new(0), start: Instant::now() }
}

impl Bar {
    /// One more is done, by whichever thread: a line of it, and how long the rest will take at the pace so far.
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

/// One line of status.
pub fn line(verb: &str, text: &str) {
    let green = "\u{1b}[1;32m";
    errln!("{green}{verb:>12}\u{1b}[0m {}", escape::line(text));
}

/// One line that deserves attention, but stops nothing.
pub fn warn(text: &str) {
    errln!("\u{1b}[1;33m{:>12}\u{1b}[0m {}", "Warning", escape::line(text));
}
