//! The root file system as one layer, and the flash space of each file.

use tar::{Builder, EntryType, Header};

use crate::helper::Helper;
use crate::shells::Kind;

/// The daemon, which is also the command line if it is started under that name.
pub const PROGRAM: &str = "usr/local/bin/tailscaled";

/// The command line: a link to the daemon.
pub const COMMAND: &str = "usr/local/bin/tailscale";

/// The entrypoint of images with a shell.
pub const ENTRYPOINT: &str = "usr/local/bin/entrypoint.sh";

/// The shell's file; `/bin` is a link to its directory.
pub const SHELL: &str = "usr/local/bin/sh";

/// The entrypoint's helper.
pub const HELPER: &str = "usr/local/bin/node-helper";

/// The state directory of tailscaled, the only volume.
pub const STATE: &str = "var/lib/tailscale";

/// The entrypoint script.
pub const ENTRYPOINT_SCRIPT: &str = include_str!("../entrypoint.sh");

/// The time of every file: the first second of 2000. It is older than any image, and recent enough that tools do not warn.
pub const TIME: u64 = 946_684_800;

/// The block size of file systems, which `du` counts.
pub const BLOCK: u64 = 4096;

/// The shell of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// The program's bytes.
    pub bytes: Vec<u8>,
    /// The kind of shell; `None` for a custom shell, which gets only the name `sh`.
    pub kind: Option<Kind>,
    /// The entrypoint's helper for the same processor.
    pub helper: Helper,
}

/// The content of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The combined daemon and command line.
    pub program: Vec<u8>,
    /// The shell, if any. Without it, the image lacks an entrypoint script, and the container starts the daemon directly.
    pub shell: Option<Shell>,
}

/// The size of a part of the root file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its path without the leading slash, or a description.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its space on flash, in bytes of whole blocks, as `du -sx` counts.
    pub disk: u64,
}

enum Node<'a> {
    Folder,
    File(&'a [u8]),
    Link(&'static str),
}

/// A path, its node, and its mode.
type Entry<'a> = (String, Node<'a>, u32);

/// Every file of the root, sorted by path.
///
/// `/bin` is a link, as in current distributions, because a directory costs a block. `/etc` and `/var/run` exist because
/// the runtime and the daemon write in them but don't create them: without /var/run, the daemon creates its socket in the
/// current directory (upstream's paths.DefaultTailscaledSocket).
fn entries(contents: &Contents) -> Vec<Entry<'_>> {
    let folders = ["etc", "usr", "usr/local", "usr/local/bin", "var", "var/lib", STATE, "var/run"];
    let mode = |path: &str| if path == STATE { 0o700 } else { 0o755 };
    let mut found: Vec<Entry<'_>> = folders.iter().map(|path| ((*path).to_owned(), Node::Folder, mode(path))).collect();
    found.push((PROGRAM.to_owned(), Node::File(&contents.program), 0o755));
    found.push((COMMAND.to_owned(), Node::Link("tailscaled"), 0o777));
    if let Some(shell) = &contents.shell {
        found.push(("bin".to_owned(), Node::Link("usr/local/bin"), 0o777));
        found.push((ENTRYPOINT.to_owned(), Node::File(ENTRYPOINT_SCRIPT.as_bytes()), 0o755));
        found.push((HELPER.to_owned(), Node::File(shell.helper.bytes), 0o755));
        found.push((SHELL.to_owned(), Node::File(&shell.bytes), 0o755));
        let links = shell.kind.map(Kind::links).unwrap_or_default();
        found.extend(links.iter().map(|name| (format!("usr/local/bin/{name}"), Node::Link("sh"), 0o777)));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Returns the root file system as one uncompressed layer. The same contents have the same bytes.
///
/// # Errors
/// If the tar writer refuses a path or a length, which does not happen with these.
pub fn layer(contents: &Contents) -> std::io::Result<Vec<u8>> {
    let mut layer = Builder::new(Vec::new());
    for (path, node, mode) in entries(contents) {
        match node {
            Node::Folder => layer.append_data(&mut header(EntryType::Directory, mode, 0), path + "/", &[][..])?,
            Node::File(bytes) => {
                layer.append_data(&mut header(EntryType::Regular, mode, bytes.len() as u64), path, bytes)?;
            }
            Node::Link(to) => layer.append_link(&mut header(EntryType::Symlink, mode, 0), path, to)?,
        }
    }
    layer.into_inner()
}

/// Returns a header with fixed fields: owner root, a fixed time, no user names.
pub(crate) fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(TIME);
    header
}

/// Returns the size of each part: every file, and all directories together. Links are stored in the directory's block.
#[must_use]
pub fn parts(contents: &Contents) -> Vec<Part> {
    let mut parts = Vec::new();
    // The root itself is a directory too.
    let mut folders = 1;
    for (name, node, _) in entries(contents) {
        match node {
            Node::File(bytes) => {
                parts.push(Part { name, bytes: bytes.len() as u64, disk: on_disk(bytes.len() as u64) })
            }
            Node::Folder => folders += 1,
            Node::Link(_) => {}
        }
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.disk));
    parts.push(Part { name: format!("{folders} folders"), bytes: 0, disk: folders * BLOCK });
    parts
}

/// Returns the disk space of a file of this length, in whole blocks.
#[must_use]
pub fn on_disk(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK).saturating_mul(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(contents: &Contents) -> String {
        let layer = layer(contents).unwrap();
        let mut archive = tar::Archive::new(&layer[..]);
        let line = |entry: tar::Entry<'_, &[u8]>| {
            let header = entry.header();
            let link = entry.link_name().unwrap().map(|to| format!(" -> {}", to.display())).unwrap_or_default();
            let (kind, path) = (header.entry_type(), entry.path().unwrap().display().to_string());
            assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, TIME));
            format!("{kind:?} {:o} {} {path}{link}\n", header.mode().unwrap(), entry.size())
        };
        archive.entries().unwrap().map(|entry| line(entry.unwrap())).collect()
    }

    #[test]
    fn layer_and_parts_of_every_shell() {
        let program = vec![7; 5000];
        let shell = |kind| Some(Shell { bytes: vec![1; 10], kind, helper: crate::helper::ALL[0] });
        let mksh = Contents { program: program.clone(), shell: shell(Some(Kind::Mksh)) };
        insta::assert_snapshot!(listing(&mksh));
        // Facts of every image that a policy relies on: /etc has no users and no certificates.
        assert!(listing(&mksh).lines().all(|line| line.ends_with(" etc/") || !line.contains(" etc/")));
        let none = Contents { program: program.clone(), shell: None };
        insta::assert_snapshot!(listing(&none));
        let busybox = Contents { program, shell: shell(Some(Kind::Busybox)) };
        assert!(listing(&busybox).contains("Symlink 777 0 usr/local/bin/ip -> sh"));
        let parts: Vec<String> =
            parts(&mksh).iter().map(|part| format!("{} {} {}", part.name, part.bytes, part.disk)).collect();
        insta::assert_snapshot!(parts.join("\n"));
    }
}
