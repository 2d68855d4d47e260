//! The terminal: raw mode, keys, drawing, and its restoration however the program ends.

use std::io::{IsTerminal, Stdout, stdin, stdout};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use diagnostics::{Code, Diagnostic, NextStep};
use featureset::policy::NotEditable;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, EnableBracketedPaste, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::input::Key;
use super::model::{Model, Request};
use super::view::{self, Theme};
use crate::interrupted::Interrupted;
use crate::{files, limits, process};

/// How long a signal waits for its effect at most.
const PATIENCE: Duration = Duration::from_millis(100);

/// Returns an error if nobody can use the editor here.
///
/// # Errors
/// A [`Diagnostic`] if stdin or stdout is not a terminal, or the terminal can't move its cursor.
pub(crate) fn require() -> Result<()> {
    let why = if !stdin().is_terminal() {
        "standard input is not a terminal"
    } else if !stdout().is_terminal() {
        "standard output is not a terminal"
    } else if std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
        "the variable TERM does not name a terminal that can move its cursor"
    } else {
        return Ok(());
    };
    let next = NextStep::new("Run it on a terminal; ")
        .command("decide")
        .text(" writes one decision, and ")
        .command("explore -o page.html")
        .text(" writes a page for the browser.");
    Err(Diagnostic::failure(Code::NoTerminal, "`edit` needs a terminal", why, next).into())
}

/// Runs the editor until the user leaves it. Returns how many times the file was saved.
///
/// # Errors
/// [`crate::interrupted::Interrupted`] after a signal. The terminal is restored in any case.
pub(crate) fn run(path: &Path, mut model: Model) -> Result<usize> {
    process::watch_signals()?;
    let mut screen = Screen::open()?;
    std::thread::spawn(end_with_the_terminal);
    let theme = Theme::of_environment();
    let mut saves = 0;
    loop {
        screen.terminal.draw(|frame| view::draw(frame, &model, theme)).context("drawing on the terminal")?;
        let request = next_key()?.and_then(|key| model.press(&key));
        match request {
            Some(Request::Leave) => return Ok(saves),
            Some(Request::Save) => saves += usize::from(save(path, &mut model)),
            Some(Request::SaveAndLeave) if save(path, &mut model) => return Ok(saves + 1),
            Some(Request::SaveAndLeave) | None => {}
        }
    }
}

/// Writes the changes into the file, if it is still the file that was opened. Returns whether that worked; otherwise the model
/// displays the reason.
fn save(path: &Path, model: &mut Model) -> bool {
    let written = match model.to_save() {
        Err(NotEditable(why)) => Err(format!("nothing was written: {why}")),
        Ok((expected, text)) => match files::read_text(path, limits::POLICY) {
            Ok(found) if found != expected => {
                Err("nothing was written: the file has changed since it was opened".to_owned())
            }
            Ok(_) => files::write(path, &text).map(|()| text).map_err(|error| format!("nothing was written: {error}")),
            Err(error) => Err(format!("nothing was written: {error}")),
        },
    };
    let is_written = written.is_ok();
    match written {
        Ok(text) => model.saved(text),
        Err(why) => model.fail(why),
    }
    is_written
}

/// Waits for a key, or for something else after which the screen must be drawn again.
///
/// # Errors
/// [`crate::interrupted::Interrupted`] after a signal.
fn next_key() -> Result<Option<Key>> {
    loop {
        process::check_interrupt()?;
        if event::poll(PATIENCE).context("waiting for a key")? {
            return Ok(match event::read().context("reading a key")? {
                Event::Key(event) => key(event),
                Event::Paste(text) => Some(Key::Paste(text)),
                _ => None,
            });
        }
    }
}

/// Ends the program if its terminal is gone: crossterm then tries for ever to read from it, and does not return.
fn end_with_the_terminal() {
    while !is_gone() {
        std::thread::sleep(PATIENCE);
    }
    // After a signal, the loop above ends first if it still runs.
    std::thread::sleep(10 * PATIENCE);
    restore();
    std::process::exit(i32::from(Interrupted::STATUS));
}

/// Whether nothing is at the other end of standard input's terminal.
fn is_gone() -> bool {
    let stdin = stdin();
    let mut polled = [PollFd::new(&stdin, PollFlags::empty())];
    let patience = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&patience)).is_ok() && polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    Some(match event.code {
        KeyCode::Char(c) if event.modifiers.contains(KeyModifiers::CONTROL) => Key::Ctrl(c.to_ascii_lowercase()),
        KeyCode::Char(_) if event.modifiers.contains(KeyModifiers::ALT) => return None,
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}

/// The terminal in raw mode and on its other screen. Dropping it restores the terminal; a panic restores it first.
struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    fn open() -> Result<Self> {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            print(panic);
        }));
        enable_raw_mode().context("changing the terminal to raw mode")?;
        let open = || -> std::io::Result<Terminal<CrosstermBackend<Stdout>>> {
            execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
            Terminal::new(CrosstermBackend::new(stdout()))
        };
        let opened = open().context("opening the terminal");
        if opened.is_err() {
            restore();
        }
        Ok(Self { terminal: opened? })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal. Errors are ignored: the terminal may be gone.
fn restore() {
    let _ = execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::process::on_path;

    #[test]
    #[ignore = "a_panic_restores_the_terminal runs it on a terminal"]
    fn panics_with_an_open_screen() {
        let _screen = Screen::open().unwrap();
        panic!("the message is displayed on the usual screen");
    }

    #[test]
    fn a_panic_restores_the_terminal() {
        if on_path("tmux").is_none() {
            eprintln!("SKIPPED: tmux is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let test = std::env::current_exe().unwrap();
        let script = format!(
            "stty -g > {}; {} --ignored --exact editor::terminal::tests::panics_with_an_open_screen --nocapture; stty -g > {}; \
             touch {}; sleep 600",
            path("before"),
            test.display(),
            path("after"),
            path("ended")
        );
        let tmux = |arguments: &[&str]| {
            let mut command = Command::new("tmux");
            command.args(["-S", &path("socket"), "-f", "/dev/null"]).args(arguments).env_remove("TMUX");
            String::from_utf8(command.output().unwrap().stdout).unwrap()
        };
        tmux(&["new-session", "-d", "-x", "100", "-y", "40", "sh", "-c", &script]);
        for _ in (0..3000).take_while(|_| !folder.path().join("ended").exists()) {
            std::thread::sleep(PATIENCE);
        }
        let screen = tmux(&["capture-pane", "-p"]);
        let cursor = tmux(&["display-message", "-p", "#{cursor_flag} #{alternate_on}"]);
        tmux(&["kill-server"]);
        let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
        assert_eq!((read("after"), cursor.trim()), (read("before"), "1 0"));
        assert!(screen.contains("the message is displayed on the usual screen"), "{screen}");
    }
}
