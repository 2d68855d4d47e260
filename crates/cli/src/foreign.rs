//! What others ship, opened: the programs of Go's in it that hold Tailscale, and what each says of itself.
//!
//! The file may come from anywhere and be made to hurt. Archives are read as a stream and nothing of them is written; only what
//! UPX packed goes to a private folder, where UPX unpacks it under limits.

mod packed;
mod said;

use std::cell::RefCell;
use std::io::Read;
use std::path::Path;

use anyhow::Result;
use gobinary::tailscale::{Tailscale, tailscale};
use gobinary::{BuildInfo, FileKind, Identity, classify, identify};
use image::unpack::{Format, Program, programs};

use crate::cache::Cache;
use crate::process::check_interrupt;
use crate::{files, limits};
use diagnostics::{Code, Diagnostic};

/// How much of a file is looked at to tell whether it is text.
const BEGINNING: u64 = 8 << 10;

/// A file that was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What the file as a whole is.
    pub format: Format,
    /// The programs in it that hold Tailscale; at least one.
    pub binaries: Vec<Binary>,
    /// The other things in it, and those that can't be read: each as the problem that is reported if nothing was found. The last
    /// one counts those that are not listed.
    pub others: Vec<Diagnostic>,
}

/// A program that holds Tailscale.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Where it was found: `image.tar: layer sha256:…: usr/local/bin/tailscaled`.
    pub place: String,
    /// Its length in bytes, as it was found.
    pub size: u64,
    /// The SHA-256 of it, as it was found.
    pub sha256: String,
    /// What unpacked it, such as `UPX 4.2.2`, if it was packed.
    pub unpacked_by: Option<String>,
    /// The processor that it is for.
    pub identity: Identity,
    /// What it says of its build.
    pub info: BuildInfo,
    /// Which Tailscale it holds.
    pub tailscale: Tailscale,
}

impl Binary {
    /// A setting of the build, such as `-tags` or `GOARCH`; nothing where the record has none.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.info.settings.get(name).map(String::as_str)
    }

    /// The value of `-tags`; empty where the binary was built with none.
    #[must_use]
    pub fn tags(&self) -> &str {
        self.setting("-tags").unwrap_or_default()
    }
}

/// Whether a file is text, a recipe perhaps: its beginning is UTF-8 and holds no control characters.
///
/// # Errors
/// A [`Diagnostic`] where it can't be read or is no file.
pub fn is_text(path: &Path) -> Result<bool> {
    let mut beginning = Vec::new();
    let read = regular(path)?.take(BEGINNING).read_to_end(&mut beginning);
    read.map_err(|error| unreadable(path, &error))?;
    let text = match std::str::from_utf8(&beginning) {
        Ok(text) => text,
        // The end may cut a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&beginning[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Ok(false),
    };
    Ok(!text.chars().any(|letter| letter.is_control() && !letter.is_whitespace() && letter != '\x1b'))
}

/// Opens a program, a package or an image. What is packed is unpacked by UPX of the PATH, or one that was provided in the
/// cache.
///
/// # Errors
/// A [`Diagnostic`] that says what the file is, where no program in it holds Tailscale; and where it can't be read.
pub fn open(path: &Path, cache: &Cache) -> Result<Opened> {
    let file = regular(path)?;
    let go_on = || check_interrupt().is_ok();
    let name = path.display().to_string();
    let found = RefCell::new(Found::default());
    let looked = programs(file, &go_on, &mut |program| {
        found.borrow_mut().look(&place(&name, program.place), program, cache);
    });
    check_interrupt()?;
    let mut found = found.into_inner();
    if let Some(error) = found.failure {
        return Err(error);
    }
    found.others.extend(looked.faults.iter().map(|(at, fault)| said::fault(&place(&name, at), fault)));
    found.more += looked.more_faults;
    match looked.format {
        Some(format) if !found.binaries.is_empty() => {
            found.others.extend((found.more > 0).then(|| said::more(&name, found.more)));
            Ok(Opened { format, binaries: found.binaries, others: found.others })
        }
        format => Err(said::nothing(&name, format, found.others, found.more).into()),
    }
}

/// The finds in a file so far.
#[derive(Default)]
struct Found {
    binaries: Vec<Binary>,
    others: Vec<Diagnostic>,
    /// How many more others there are than are listed.
    more: usize,
    /// How many packed programs were unpacked.
    unpacked: usize,
    /// An error that is not the file's.
    failure: Option<anyhow::Error>,
}

impl Found {
    /// Looks at one more program.
    fn look(&mut self, place: &str, program: Program<'_>, cache: &Cache) {
        if self.failure.is_some() {
            return;
        }
        let looked = look(place, program, cache, &mut self.unpacked).and_then(|binary| match self.binaries.len() {
            limits::BINARIES => Err(said::not_judged(place).into()),
            _ => {
                self.binaries.push(binary);
                Ok(())
            }
        });
        match looked.map_err(|error| error.downcast::<Diagnostic>()) {
            Ok(()) => {}
            Err(Ok(problem)) if self.others.len() < limits::OTHERS => self.others.push(problem),
            Err(Ok(_)) => self.more += 1,
            Err(Err(error)) => self.failure = Some(error),
        }
    }
}

/// A file that has an end.
fn regular(path: &Path) -> Result<std::fs::File> {
    files::open_regular(path).map_err(|error| unreadable(path, &error).into())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    let message = format!("can't read {}", path.display());
    Diagnostic::failure(Code::FileError, message, error.to_string(), "Name a program, a package, an image or a recipe.")
}

fn place(name: &str, within: &[String]) -> String {
    std::iter::once(name).chain(within.iter().map(String::as_str)).collect::<Vec<_>>().join(": ")
}

/// Looks at one program, unpacked where it was packed. `unpacked` counts those.
fn look(place: &str, program: Program<'_>, cache: &Cache, unpacked: &mut usize) -> Result<Binary> {
    let found = program.bytes;
    let (size, sha256) = (found.len() as u64, files::sha256(&found));
    let (bytes, what, unpacked_by) = match classify(&found) {
        FileKind::Packed if *unpacked == limits::PACKED => return Err(said::not_unpacked(place).into()),
        FileKind::Packed => {
            *unpacked += 1;
            let (bytes, upx) = packed::unpack(place, &found, cache)?;
            let what = classify(&bytes);
            (bytes, what, Some(format!("UPX {upx}")))
        }
        other => (found, other, None),
    };
    let FileKind::Go(info) = what else { return Err(said::not_go(place, &what).into()) };
    let Some(tailscale) = tailscale(&bytes, &info) else { return Err(said::not_tailscale(place, &info).into()) };
    let identity = identify(&bytes)?;
    Ok(Binary { place: place.to_owned(), size, sha256, unpacked_by, identity, info: *info, tailscale })
}
