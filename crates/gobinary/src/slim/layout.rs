//! What differs between versions of Go: where the runtime's record of the module has what.
//!
//! The record is `moduledata` in Go's `src/runtime/symtab.go`. Its fields are words and slices of three words each, in the same
//! order up to `rodata`; what was inserted there since moves what follows. A test reads the structure from the source of the Go
//! at hand and compares.

use super::Refused;

/// The versions, for messages.
pub(super) const KNOWN: &str = "1.25 to 1.27";

/// Words of the record that are the same in every known version. A slice is address, length and capacity.
pub(super) const HEADER: usize = 0;
pub(super) const NAMES: usize = 1;
pub(super) const UNITS: usize = 4;
pub(super) const FILES: usize = 7;
pub(super) const PCS: usize = 10;
pub(super) const FUNCTIONS: usize = 13;
pub(super) const INDEX: usize = 16;
pub(super) const FIND: usize = 19;
pub(super) const TEXT: usize = 22;

/// Where the words are that moved between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// `gofunc`: the data that functions refer to. The word after it is `epclntab`, the end of the table, but in Go 1.25.
    pub(super) data: usize,
    /// Whether that data and the way from program counters to functions are parts of the table, and the record has a section of
    /// its own. In Go 1.25 both stand among the read-only data, and the record among the data.
    pub(super) whole: bool,
    /// `typelinks` and `itablinks`: slices whose contents stand behind the table, and can move with its end. Go 1.27 has none.
    pub(super) links: Option<[usize; 2]>,
    /// How many words of the record are known.
    pub(super) words: usize,
}

const GO_1_25: Layout = Layout { data: 40, whole: false, links: None, words: 41 };
const GO_1_26: Layout = Layout { data: 40, whole: true, links: Some([45, 48]), words: 51 };
const GO_1_27: Layout = Layout { data: 43, whole: true, links: None, words: 48 };

impl Layout {
    /// The layout of a toolchain, by the name that the build information has: `go1.26.8`. The table's own magic number is the
    /// same from Go 1.20 on, and tells nothing.
    pub(crate) fn of(toolchain: &str) -> Result<Self, Refused> {
        let version = toolchain.strip_prefix("go").unwrap_or_default();
        // What follows a space says how the toolchain was changed; the patch and "rc1" don't matter.
        let version = version.split(' ').next().unwrap_or_default();
        let minor =
            version.strip_prefix("1.").map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
        match minor {
            Some("25") => Ok(GO_1_25),
            Some("26") => Ok(GO_1_26),
            Some("27") => Ok(GO_1_27),
            _ => Err(Refused::Toolchain(toolchain.to_owned())),
        }
    }
}

impl Layout {
    /// The fields that are used, and the number of words before each.
    pub(super) fn fields(self) -> Vec<(&'static str, usize)> {
        let mut fields = vec![
            ("pcHeader", HEADER),
            ("funcnametab", NAMES),
            ("cutab", UNITS),
            ("filetab", FILES),
            ("pctab", PCS),
            ("pclntable", FUNCTIONS),
            ("ftab", INDEX),
            ("findfunctab", FIND),
            ("text", TEXT),
            ("gofunc", self.data),
        ];
        fields.extend(self.whole.then_some(("epclntab", self.data + 1)));
        if let Some([types, tables]) = self.links {
            fields.extend([("typelinks", types), ("itablinks", tables)]);
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_versions_have_a_layout() {
        for go in ["go1.26.0", "go1.26.8", "go1.26rc1", "go1.26.8 X:jsonv2"] {
            assert_eq!(Layout::of(go), Ok(GO_1_26), "{go}");
        }
        assert_eq!(Layout::of("go1.25.7"), Ok(GO_1_25));
        assert_eq!(Layout::of("go1.27.3"), Ok(GO_1_27));
        for go in ["go1.24.9", "go1.28.0", "go1.2", "go1.260.1", "devel go1.26-abc", "", "go2.26.1"] {
            assert_eq!(Layout::of(go), Err(Refused::Toolchain(go.to_owned())), "{go}");
        }
    }
}
