//! A stream with its first bytes looked at, and the budget that everything read is counted against.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Cursor, Read};
use std::rc::Rc;

use super::Fault;
use crate::limits::{HARMLESS, MOST_GROWTH};
use crate::lint::compression;

/// How much of a stream is looked at to know it: a header of tar.
const HEAD: usize = 512;

/// What a stream is by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Elf,
    /// By the name that the linter has for it.
    Compressed(&'static str),
    Tar,
    Ar,
    /// A known format that is not opened, and what to do.
    Foreign(&'static str, &'static str),
    Unknown,
}

/// Formats that are known and not opened: how they begin, their name, and what to do.
const FOREIGN: [(&[u8], &str, &str); 12] = [
    (
        b"ADB",
        "an apk v3 package",
        "Unpack it with `apk extract --allow-untrusted --destination FOLDER FILE` of apk-tools 3, and name the binary in FOLDER.",
    ),
    (b"PK\x03\x04", "a zip archive", "Unpack it with `unzip`, and name the binary in it."),
    (b"\xed\xab\xee\xdb", "an rpm package", "Unpack it with `rpm2cpio FILE | cpio -id`, and name the binary in it."),
    (b"070701", "a cpio archive", "Unpack it with `cpio -id`, and name the binary in it."),
    (b"hsqs", "a squashfs image", "Unpack it with `unsquashfs`, and name the binary in it."),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Unpack it with `7z x`, and name the binary in it."),
    (b"BZh", "compressed with bzip2", "Unpack it with `bunzip2`, and name what comes out."),
    (b"MZ", "a Windows program", "Name a program for Linux: the features are judged for Linux alone."),
    (b"\xcf\xfa\xed\xfe", "a macOS program", "Name a program for Linux: the features are judged for Linux alone."),
    (b"\xca\xfe\xba\xbe", "a macOS program", "Name a program for Linux: the features are judged for Linux alone."),
    (b"\xd0\x0d\xfe\xed", "a firmware image (FIT)", "Unpack it, and name the binary in it."),
    (b"\x27\x05\x19\x56", "a firmware image (U-Boot)", "Unpack it, and name the binary in it."),
];

/// A stream, and what it begins with.
pub(super) struct Source<'a> {
    head: Cursor<Vec<u8>>,
    rest: &'a mut dyn Read,
}

impl<'a> Source<'a> {
    /// Looks at the beginning of a stream.
    pub(super) fn begin(stream: &'a mut dyn Read) -> Result<Self, Fault> {
        let mut head = Vec::with_capacity(HEAD);
        stream.take(HEAD as u64).read_to_end(&mut head).map_err(|error| Fault::of(&error))?;
        Ok(Self { head: Cursor::new(head), rest: stream })
    }

    /// What the stream is.
    pub(super) fn kind(&self) -> Kind {
        let head = self.head.get_ref();
        if let Some((_, name, next)) = FOREIGN.iter().find(|(magic, ..)| head.starts_with(magic)) {
            return Kind::Foreign(name, next);
        }
        match compression(head) {
            Some(format) => Kind::Compressed(format),
            None if head.starts_with(b"\x7fELF") => Kind::Elf,
            None if head.starts_with(b"!<arch>\n") => Kind::Ar,
            None if head.get(257..262) == Some(b"ustar") => Kind::Tar,
            None => Kind::Unknown,
        }
    }
}

/// From its beginning on.
impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.head.read(buffer)? {
            0 => self.rest.read(buffer),
            count => Ok(count),
        }
    }
}

/// A fault on its way through a decoder, which passes on the errors of what it reads.
#[derive(Debug)]
pub(super) struct Over(pub(super) Fault);

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Over {}

/// What may be read in all, of every stream together.
pub(super) struct Budget<'a> {
    left: Cell<u64>,
    whole: u64,
    go_on: &'a dyn Fn() -> bool,
}

impl<'a> Budget<'a> {
    /// So many bytes, as long as there is time.
    pub(super) fn new(whole: u64, go_on: &'a dyn Fn() -> bool) -> Self {
        Self { left: Cell::new(whole), whole, go_on }
    }

    /// A stream whose bytes count.
    pub(super) fn count<R: Read>(&self, inner: R) -> Counted<'_, R> {
        Counted { inner, budget: self, read: 0, of: None }
    }

    /// The decoded side of a stream, held to what its encoded side has read.
    pub(super) fn decoded<R: Read>(&self, inner: R, encoded: Rc<Cell<u64>>) -> Counted<'_, R> {
        Counted { inner, budget: self, read: 0, of: Some(encoded) }
    }
}

/// A stream whose bytes are counted.
pub(super) struct Counted<'a, R> {
    inner: R,
    budget: &'a Budget<'a>,
    read: u64,
    of: Option<Rc<Cell<u64>>>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let over = |fault| Err(io::Error::other(Over(fault)));
        if !(self.budget.go_on)() {
            return over(Fault::Stopped);
        }
        let count = match (self.inner.read(buffer), &self.of) {
            (Ok(count), _) => count as u64,
            (Err(error), None) if error.kind() != io::ErrorKind::Interrupted => {
                return over(Fault::Unreadable(error.to_string()));
            }
            (Err(error), _) => return Err(error),
        };
        self.read += count;
        let Some(left) = self.budget.left.get().checked_sub(count) else {
            return over(Fault::TooMuch(format!("there are more than {} MiB in it", self.budget.whole >> 20)));
        };
        self.budget.left.set(left);
        match &self.of {
            Some(encoded) if self.read > HARMLESS && self.read / MOST_GROWTH > encoded.get() => {
                let message = format!("it grows to more than {MOST_GROWTH} times its size");
                over(Fault::TooMuch(message))
            }
            _ => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        }
    }
}
