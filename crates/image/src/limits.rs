//! The bounds of what is read of an archive. Each counts bytes, members or programs, never time; what exceeds one is not read
//! further, and that is reported.

/// The largest archive that is linted, in bytes: it is held in memory. No router has room for one that comes near.
pub const LARGEST: u64 = 256 << 20;

/// The most bytes that are read when a file is looked through, of every stream in it together.
pub(crate) const LARGEST_IN_ALL: u64 = 1 << 30;

/// The largest program that is looked at, in bytes. Tailscale's own, unstripped, is half of it.
pub const LARGEST_PROGRAM: u64 = 128 << 20;

/// The most programs of a file that are looked at.
pub const MOST_PROGRAMS: usize = 10_000;

/// The most faults that are noted one by one.
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

/// A decoded stream may have so many bytes however small the encoded one was.
pub(crate) const HARMLESS: u64 = 16 << 20;

/// Beyond [`HARMLESS`], a stream may grow to so many times its size. Programs pack to a third or so, text to a tenth.
pub(crate) const MOST_GROWTH: u64 = 64;

/// How deep an archive may be in others: a compressed archive, a member of it that is compressed, and the archive in that.
pub(crate) const DEEPEST: usize = 6;

/// How many layers an image may have; Docker's own limit.
pub(crate) const MOST_LAYERS: usize = 127;

/// How many findings of one lint are listed one by one.
pub(crate) const MOST_ALIKE: usize = 20;

/// Longer paths than Linux takes are refused.
pub(crate) const LONGEST_PATH: usize = 4096;

/// Deeper paths than any image has are refused: each folder on the way is looked up.
pub(crate) const DEEPEST_PATH: usize = 256;
