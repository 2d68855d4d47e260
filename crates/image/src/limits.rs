//! Limits on archives. They count bytes, members or programs, never time. Input beyond a limit is not read, and that is
//! reported.

/// The largest archive that is linted, in bytes: it is held in memory. Routers have far less storage.
pub const LARGEST: u64 = 256 << 20;

/// The most bytes that a scan reads, from all streams of a file together.
pub(crate) const LARGEST_IN_ALL: u64 = 1 << 30;

/// The largest program, in bytes. Tailscale's unstripped binary has half of it.
pub const LARGEST_PROGRAM: u64 = 128 << 20;

/// The most programs in a file.
pub const MOST_PROGRAMS: usize = 10_000;

/// The most faults that are listed.
pub(crate) const MOST_FAULTS: usize = 20;

/// The most members of an archive, and of all layers of an image together.
pub(crate) const MOST_MEMBERS: usize = 200_000;

/// The most bytes of names of members that are held.
pub(crate) const MOST_NAMES: usize = 16 << 20;

/// The most bytes of a name, or of an extended header of a member, that are read.
pub(crate) const LONGEST_HEADER: u64 = 64 << 10;

/// The longest manifest.json, and the longest configuration, in bytes. Those of images have a few thousand.
pub(crate) const LONGEST_DESCRIPTION: usize = 1 << 20;

/// The largest window that a compressed stream may ask for. `xz -9` takes as much.
pub(crate) const LARGEST_WINDOW: u64 = 64 << 20;

/// The size up to which the growth of a decoded stream is not checked.
pub(crate) const HARMLESS: u64 = 16 << 20;

/// The maximum growth of a stream beyond [`HARMLESS`]. Programs compress about 3:1, text about 10:1.
pub(crate) const MOST_GROWTH: u64 = 64;

/// The maximum nesting of archives; a compressed archive counts twice.
pub(crate) const DEEPEST: usize = 6;

/// The maximum number of layers; Docker has the same limit.
pub(crate) const MOST_LAYERS: usize = 127;

/// The most findings of one lint that are listed.
pub(crate) const MOST_ALIKE: usize = 20;

/// The longest path; Linux has the same limit.
pub(crate) const LONGEST_PATH: usize = 4096;

/// The deepest path, because each of its directories is looked up.
pub(crate) const DEEPEST_PATH: usize = 256;
