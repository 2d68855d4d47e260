//! A reader with its first bytes peeked, and the budget for all bytes read.

use std::cell::Cell;
use std::io::{self, Cursor, Read};
use std::rc::Rc;

use super::report::{Fault, Interrupted};
use crate::limits::{HARMLESS, MOST_GROWTH};
use crate::lint::compression;

/// The number of bytes that identify a format: the size of a tar header.
const HEAD: usize = 512;

/// The format of a stream by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature {
    Elf,
    /// The name of the compression.
    Compressed(&'static str),
    Tar,
    Ar,
    /// A known but unsupported format, and the next step.
    Foreign(&'static str, &'static str),
    Unknown,
}

/// Unsupported formats: magic bytes, name, and the next step.
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
    (b"BZh", "compressed with bzip2", "Unpack it with `bunzip2`, and name the result."),
    (b"MZ", "a Windows program", "Name a program for Linux: the features are judged for Linux only."),
    (b"\xcf\xfa\xed\xfe", "a macOS program", "Name a program for Linux: the features are judged for Linux only."),
    (b"\xca\xfe\xba\xbe", "a macOS program", "Name a program for Linux: the features are judged for Linux only."),
    (b"\xd0\x0d\xfe\xed", "a firmware image (FIT)", "Unpack it, and name the binary in it."),
    (b"\x27\x05\x19\x56", "a firmware image (U-Boot)", "Unpack it, and name the binary in it."),
];

/// A reader, and its first bytes.
pub(super) struct PeekedReader<'a> {
    head: Cursor<Vec<u8>>,
    rest: &'a mut dyn Read,
}

impl<'a> PeekedReader<'a> {
    /// Reads the first bytes of a stream.
    pub(super) fn new(stream: &'a mut dyn Read) -> Result<Self, Fault> {
        let mut head = Vec::with_capacity(HEAD);
        stream.take(HEAD as u64).read_to_end(&mut head).map_err(|error| Fault::from_io(&error))?;
        Ok(Self { head: Cursor::new(head), rest: stream })
    }

    /// Returns the format of the stream.
    pub(super) fn signature(&self) -> Signature {
        let head = self.head.get_ref();
        if let Some((_, name, next)) = FOREIGN.iter().find(|(magic, ..)| head.starts_with(magic)) {
            return Signature::Foreign(name, next);
        }
        match compression(head) {
            Some(format) => Signature::Compressed(format),
            None if head.starts_with(b"\x7fELF") => Signature::Elf,
            None if head.starts_with(b"!<arch>\n") => Signature::Ar,
            None if head.get(257..262) == Some(b"ustar") => Signature::Tar,
            None => Signature::Unknown,
        }
    }
}

impl Read for PeekedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.head.read(buffer)? {
            0 => self.rest.read(buffer),
            count => Ok(count),
        }
    }
}

/// The number of bytes that may be read from all streams together.
pub(super) struct Budget<'a> {
    left: Cell<u64>,
    whole: u64,
    may_continue: &'a dyn Fn() -> bool,
}

impl<'a> Budget<'a> {
    /// Creates a budget of bytes; reading stops when `may_continue` returns `false`.
    pub(super) fn new(whole: u64, may_continue: &'a dyn Fn() -> bool) -> Self {
        Self { left: Cell::new(whole), whole, may_continue }
    }

    /// Wraps a reader so that its bytes count.
    pub(super) fn count<R: Read>(&self, inner: R) -> Counted<'_, R> {
        Counted { inner, budget: self, read: 0, of: None }
    }

    /// Wraps the output of a decoder; it may not grow out of proportion to the encoded bytes.
    pub(super) fn decoded<R: Read>(&self, inner: R, encoded: Rc<Cell<u64>>) -> Counted<'_, R> {
        Counted { inner, budget: self, read: 0, of: Some(encoded) }
    }
}

/// A reader whose bytes are counted.
pub(super) struct Counted<'a, R> {
    inner: R,
    budget: &'a Budget<'a>,
    read: u64,
    of: Option<Rc<Cell<u64>>>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let over = |fault| Err(io::Error::other(Interrupted(fault)));
        if !(self.budget.may_continue)() {
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
