//! Fuzz targets: each states what holds for any input of one kind, and panics if it does not hold.
//!
//! `cargo xtask fuzz` searches for such an input with libFuzzer, starting from `corpus/NAME`. The test `corpus` of this package
//! replays every file of the corpus, so an input that once failed is added there and never fails again.

#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]
#![allow(clippy::panic, reason = "a panic is how a property reports that it does not hold")]

mod archive;
mod elf;
mod image;
mod policy;
mod program;
mod recipe;
mod routeros;
mod table;
mod text;
mod traceback;

use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The most memory that an input of at most 1 MB may take at a time, in bytes: the bound of docs/security.md.
pub const MOST_MEMORY: usize = 200 << 20;

/// The longest input that a target is tried with, in bytes.
pub const LONGEST: usize = 1 << 20;

/// A kind of input and what holds for it.
#[derive(Debug)]
pub struct Target {
    /// The name, also of its folder in `corpus`.
    pub name: &'static str,
    /// Whether it needs a real Go program: the variable `FUZZ_PROGRAM` names one as linked.
    pub needs_program: bool,
    check: fn(&[u8]),
}

impl Target {
    const fn new(name: &'static str, check: fn(&[u8])) -> Self {
        Self { name, needs_program: false, check }
    }

    /// Checks the properties for one input.
    ///
    /// # Panics
    /// If one does not hold, or the input takes more than [`MOST_MEMORY`].
    pub fn run(&self, input: &[u8]) {
        HEAP.reset_peak_usage();
        let before = HEAP.current_usage();
        (self.check)(input);
        let taken = HEAP.peak_usage().saturating_sub(before);
        assert!(taken <= MOST_MEMORY, "an input of {} bytes takes {taken} bytes of memory", input.len());
    }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target::new("policy", policy::check),
    Target::new("recipe", recipe::check),
    Target::new("elf", elf::check),
    Target::new("archive", archive::check),
    Target::new("image", image::check),
    Target::new("routeros", routeros::check),
    Target { needs_program: true, ..Target::new("table", table::check) },
    Target { needs_program: true, ..Target::new("traceback", traceback::check) },
];
