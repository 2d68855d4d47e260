//! Limits for hostile files. They count bytes or entries and never time, and are far above what Go
//! writes.

/// The maximum length of the strings in the build information. Tailscale's has 30 kB.
pub(crate) const MAX_BUILD_INFO_LEN: usize = 256 << 10;

/// The maximum number of modules in the build information. Tailscale has 250.
pub(crate) const MAX_MODULES: usize = 4096;

/// The maximum total length of section names, and of symbol names. Each name of a hostile file can
/// be as long as the file.
pub(crate) const MAX_NAMES_LEN: usize = 16 << 20;

/// The maximum number of functions that are returned for one name.
pub(crate) const MAX_FUNCS_PER_NAME: usize = 64;

/// The maximum number of bytes of pc-value tables that are decoded to resolve frames.
pub(crate) const MAX_DECODED_LEN: usize = 512 << 20;

/// The maximum depth of inlined calls.
pub(crate) const MAX_INLINE_DEPTH: usize = 64;
