//! The shells that an image can hold: static programs of Debian, pinned in one table.
//!
//! The table is crates/image/shells.json, written by `cargo xtask image pin`. What is pinned is the digest of the
//! program itself: a package's own digest changes with each point release, the program in it seldom does.

use serde::{Deserialize, Serialize};

use crate::platform::Platform;

/// Which shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// MirBSD's Korn shell: a shell and nothing else.
    Mksh,
    /// Busybox: a shell, and small forms of the usual programs under their own names.
    Busybox,
}

/// One program for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Which shell.
    pub shell: Kind,
    /// The architecture of Debian, such as `armel`.
    pub architecture: String,
    /// The package, without an architecture.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Where the program stands in it.
    pub file: String,
    /// How large the program is, in bytes.
    pub bytes: u64,
    /// The SHA-256 of the program, in hexadecimal.
    pub sha256: String,
    /// Its licence as an SPDX expression, that of the linked C library included.
    pub licence: String,
}

/// The table as it stands in its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// How the file is made.
    pub generated_by: String,
    /// The release of Debian that the packages are of.
    pub suite: String,
    /// The programs, sorted by shell and architecture.
    pub shells: Vec<Pin>,
}

/// The pinned table.
///
/// # Errors
/// Where the file is not what this version writes; a test shows that it is.
pub fn table() -> Result<Table, String> {
    serde_json::from_str(include_str!("../shells.json")).map_err(|error| error.to_string())
}

impl Kind {
    /// Both, in the order of the table.
    pub const ALL: [Self; 2] = [Self::Mksh, Self::Busybox];

    /// As `image.shell` names it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mksh => "mksh",
            Self::Busybox => "busybox",
        }
    }

    /// The package, the place of the program in it, and its licence. The mksh of the klibc package is the smallest of
    /// Debian's; klibc's own licences are BSD-3-Clause and MIT, busybox is linked with the GNU C library.
    #[must_use]
    pub fn source(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Mksh => ("mksh", "usr/lib/klibc/bin/mksh", "MirOS AND BSD-3-Clause AND MIT"),
            Self::Busybox => ("busybox-static", "bin/busybox", "GPL-2.0-only AND LGPL-2.1-or-later"),
        }
    }

    /// The names beside `sh` under which the program stands in the image: it is the first argument that decides
    /// which of busybox's programs runs.
    #[must_use]
    pub fn links(self) -> &'static [&'static str] {
        match self {
            Self::Mksh => &[],
            Self::Busybox => &[
                "cat",
                "cp",
                "df",
                "du",
                "free",
                "grep",
                "head",
                "ip",
                "kill",
                "ls",
                "mkdir",
                "mv",
                "netstat",
                "nslookup",
                "ping",
                "ps",
                "rm",
                "sleep",
                "sysctl",
                "tail",
                "top",
                "traceroute",
                "vi",
                "wget",
            ],
        }
    }
}

impl Table {
    /// The program of a shell for a platform.
    #[must_use]
    pub fn find(&self, shell: Kind, platform: Platform) -> Option<&Pin> {
        self.shells.iter().find(|pin| pin.shell == shell && pin.architecture == platform.debian())
    }

    /// The table as its file has it.
    ///
    /// # Errors
    /// Where a value can't be written as JSON.
    pub fn to_json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n").map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_is_pinned_for_every_platform() {
        let table = table().unwrap();
        assert_eq!(table.shells.len(), Kind::ALL.len() * Platform::ALL.len());
        for (shell, platform) in Kind::ALL.iter().flat_map(|shell| Platform::ALL.map(|platform| (*shell, platform))) {
            let pin = table.find(shell, platform).unwrap();
            let (package, file, licence) = shell.source();
            assert_eq!((&*pin.package, &*pin.file, &*pin.licence), (package, file, licence));
            assert!(pin.sha256.len() == 64 && pin.bytes > 100_000, "{pin:?}");
        }
        assert_eq!(table.to_json().unwrap(), include_str!("../shells.json"));
    }
}
