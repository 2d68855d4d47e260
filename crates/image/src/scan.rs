//! Scans packages, images and archives of other projects for programs. The input is a stream and is not trusted.
//!
//! Nothing is extracted to disk. At most one program of [`LARGEST_PROGRAM`] bytes is held in memory, in addition to the
//! windows of the decoders. The total input is limited, and decompression bombs are stopped early.

mod ar;
mod decompress;
mod reader;
mod report;
mod tar;

use std::io::Read;

use crate::limits::{DEEPEST, LARGEST_IN_ALL, MOST_FAULTS, MOST_PROGRAMS};
use crate::lint::normal;
use crate::printable::printable;
use reader::{Budget, PeekedReader, Signature};
use report::Visitor;

pub use crate::limits::LARGEST_PROGRAM;
pub use report::{Fault, Format, Program, ScanResult};

/// Scans a file and passes each ELF program in it to `found`. `may_continue` is called at every step; `false` stops the scan.
pub fn programs(file: impl Read, may_continue: &dyn Fn() -> bool, found: &mut dyn FnMut(Program<'_>)) -> ScanResult {
    let budget = Budget::new(LARGEST_IN_ALL, may_continue);
    let result = ScanResult::default();
    let mut scanner = Scanner { budget: &budget, found, result, path: Vec::new(), members: 0, depth: 0 };
    let mut file = budget.count(file);
    let opened = PeekedReader::new(&mut file).and_then(|reader| scanner.open(reader));
    if let Err(error) = opened {
        scanner.fault(error);
    }
    scanner.result
}

/// The state of a scan.
struct Scanner<'a> {
    budget: &'a Budget<'a>,
    found: &'a mut dyn FnMut(Program<'_>),
    result: ScanResult,
    /// The names of the open members, outermost first. After a fault that ends the scan, the path of that fault.
    path: Vec<String>,
    /// The number of open members.
    members: usize,
    /// The number of open archives and compressed streams.
    depth: usize,
}

impl Scanner<'_> {
    /// Detects the format from the first bytes and scans the stream. Faults of nested members are recorded; only faults of
    /// this stream are returned.
    fn open(&mut self, reader: PeekedReader<'_>) -> Result<(), Fault> {
        if self.depth > DEEPEST {
            return Err(Fault::TooMuch("archives are nested too deeply".to_owned()));
        }
        self.depth += 1;
        let outcome = self.content(reader);
        self.depth -= 1;
        outcome
    }

    fn content(&mut self, mut reader: PeekedReader<'_>) -> Result<(), Fault> {
        match reader.signature() {
            Signature::Elf => {
                self.format(Format::Program);
                self.program(&mut reader)
            }
            Signature::Compressed(compression) => {
                let mut stream = decompress::decoder(compression, reader, self.budget)?;
                let inner = PeekedReader::new(&mut stream)?;
                self.open(inner)
            }
            Signature::Tar => tar::visit(reader, self),
            Signature::Ar => ar::visit(reader, self),
            Signature::Foreign(name, next) => Err(Fault::Foreign(name, next)),
            Signature::Unknown => Err(Fault::Unknown),
        }
    }

    /// Reads a program from a stream.
    fn program(&mut self, stream: &mut dyn Read) -> Result<(), Fault> {
        if self.result.programs == MOST_PROGRAMS {
            return Err(Fault::TooMuch(format!("there are more than {MOST_PROGRAMS} programs in it")));
        }
        let mut bytes = Vec::new();
        stream.take(LARGEST_PROGRAM + 1).read_to_end(&mut bytes).map_err(|error| Fault::from_io(&error))?;
        if bytes.len() as u64 > LARGEST_PROGRAM {
            return Err(Fault::LargeProgram(LARGEST_PROGRAM));
        }
        self.result.programs += 1;
        (self.found)(Program { path: &self.path, bytes });
        Ok(())
    }

    /// Records a fault at the current path.
    fn fault(&mut self, fault: Fault) {
        if self.result.faults.len() < MOST_FAULTS {
            self.result.faults.push((self.path.clone(), fault));
        } else {
            self.result.more_faults += 1;
        }
    }
}

impl Visitor for Scanner<'_> {
    /// Records the format of the whole file; the first one counts.
    fn format(&mut self, format: Format) {
        if self.members == 0 {
            self.result.format.get_or_insert(format);
        }
    }

    /// Scans a member: a program, or an archive in which packages and images keep their files. Faults of the member are
    /// recorded; a fault that ends the scan is returned.
    fn member(&mut self, name: &str, content: &mut dyn Read) -> Result<(), Fault> {
        let name = normal(name);
        let reader = PeekedReader::new(content)?;
        let is_wanted = match reader.signature() {
            Signature::Elf => true,
            Signature::Compressed(_) | Signature::Tar => holds_files(&name),
            _ => false,
        };
        if !is_wanted {
            return Ok(());
        }
        self.path.push(printable(&display_name(&name)));
        self.members += 1;
        let outcome = self.open(reader);
        self.members -= 1;
        match outcome {
            // The path stays as it is: it belongs to the fault.
            Err(fault) if fault.ends_scan() => return Err(fault),
            // A layer may be any compressed data, and a data.tar may be empty.
            Err(Fault::Unknown | Fault::Foreign(..)) | Ok(()) => {}
            Err(fault) => self.fault(fault),
        }
        self.path.pop();
        Ok(())
    }

    fn unread(&mut self, name: &str, kind: String) {
        self.path.push(printable(&display_name(&normal(name))));
        self.fault(Fault::Unread(kind));
        self.path.pop();
    }
}

/// Whether a member, by its name, contains the files of a package or image: `data.tar.gz`, a layer, a blob.
fn holds_files(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let file = [".gz", ".xz", ".zst", ".tgz"].iter().find_map(|end| file.strip_suffix(end)).unwrap_or(file);
    // Scripts and metadata of a package.
    let control = file == "control.tar";
    let digest = file.strip_prefix("sha256:").unwrap_or(file);
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    !control && (file.ends_with(".tar") || is_digest)
}

/// The display name of a member: a layer is named by its digest.
fn display_name(name: &str) -> String {
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
