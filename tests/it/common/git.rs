//! Git repositories of tests.

use std::path::Path;
use std::process::Command;

use super::folder;

/// Runs git with an identity.
pub(crate) fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=A", "-c", "user.email=a@example.test", "-c", "commit.gpgsign=false"];
    let ran = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// A repository whose only commit holds this policy.
pub(crate) fn repository(text: &str) -> tempfile::TempDir {
    let folder = folder(text);
    commit_all(folder.path());
    folder
}

/// Makes a folder a repository whose only commit holds its files.
pub(crate) fn commit_all(folder: &Path) {
    git(folder, &["init", "--quiet", "--initial-branch=main"]);
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "--message=base"]);
}
