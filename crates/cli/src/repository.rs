//! The policy at a revision of its Git repository.
//!
//! A revision without the policy is a valid result. A revision that Git can't read (a damaged object, a partial clone
//! without its server) is a [`Diagnostic`] with Git's output.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::process::{self, Output};
use crate::progress;
use crate::project::Project;
use diagnostics::{Code, Diagnostic};

/// The most symbolic links that are followed, as in Linux.
const MOST_LINKS: usize = 40;

/// The largest policy that is read, in bytes.
const LARGEST: u64 = 1_000_000;

/// The Git repository that holds the policy.
pub(crate) struct Repository {
    /// The top of its working tree.
    top: PathBuf,
    /// The policy's path relative to it.
    policy: PathBuf,
}

/// An entry of a tree.
struct Entry {
    kind: Kind,
    object: String,
}

#[derive(PartialEq, Eq)]
enum Kind {
    File {
        bytes: u64,
    },
    Link,
    Folder,
    /// A module of another repository.
    Module,
}

impl Repository {
    /// Finds the repository.
    ///
    /// # Errors
    /// A [`Diagnostic`] if there is none.
    pub(crate) fn find(project: &Project) -> Result<Self> {
        let folder = project.root();
        // A relative path upwards: unlike an absolute path, it never contains a name.
        let up = git(&folder, &["rev-parse".as_ref(), "--show-cdup".as_ref()])?;
        let outside = |why: &str| -> anyhow::Error {
            let message = format!("{} is not in a Git repository", project.path.display());
            Diagnostic::failure(
                Code::NoRepository,
                message,
                why,
                "Run the command where the policy is under version control.",
            )
            .into()
        };
        if !up.status.success() {
            return Err(outside(up.stderr.trim()));
        }
        let up = folder.join(OsStr::from_bytes(up.bytes.trim_ascii_end()));
        let real = |path: &Path| std::fs::canonicalize(path).map_err(|error| outside(&error.to_string()));
        let (top, folder) = (real(&up)?, real(&folder)?);
        let inside = folder.strip_prefix(&top).map_err(|_| outside("its working tree is elsewhere"))?;
        let policy = inside.join(project.path.file_name().unwrap_or_default());
        Ok(Self { top, policy })
    }

    fn run(&self, arguments: &[&OsStr]) -> Result<Output> {
        git(&self.top, arguments)
    }

    /// Returns the text of the policy at a revision; `None` if the revision has none.
    ///
    /// # Errors
    /// A [`Diagnostic`] if the revision does not exist, or Git can't read it.
    pub(crate) fn policy_at(&self, revision: &str) -> Result<Option<String>> {
        let name = format!("{revision}^{{commit}}");
        let options = ["rev-parse", "--verify", "--quiet", "--end-of-options", &name];
        let commit = self.run(&options.map(OsStr::new))?;
        if !commit.status.success() {
            // For an unknown name, Git prints an empty text.
            let unknown = commit.stderr.trim().is_empty();
            return Err(if unknown { self.unknown(revision)? } else { unreadable(revision, &commit) }.into());
        }
        let at = Revision { repository: self, name: revision, commit: commit.stdout.trim() };
        if let Some(text) = at.text(&self.policy)? {
            return Ok(Some(text));
        }
        let Some(old) = at.renamed_from(&self.policy)? else { return Ok(None) };
        progress::line(
            "Following",
            &format!("{} at {revision}, which is {} now", old.display(), self.policy.display()),
        );
        at.text(&old)
    }

    fn unknown(&self, revision: &str) -> Result<Diagnostic> {
        let options = ["rev-parse", "--is-shallow-repository"];
        let shallow = self.run(&options.map(OsStr::new))?.stdout.trim() == "true";
        let why = if shallow { "this clone is shallow: it has no history" } else { "this clone has no such commit" };
        let next = if shallow {
            "Fetch it: `git fetch --unshallow`, or `fetch-depth: 0` for actions/checkout.".to_owned()
        } else {
            format!("Check the name, or fetch it: `git fetch origin {revision}`.")
        };
        Ok(Diagnostic::failure(Code::UnknownRevision, format!("unknown revision `{revision}`"), why, next))
    }
}

fn git(folder: &Path, arguments: &[&OsStr]) -> Result<Output> {
    let mut command = Command::new(process::needed("git")?);
    command.args(arguments).current_dir(folder);
    process::output(command)
}

/// Returns the problem of an object that exists and that Git can't read.
fn unreadable(revision: &str, output: &Output) -> Diagnostic {
    let why = match output.stderr.trim() {
        "" => format!("git ended with {}", output.status),
        said => said.to_owned(),
    };
    let next = "`git fsck` finds damage; a partial clone needs its server.";
    Diagnostic::failure(Code::UnreadableRevision, format!("Git can't read the policy at `{revision}`"), why, next)
}

/// A commit of a repository.
struct Revision<'a> {
    repository: &'a Repository,
    /// As the user named it.
    name: &'a str,
    commit: &'a str,
}

impl Revision<'_> {
    /// Runs Git on objects that must be readable, and returns its output.
    fn read(&self, arguments: &[&OsStr]) -> Result<Vec<u8>> {
        let output = self.repository.run(arguments)?;
        if output.status.success() { Ok(output.bytes) } else { Err(unreadable(self.name, &output).into()) }
    }

    fn blob(&self, object: &str) -> Result<Vec<u8>> {
        self.read(&["cat-file", "blob", object].map(OsStr::new))
    }

    /// Returns the text of a file, through links within the repository; `None` if there is none.
    fn text(&self, path: &Path) -> Result<Option<String>> {
        match self.file(path)? {
            Some(Entry { kind: Kind::File { bytes }, .. }) if bytes > LARGEST => {
                let message = format!("the policy at `{}` has more than 1 MB", self.name);
                let next = "Check that it is the right file.";
                Err(Diagnostic::failure(Code::InputTooLarge, message, "this exceeds the size limit for policies", next)
                    .into())
            }
            Some(entry) => Ok(Some(String::from_utf8_lossy(&self.blob(&entry.object)?).into_owned())),
            None => Ok(None),
        }
    }

    /// Resolves a path component by component, as the file system does.
    fn file(&self, path: &Path) -> Result<Option<Entry>> {
        let mut left: Vec<OsString> = components(path);
        let mut folder = PathBuf::new();
        let mut links = 0;
        while let Some(name) = left.pop() {
            if name == ".." {
                if !folder.pop() {
                    return Err(self.out_of_it(path).into());
                }
                continue;
            }
            let here = folder.join(&name);
            let Some(entry) = self.entry(&here)? else { return Ok(None) };
            match entry.kind {
                Kind::Link => {
                    links += 1;
                    let target = PathBuf::from(OsString::from_vec(self.blob(&entry.object)?));
                    if target.is_absolute() {
                        return Err(self.out_of_it(path).into());
                    }
                    if links > MOST_LINKS {
                        return Ok(None);
                    }
                    left.extend(components(&target));
                }
                Kind::Folder => folder = here,
                Kind::File { .. } if left.is_empty() => return Ok(Some(entry)),
                Kind::File { .. } => return Ok(None),
                Kind::Module => return Err(self.out_of_it(path).into()),
            }
        }
        Ok(None)
    }

    fn out_of_it(&self, path: &Path) -> Diagnostic {
        let message = format!("{} at `{}` leads out of the repository", path.display(), self.name);
        let why = "it is a link or in a submodule, whose content at this revision is unknown";
        Diagnostic::failure(
            Code::UnreadableRevision,
            message,
            why,
            "Name the file itself with `--policy`, in its own repository.",
        )
    }

    /// Returns the entry of a path, without following links.
    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        let options = ["ls-tree", "-z", "-l", "--full-tree", self.commit, "--"].map(OsStr::new);
        let listed = self.read(&[&options[..], &[path.as_os_str()]].concat())?;
        // MODE SP TYPE SP OBJECT SP SIZE TAB PATH NUL; only the path need not be text.
        let head = listed.split(|byte| *byte == b'\t').next().map(String::from_utf8_lossy).unwrap_or_default();
        let fields: Vec<&str> = head.split_whitespace().collect();
        let [mode, kind, object, size] = fields[..] else { return Ok(None) };
        let kind = match (mode, kind) {
            ("120000", _) => Kind::Link,
            (_, "tree") => Kind::Folder,
            (_, "blob") => Kind::File { bytes: size.parse().unwrap_or_default() },
            _ => Kind::Module,
        };
        Ok(Some(Entry { kind, object: object.to_owned() }))
    }

    /// Returns the former name of a file that was renamed since the commit, if Git detects that.
    fn renamed_from(&self, path: &Path) -> Result<Option<PathBuf>> {
        // Git reports no rename of an untracked file, so the name at HEAD counts.
        let options = ["diff", "-z", "--find-renames", "--diff-filter=R", "--name-status", self.commit];
        let listed = self.read(&options.map(OsStr::new))?;
        let mut fields = listed.split(|byte| *byte == 0);
        while let (Some(_), Some(old), Some(new)) = (fields.next(), fields.next(), fields.next()) {
            if new == path.as_os_str().as_bytes() {
                return Ok(Some(PathBuf::from(OsStr::from_bytes(old))));
            }
        }
        Ok(None)
    }
}

/// Returns the names in a path, last first.
fn components(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter(|part| *part != Component::CurDir);
    names.map(|part| part.as_os_str().to_owned()).collect()
}
