//! The result of a scan: format, programs and faults.

use std::fmt;
use std::io::{self, Read};

use crate::printable::printable;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A program.
    Program,
    /// An image in the format of `docker save`.
    DockerArchive,
    /// An image in the layout of OCI.
    OciLayout,
    /// A package in an ar archive: a .deb, or an .ipk in its first format.
    ArPackage,
    /// A package of opkg in a compressed tar archive.
    Ipk,
    /// A package of apk before version 3.
    Apk,
    /// Any other tar archive.
    Tar,
}

impl Format {
    /// Returns the name for messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::DockerArchive => "docker-archive",
            Self::OciLayout => "OCI layout",
            Self::ArPackage => "package in an ar archive (.deb or .ipk)",
            Self::Ipk => ".ipk package",
            Self::Apk => "apk v2 package",
            Self::Tar => "tar archive",
        }
    }
}

/// The reason why an archive could not be read completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Unexpected end of file.
    Truncated,
    /// The content does not match the format; the decoder's message.
    Damaged(String),
    /// A decompression bomb, or another limit was exceeded.
    TooMuch(String),
    /// A program that is larger than [`crate::limits::LARGEST_PROGRAM`].
    LargeProgram(u64),
    /// The caller stopped the scan, for example after a timeout.
    Stopped,
    /// The file itself can't be read.
    Unreadable(String),
    /// A member that is not read; its kind.
    Unread(String),
    /// A known but unsupported format: its name, and the next step.
    Foreign(&'static str, &'static str),
    /// Unrecognized file signature.
    Unknown,
}

/// The result of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScanResult {
    /// The format, if it was recognized.
    pub format: Option<Format>,
    /// The number of programs found.
    pub programs: usize,
    /// Faults, each with the path of archive and member names, outermost first.
    pub faults: Vec<(Vec<String>, Fault)>,
    /// The number of faults beyond those listed.
    pub more_faults: usize,
}

/// A program found in a file.
pub struct Program<'a> {
    /// The names of the archives and members that contain it, outermost first, safe to print; empty for a bare program.
    pub path: &'a [String],
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Receives the members of an archive.
pub(super) trait Visitor {
    /// Takes the format of the archive.
    fn format(&mut self, format: Format);

    /// Takes a member. An error ends the scan of the archive.
    fn member(&mut self, name: &str, content: &mut dyn Read) -> Result<(), Fault>;

    /// Takes a member that is not read, and its kind.
    fn unread(&mut self, name: &str, kind: String);
}

/// A fault that passes through a decoder as an I/O error.
#[derive(Debug)]
pub(super) struct Interrupted(pub(super) Fault);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Interrupted {}

impl Fault {
    /// Returns the fault behind an I/O error. Decoders wrap the errors of their input, or have their own messages.
    pub(super) fn from_io(error: &io::Error) -> Self {
        let mut inner: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = inner {
            if let Some(fault) = error.downcast_ref::<Interrupted>() {
                return fault.0.clone();
            }
            if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof) {
                return Self::Truncated;
            }
            inner = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(own) => Some(own),
                None => error.source(),
            };
        }
        Self::Damaged(printable(&error.to_string()))
    }

    /// Whether the scan of the whole file ends.
    pub(super) fn ends_scan(&self) -> bool {
        matches!(self, Self::TooMuch(_) | Self::Stopped | Self::Unreadable(_))
    }
}
