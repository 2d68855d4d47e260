//! Files: read and written whole, with the path in every error.

pub mod error;
mod folder;
mod lock;
mod reading;
mod temporary;

use std::collections::BTreeMap;
use std::fs::{File, FileType, Metadata};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::fs::{OFlags, fgetxattr, flistxattr, getxattr, listxattr};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use diagnostics::{Code, Diagnostic};

use error::problem;

pub use error::disk_full;
pub use folder::{empty_folder, make_folder};
pub use lock::lock;
pub use reading::{open_regular, read_regular, read_text};
pub use temporary::{check_room, private_file, private_folder};

/// Reads a text file.
///
/// # Errors
/// A [`Diagnostic`] that names the path; also where the file is not UTF-8.
pub fn read(path: &Path) -> Result<String> {
    Ok(std::fs::read_to_string(path).map_err(|error| problem(path, "read", &error))?)
}

/// Reads a file's bytes.
///
/// # Errors
/// A [`Diagnostic`] that names the path.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    Ok(std::fs::read(path).map_err(|error| problem(path, "read", &error))?)
}

/// Writes a file whole or not at all. One that already holds the text is left as it is, and a link stays a link: what it
/// points at is written.
///
/// A folder, device, pipe or socket at the path is refused and never opened. A file that is
/// replaced keeps its owner and mode; one with further names (hard links), or whose owner, extended attributes or access
/// list a new file would not have, is rewritten in its place, see [`rewrite`].
///
/// # Errors
/// A [`Diagnostic`] that names the path.
pub fn write(path: &Path, text: &str) -> Result<()> {
    write_bytes(path, text.as_bytes())
}

/// Writes bytes as [`write`] does.
///
/// # Errors
/// A [`Diagnostic`] that names the path.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    let Ok(named) = std::fs::symlink_metadata(path) else { return make(path, bytes, Existing::Replaced).map(drop) };
    let (real, old) = regular(path, &named)?;
    if old.len() == bytes.len() as u64 && holds(&real, bytes) {
        return Ok(());
    }
    let write = || -> std::io::Result<()> {
        let mut file = partial(&real, 0o600)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        if old.nlink() == 1 && becomes_like(file.as_file(), &real, &old)? {
            file.persist(&real).map_err(|error| error.error)?;
            return Ok(());
        }
        rewrite(file, &real, bytes)
    };
    Ok(write().map_err(|error| problem(path, "write", &error))?)
}

/// Creates a file, whole or not at all. Returns `false` if anything is there, even a link that leads nowhere: of several
/// runs at once, one creates it.
///
/// # Errors
/// A [`Diagnostic`] that names the path.
pub fn create(path: &Path, text: &str) -> Result<bool> {
    make(path, text.as_bytes(), Existing::Kept)
}

/// The treatment of a file that exists already.
enum Existing {
    Replaced,
    Kept,
}

fn make(path: &Path, bytes: &[u8], existing: Existing) -> Result<bool> {
    make_folder(folder_of(path))?;
    let write = || -> std::io::Result<()> {
        // The umask applies.
        let mut file = partial(path, 0o666)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        let persisted = match existing {
            Existing::Replaced => file.persist(path),
            Existing::Kept => file.persist_noclobber(path),
        };
        persisted.map(drop).map_err(|error| error.error)
    };
    match write() {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(problem(path, "write", &error).into()),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file next to another that is not yet whole.
fn partial(path: &Path, mode: u32) -> std::io::Result<NamedTempFile> {
    let permissions = std::fs::Permissions::from_mode(mode);
    tempfile::Builder::new().prefix(PARTIAL).permissions(permissions).tempfile_in(folder_of(path))
}

/// How the name of a file begins that is not yet whole.
const PARTIAL: &str = ".partial-";

/// The path and the metadata of the regular file that a path names, through links.
fn regular(path: &Path, named: &Metadata) -> Result<(PathBuf, Metadata)> {
    let refused = |why: &str| {
        let next = "Name a regular file, or one that is not there yet.";
        Diagnostic::failure(Code::FileError, format!("can't write {}", path.display()), why, next)
    };
    let Ok(found) = std::fs::metadata(path) else { return Err(refused("it is a link that leads nowhere").into()) };
    if !found.is_file() {
        let link = if named.is_symlink() { "a link to " } else { "" };
        return Err(refused(&format!("it is {link}{}", kind(found.file_type()))).into());
    }
    // A link of /proc to a file that was deleted leads to a file without a name.
    let real = std::fs::canonicalize(path).map_err(|_| refused("it is a link to a file that has no name any more"))?;
    Ok((real, found))
}

fn kind(found: FileType) -> &'static str {
    match found {
        _ if found.is_dir() => "a folder",
        _ if found.is_fifo() => "a pipe",
        _ if found.is_socket() => "a socket",
        _ => "a device",
    }
}

/// Whether a regular file holds these bytes. One that became something else meanwhile is not waited for.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits();
    let Ok(file) = File::options().read(true).custom_flags(flags as i32).open(path) else { return false };
    let mut old = Vec::with_capacity(bytes.len());
    file.metadata().is_ok_and(|found| found.is_file())
        && file.take(bytes.len() as u64 + 1).read_to_end(&mut old).is_ok()
        && old == bytes
}

/// Copies owner and mode of an old file to a new one. Returns whether the new one also has the same extended attributes.
fn becomes_like(new: &File, path: &Path, old: &Metadata) -> std::io::Result<bool> {
    let made = new.metadata()?;
    let owned = (made.uid(), made.gid()) == (old.uid(), old.gid())
        || std::os::unix::fs::fchown(new, Some(old.uid()), Some(old.gid())).is_ok();
    new.set_permissions(std::fs::Permissions::from_mode(old.mode() & 0o777))?;
    let of_new = attributes(|names| flistxattr(new, names), |name, value| fgetxattr(new, name, value));
    let of_old = attributes(|names| listxattr(path, names), |name, value| getxattr(path, name, value));
    Ok(owned && of_new == of_old)
}

/// The extended attributes of a file, access lists among them; `None` if they can't be read, as on a file system that has none.
fn attributes(
    list: impl Fn(&mut [u8]) -> rustix::io::Result<usize>,
    get: impl Fn(&[u8], &mut [u8]) -> rustix::io::Result<usize>,
) -> Option<BTreeMap<Vec<u8>, Option<Vec<u8>>>> {
    // As large as the kernel lets either be.
    let mut names = vec![0; 1 << 16];
    let length = list(&mut names).ok()?;
    let one = |name: &[u8]| {
        let mut value = vec![0; 1 << 16];
        let length = get(name, &mut value).ok();
        (name.to_owned(), length.map(|length| value[..length].to_owned()))
    };
    Some(names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(one).collect())
}

/// Writes a file in its place, so that everything but its content stays: names, owner, attributes. A copy of the new content
/// is on the disk before the first byte of the old one goes, and stays there if that fails.
fn rewrite(copy: NamedTempFile, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.set_len(bytes.len() as u64)).and_then(|()| file.sync_all());
    let Err(error) = written else { return Ok(()) };
    let (_, copy) = copy.keep().map_err(|error| error.error)?;
    let kept = format!("{error}; it may hold parts of old and new, the whole new content is in {}", copy.display());
    Err(std::io::Error::new(error.kind(), kept))
}

/// Writes a program as [`write`] does, and lets it be run.
///
/// # Errors
/// A [`Diagnostic`] that names the path.
pub fn write_executable(path: &Path, bytes: &[u8]) -> Result<()> {
    write_bytes(path, bytes)?;
    let mode = std::fs::Permissions::from_mode(0o755);
    Ok(std::fs::set_permissions(path, mode).map_err(|error| problem(path, "make runnable", &error))?)
}

/// Moves a file into its place, on one file system.
///
/// # Errors
/// A [`Diagnostic`] that names the destination.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    Ok(std::fs::rename(from, to).map_err(|error| problem(to, "write", &error))?)
}

/// Makes a symbolic link, in the place of one that is there.
///
/// # Errors
/// A [`Diagnostic`] that names the link.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
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
    fn what_is_not_written_in_its_place_is_kept_next_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut copy = partial(&folder.path().join("x"), 0o600).unwrap();
        copy.write_all(b"new").unwrap();
        let error = rewrite(copy, Path::new("/dev/full"), b"new").unwrap_err();
        let kept = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        assert_eq!(std::fs::read(&kept).unwrap(), b"new");
        assert!(error.to_string().contains(kept.to_str().unwrap()), "{error}");
    }

    #[test]
    fn a_file_is_created_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        assert!(create(&path, "one").unwrap() && !create(&path, "two").unwrap());
        link("nowhere", &folder.path().join("link")).unwrap();
        assert!(!create(&folder.path().join("link"), "two").unwrap());
        assert_eq!(read(&path).unwrap(), "one");
    }

    #[test]
    fn an_error_names_the_path() {
        let error = read(Path::new("/nonexistent/x.yaml")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/x.yaml"));
    }
}
