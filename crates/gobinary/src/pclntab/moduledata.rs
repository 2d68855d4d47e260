//! The runtime's `moduledata`, which points at the parts of the pclntab, and how it differs between
//! Go versions.
//!
//! Source: `moduledata` in Go's `src/runtime/symtab.go`. Its fields are words, and slices of three
//! words (address, length, capacity). All known versions agree up to `rodata`; fields inserted
//! there move the later ones. A test reads the structure from Go's own source and compares.

use super::bytes::PtrSize;
use super::elf_file::{ElfFile, Section};
use crate::error::Refused;

/// The supported Go versions, for messages.
const SUPPORTED: &str = "1.25 to 1.27";

/// Words that are the same in every supported version.
pub(super) const PC_HEADER: usize = 0;
pub(super) const FUNCNAMETAB: usize = 1;
pub(super) const CUTAB: usize = 4;
pub(super) const FILETAB: usize = 7;
pub(super) const PCTAB: usize = 10;
pub(super) const PCLNTABLE: usize = 13;
pub(super) const FTAB: usize = 16;
pub(super) const FINDFUNCTAB: usize = 19;
pub(super) const TEXT: usize = 22;

/// The differences between Go versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The word of `gofunc`, the address of the funcdata. If there is an `epclntab`, it is the next
    /// word.
    pub(super) gofunc: usize,
    /// Whether `moduledata` has the field `epclntab`, the end of the pclntab. If so, funcdata and
    /// `findfunctab` are parts of the pclntab, and `moduledata` has the section `.go.module`. In Go
    /// 1.25 funcdata and `findfunctab` are in `.rodata`, and `moduledata` is in `.noptrdata`.
    pub(super) has_epclntab: bool,
    /// The words of `typelinks` and `itablinks`, slices that follow the pclntab and can move with
    /// its end. Go 1.27 does not have them.
    pub(super) links: Option<[usize; 2]>,
    /// The number of words that are read.
    words: usize,
}

const GO_1_25: Layout = Layout { gofunc: 40, has_epclntab: false, links: None, words: 41 };
const GO_1_26: Layout = Layout { gofunc: 40, has_epclntab: true, links: Some([45, 48]), words: 51 };
const GO_1_27: Layout = Layout { gofunc: 43, has_epclntab: true, links: None, words: 48 };

impl Layout {
    /// Returns the layout of a toolchain, named as in the build information: `go1.26.8`. The magic
    /// number of the pclntab can't select it, because it has not changed since Go 1.20.
    pub(crate) fn from_toolchain(go: &str) -> Result<Self, Refused> {
        let version = go.strip_prefix("go").unwrap_or_default();
        // The patch number, "rc1" and the list of experiments don't matter.
        let minor = version.strip_prefix("1.").and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
        match minor {
            Some("25") => Ok(GO_1_25),
            Some("26") => Ok(GO_1_26),
            Some("27") => Ok(GO_1_27),
            _ => Err(Refused::Toolchain { go: go.to_owned(), supported: SUPPORTED }),
        }
    }

    /// The fields that are used, with the number of words before each.
    fn fields(self) -> Vec<(&'static str, usize)> {
        let mut fields = vec![
            ("pcHeader", PC_HEADER),
            ("funcnametab", FUNCNAMETAB),
            ("cutab", CUTAB),
            ("filetab", FILETAB),
            ("pctab", PCTAB),
            ("pclntable", PCLNTABLE),
            ("ftab", FTAB),
            ("findfunctab", FINDFUNCTAB),
            ("text", TEXT),
            ("gofunc", self.gofunc),
        ];
        fields.extend(self.has_epclntab.then_some(("epclntab", self.gofunc + 1)));
        fields.extend(self.links.into_iter().flat_map(|links| ["typelinks", "itablinks"].into_iter().zip(links)));
        fields
    }
}

/// Returns the fields of `moduledata` that this crate reads in a Go version such as `go1.26`, with
/// the number of words before each, for a test that compares them with Go's source.
///
/// # Errors
/// [`Refused::Toolchain`] if the version is not supported.
pub fn moduledata_fields(toolchain: &str) -> Result<Vec<(&'static str, usize)>, Refused> {
    Ok(Layout::from_toolchain(toolchain)?.fields())
}

/// `runtime.firstmoduledata`: its words and its position.
#[derive(Debug, Clone)]
pub(super) struct Moduledata {
    pub(super) words: Vec<u64>,
    /// The name of the section that contains it.
    pub(super) section: String,
    /// The offset in that section.
    pub(super) offset: usize,
}

impl Moduledata {
    /// Reads `moduledata`. In Go 1.25 it does not have its own section and is searched for: the
    /// only position in `.noptrdata` that begins with the address of the pclntab and continues with
    /// those of its parts.
    pub(super) fn find(file: &ElfFile<'_>, pclntab: &Section, layout: Layout) -> Result<Self, Refused> {
        let name = if layout.has_epclntab { ".go.module" } else { ".noptrdata" };
        let missing = Refused::Unsupported("without the sections that Go's linker writes for the function table");
        let bytes = file.content(file.section(name).ok_or(missing)?)?;
        let read = |offset| Self::read(bytes, file.ptr_size, layout, name, offset);
        if layout.has_epclntab {
            return read(0);
        }
        let word = file.ptr_size.bytes();
        let mut found = Vec::new();
        for offset in (0..bytes.len().saturating_sub(layout.words * word)).step_by(word) {
            if file.ptr_size.word(bytes, offset)? == pclntab.sh_addr {
                found.extend(Some(read(offset)?).filter(|candidate| candidate.points_into(pclntab)));
            }
        }
        match (found.pop(), found.is_empty()) {
            (Some(moduledata), true) => Ok(moduledata),
            (None, _) => Err(Refused::Damaged("moduledata was not found")),
            _ => Err(Refused::Damaged("moduledata was found twice")),
        }
    }

    fn read(bytes: &[u8], ptr_size: PtrSize, layout: Layout, section: &str, offset: usize) -> Result<Self, Refused> {
        let word = |index: usize| ptr_size.word(bytes, offset + index * ptr_size.bytes());
        let words = (0..layout.words).map(word).collect::<Result<_, _>>()?;
        Ok(Self { words, section: section.to_owned(), offset })
    }

    /// Whether the first words are addresses in the pclntab, in order.
    fn points_into(&self, pclntab: &Section) -> bool {
        let parts = [PC_HEADER, FUNCNAMETAB, CUTAB, FILETAB, PCTAB, PCLNTABLE].map(|index| self.word(index));
        parts.is_sorted() && parts[5] < pclntab.end() && self.word(FTAB) == parts[5]
    }

    /// Returns a word, or 0 if it is not part of the layout.
    pub(super) fn word(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or(0)
    }

    /// Overwrites a word.
    pub(super) fn set(&mut self, index: usize, value: u64) {
        if let Some(word) = self.words.get_mut(index) {
            *word = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_from_toolchain_knows_only_supported_versions() {
        for go in ["go1.26.0", "go1.26.8", "go1.26rc1", "go1.26.8 X:jsonv2", "go1.26.8-X:jsonv2"] {
            assert_eq!(Layout::from_toolchain(go), Ok(GO_1_26), "{go}");
        }
        assert_eq!(Layout::from_toolchain("go1.25.7"), Ok(GO_1_25));
        assert_eq!(Layout::from_toolchain("go1.27.3"), Ok(GO_1_27));
        for go in ["go1.24.9", "go1.28.0", "go1.2", "go1.260.1", "devel go1.26-abc", "", "go2.26.1"] {
            let refused = Refused::Toolchain { go: go.to_owned(), supported: SUPPORTED };
            assert_eq!(Layout::from_toolchain(go), Err(refused), "{go}");
        }
    }
}
