//! Memory use of a daemon.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::node::Node;
use crate::files;
use crate::process::check_interrupt;

/// The time after which a daemon counts as idle.
const REST: Duration = Duration::from_secs(5);

/// Resident memory of a process: bytes that the kernel can't reclaim, and pages of files that it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// `RssAnon`: the heap, and the code of a packed program.
    pub anonymous: u64,
    /// `RssFile`: pages of the program that the kernel can drop and read again.
    pub file: u64,
}

impl Memory {
    /// Reads the current memory use of a node's daemon.
    ///
    /// # Errors
    /// If it does not run, or the kernel does not report it.
    pub fn current(node: &Node) -> Result<Self> {
        let status = files::read(format!("/proc/{}/status", node.process()?).as_ref())?;
        Self::read(&status).context("the kernel does not report the memory of the daemon")
    }

    /// Parses `/proc/PID/status`; its sizes are in KiB.
    fn read(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kibibytes: u64 = line?.trim().trim_end_matches(" kB").parse().ok()?;
            Some(kibibytes * 1024)
        };
        // The program is on a tmpfs here, so the kernel counts its pages as shared.
        Some(Self { anonymous: field("RssAnon")?, file: field("RssFile")? + field("RssShmem")? })
    }

    /// Waits until a node's daemon is idle, then reads its memory use.
    ///
    /// # Errors
    /// As [`Memory::current`], and if the run is interrupted.
    pub fn at_rest(node: &Node) -> Result<Self> {
        let begun = Instant::now();
        while begun.elapsed() < REST {
            check_interrupt()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Self::current(node)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = featureset::policy::format_size;
        write!(f, "{} and {} of files", size(self.anonymous), size(self.file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_status_is_parsed_and_missing_fields_are_none() {
        let status = "Name:\ttailscaled\nVmRSS:\t   24000 kB\nRssAnon:\t    7400 kB\nRssFile:\t   16000 kB\nRssShmem:\t     600 kB\n";
        let memory = Memory::read(status).unwrap();
        assert_eq!((memory.anonymous, memory.file), (7_577_600, 16_998_400));
        assert_eq!(memory.to_string(), "7.58 MB and 17.00 MB of files");
        assert_eq!(Memory::read("VmRSS:\t24000 kB\n"), None);
        // This process has some.
        assert!(Memory::read(&std::fs::read_to_string("/proc/self/status").unwrap()).unwrap().anonymous > 0);
    }
}
