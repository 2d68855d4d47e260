//! Control groups that limit and count the memory of a node's programs, as a container's do.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::files;

/// The mount point of control groups.
const MOUNTED: &str = "/sys/fs/cgroup";

/// The names of a version's files.
struct Names {
    limit: &'static str,
    /// Limits swap too, so that a group without memory left does not use the machine's swap.
    swap: (&'static str, Swap),
    peak: &'static str,
    /// The file with a line `oom_kill COUNT`.
    events: &'static str,
}

/// The value of a group's limit of swap.
enum Swap {
    /// The limit of memory and swap together.
    SameAsMemory,
    /// No swap.
    Zero,
}

const V1: Names = Names {
    limit: "memory.limit_in_bytes",
    swap: ("memory.memsw.limit_in_bytes", Swap::SameAsMemory),
    peak: "memory.max_usage_in_bytes",
    events: "memory.oom_control",
};

const V2: Names =
    Names { limit: "memory.max", swap: ("memory.swap.max", Swap::Zero), peak: "memory.peak", events: "memory.events" };

/// The place where control groups for memory can be created.
#[derive(Clone, Copy)]
pub struct Hierarchy {
    root: &'static str,
    names: &'static Names,
}

impl Hierarchy {
    /// Finds the hierarchy of this machine, version 1 or 2.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn find() -> Result<Self, String> {
        let v1 = Path::new("/sys/fs/cgroup/memory");
        if v1.join(V1.limit).exists() {
            return Ok(Self { root: "/sys/fs/cgroup/memory", names: &V1 });
        }
        let controllers = std::fs::read_to_string(Path::new(MOUNTED).join("cgroup.subtree_control"));
        let controllers = controllers.map_err(|error| format!("{MOUNTED} has no control groups: {error}"))?;
        if controllers.split_whitespace().any(|name| name == "memory") {
            return Ok(Self { root: MOUNTED, names: &V2 });
        }
        Err(format!("the control groups in {MOUNTED} don't limit memory"))
    }

    /// Returns the reason why a group can't be created, or `None`.
    #[must_use]
    pub fn missing_requirement() -> Option<String> {
        let tried = Self::find().and_then(|hierarchy| {
            let name = format!("tailscale-featureset-try-{}", std::process::id());
            hierarchy.group(&name, 64 << 20).map(drop).map_err(|error| format!("{error:#}"))
        });
        tried.err().map(|why| format!("no control group with a limit of memory: {why}"))
    }

    /// Returns a guard that removes a group that another process creates and may leave behind.
    #[must_use]
    pub fn removed_later(self, name: &str) -> MemoryGroup {
        MemoryGroup { folder: Path::new(self.root).join(name), names: self.names }
    }

    /// Creates a group with a limit in bytes.
    ///
    /// # Errors
    /// If it exists, or the kernel refuses it or its limit.
    pub fn group(self, name: &str, limit: u64) -> Result<MemoryGroup> {
        let folder = Path::new(self.root).join(name);
        std::fs::create_dir(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let group = MemoryGroup { folder, names: self.names };
        group.write(self.names.limit, limit)?;
        let (swap, value) = &self.names.swap;
        // A kernel without swap has no such file.
        if group.folder.join(swap).exists() {
            group.write(swap, if matches!(value, Swap::Zero) { 0 } else { limit })?;
        }
        Ok(group)
    }
}

/// A control group. Dropping it removes it, which needs that its processes have ended.
pub struct MemoryGroup {
    folder: PathBuf,
    names: &'static Names,
}

impl MemoryGroup {
    /// Returns its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn write(&self, file: &str, value: u64) -> Result<()> {
        let path = self.folder.join(file);
        std::fs::write(&path, value.to_string()).with_context(|| format!("writing {value} to {}", path.display()))
    }

    /// Returns the largest memory use so far, which includes page cache and buffers of the kernel.
    ///
    /// # Errors
    /// If the kernel does not report it: version 2 does from Linux 5.19 on.
    pub fn peak(&self) -> Result<u64> {
        let path = self.folder.join(self.names.peak);
        files::read(&path)?.trim().parse().with_context(|| format!("{} is not a number", path.display()))
    }

    /// Returns the number of processes that the kernel has killed because memory was used up.
    ///
    /// # Errors
    /// If the kernel does not report it.
    pub fn kills(&self) -> Result<u64> {
        let path = self.folder.join(self.names.events);
        count(&files::read(&path)?, "oom_kill").with_context(|| format!("{} has no `oom_kill`", path.display()))
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // The memory of a process is freed a little after its end.
        for _ in 0..50 {
            if std::fs::remove_dir(&self.folder).is_ok() || !self.folder.exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// Returns the number in the line that begins with a word.
fn count(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_counted_in_both_versions() {
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "oom_kill"), Some(3));
        assert_eq!(count("low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n", "oom_kill"), Some(1));
        assert_eq!(count("", "oom_kill"), None);
    }
}
