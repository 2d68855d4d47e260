//! The file in which skipped tests record their reasons, one line each.

use std::path::PathBuf;

/// Returns the file of this test run: all test programs of a run are children of one cargo process.
pub(crate) fn file() -> PathBuf {
    let cargo = std::os::unix::process::parent_id();
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("skipped-{cargo}"))
}
