//! The programs in what others ship: packages, images and archives, read as a stream and with suspicion.
//!
//! Nothing is written anywhere. What is known of an archive at a time is one member of it: the largest that is held is one
//! program of [`LARGEST_PROGRAM`] bytes, beside the windows of the decoders. What is read in all is limited too, and a stream
//! that grows out of proportion is stopped early.

mod ar;
mod source;
mod streams;
mod tape;

use std::io::{self, Read};

use crate::limits::{DEEPEST, LARGEST_IN_ALL, MOST_FAULTS, MOST_PROGRAMS};
use crate::lint::{normal, shown};
use source::{Budget, Source};

pub use crate::limits::LARGEST_PROGRAM;

/// What a file as a whole is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A program, alone.
    Program,
    /// An image as `docker save` writes it.
    DockerArchive,
    /// An image in the layout of OCI.
    OciLayout,
    /// A package in an ar archive: a .deb, or an .ipk as opkg first had it.
    ArPackage,
    /// A package of opkg in a compressed tar archive.
    Ipk,
    /// A package of apk before version 3.
    Apk,
    /// A tar archive of any other kind.
    Tar,
}

impl Format {
    /// In words.
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

/// Why an archive could not be read, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It ends before what it states does.
    Truncated,
    /// It is not what it begins as; the decoder's words.
    Damaged(String),
    /// A stream that grows out of proportion, or more of everything than is read.
    TooMuch(String),
    /// A program that is larger than [`LARGEST_PROGRAM`].
    LargeProgram(u64),
    /// It was stopped from outside: by a clock, say.
    Stopped,
    /// The file itself can't be read.
    Unreadable(String),
    /// A member of an archive that is not read: what it is.
    Unread(String),
    /// A known format that is not opened; which, and what to do.
    Foreign(&'static str, &'static str),
    /// Nothing that is known.
    Unknown,
}

/// A file that was looked through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Looked {
    /// What it is, as far as that could be told.
    pub format: Option<Format>,
    /// How many programs were found.
    pub programs: usize,
    /// What could not be read, and where: the names of the archives on the way, outermost first.
    pub faults: Vec<(Vec<String>, Fault)>,
    /// How many more faults there are than are noted.
    pub more_faults: usize,
}

/// A program that was found.
pub struct Program<'a> {
    /// The names on the way to it, outermost first, safe to print; empty for a file that is one.
    pub place: &'a [String],
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Looks through a file and gives each ELF program in it to `found`, one at a time. `go_on` is asked at every step whether time
/// is left.
pub fn programs(file: impl Read, go_on: &dyn Fn() -> bool, found: &mut dyn FnMut(Program<'_>)) -> Looked {
    let budget = Budget::new(LARGEST_IN_ALL, go_on);
    let mut walk = Walk { budget: &budget, found, looked: Looked::default(), place: Vec::new() };
    let mut file = budget.count(file);
    let source = Source::begin(&mut file);
    if let Err(error) = source.and_then(|source| walk.open(source, 0)) {
        walk.fault(error);
    }
    walk.looked
}

/// What a walk through an archive knows.
struct Walk<'a> {
    budget: &'a Budget<'a>,
    found: &'a mut dyn FnMut(Program<'_>),
    looked: Looked,
    /// The names on the way.
    place: Vec<String>,
}

impl Walk<'_> {
    /// Looks at what a stream begins with, and into it. An error is a fault of this stream; those of its members are noted.
    fn open(&mut self, mut source: Source<'_>, depth: usize) -> Result<(), Fault> {
        if depth > DEEPEST {
            return Err(Fault::TooMuch("it lies in more archives than any package does".to_owned()));
        }
        match source.kind() {
            source::Kind::Elf => {
                self.is(Format::Program);
                self.program(&mut source)
            }
            source::Kind::Compressed(compression) => {
                let mut stream = streams::decoder(compression, source, self.budget)?;
                let inner = Source::begin(&mut stream)?;
                self.open(inner, depth + 1)
            }
            source::Kind::Tar => tape::walk(self, source, depth),
            source::Kind::Ar => ar::walk(self, source, depth),
            source::Kind::Foreign(name, next) => Err(Fault::Foreign(name, next)),
            source::Kind::Unknown => Err(Fault::Unknown),
        }
    }

    /// Takes a program out of a stream.
    fn program(&mut self, stream: &mut dyn Read) -> Result<(), Fault> {
        if self.looked.programs == MOST_PROGRAMS {
            return Err(Fault::TooMuch(format!("there are more than {MOST_PROGRAMS} programs in it")));
        }
        let mut bytes = Vec::new();
        stream.take(LARGEST_PROGRAM + 1).read_to_end(&mut bytes).map_err(|error| Fault::of(&error))?;
        if bytes.len() as u64 > LARGEST_PROGRAM {
            return Err(Fault::LargeProgram(LARGEST_PROGRAM));
        }
        self.looked.programs += 1;
        (self.found)(Program { place: &self.place, bytes });
        Ok(())
    }

    /// Looks at one member of an archive: a program, or an archive that a package or an image keeps its files in. What can't be
    /// read of it is noted; an error ends the walk.
    fn member(&mut self, name: &str, stream: &mut dyn Read, depth: usize) -> Result<(), Fault> {
        let name = normal(name);
        let source = Source::begin(stream)?;
        let wanted = match source.kind() {
            source::Kind::Elf => true,
            source::Kind::Compressed(_) | source::Kind::Tar => holds_files(&name),
            _ => false,
        };
        if !wanted {
            return Ok(());
        }
        self.place.push(shown(&place_name(&name)));
        let outcome = self.open(source, depth + 1);
        let outcome = match outcome {
            Err(fault) if fault.ends_all() => Err(fault),
            // A layer may be anything compressed, and a data.tar nothing at all.
            Err(Fault::Unknown | Fault::Foreign(..)) | Ok(()) => Ok(()),
            Err(fault) => {
                self.fault(fault);
                Ok(())
            }
        };
        // What ends all is told with the place where it happened.
        if outcome.is_ok() {
            self.place.pop();
        }
        outcome
    }

    /// Notes a member that is not read.
    fn unread(&mut self, name: &str, what: String) {
        self.place.push(shown(&place_name(&normal(name))));
        self.fault(Fault::Unread(what));
        self.place.pop();
    }

    /// Notes what could not be read, at the place where the walk is.
    fn fault(&mut self, fault: Fault) {
        if self.looked.faults.len() < MOST_FAULTS {
            self.looked.faults.push((self.place.clone(), fault));
        } else {
            self.looked.more_faults += 1;
        }
    }

    /// Notes what the whole file is; the first to know is right.
    fn is(&mut self, format: Format) {
        if self.place.is_empty() {
            self.looked.format.get_or_insert(format);
        }
    }
}

impl Fault {
    /// The fault that an error of a reader stands for. Decoders pass on what they were given, and have words of their own.
    fn of(error: &io::Error) -> Self {
        let mut inner: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = inner {
            if let Some(fault) = error.downcast_ref::<source::Over>() {
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
        Self::Damaged(shown(&error.to_string()))
    }

    /// Whether there is no use in going on with the rest of the file.
    fn ends_all(&self) -> bool {
        matches!(self, Self::TooMuch(_) | Self::Stopped | Self::Unreadable(_))
    }
}

/// Whether a member is by its name one that packages and images keep their files in: `data.tar.gz`, a layer, a blob.
fn holds_files(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let file = [".gz", ".xz", ".zst", ".tgz"].iter().find_map(|end| file.strip_suffix(end)).unwrap_or(file);
    // The scripts and the description of a package.
    let control = file == "control.tar";
    let digest = file.strip_prefix("sha256:").unwrap_or(file);
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    !control && (file.ends_with(".tar") || is_digest)
}

/// A member in words: a layer by its digest where its name is one.
fn place_name(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let digest = file.split('.').next().unwrap_or(file);
    let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
    if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return format!("layer sha256:{digest}");
    }
    match name.strip_suffix("/layer.tar") {
        Some(id) => format!("layer {id}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
