//! Reports the integration tests that were skipped in this run, after all of them.
//!
//! The test harness hides what a passing test prints, so a skipped test records its reason in a file of the cargo
//! process that runs the tests (see `skip` in `tests/it/common`). Cargo starts this program last: it is the last test of the last package.

#![allow(clippy::print_stdout, reason = "this is the report")]

use std::collections::BTreeMap;

#[path = "it/common/skips.rs"]
mod skips;

fn main() {
    let path = skips::file();
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let _ = std::fs::remove_file(&path);
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in text.lines() {
        *reasons.entry(reason).or_default() += 1;
    }
    for (reason, count) in &reasons {
        println!("SKIPPED {count}: {reason}");
    }
    match reasons.values().sum::<usize>() {
        0 => println!("No integration test was skipped"),
        count => println!("{count} integration tests were skipped for the reasons above"),
    }
}
