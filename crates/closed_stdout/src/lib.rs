//! Notices that the program was started with a closed standard output.
//!
//! Rust's runtime opens `/dev/null` in the place of a closed standard stream before `main` runs, so what a program prints
//! is lost without an error. Safe code cannot distinguish this from a `/dev/null` that the caller opened for reading and
//! writing, as Python's `subprocess.DEVNULL` does. The loader runs the functions in `.init_array` before the runtime
//! starts; this crate has one there that looks at the descriptor.

use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Returns whether the standard output was closed when the program started.
///
/// Always `false` on systems other than Linux and macOS.
#[must_use]
pub fn was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
#[allow(unsafe_code, reason = "a static in the loader's list of functions, and a descriptor that may be closed")]
mod at_start {
    use std::os::fd::BorrowedFd;
    use std::sync::atomic::Ordering;

    #[used]
    #[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
    #[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
    static LOOK: extern "C" fn() = look;

    /// Runs before the runtime: it makes one system call and neither allocates nor panics.
    extern "C" fn look() {
        // SAFETY: the descriptor is used for one call that fails with EBADF if it is closed.
        let stdout = unsafe { BorrowedFd::borrow_raw(1) };
        if rustix::io::fcntl_getfd(stdout) == Err(rustix::io::Errno::BADF) {
            super::CLOSED.store(true, Ordering::Relaxed);
        }
    }
}
