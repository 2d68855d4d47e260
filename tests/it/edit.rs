//! `edit` on a real terminal: what a session writes, and what is left after it ends in any way.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::common::tmux::{self, Terminal};
use crate::common::{changed_lines, folder, root, router_policy, run, skip, wait_until};

fn policy_in(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("featureset.yaml")).unwrap()
}

/// Opens the editor on a terminal; reports a skipped test if tmux is not installed.
fn open(folder: &Path, width: u16, height: u16) -> Option<Terminal> {
    open_after("", folder, width, height)
}

/// The same after commands of the shell.
fn open_after(commands: &str, folder: &Path, width: u16, height: u16) -> Option<Terminal> {
    if !tmux::is_installed() {
        skip("tmux is not installed");
        return None;
    }
    let terminal = Terminal::open(folder, width, height);
    let program = env!("CARGO_BIN_EXE_tailscale-featureset");
    // The shell reports its settings before and after, and the exit status.
    let script = format!(
        "{commands}stty -g > before; sh -c 'echo $$ > pid; exec {program} edit'; echo $? > status; stty -g > after; echo over-and-out"
    );
    std::fs::write(folder.join("session.sh"), script).unwrap();
    terminal.type_text(". ./session.sh");
    terminal.press(&["Enter"]);
    terminal.wait_for("forced by");
    Some(terminal)
}

/// Waits until the editor has ended. Checks that the terminal has its old settings, and returns the exit status.
fn end(terminal: &Terminal, folder: &Path) -> String {
    terminal.wait_for("over-and-out");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(read("after"), read("before"));
    assert!(!terminal.screen().contains("forced by"), "the other screen is displayed: {}", terminal.screen());
    read("status").trim().to_owned()
}

/// Keeps `ssh` and what it forces, with a reason.
fn keep_ssh(terminal: &Terminal) {
    terminal.type_text("/ssh");
    terminal.press(&["Enter"]);
    terminal.wait_for("ssh is omitted");
    terminal.press(&["Space"]);
    terminal.wait_for("This also keeps dbus, which it needs.");
    terminal.press(&["Enter"]);
    terminal.wait_for("Reason to keep ssh");
    terminal.type_text("People log in: with keys. They have no other way.");
    terminal.press(&["Enter"]);
    terminal.wait_for("kept: ssh, dbus");
}

#[test]
fn edit_writes_the_entries_that_a_session_changed_and_no_other() {
    let folder = folder(&router_policy());
    let before = policy_in(folder.path());
    let Some(terminal) = open(folder.path(), 80, 24) else { return };
    keep_ssh(&terminal);
    assert_eq!(policy_in(folder.path()), before, "nothing is written before it is saved");
    // The terminal may become too small in between.
    terminal.resize(40, 10);
    terminal.wait_for("too small");
    terminal.resize(120, 40);
    terminal.wait_for("2 unsaved");
    terminal.press(&["s"]);
    terminal.wait_for("saved 2 decisions");
    terminal.press(&["q"]);
    assert_eq!(end(&terminal, folder.path()), "0");
    let lines = changed_lines(&before, &policy_in(folder.path()));
    insta::assert_snapshot!(lines.join("\n"), @r"
    -    omit: This device decides on dbus.
    +    keep: >-
    +      Needed by ssh.
    -    omit: This device decides on ssh.
    +    keep: >-
    +      People log in: with keys.
    +      They have no other way.
    ");
}

#[test]
fn edit_that_is_killed_changes_nothing_and_restores_the_terminal() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::KILL] {
        let folder = folder(&router_policy());
        let before = policy_in(folder.path());
        let Some(terminal) = open(folder.path(), 80, 24) else { return };
        keep_ssh(&terminal);
        terminal.press(&["Space"]);
        let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
        kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), signal).unwrap();
        if signal == Signal::KILL {
            // Nobody can restore the terminal then.
            wait_until("the shell goes on", || folder.path().join("after").exists());
        } else {
            assert_eq!(end(&terminal, folder.path()), "130");
        }
        assert_eq!(policy_in(folder.path()), before, "{signal:?}");
    }
}

#[test]
fn edit_ends_when_its_terminal_is_gone() {
    for before in ["", "trap '' HUP; "] {
        let folder = folder(&router_policy());
        let Some(terminal) = open_after(before, folder.path(), 80, 24) else { return };
        let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
        drop(terminal);
        let process = Path::new("/proc").join(pid.trim());
        wait_until(&format!("edit ends ({before})"), || !process.exists());
    }
}

#[test]
fn edit_asks_before_changes_are_discarded_and_refuses_a_changed_file() {
    let folder = folder(&router_policy());
    let Some(terminal) = open(folder.path(), 80, 24) else { return };
    keep_ssh(&terminal);
    let other = policy_in(folder.path()) + "# changed meanwhile\n";
    std::fs::write(folder.path().join("featureset.yaml"), &other).unwrap();
    terminal.press(&["s"]);
    terminal.wait_for("nothing was written: the file has changed");
    terminal.press(&["q"]);
    terminal.wait_for("2 changes not saved");
    terminal.press(&["d"]);
    assert_eq!(end(&terminal, folder.path()), "0");
    assert_eq!(policy_in(folder.path()), other);
}

#[test]
fn edit_opens_an_imported_list_with_all_its_findings() {
    let empty = tempfile::tempdir().unwrap();
    let recipe = root().join("tests/recipes/Dockerfile.router");
    let imported = run(empty.path(), &["import", recipe.to_str().unwrap(), "-o", "featureset.yaml"]);
    assert_eq!(imported.status, 0, "{}", imported.stderr);
    let before = policy_in(empty.path());
    let Some(terminal) = open(empty.path(), 120, 40) else { return };
    let screen = terminal.screen();
    let findings: usize = screen.split_once(" finding").unwrap().0.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(findings >= 73, "{screen}");
    terminal.press(&["!"]);
    terminal.wait_for("Esc closes");
    terminal.press(&["Escape"]);
    // A terminal sends Alt as Escape before the key, so the next key must come later.
    terminal.wait_for("space:invert");
    terminal.type_text("/ace");
    terminal.press(&["Enter"]);
    terminal.wait_for("ace is omitted");
    terminal.press(&["r"]);
    terminal.wait_for("Reason of the decision on ace");
    terminal.type_text("No peer speaks this protocol.");
    terminal.press(&["Enter"]);
    terminal.wait_for(&format!("{} findings", findings - 1));
    terminal.press(&["s"]);
    terminal.wait_for("saved 1 decision");
    terminal.press(&["q"]);
    assert_eq!(end(&terminal, empty.path()), "0");
    let lines = changed_lines(&before, &policy_in(empty.path()));
    assert_eq!(lines, ["-    omit:", "+    omit: >-", "+      No peer speaks this protocol."]);
}

#[test]
fn edit_without_a_terminal_reports_it() {
    let folder = folder(&router_policy());
    insta::assert_snapshot!(run(folder.path(), &["edit"]).transcript());
}
