//! Third-party artifacts: finds the Go programs with Tailscale in a file and reads their build information.
//!
//! The file may be hostile. Archives are read as a stream and not written to the disk; only programs that UPX packed go to a
//! private folder, where UPX unpacks them with limits. Programs that execpack packed are unpacked in memory.

mod errors;
mod upx;

use std::cell::RefCell;
use std::io::Read;
use std::path::Path;

use anyhow::Result;
use gobinary::tailscale::{Tailscale, tailscale};
use gobinary::{BuildInfo, FileKind, Identity, classify, identify};
use image::scan::{Format, Program, programs};

use crate::cache::Cache;
use crate::process::check_interrupt;
use crate::{files, limits};
use diagnostics::{Code, Diagnostic};

/// The bytes of a file that decide whether it is text.
const BEGINNING: u64 = 8 << 10;

/// A file that was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The format of the file.
    pub format: Format,
    /// The programs with Tailscale; at least one.
    pub binaries: Vec<Binary>,
    /// Other and unreadable members, each as the problem that is reported if no Tailscale is found. The last problem counts
    /// the members that are not listed.
    pub others: Vec<Diagnostic>,
}

/// A program with Tailscale.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Where it was found: `image.tar: layer sha256:…: usr/local/bin/tailscaled`.
    pub place: String,
    /// Its size in bytes before unpacking.
    pub size: u64,
    /// Its SHA-256 before unpacking.
    pub sha256: String,
    /// The unpacker, such as `UPX 4.2.2`, if it was packed.
    pub unpacked_by: Option<String>,
    /// Its platform.
    pub identity: Identity,
    /// Its build information.
    pub info: BuildInfo,
    /// The Tailscale that it contains.
    pub tailscale: Tailscale,
}

impl Binary {
    /// Returns a build setting, such as `-tags` or `GOARCH`.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.info.settings.get(name).map(String::as_str)
    }

    /// Returns the value of `-tags`; empty if there is none.
    #[must_use]
    pub fn tags(&self) -> &str {
        self.setting("-tags").unwrap_or_default()
    }
}

/// Whether a file is text: its beginning is UTF-8 without control characters.
///
/// # Errors
/// A [`Diagnostic`] if it can't be read or is not a regular file.
pub fn is_text(path: &Path) -> Result<bool> {
    let mut beginning = Vec::new();
    let read = regular(path)?.take(BEGINNING).read_to_end(&mut beginning);
    read.map_err(|error| unreadable(path, &error))?;
    let text = match std::str::from_utf8(&beginning) {
        Ok(text) => text,
        // The limit may split a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&beginning[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Ok(false),
    };
    Ok(!text.chars().any(|letter| letter.is_control() && !letter.is_whitespace() && letter != '\x1b'))
}

/// Opens a program, a package or an image. Packed programs are unpacked by UPX from the PATH or the cache.
///
/// # Errors
/// A [`Diagnostic`] that describes the file if no program in it contains Tailscale, or if it can't be read.
pub fn open(path: &Path, cache: &Cache) -> Result<Opened> {
    let file = regular(path)?;
    let go_on = || check_interrupt().is_ok();
    let name = path.display().to_string();
    let found = RefCell::new(Found::default());
    let looked = programs(file, &go_on, &mut |program| {
        found.borrow_mut().look(&place(&name, program.path), program, cache);
    });
    check_interrupt()?;
    let mut found = found.into_inner();
    if let Some(error) = found.failure {
        return Err(error);
    }
    found.others.extend(looked.faults.iter().map(|(at, fault)| errors::fault(&place(&name, at), fault)));
    found.more += looked.more_faults;
    match looked.format {
        Some(format) if !found.binaries.is_empty() => {
            found.others.extend((found.more > 0).then(|| errors::more(&name, found.more)));
            Ok(Opened { format, binaries: found.binaries, others: found.others })
        }
        format => Err(errors::nothing(&name, format, found.others, found.more).into()),
    }
}

/// The members of a file that were examined so far.
#[derive(Default)]
struct Found {
    binaries: Vec<Binary>,
    others: Vec<Diagnostic>,
    /// The number of members that are not listed.
    more: usize,
    /// The number of unpacked programs.
    unpacked: usize,
    /// An error that is not caused by the file.
    failure: Option<anyhow::Error>,
}

impl Found {
    /// Examines one program.
    fn look(&mut self, place: &str, program: Program<'_>, cache: &Cache) {
        if self.failure.is_some() {
            return;
        }
        let looked = look(place, program, cache, &mut self.unpacked).and_then(|binary| match self.binaries.len() {
            limits::BINARIES => Err(errors::not_judged(place).into()),
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

/// Opens a regular file.
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

/// Examines one program, after unpacking it if it is packed. `unpacked` counts unpacked programs.
fn look(place: &str, program: Program<'_>, cache: &Cache, unpacked: &mut usize) -> Result<Binary> {
    let found = program.bytes;
    let (size, sha256) = (found.len() as u64, files::sha256(&found));
    let (bytes, what, unpacked_by) = match classify(&found) {
        _ if execpack::is_packed(&found) => {
            if *unpacked == limits::PACKED {
                return Err(errors::not_unpacked(place).into());
            }
            *unpacked += 1;
            let bytes = execpack::unpack(&found).map_err(|unreadable| errors::damaged(place, &unreadable))?;
            let what = classify(&bytes);
            (bytes, what, Some("execpack".to_owned()))
        }
        FileKind::Packed if *unpacked == limits::PACKED => return Err(errors::not_unpacked(place).into()),
        FileKind::Packed => {
            *unpacked += 1;
            let (bytes, upx) = upx::unpack(place, &found, cache)?;
            let what = classify(&bytes);
            (bytes, what, Some(format!("UPX {upx}")))
        }
        other => (found, other, None),
    };
    let FileKind::Go(info) = what else { return Err(errors::not_go(place, &what).into()) };
    let Some(tailscale) = tailscale(&bytes, &info) else { return Err(errors::not_tailscale(place, &info).into()) };
    let identity = identify(&bytes)?;
    Ok(Binary { place: place.to_owned(), size, sha256, unpacked_by, identity, info: *info, tailscale })
}
