//! A terminal that a test types into and reads: a pane of tmux with a shell.

use std::path::Path;
use std::process::Command;

use super::{use_test_cache, wait_until};
use tailscale_featureset::process::on_path;

/// A terminal. Dropping it ends its programs.
pub(crate) struct Terminal {
    folder: tempfile::TempDir,
}

/// Returns whether tmux is installed.
pub(crate) fn is_installed() -> bool {
    on_path("tmux").is_some()
}

impl Terminal {
    /// Opens a terminal of this size in a folder.
    pub(crate) fn open(folder: &Path, width: u16, height: u16) -> Self {
        let terminal = Self { folder: tempfile::tempdir().unwrap() };
        let size = [width.to_string(), height.to_string()];
        let mut command = terminal.command(&["new-session", "-d", "-x", &size[0], "-y", &size[1], "sh"]);
        command.current_dir(folder).env("PS1", "$ ").env("NO_COLOR", "1").env("SHELL", "/bin/sh").env_remove("ENV");
        // No module of Tailscale is downloaded there, so that nothing is read from it.
        command.env("GOMODCACHE", terminal.folder.path().join("modules")).env("GOFLAGS", "-modcacherw");
        use_test_cache(&mut command);
        assert!(command.status().unwrap().success());
        terminal
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.folder.path().join("socket")).args(["-f", "/dev/null"]).args(arguments);
        command.env_remove("TMUX");
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Types a text.
    pub(crate) fn type_text(&self, text: &str) {
        self.run(&["send-keys", "-l", "--", text]);
    }

    /// Presses keys by tmux's names.
    pub(crate) fn press(&self, keys: &[&str]) {
        for key in keys {
            self.run(&["send-keys", key]);
        }
    }

    /// Returns what the terminal displays.
    pub(crate) fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// Waits until the terminal displays a text.
    pub(crate) fn wait_for(&self, text: &str) {
        wait_until(text, || self.screen().contains(text));
    }

    /// Changes the size.
    pub(crate) fn resize(&self, width: u16, height: u16) {
        self.run(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]).status();
    }
}
