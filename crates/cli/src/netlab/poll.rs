//! Waiting for conditions in the test network.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process::check_interrupt;

/// One look at a condition.
pub enum Poll<T> {
    /// The value that was waited for.
    Ready(T),
    /// The current observation instead.
    Pending(String),
}

impl<T> From<Result<T, String>> for Poll<T> {
    fn from(observed: Result<T, String>) -> Self {
        observed.map_or_else(Self::Pending, Self::Ready)
    }
}

/// Polls until `look` returns a value. `what` names the value in the error.
///
/// # Errors
/// On a timeout, if `look` fails, or if the run is interrupted.
pub fn until<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    until_ready(patience, what, || Ok(look()?.ok_or_else(String::new).into()))
}

/// As [`until`]. The timeout error contains the last observation.
///
/// # Errors
/// As [`until`].
pub fn until_ready<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Result<Poll<T>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        check_interrupt()?;
        let instead = match look()? {
            Poll::Ready(value) => return Ok(value),
            Poll::Pending(instead) => instead,
        };
        if begun.elapsed() > patience {
            let seen =
                if instead.is_empty() { String::new() } else { format!("; last observation: {}", instead.trim()) };
            bail!("waited {} s for {what}{seen}", patience.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
