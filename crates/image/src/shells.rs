//! The shells that an image can hold: static programs of Debian, pinned in one table.
//!
//! The table is crates/image/shells.json, written by `cargo xtask image pin`. The table pins the digest
//! of the program, because a package's digest changes with each point release, but its program rarely does.

use serde::{Deserialize, Serialize};

use crate::platform::Platform;

/// A kind of shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// MirBSD's Korn shell, without other programs.
    Mksh,
    /// Busybox: a shell, and small versions of the usual programs.
    Busybox,
}

/// The pin of a shell for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The shell.
    pub shell: Kind,
    /// The Debian architecture, such as `armel`.
    pub architecture: String,
    /// The package, without an architecture.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The path of the program in the package.
    pub file: String,
    /// The size of the program, in bytes.
    pub bytes: u64,
    /// The SHA-256 of the program, in hexadecimal.
    pub sha256: String,
    /// Its licence as an SPDX expression, including that of the linked C library.
    pub licence: String,
}

/// The content of the table's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The command that writes the file.
    pub generated_by: String,
    /// The Debian release of the packages.
    pub suite: String,
    /// The programs, sorted by shell and architecture.
    pub shells: Vec<Pin>,
}

/// Parses the embedded table.
///
/// # Errors
/// If the file can't be parsed; a test shows that it can.
pub fn table() -> Result<Table, String> {
    serde_json::from_str(include_str!("../shells.json")).map_err(|error| error.to_string())
}

impl Kind {
    /// Every kind, in the order of the table.
    pub const ALL: [Self; 2] = [Self::Mksh, Self::Busybox];

    /// The word in `image.shell`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mksh => "mksh",
            Self::Busybox => "busybox",
        }
    }

    /// Returns the package, the path of the program in it, and its licence. The mksh built with klibc is the smallest in
    /// Debian; klibc's licences are BSD-3-Clause and MIT, busybox is linked with the GNU C library.
    #[must_use]
    pub fn source(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Mksh => ("mksh", "usr/lib/klibc/bin/mksh", "MirOS AND BSD-3-Clause AND MIT"),
            Self::Busybox => ("busybox-static", "bin/busybox", "GPL-2.0-only AND LGPL-2.1-or-later"),
        }
    }

    /// Returns the links to the shell in addition to `sh`. Busybox selects the program by the name under which it is
    /// started.
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
    /// Returns the pin of a shell for a platform.
    #[must_use]
    pub fn find(&self, shell: Kind, platform: Platform) -> Option<&Pin> {
        self.shells.iter().find(|pin| pin.shell == shell && pin.architecture == platform.debian())
    }

    /// Returns the table as in its file.
    ///
    /// # Errors
    /// If a value can't be written as JSON.
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
