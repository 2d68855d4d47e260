//! The input and the result of the linter.

use std::collections::BTreeMap;

use diagnostics::area::Image;
use diagnostics::{Code, Diagnostic, Severity};

use super::next_step::next_step;
use crate::limits::MOST_ALIKE;
use crate::platform::Platform;
use crate::root::Part;

/// The properties of an executable that the linter needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its processor as a value of Go's `GOARCH`; `None` if Go does not support it.
    pub architecture: Option<&'static str>,
    /// Whether its header requires more than arm v5: floating-point registers, or newer instructions.
    pub beyond_v5: bool,
}

/// A function that identifies an executable; it returns `None` for other files.
pub type Identify<'a> = &'a dyn Fn(&[u8]) -> Option<Program>;

/// The expected contents of the archive, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The platform that it was made for.
    pub platform: Option<Platform>,
    /// The SHA-256 of the binary in it, in hexadecimal, from the manifest of the build.
    pub binary: Option<String>,
}

/// The findings and the contents of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// The findings, errors first.
    pub findings: Vec<Diagnostic>,
    /// The platform that the configuration names, such as `linux/arm/v5`; empty if there is none.
    pub platform: String,
    /// The number of layers that were read.
    pub layers: usize,
    /// The size of each file on flash, largest first, and that of all folders.
    pub parts: Vec<Part>,
    /// The number of further findings of a lint that are not listed.
    pub more: BTreeMap<Code, usize>,
}

impl Verdict {
    /// Adds a finding, or counts it if there are many of its lint. `member` is empty for the archive as a whole.
    pub(super) fn find(&mut self, lint: Image, member: &str, message: String) {
        let code = Code::from(lint);
        if self.findings.iter().filter(|finding| finding.code == code).count() >= MOST_ALIKE {
            *self.more.entry(code).or_default() += 1;
            return;
        }
        let finding = Diagnostic::new(code, message, next_step(lint));
        self.findings.push(if member.is_empty() { finding } else { finding.in_member(member) });
    }

    /// Returns the size of the whole root on flash, in bytes.
    #[must_use]
    pub fn on_flash(&self) -> u64 {
        self.parts.iter().map(|part| part.disk).fold(0, u64::saturating_add)
    }

    /// Returns whether there is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Returns the compression format of bytes, by their signature.
pub(crate) fn compression(bytes: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 4] =
        [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2")];
    known.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| name)
}
