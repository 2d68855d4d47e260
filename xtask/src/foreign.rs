//! What others ship, opened: the programs of Go's in it that hold Tailscale, and what each says of itself.
//!
//! The file may come from anywhere and be made to hurt. Archives are read as a stream and nothing of them is written; only what
//! UPX packed goes to a private folder, where UPX unpacks it under limits.

mod packed;
mod said;

use std::cell::RefCell;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use gobinary::tailscale::{Tailscale, tailscale};
use gobinary::{BuildInfo, Identity, Kind, identify, kind};
use image::unpack::{Format, Program, programs};

use crate::files;
use crate::problem::Problem;
use crate::process::check_interrupt;

/// How long a file is looked through. What people ship takes seconds at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much of a file is looked at to tell whether it is text.
const BEGINNING: u64 = 8 << 10;

/// A file that was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What the file as a whole is.
    pub format: Format,
    /// The programs in it that hold Tailscale; at least one.
    pub binaries: Vec<Binary>,
    /// What else is in it, and what of it can't be read: each as what would have been said had nothing been found.
    pub others: Vec<Problem>,
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
/// A [`Problem`] where it can't be read or is no file.
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

/// Opens a program, a package or an image. `tools` is where tools were provided before, if anywhere.
///
/// # Errors
/// A [`Problem`] that says what the file is, where no program in it holds Tailscale; and where it can't be read.
pub fn open(path: &Path, tools: Option<&Path>) -> Result<Opened> {
    let file = regular(path)?;
    let begun = Instant::now();
    let go_on = || begun.elapsed() < PATIENCE && check_interrupt().is_ok();
    let name = path.display().to_string();
    let found = RefCell::new((Vec::new(), Vec::new()));
    let looked = programs(file, &go_on, &mut |program| {
        let place = place(&name, program.place);
        let looked = look(&place, program, tools);
        let (binaries, others) = &mut *found.borrow_mut();
        match looked {
            Ok(binary) => binaries.push(binary),
            Err(error) => others.push(error),
        }
    });
    check_interrupt()?;
    let (binaries, others): (Vec<Binary>, Vec<anyhow::Error>) = found.into_inner();
    let mut others: Vec<Problem> = others.into_iter().map(|error| error.downcast()).collect::<Result<_>>()?;
    others.extend(looked.faults.iter().map(|(at, fault)| said::fault(&place(&name, at), fault)));
    match looked.format {
        Some(format) if !binaries.is_empty() => Ok(Opened { format, binaries, others }),
        format => Err(said::nothing(&name, format, others).into()),
    }
}

/// A file that has an end.
fn regular(path: &Path) -> Result<std::fs::File> {
    let open = || {
        // A pipe would wait for someone to write into it.
        if !std::fs::metadata(path)?.is_file() {
            return Err(std::io::Error::other("it is no file"));
        }
        std::fs::File::open(path)
    };
    open().map_err(|error| unreadable(path, &error).into())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let message = format!("can't read {}", path.display());
    Problem::new("file", message, error.to_string(), "Name a program, a package, an image or a recipe.")
}

fn place(name: &str, within: &[String]) -> String {
    std::iter::once(name).chain(within.iter().map(String::as_str)).collect::<Vec<_>>().join(": ")
}

/// Looks at one program, unpacked where it was packed.
fn look(place: &str, program: Program<'_>, tools: Option<&Path>) -> Result<Binary> {
    let found = program.bytes;
    let (size, sha256) = (found.len() as u64, files::sha256(&found));
    let (bytes, what, unpacked_by) = match kind(&found) {
        _ if execpack::is_packed(&found) => {
            let bytes = packed::unpack_execpack(place, &found)?;
            let what = kind(&bytes);
            (bytes, what, Some("execpack".to_owned()))
        }
        Kind::Packed => {
            let (bytes, upx) = packed::unpack(place, &found, tools)?;
            let what = kind(&bytes);
            (bytes, what, Some(format!("UPX {upx}")))
        }
        other => (found, other, None),
    };
    let Kind::Go(info) = what else { return Err(said::not_go(place, &what).into()) };
    let Some(tailscale) = tailscale(&bytes, &info) else { return Err(said::not_tailscale(place, &info).into()) };
    let identity = identify(&bytes)?;
    Ok(Binary { place: place.to_owned(), size, sha256, unpacked_by, identity, info: *info, tailscale })
}
