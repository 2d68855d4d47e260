//! What memory a daemon takes.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::node::Node;
use super::{Programs, World};
use crate::files;
use crate::process::check_interrupt;

/// How long a daemon rests before it counts as idle.
const REST: Duration = Duration::from_secs(5);

/// What a process takes: bytes that can't be given back, and bytes of files that can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// `RssAnon`: the heap, and the code of a packed program.
    pub anonymous: u64,
    /// `RssFile`: pages of the program that the kernel can drop and read again.
    pub file: u64,
}

impl Memory {
    /// What a node's daemon takes now.
    ///
    /// # Errors
    /// Where it does not run, or the kernel does not say.
    pub fn of(node: &Node) -> Result<Self> {
        let status = files::read(format!("/proc/{}/status", node.process()?).as_ref())?;
        Self::read(&status).context("the kernel does not say what memory the daemon takes")
    }

    /// Reads `/proc/PID/status`, whose sizes are in KiB.
    fn read(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kibibytes: u64 = line?.trim().trim_end_matches(" kB").parse().ok()?;
            Some(kibibytes * 1024)
        };
        // The program is on a file system in memory here, whose pages the kernel counts as shared.
        Some(Self { anonymous: field("RssAnon")?, file: field("RssFile")? + field("RssShmem")? })
    }

    /// What a node's daemon takes once it has rested.
    ///
    /// # Errors
    /// As [`Memory::of`], and when the run is interrupted.
    pub fn at_rest(node: &Node) -> Result<Self> {
        let begun = Instant::now();
        while begun.elapsed() < REST {
            check_interrupt()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Self::of(node)
    }

    /// What a daemon takes that has just logged in and rests.
    ///
    /// # Errors
    /// Where it can't log in.
    pub fn idle(programs: &Programs) -> Result<Self> {
        let world = World::new(programs)?;
        let mut node = world.node("idle")?;
        node.join(&[])?;
        let memory = Self::at_rest(&node)?;
        node.alive()?;
        Ok(memory)
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
    fn what_the_kernel_says_is_read_and_nothing_is_made_up() {
        let status = "Name:\ttailscaled\nVmRSS:\t   24000 kB\nRssAnon:\t    7400 kB\nRssFile:\t   16000 kB\nRssShmem:\t     600 kB\n";
        let memory = Memory::read(status).unwrap();
        assert_eq!((memory.anonymous, memory.file), (7_577_600, 16_998_400));
        assert_eq!(memory.to_string(), "7.58 MB and 17.00 MB of files");
        assert_eq!(Memory::read("VmRSS:\t24000 kB\n"), None);
        // This process has some.
        assert!(Memory::read(&std::fs::read_to_string("/proc/self/status").unwrap()).unwrap().anonymous > 0);
    }
}
