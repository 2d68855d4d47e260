//! The bounds of what is read of a file. Each counts bytes, entries or decoded bytes, never time, and none is near what Go
//! writes: a file that exceeds one is refused with the reason.

/// The most bytes of a record of build information. Tailscale's own has 30 kB.
pub(crate) const BUILD_INFORMATION: usize = 256 << 10;

/// The most modules of a record of build information. Tailscale has 250.
pub(crate) const MODULES: usize = 4096;

/// The most bytes of names that are read of sections, and of symbols: each name of a made-up file can be as long as the file.
pub(crate) const NAMES: usize = 16 << 20;

/// The most functions of one name that are given for a frame.
pub(crate) const ALIKE: usize = 64;

/// The most bytes of tables that are decoded for frames.
pub(crate) const DECODED: usize = 512 << 20;
