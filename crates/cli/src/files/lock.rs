//! Locks on folders, so that two runs do not write into one.

use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::fs::OFlags;

use super::error::problem;
use super::folder::make_folder;
use crate::process::check_interrupt;
use diagnostics::{Code, Diagnostic};

/// Holds a folder against a second run until it is dropped; waits for the one that has it.
///
/// # Errors
/// A [`Diagnostic`] that names the lock, or [`crate::interrupted::Interrupted`].
pub fn lock(folder: &Path, waiting: impl FnOnce()) -> Result<File> {
    make_folder(folder)?;
    let path = folder.join(".lock");
    let file = open_lock(&path)?;
    if file.try_lock().is_ok() {
        return Ok(file);
    }
    waiting();
    loop {
        check_interrupt()?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(100)),
            Err(TryLockError::Error(error)) => return Err(problem(&path, "lock", &error)).context("locking"),
        }
    }
}

/// Opens the file of a lock. It may have come with the folder: no link is followed, nothing is
/// truncated, and a pipe is not waited for.
fn open_lock(path: &Path) -> Result<File> {
    let refused = |why: &str| {
        Diagnostic::failure(
            Code::FileError,
            format!("can't lock {}", path.display()),
            why,
            "Look at it, delete it, and run it again.",
        )
    };
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = File::options().write(true).create(true).truncate(false).custom_flags(flags).open(path);
    match opened {
        Ok(file) if file.metadata().is_ok_and(|data| data.is_file()) => Ok(file),
        Err(error) if std::fs::symlink_metadata(path).is_ok_and(|data| data.is_file()) => {
            Err(problem(path, "open", &error).into())
        }
        _ if std::fs::symlink_metadata(path).is_ok_and(|data| data.is_symlink()) => {
            Err(refused("it is a symbolic link, and a lock is a regular file").into())
        }
        Err(error) if std::fs::symlink_metadata(path).is_err() => Err(problem(path, "create", &error).into()),
        _ => Err(refused("it is not a regular file").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::needed;

    #[test]
    fn a_lock_follows_no_link_and_truncates_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, path) = (folder.path().join("victim"), folder.path().join("held/.lock"));
        std::fs::write(&victim, "important").unwrap();
        let held = path.parent().unwrap();
        drop(lock(held, || ()).unwrap());
        std::fs::write(&path, "whatever").unwrap();
        drop(lock(held, || ()).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "whatever");
        let why = |error: anyhow::Error| error.downcast_ref::<Diagnostic>().unwrap().why.clone();
        for target in [victim.as_path(), Path::new("/nonexistent/x")] {
            std::fs::remove_file(&path).unwrap();
            std::os::unix::fs::symlink(target, &path).unwrap();
            assert_eq!(why(lock(held, || ()).unwrap_err()), "it is a symbolic link, and a lock is a regular file");
        }
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "important");
        std::fs::remove_file(&path).unwrap();
        let mkfifo = needed("mkfifo").unwrap();
        assert!(std::process::Command::new(mkfifo).arg(&path).status().unwrap().success());
        assert_eq!(why(lock(held, || ()).unwrap_err()), "it is not a regular file");
    }
}
