//! The diagnostics of failed file operations.

use std::path::Path;

use diagnostics::{Code, Diagnostic};

/// Returns the diagnostic of a failed operation; `doing` is a verb, such as "read".
pub(super) fn problem(path: &Path, doing: &str, error: &std::io::Error) -> Diagnostic {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return disk_full(format!("can't {doing} {}", path.display()), error.to_string());
    }
    let next = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "Give this user the right to it, or run as one who has it.",
        std::io::ErrorKind::InvalidData => "Save it as UTF-8 text.",
        std::io::ErrorKind::IsADirectory => "Name the file in it.",
        _ => "Check the path and run it again.",
    };
    Diagnostic::failure(Code::FileError, format!("can't {doing} {}", path.display()), error.to_string(), next)
}

/// Returns the diagnostic of a full disk.
#[must_use]
pub fn disk_full(message: String, why: String) -> Diagnostic {
    Diagnostic::failure(Code::DiskFull, message, why, "Free some space on that disk and run it again.")
}
