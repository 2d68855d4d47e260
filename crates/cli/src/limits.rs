//! Limits of input and output. Each counts bytes, findings or programs, never time. Input above a limit is rejected or
//! omitted, and this is reported. The other crates have their own limits.

/// The longest policy, in bytes. One that decides every feature has 20 kB.
pub const POLICY: u64 = 1 << 20;

/// The longest registry of a release line, in bytes. Those that are built in have 10 kB.
pub const REGISTRY: u64 = 1 << 20;

/// The longest file of measured costs or of proofs, in bytes.
pub const MEASURED: u64 = 1 << 20;

/// The longest page of `explore` that is replaced, in bytes.
pub const PAGE: u64 = 4 << 20;

/// The longest recipe, in bytes.
pub const RECIPE: u64 = 1 << 20;

/// The longest traceback, in bytes.
pub const TRACEBACK: u64 = 16 << 20;

/// The largest binary that `symbolize` reads, in bytes.
pub const LINKED: u64 = 256 << 20;

/// The most frames of a traceback that are named.
pub const FRAMES: usize = 10_000;

/// The most findings that are shown to people and to GitHub, of all texts together.
pub const SHOWN: usize = 100;

/// The most findings in a document for programs.
pub const WRITTEN: usize = 10_000;

/// The most programs of one file that hold Tailscale and are judged. Images have one to three.
pub const BINARIES: usize = 16;

/// The most packed programs of one file that are unpacked.
pub const PACKED: usize = 4;

/// The most other things in a file that are reported one by one.
pub const OTHERS: usize = 64;
