//! Private temporary files, and the room for what is fetched.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Result;
use featureset::policy::format_size;
use tempfile::{NamedTempFile, TempDir};

use super::error::disk_full;
use diagnostics::{Code, Diagnostic};

/// Makes a private folder for temporary files; it is deleted when the value is dropped.
///
/// # Errors
/// A [`Diagnostic`] that names the folder for temporary files.
pub fn private_folder(prefix: &str) -> Result<TempDir> {
    let mode = Permissions::from_mode(0o700);
    Ok(tempfile::Builder::new().prefix(prefix).permissions(mode).tempdir().map_err(|error| no_temporary(&error))?)
}

/// Makes a private temporary file; it is deleted when the value is dropped.
///
/// # Errors
/// As [`private_folder`].
pub fn private_file() -> Result<NamedTempFile> {
    Ok(NamedTempFile::new().map_err(|error| no_temporary(&error))?)
}

fn no_temporary(error: &std::io::Error) -> Diagnostic {
    let folder = std::env::temp_dir();
    let message = format!("can't write temporary files in {}", folder.display());
    let why = if folder.is_dir() { error.kind().to_string() } else { "there is no such folder".to_owned() };
    if error.kind() == std::io::ErrorKind::StorageFull {
        return disk_full(message, why);
    }
    let next = "Set TMPDIR to a folder that exists and that this user can write to.";
    Diagnostic::failure(Code::NoTemporaryFolder, message, why, next)
}

/// Refuses to begin if the disk of a folder has too little room for a program that would not notice
/// it.
///
/// # Errors
/// A [`Diagnostic`] that names the folder.
pub fn check_room(folder: &Path, needed: u64) -> Result<()> {
    let Ok(disk) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= needed {
        return Ok(());
    }
    let why = format!("{} are free, and {} are needed", format_size(free), format_size(needed));
    Err(disk_full(format!("there is too little room in {}", folder.display()), why).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_room(folder.path(), 1).is_ok() && check_room(Path::new("/nonexistent"), 1 << 60).is_ok());
        let error = check_room(folder.path(), 1 << 60).unwrap_err();
        assert_eq!(error.downcast_ref::<Diagnostic>().unwrap().code, Code::DiskFull);
    }

    #[test]
    fn a_private_folder_is_private() {
        let folder = private_folder("test-").unwrap();
        assert_eq!(std::fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
