//! Flash: writes to the daemon's state directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::check::{Check, omit};
use crate::netlab::host::PATIENCE;
use crate::netlab::node::silent_except;
use crate::netlab::{Netlab, Programs, until};
use crate::process::check_interrupt;

pub(super) const CHECK: Check = Check {
    name: "flash",
    claim: "The daemon writes nothing to its state directory in an idle minute or when peers change on a tailnet with cached network maps, and no log, even without the variable that disables logs.",
    proves: &[omit("cachenetmap"), omit("logtail")],
    fault: None,
    needs: &["cli", "ipnbus", "osrouter", "unixsocketidentity"],
    anywhere: false,
    run,
};

/// The time without writes.
const IDLE: Duration = Duration::from_secs(60);

/// The number of new peers.
const PEERS: usize = 5;

/// The folder of the daemon's logs, which does not depend on its state directory; on the device both are the same.
const LOGS: &str = "/var/lib/tailscale";

/// Every file and folder, with its inode number, size and modification time.
type Tree = BTreeMap<PathBuf, (u64, u64, i64, i64)>;

pub(in crate::commands::verify) fn run(programs: &Programs) -> Result<String> {
    let netlab = Netlab::new(programs)?;
    let mut node = netlab.node("router")?;
    node.join_with(&silent_except("TS_NO_LOGS_NO_SUPPORT"), &[])?;
    netlab.control("/lab/capabilities?node=router&names=cache-network-maps")?;
    // The capability comes with the next map, and a new node writes for a while.
    netlab.control("/lab/peer")?;
    peers(&node, 1)?;
    let state = node.state();
    let folders = [state.as_path(), Path::new(LOGS)];
    let before = settled(folders)?;
    let first = before.len();

    let begun = Instant::now();
    while begun.elapsed() < IDLE {
        check_interrupt()?;
        std::thread::sleep(Duration::from_millis(200));
    }
    let idle = written(&before, &tree(folders)?);
    ensure!(idle.is_empty(), "written in an idle minute: {}", idle.join(", "));

    for number in 2..=PEERS + 1 {
        netlab.control("/lab/peer")?;
        peers(&node, number)?;
    }
    let after = settled(folders)?;
    let changed = written(&before, &after);
    ensure!(changed.is_empty(), "written for {PEERS} new peers: {}", changed.join(", "));
    node.alive()?;
    Ok(format!(
        "{first} files and folders after the login; no writes in {} s and none for {PEERS} new peers",
        IDLE.as_secs()
    ))
}

/// Waits until the node has this number of peers.
fn peers(node: &crate::netlab::node::Node, count: usize) -> Result<()> {
    until(PATIENCE, &format!("{count} peers"), || {
        Ok(node.status()?["Peer"].as_object().is_some_and(|peers| peers.len() >= count).then_some(()))
    })
}

/// Waits until nothing was written for three seconds, and returns the files.
fn settled(folders: [&Path; 2]) -> Result<Tree> {
    let mut last = (tree(folders)?, Instant::now());
    until(PATIENCE, "a state directory without writes", || {
        let now = tree(folders)?;
        if now != last.0 {
            last = (now, Instant::now());
        }
        Ok((last.1.elapsed() > Duration::from_secs(3)).then(|| last.0.clone()))
    })
}

fn tree(folders: [&Path; 2]) -> Result<Tree> {
    use std::os::unix::fs::MetadataExt;
    let (mut found, mut open) = (Tree::new(), folders.map(Path::to_owned).to_vec());
    while let Some(path) = open.pop() {
        // A file that is renamed meanwhile changes its folder.
        let Ok(data) = std::fs::symlink_metadata(&path) else { continue };
        if data.is_dir() {
            open.extend(std::fs::read_dir(&path)?.filter_map(|entry| Some(entry.ok()?.path())));
        }
        found.insert(path, (data.ino(), data.len(), data.mtime(), data.mtime_nsec()));
    }
    Ok(found)
}

/// Returns the names of changed, new and deleted files.
fn written(before: &Tree, after: &Tree) -> Vec<String> {
    let all = before.keys().chain(after.keys().filter(|path| !before.contains_key(*path)));
    let changed = all.filter(|path| before.get(*path) != after.get(*path));
    changed.map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_write_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("deep")).unwrap();
        for name in ["same", "gone", "grown", "deep/replaced"] {
            std::fs::write(path(name), "x").unwrap();
        }
        let look = || tree([folder.path(), Path::new("/nonexistent")]);
        let before = look().unwrap();
        assert!(written(&before, &look().unwrap()).is_empty());
        // The clock of files ticks every few milliseconds.
        std::thread::sleep(Duration::from_millis(20));
        std::fs::remove_file(path("gone")).unwrap();
        std::fs::write(path("grown"), "xy").unwrap();
        std::fs::write(path("deep/new"), "x").unwrap();
        std::fs::rename(path("deep/new"), path("deep/replaced")).unwrap();
        let seen = written(&before, &look().unwrap());
        for name in ["gone", "grown", "deep", "replaced"] {
            assert!(seen.contains(&name.to_owned()), "{seen:?} lacks {name}");
        }
        assert!(!seen.contains(&"same".to_owned()));
    }
}
