//! Waiting for conditions in the test network.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process::check_interrupt;

/// Polls until `look` returns a value. `what` names the value in the error.
///
/// # Errors
/// On a timeout, if `look` fails, or if the run is interrupted.
pub fn until<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    wait_for_result(patience, what, || Ok(look()?.ok_or_else(String::new)))
}

/// As [`until`]. `look` returns the current observation as the inner error; the timeout error contains the last one.
///
/// # Errors
/// As [`until`].
pub fn wait_for_result<T>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<Result<T, String>>,
) -> Result<T> {
    let begun = Instant::now();
    loop {
        check_interrupt()?;
        let instead = match look()? {
            Ok(found) => return Ok(found),
            Err(instead) => instead,
        };
        if begun.elapsed() > patience {
            let seen =
                if instead.is_empty() { String::new() } else { format!("; last observation: {}", instead.trim()) };
            bail!("waited {} s for {what}{seen}", patience.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
