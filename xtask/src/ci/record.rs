//! The record of steps that passed, so that an interrupted `ci --full` goes on where it was.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use tailscale_featureset::process;

/// The command lines that passed on one state of the files: the first line of `target/ci/passed` names the state, each other
/// line is a command.
#[derive(Debug)]
pub(super) struct Record {
    file: PathBuf,
    passed: BTreeSet<String>,
}

impl Record {
    /// Opens the record of a repository. It is empty if the files or the strictness changed since it was written.
    ///
    /// # Errors
    /// An error if `target/ci` can't be written.
    pub(super) fn open(root: &Path, require_all: bool) -> Result<Self> {
        let folder = root.join("target/ci");
        std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let file = folder.join("passed");
        let state = tree(root).map(|tree| format!("{tree} require_all={require_all}"));
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let mut lines = text.lines();
        if state.is_some() && lines.next() == state.as_deref() {
            return Ok(Self { file, passed: lines.map(str::to_owned).collect() });
        }
        // Files of an unknown state get a line that no state equals.
        std::fs::write(&file, format!("{}\n", state.as_deref().unwrap_or("unknown")))?;
        Ok(Self { file, passed: BTreeSet::new() })
    }

    /// Whether a command passed on these files.
    pub(super) fn has_passed(&self, line: &str) -> bool {
        self.passed.contains(line)
    }

    /// Records that a command passed.
    ///
    /// # Errors
    /// An error if the record can't be written.
    pub(super) fn passed(&mut self, line: &str) -> Result<()> {
        if self.passed.insert(line.to_owned()) {
            let mut file = File::options().append(true).open(&self.file)?;
            writeln!(file, "{line}").with_context(|| format!("writing {}", self.file.display()))?;
        }
        Ok(())
    }
}

/// The id of git's tree of all files that are not ignored, committed or not; `None` outside a repository. An index in a
/// temporary folder is used, so that the user's own is not changed.
fn tree(root: &Path) -> Option<String> {
    let folder = tempfile::tempdir().ok()?;
    let program = process::on_path("git")?;
    let git = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.current_dir(root).args(arguments).env("GIT_INDEX_FILE", folder.path().join("index"));
        process::stdout(command, "").ok()
    };
    git(&["add", "--all"])?;
    Some(git(&["write-tree"])?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let git = process::needed("git").unwrap();
        assert!(Command::new(git).args(["init", "--quiet"]).current_dir(&root).status().unwrap().success());
        std::fs::write(root.path().join(".gitignore"), "/target\n").unwrap();
        root
    }

    #[test]
    fn a_step_that_passed_is_remembered_until_a_file_changes() {
        let root = repository();
        Record::open(root.path(), true).unwrap().passed("cargo test").unwrap();
        let again = Record::open(root.path(), true).unwrap();
        assert!(again.has_passed("cargo test") && !again.has_passed("cargo bench"));
        // Not under weaker conditions, and not on other files: new, changed or gone.
        assert!(!Record::open(root.path(), false).unwrap().has_passed("cargo test"));
        Record::open(root.path(), true).unwrap().passed("cargo test").unwrap();
        std::fs::write(root.path().join("new"), "").unwrap();
        assert!(!Record::open(root.path(), true).unwrap().has_passed("cargo test"));
    }

    #[test]
    fn outside_a_repository_nothing_is_remembered() {
        let root = tempfile::tempdir().unwrap();
        Record::open(root.path(), true).unwrap().passed("cargo test").unwrap();
        assert!(!Record::open(root.path(), true).unwrap().has_passed("cargo test"));
    }
}
