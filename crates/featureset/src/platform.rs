//! Platforms: every Linux GOARCH and variant that Go builds, and what is known of each.

use std::fmt;

use crate::name::nearest;

/// The operating system of every platform, as Go names it.
pub const OS: &str = "linux";

/// One row of the table: a processor that a binary can be built for.
///
/// Names are those of container images (`linux/arm/v7`); where images have none, the variant is the value
/// of Go's own variable (`linux/mipsle/softfloat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    /// Such as `linux/arm/v7`.
    pub name: &'static str,
    /// The value of `GOARCH`.
    pub goarch: &'static str,
    /// The variable that sets the architecture level, and its value; `None` if Go does not have a level.
    pub level: Option<(&'static str, &'static str)>,
    /// Whether UPX can pack a Go binary of this platform.
    pub upx: Upx,
    /// The user-mode emulator that runs it, and the processor to ask it for, where its default would run too much.
    pub qemu: (&'static str, Option<&'static str>),
}

/// UPX's support of a platform. Tried with UPX 4.2.2 on a small Go 1.26 program,
/// run under user-mode QEMU 7.2; docs/platforms.md is made from this table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upx {
    /// It packs, and the packed program runs.
    Packs,
    /// It refuses the format, or what it makes does not run; why.
    Refuses(&'static str),
}

const CRASHES: &str = "UPX packs it, but the packed program crashes as it starts";
const NO_FORMAT: &str = "UPX has no loader for this architecture";

const fn row(
    name: &'static str,
    goarch: &'static str,
    level: Option<(&'static str, &'static str)>,
    upx: Upx,
    qemu: (&'static str, Option<&'static str>),
) -> Platform {
    Platform { name, goarch, level, upx, qemu }
}

/// Every platform, sorted by name.
pub static PLATFORMS: &[Platform] = {
    use Upx::{Packs, Refuses};
    &[
        row("linux/386", "386", Some(("GO386", "sse2")), Packs, ("qemu-i386", None)),
        row("linux/386/softfloat", "386", Some(("GO386", "softfloat")), Packs, ("qemu-i386", None)),
        row("linux/amd64", "amd64", Some(("GOAMD64", "v1")), Packs, ("qemu-x86_64", None)),
        row("linux/amd64/v2", "amd64", Some(("GOAMD64", "v2")), Packs, ("qemu-x86_64", None)),
        row("linux/amd64/v3", "amd64", Some(("GOAMD64", "v3")), Packs, ("qemu-x86_64", Some("max"))),
        row("linux/arm/v5", "arm", Some(("GOARM", "5")), Packs, ("qemu-arm", Some("arm926"))),
        row("linux/arm/v6", "arm", Some(("GOARM", "6")), Packs, ("qemu-arm", Some("arm1176"))),
        row("linux/arm/v7", "arm", Some(("GOARM", "7")), Packs, ("qemu-arm", Some("cortex-a15"))),
        row("linux/arm64", "arm64", Some(("GOARM64", "v8.0")), Packs, ("qemu-aarch64", None)),
        row("linux/loong64", "loong64", None, Refuses(NO_FORMAT), ("qemu-loongarch64", None)),
        row("linux/mips/hardfloat", "mips", Some(("GOMIPS", "hardfloat")), Refuses(CRASHES), ("qemu-mips", None)),
        row("linux/mips/softfloat", "mips", Some(("GOMIPS", "softfloat")), Packs, ("qemu-mips", None)),
        row(
            "linux/mips64/hardfloat",
            "mips64",
            Some(("GOMIPS64", "hardfloat")),
            Refuses(NO_FORMAT),
            ("qemu-mips64", None),
        ),
        row(
            "linux/mips64/softfloat",
            "mips64",
            Some(("GOMIPS64", "softfloat")),
            Refuses(NO_FORMAT),
            ("qemu-mips64", None),
        ),
        row(
            "linux/mips64le/hardfloat",
            "mips64le",
            Some(("GOMIPS64", "hardfloat")),
            Refuses(NO_FORMAT),
            ("qemu-mips64el", None),
        ),
        row(
            "linux/mips64le/softfloat",
            "mips64le",
            Some(("GOMIPS64", "softfloat")),
            Refuses(NO_FORMAT),
            ("qemu-mips64el", None),
        ),
        row("linux/mipsle/hardfloat", "mipsle", Some(("GOMIPS", "hardfloat")), Refuses(CRASHES), ("qemu-mipsel", None)),
        row("linux/mipsle/softfloat", "mipsle", Some(("GOMIPS", "softfloat")), Packs, ("qemu-mipsel", None)),
        row("linux/ppc64", "ppc64", Some(("GOPPC64", "power8")), Refuses(CRASHES), ("qemu-ppc64", None)),
        row("linux/ppc64le", "ppc64le", Some(("GOPPC64", "power8")), Packs, ("qemu-ppc64le", None)),
        row("linux/riscv64", "riscv64", Some(("GORISCV64", "rva20u64")), Refuses(NO_FORMAT), ("qemu-riscv64", None)),
        row("linux/s390x", "s390x", None, Refuses(NO_FORMAT), ("qemu-s390x", None)),
    ]
};

impl Platform {
    /// Whether the processor stores the most significant byte of a word first.
    #[must_use]
    pub fn is_big_endian(&self) -> bool {
        matches!(self.goarch, "mips" | "mips64" | "ppc64" | "s390x")
    }

    /// Whether execpack has a loader for the processor: those of `execpack::Loader::ALL`; a test compares them.
    #[must_use]
    pub fn has_execpack_loader(&self) -> bool {
        matches!(self.goarch, "amd64" | "arm64" | "arm" | "mipsle")
    }

    /// Whether programs that execpack packed have run on a whole machine with a distribution's kernel
    /// (`tests/it/emulated.rs`); only there it is the default packer.
    #[must_use]
    pub fn has_run_execpack(&self) -> bool {
        self.has_execpack_loader() && self.name != "linux/mipsle/hardfloat"
    }

    /// Finds a platform by its name.
    ///
    /// # Errors
    /// The variants of the name, or else the nearest name, or else all names.
    pub fn named(name: &str) -> Result<&'static Self, Vec<&'static str>> {
        let names = || PLATFORMS.iter().map(|platform| platform.name);
        let variants: Vec<&str> = names().filter(|other| other.starts_with(&format!("{name}/"))).collect();
        match Self::find(name) {
            Some(platform) => Ok(platform),
            None if !variants.is_empty() => Err(variants),
            None => Err(nearest(name, names())
                .and_then(|near| names().find(|other| *other == near))
                .map_or_else(|| names().collect(), |near| vec![near])),
        }
    }

    /// The row with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Platform> {
        PLATFORMS.iter().find(|platform| platform.name == name)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_names_are_unique() {
        assert!(PLATFORMS.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(Platform::find("linux/arm/v5").unwrap().level, Some(("GOARM", "5")));
        assert_eq!(Platform::find("linux/arm/v8"), None);
    }

    #[test]
    fn every_row_says_its_architecture_twice_the_same() {
        for platform in PLATFORMS {
            assert_eq!(platform.name.split('/').nth(1), Some(platform.goarch));
        }
    }
}
