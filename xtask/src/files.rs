//! Files: read and written whole, with the path in every error.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use featureset::policy::format_size;
use sha2::{Digest, Sha256};

use crate::problem::Problem;

fn problem(path: &Path, doing: &str, error: &std::io::Error) -> Problem {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return disk_full(format!("can't {doing} {}", path.display()), error.to_string());
    }
    let next = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "Give this user the right to it, or run as one who has it.",
        std::io::ErrorKind::InvalidData => "Save it as UTF-8 text.",
        std::io::ErrorKind::IsADirectory => "Name the file in it.",
        _ => "Check the path and run it again.",
    };
    Problem::new("file", format!("can't {doing} {}", path.display()), error.to_string(), next)
}

/// What to say if the disk is full, whoever found out.
#[must_use]
pub fn disk_full(message: String, why: String) -> Problem {
    Problem::new("disk-full", message, why, "Free some space on that disk and run it again.")
}

/// Refuses to begin if the disk of a folder has less room than a program needs that does not notice it by itself.
///
/// # Errors
/// A [`Problem`] that names the folder.
pub fn check_room(folder: &Path, needed: u64) -> Result<()> {
    let Ok(disk) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= needed {
        return Ok(());
    }
    let why = format!("{} are free, and {} are needed", format_size(free), format_size(needed));
    Err(disk_full(format!("there is too little room in {}", folder.display()), why).into())
}

/// Reads a text file.
///
/// # Errors
/// A [`Problem`] that names the path; also where the file is not UTF-8.
pub fn read(path: &Path) -> Result<String> {
    Ok(std::fs::read_to_string(path).map_err(|error| problem(path, "read", &error))?)
}

/// Reads a file's bytes.
///
/// # Errors
/// A [`Problem`] that names the path.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    Ok(std::fs::read(path).map_err(|error| problem(path, "read", &error))?)
}

/// Makes a folder and those above it.
///
/// # Errors
/// A [`Problem`] that names the path.
pub fn make_folder(path: &Path) -> Result<()> {
    Ok(std::fs::create_dir_all(path).map_err(|error| problem(path, "make the folder", &error))?)
}

/// Makes a folder that is empty: what an earlier, interrupted run left in it goes.
///
/// # Errors
/// A [`Problem`] that names the path.
pub fn empty_folder(path: &Path) -> Result<()> {
    if path.exists() {
        std::fs::remove_dir_all(path).map_err(|error| problem(path, "empty", &error))?;
    }
    make_folder(path)
}

/// Writes a file whole or not at all: into a temporary file beside it, then renamed. A file that already
/// holds the text is left as it is.
///
/// # Errors
/// A [`Problem`] that names the path.
pub fn write(path: &Path, text: &str) -> Result<()> {
    write_bytes(path, text.as_bytes())
}

/// Writes bytes as [`write`] does.
///
/// # Errors
/// A [`Problem`] that names the path.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    // A link stays a link: what it points at is replaced.
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(folder)?;
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".partial-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        set_mode(file.as_file(), path)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    Ok(write().map_err(|error| problem(path, "write", &error))?)
}

/// Writes a program as [`write`] does, and lets it be run.
///
/// # Errors
/// A [`Problem`] that names the path.
pub fn write_executable(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    write_bytes(path, bytes)?;
    let mode = std::fs::Permissions::from_mode(0o755);
    Ok(std::fs::set_permissions(path, mode).map_err(|error| problem(path, "make runnable", &error))?)
}

/// A temporary file is private; the result gets the mode of the file that it replaces, or that of a new one.
fn set_mode(file: &std::fs::File, path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_or(0o644, |old| old.permissions().mode() & 0o777);
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

/// Moves a file into its place, on one file system.
///
/// # Errors
/// A [`Problem`] that names the destination.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    Ok(std::fs::rename(from, to).map_err(|error| problem(to, "write", &error))?)
}

/// Makes a symbolic link, in the place of one that is there.
///
/// # Errors
/// A [`Problem`] that names the link.
pub fn link(target: &str, link: &Path) -> Result<()> {
    if std::fs::read_link(link).is_ok_and(|old| old == Path::new(target)) {
        return Ok(());
    }
    let _ = std::fs::remove_file(link);
    Ok(std::os::unix::fs::symlink(target, link).map_err(|error| problem(link, "make the link", &error))?)
}

/// The SHA-256 of bytes, in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes a private folder for temporary files; it is deleted when the value is dropped.
///
/// # Errors
/// A [`Problem`] that names the folder for temporary files.
pub fn private_folder(prefix: &str) -> Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o700);
    Ok(tempfile::Builder::new().prefix(prefix).permissions(mode).tempdir().map_err(|error| no_temporary(&error))?)
}

/// Makes a private temporary file; it is deleted when the value is dropped.
///
/// # Errors
/// As [`private_folder`].
pub fn private_file() -> Result<tempfile::NamedTempFile> {
    Ok(tempfile::NamedTempFile::new().map_err(|error| no_temporary(&error))?)
}

fn no_temporary(error: &std::io::Error) -> Problem {
    let folder = std::env::temp_dir();
    let message = format!("can't write temporary files in {}", folder.display());
    let why = if folder.is_dir() { error.kind().to_string() } else { "there is no such folder".to_owned() };
    if error.kind() == std::io::ErrorKind::StorageFull {
        return disk_full(message, why);
    }
    let next = "Set TMPDIR to a folder that exists and that this user can write to.";
    Problem::new("no-temporary-folder", message, why, next)
}

/// Holds a folder against a second run until it is dropped; waits for the one that has it.
///
/// # Errors
/// A [`Problem`] that names the lock, or [`crate::problem::Interrupted`].
pub fn lock(folder: &Path, waiting: impl FnOnce()) -> Result<std::fs::File> {
    make_folder(folder)?;
    let path = folder.join(".lock");
    let file = open_lock(&path)?;
    if file.try_lock().is_ok() {
        return Ok(file);
    }
    waiting();
    loop {
        crate::process::check_interrupt()?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(100)),
            Err(std::fs::TryLockError::Error(error)) => return Err(problem(&path, "lock", &error)).context("locking"),
        }
    }
}

/// Opens the file of a lock. It came with the folder: no link is followed, nothing is truncated, and a pipe is not waited for.
fn open_lock(path: &Path) -> Result<std::fs::File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    let refused = |why: &str| {
        Problem::new("file", format!("can't lock {}", path.display()), why, "Look at it, delete it, and run it again.")
    };
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = std::fs::File::options().write(true).create(true).truncate(false).custom_flags(flags).open(path);
    match opened {
        Ok(file) if file.metadata().is_ok_and(|data| data.is_file()) => Ok(file),
        Err(error) if std::fs::symlink_metadata(path).is_ok_and(|data| data.is_file()) => {
            Err(problem(path, "open", &error).into())
        }
        _ if std::fs::symlink_metadata(path).is_ok_and(|data| data.is_symlink()) => {
            Err(refused("it is a symbolic link, and a lock is a plain file").into())
        }
        Err(error) if std::fs::symlink_metadata(path).is_err() => Err(problem(path, "create", &error).into()),
        _ => Err(refused("it is not a plain file").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        write(&path, "one").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        write(&path, "two").unwrap();
        assert_eq!(read(&path).unwrap(), "two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing temporary is left");
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, name) = (folder.path().join("real"), folder.path().join("name"));
        std::fs::write(&real, "one").unwrap();
        link("real", &name).unwrap();
        write(&name, "two").unwrap();
        assert_eq!((read(&real).unwrap().as_str(), std::fs::read_link(&name).unwrap()), ("two", "real".into()));
    }

    #[test]
    fn a_lock_follows_no_link_and_truncates_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, path) = (folder.path().join("victim"), folder.path().join("held/.lock"));
        std::fs::write(&victim, "important").unwrap();
        let held = path.parent().unwrap();
        drop(lock(held, || ()).unwrap());
        std::fs::write(&path, "whatever").unwrap();
        drop(lock(held, || ()).unwrap());
        assert_eq!(read(&path).unwrap(), "whatever");
        let why = |error: anyhow::Error| error.downcast_ref::<Problem>().unwrap().why.clone();
        for target in [victim.as_path(), Path::new("/nonexistent/x")] {
            std::fs::remove_file(&path).unwrap();
            std::os::unix::fs::symlink(target, &path).unwrap();
            assert_eq!(why(lock(held, || ()).unwrap_err()), "it is a symbolic link, and a lock is a plain file");
        }
        assert_eq!(read(&victim).unwrap(), "important");
        std::fs::remove_file(&path).unwrap();
        let mkfifo = crate::process::needed("mkfifo").unwrap();
        assert!(std::process::Command::new(mkfifo).arg(&path).status().unwrap().success());
        assert_eq!(why(lock(held, || ()).unwrap_err()), "it is not a plain file");
    }

    #[test]
    fn a_disk_without_room_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_room(folder.path(), 1).is_ok() && check_room(Path::new("/nonexistent"), 1 << 60).is_ok());
        let error = check_room(folder.path(), 1 << 60).unwrap_err();
        assert_eq!(error.downcast_ref::<Problem>().unwrap().code, "disk-full");
    }

    #[test]
    fn a_private_folder_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = private_folder("test-").unwrap();
        assert_eq!(std::fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn an_error_names_the_path() {
        let error = read(Path::new("/nonexistent/x.yaml")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/x.yaml"));
    }
}
