//! Files: read and written whole, with the path in every error.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use featureset::policy::format_size;
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use crate::problem::Problem;

fn problem(path: &Path, doing: &str, error: &std::io::Error) -> Problem {
    let next = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "Give this user the right to it, or run as one who has it.",
        std::io::ErrorKind::InvalidData => "Save it as UTF-8 text.",
        std::io::ErrorKind::IsADirectory => "Name the file in it.",
        std::io::ErrorKind::StorageFull => "Free some space and run it again.",
        _ => "Check the path and run it again.",
    };
    Problem::new("file", format!("can't {doing} {}", path.display()), error.to_string(), next)
}

/// Reads a text file.
///
/// # Errors
/// A [`Problem`] that names the path; also where the file is not UTF-8.
pub fn read(path: &Path) -> Result<String> {
    Ok(std::fs::read_to_string(path).map_err(|error| problem(path, "read", &error))?)
}

/// Opens a file that has an end: what is read may come from anywhere, and a pipe or a device would keep the reader for ever.
///
/// # Errors
/// Where it can't be opened, or is not a regular file or a link to one.
pub fn open_regular(path: &Path) -> std::io::Result<File> {
    // A pipe that nobody writes into would keep even the opening for ever.
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::Error::other("it is not a regular file")) }
}

/// Reads a regular file of at most so many bytes.
///
/// # Errors
/// A [`Problem`] that names the path: it can't be read, is not a regular file, or is longer.
pub fn read_regular(path: &Path, most: u64) -> Result<Vec<u8>> {
    let unreadable = |error: std::io::Error| problem(path, "read", &error);
    let file = open_regular(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    if file.metadata().map_err(unreadable)?.len() <= most {
        file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 <= most {
            return Ok(bytes);
        }
    }
    let message = format!("{} is larger than {}", path.display(), format_size(most));
    let why = "no file of its kind comes near that, so it is not read";
    Err(Problem::new("too-large", message, why, "Check that it is the right file.").into())
}

/// Reads a regular text file of at most so many bytes.
///
/// # Errors
/// As [`read_regular`]; also where the file is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    let text = String::from_utf8(read_regular(path, most)?);
    Ok(text.map_err(|_| {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, "stream did not contain valid UTF-8");
        problem(path, "read", &error)
    })?)
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

/// Holds a folder against a second run until it is dropped; waits for the one that has it.
///
/// # Errors
/// A [`Problem`] that names the lock, or [`crate::problem::Interrupted`].
pub fn lock(folder: &Path, waiting: impl FnOnce()) -> Result<std::fs::File> {
    make_folder(folder)?;
    let path = folder.join(".lock");
    let file = std::fs::File::create(&path).map_err(|error| problem(&path, "open", &error))?;
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
    fn only_regular_files_of_a_length_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("text"), "12345").unwrap();
        std::os::unix::fs::symlink("text", at("link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("device")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        assert_eq!(read_text(&at("link"), 5).unwrap(), "12345");
        let refused = |name: &str, most: u64| read_regular(&at(name), most).unwrap_err().to_string();
        assert!(refused("text", 4).ends_with("text is larger than 4 B"));
        for name in ["device", "pipe", "", "missing"] {
            let error = read_regular(&at(name), 5).unwrap_err();
            let problem = error.downcast_ref::<Problem>().unwrap();
            assert_eq!(
                (problem.code, problem.why == "it is not a regular file"),
                ("file", name != "missing"),
                "{name}"
            );
        }
        // A file of no stated length, as those of the kernel are, is read up to the bound.
        assert!(read_regular(Path::new("/proc/self/maps"), 10).is_err());
    }

    #[test]
    fn an_error_names_the_path() {
        let error = read(Path::new("/nonexistent/x.yaml")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/x.yaml"));
    }
}
