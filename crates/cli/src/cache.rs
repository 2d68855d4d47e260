//! The user's own cache: provided tools, generated modules, and the record of what this program made.
//!
//! The files next to a policy came with it and can be anyone's. A tool is therefore run only from here
//! or from an absolute entry of the PATH, and an artifact is run only if its digest was recorded here
//! when it was built.

use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};

use crate::{files, progress};
use diagnostics::{Code, Diagnostic};

/// The name of the folder in the user's folder of caches.
const NAME: &str = "tailscale-featureset";

/// The user's own cache. Copies share one folder.
#[derive(Debug, Clone)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The folder that lasts; `None` if the user has no home.
    lasting: Option<PathBuf>,
    /// The folder once it was created or found, and checked.
    opened: OnceLock<Folder>,
}

#[derive(Debug)]
enum Folder {
    Lasting(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Lasting(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

impl Cache {
    /// The cache of the user who runs this program: in `XDG_CACHE_HOME` if that is absolute, else in `~/.cache`, else a
    /// private temporary folder that is deleted with the last copy of this value. Nothing is created before it is needed.
    #[must_use]
    pub fn of_user() -> Self {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || absolute("HOME").filter(|home| home.is_dir()).map(|home| home.join(".cache"));
        Self::new(absolute("XDG_CACHE_HOME").or_else(home).map(|caches| caches.join(NAME)))
    }

    /// A cache in this folder, for tests.
    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        Self::new(Some(folder))
    }

    fn new(lasting: Option<PathBuf>) -> Self {
        Self(Arc::new(Inner { lasting, opened: OnceLock::new() }))
    }

    /// The folder, created if it does not exist.
    ///
    /// # Errors
    /// A [`Diagnostic`] if it can't be created, or if other users own it or can write to it.
    pub fn folder(&self) -> Result<&Path> {
        if let Some(folder) = self.0.opened.get() {
            return Ok(folder.path());
        }
        let folder = match &self.0.lasting {
            Some(path) => {
                let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
                created.map_err(|error| not_created(path, &error))?;
                check(path)?;
                Folder::Lasting(path.clone())
            }
            None => Folder::Temporary(files::private_folder("tailscale-featureset-")?),
        };
        Ok(self.0.opened.get_or_init(|| folder).path())
    }

    /// The folder, if it exists.
    ///
    /// # Errors
    /// A [`Diagnostic`] if other users own it or can write to it.
    pub fn existing(&self) -> Result<Option<&Path>> {
        let exists = self.0.lasting.as_ref().is_some_and(|path| path.symlink_metadata().is_ok());
        if self.0.opened.get().is_some() || exists { self.folder().map(Some) } else { Ok(None) }
    }

    /// The program of a tool that was provided here, if its digest is the one that was recorded then.
    ///
    /// # Errors
    /// As [`Cache::existing`].
    pub fn tool(&self, name: &str) -> Result<Option<PathBuf>> {
        let Some(folder) = self.existing()? else { return Ok(None) };
        let Ok(record) = std::fs::read_to_string(record(folder, name)) else { return Ok(None) };
        let Some((digest, program)) = record.trim_end().split_once("  ") else { return Ok(None) };
        let program = folder.join("tools").join(program);
        let Ok(bytes) = std::fs::read(&program) else { return Ok(None) };
        if files::sha256(&bytes) == digest {
            return Ok(Some(program));
        }
        progress::warn(&format!("{} is not the program that was provided there; it is not run", program.display()));
        Ok(None)
    }

    /// Provides a tool, unless another run did: `fill` puts it into an empty folder and returns the path of the program in
    /// that folder. The program's digest is recorded. `fill` must verify what it fetches.
    ///
    /// # Errors
    /// Those of `fill`, and a [`Diagnostic`] if a file can't be written.
    pub fn provide(&self, name: &str, fill: impl FnOnce(&Path) -> Result<PathBuf>) -> Result<PathBuf> {
        let folder = self.folder()?;
        let tools = folder.join("tools");
        let _lock = files::lock(&tools, || progress::line("Waiting", "for another run that provides a tool"))?;
        if let Some(program) = self.tool(name)? {
            return Ok(program);
        }
        let (partial, own) = (tools.join(format!(".partial-{name}")), tools.join(name));
        files::empty_folder(&partial)?;
        let program = fill(&partial)?;
        let bytes = files::read_bytes(&partial.join(&program))?;
        files::empty_folder(&own)?;
        files::rename(&partial, &own)?;
        let line = format!("{}  {}\n", files::sha256(&bytes), Path::new(name).join(&program).display());
        files::write(&record(folder, name), &line)?;
        Ok(own.join(program))
    }

    /// Records that this program made the bytes with this digest; `path` is their location, for a reader of the record.
    ///
    /// # Errors
    /// A [`Diagnostic`] if the record can't be written.
    pub fn record_made(&self, digest: &str, path: &Path) -> Result<()> {
        files::write(&made(self.folder()?, digest), &format!("{}\n", path.display()))
    }

    /// Whether this program made the bytes with this digest, as this user.
    ///
    /// # Errors
    /// As [`Cache::existing`].
    pub fn has_made(&self, digest: &str) -> Result<bool> {
        Ok(self.existing()?.is_some_and(|folder| made(folder, digest).is_file()))
    }

    /// The folder in words, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.0.lasting {
            Some(path) => path.display().to_string(),
            None => "the temporary cache of this run (HOME and XDG_CACHE_HOME name no folder)".to_owned(),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(Folder::Temporary(folder)) = self.opened.get() {
            // Go's module cache is read-only, and could not be deleted.
            let _ = make_writable(folder.path());
        }
    }
}

fn make_writable(folder: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

/// The file with the digest of a tool's program, in the form of `sha256sum`.
fn record(folder: &Path, name: &str) -> PathBuf {
    folder.join("tools").join(format!("{name}.sha256"))
}

/// The file whose name is the digest of something that this program made.
fn made(folder: &Path, digest: &str) -> PathBuf {
    folder.join("artifacts").join(digest)
}

fn not_created(path: &Path, error: &std::io::Error) -> Diagnostic {
    let next = "Set XDG_CACHE_HOME to an absolute path where this user can create a folder.";
    Diagnostic::failure(
        Code::CacheNotCreated,
        format!("can't create the cache {}", path.display()),
        error.to_string(),
        next,
    )
}

/// Refuses a folder that other users can change: programs are run from it.
fn check(path: &Path) -> Result<()> {
    let data = path.symlink_metadata().with_context(|| format!("looking at {}", path.display()))?;
    let (owner, user) = (data.uid(), rustix::process::geteuid().as_raw());
    let mode = data.mode() & 0o7777;
    let why = if data.is_symlink() {
        "it is a symbolic link".to_owned()
    } else if owner != user {
        format!("it belongs to user {owner}, and this program runs as user {user}")
    } else if mode & 0o022 != 0 {
        format!("other users can write to it (mode {mode:o})")
    } else {
        return Ok(());
    };
    let why = format!("{why}; programs are run from it, so it must be this user's only");
    let next = "Delete it, or set XDG_CACHE_HOME to another folder; with sudo, `sudo --set-home` uses root's own.";
    Err(Diagnostic::failure(Code::CacheNotTrusted, format!("{} is not used as the cache", path.display()), why, next)
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o777
    }

    fn code(result: Result<impl Sized>) -> Code {
        result.err().unwrap().downcast_ref::<Diagnostic>().unwrap().code.clone()
    }

    #[test]
    fn the_folder_is_created_when_it_is_needed_and_private() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::at(home.path().join("caches/own"));
        assert_eq!(cache.existing().unwrap(), None);
        assert!(!cache.has_made("0").unwrap() && cache.tool("x").unwrap().is_none());
        assert!(!home.path().join("caches").exists());
        assert_eq!(mode(cache.folder().unwrap()), 0o700);
    }

    #[test]
    fn a_folder_that_others_can_change_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let (open, link) = (home.path().join("open"), home.path().join("link"));
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o775)).unwrap();
        std::os::unix::fs::symlink(home.path(), &link).unwrap();
        for folder in [open.clone(), link] {
            assert_eq!(code(Cache::at(folder.clone()).folder()), Code::CacheNotTrusted);
            assert_eq!(code(Cache::at(folder).has_made("0")), Code::CacheNotTrusted);
        }
        std::fs::write(home.path().join("file"), "").unwrap();
        assert_eq!(code(Cache::at(home.path().join("file/below")).folder()), Code::CacheNotCreated);
        if rustix::process::geteuid().is_root() {
            let other = home.path().join("other");
            std::fs::create_dir(&other).unwrap();
            std::os::unix::fs::chown(&other, Some(65534), None).unwrap();
            let error = Cache::at(other).folder().unwrap_err();
            assert!(error.downcast_ref::<Diagnostic>().unwrap().why.starts_with("it belongs to user 65534"));
        }
    }

    #[test]
    fn a_tool_that_was_changed_is_not_run_and_is_provided_again() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::at(home.path().join("cache"));
        let fill = |folder: &Path| {
            files::write_executable(&folder.join("bin/tool"), b"as provided")?;
            Ok(PathBuf::from("bin/tool"))
        };
        let program = cache.provide("tool", fill).unwrap();
        assert_eq!(cache.tool("tool").unwrap(), Some(program.clone()));
        assert_eq!(cache.provide("tool", |_| anyhow::bail!("it is there")).unwrap(), program);
        std::fs::write(&program, "as someone else wants it").unwrap();
        assert_eq!(cache.tool("tool").unwrap(), None);
        assert_eq!(cache.provide("tool", fill).unwrap(), program);
        assert_eq!(std::fs::read(&program).unwrap(), b"as provided");
    }

    #[test]
    fn without_a_home_the_folder_is_deleted_afterwards() {
        let cache = Cache::new(None);
        let folder = cache.folder().unwrap().to_owned();
        assert_eq!(mode(&folder), 0o700);
        let module = folder.join("go/mod/x@v1");
        files::write(&module.join("x.go"), "package x\n").unwrap();
        std::fs::set_permissions(&module, std::fs::Permissions::from_mode(0o500)).unwrap();
        cache.record_made("00ff", Path::new("x")).unwrap();
        let copy = cache.clone();
        drop(cache);
        assert!(copy.has_made("00ff").unwrap() && !copy.has_made("00").unwrap());
        drop(copy);
        assert!(!folder.exists());
    }
}
