//! The root file system: which files stand where, as one layer, and what each costs on flash.

use tar::{Builder, EntryType, Header};

use crate::shells::Kind;

/// The daemon, which is the command line too when it is called by that name.
pub const PROGRAM: &str = "usr/local/bin/tailscaled";

/// The command line: a link to the daemon.
pub const COMMAND: &str = "usr/local/bin/tailscale";

/// What runs first where there is a shell.
pub const ENTRYPOINT: &str = "usr/local/bin/entrypoint.sh";

/// The shell's file; `/bin` is a link to the folder it stands in.
pub const SHELL: &str = "usr/local/bin/sh";

/// Where tailscaled keeps its state: the only volume.
pub const STATE: &str = "var/lib/tailscale";

/// The script that runs first.
pub const ENTRYPOINT_SCRIPT: &str = include_str!("../entrypoint.sh");

/// The time of every file: the first second of 2000. It is older than any image and new enough that no tool warns.
pub const TIME: u64 = 946_684_800;

/// The unit in which file systems hand out space, and `du` counts it.
pub const BLOCK: u64 = 4096;

/// The shell of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// The program's bytes.
    pub bytes: Vec<u8>,
    /// Which one it is; nothing for one from elsewhere, which gets the name `sh` and no other.
    pub kind: Option<Kind>,
}

/// What goes into the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The combined daemon and command line.
    pub program: Vec<u8>,
    /// The shell, if there is to be one. Without it there is no entrypoint either: the daemon starts as it is.
    pub shell: Option<Shell>,
}

/// What one part of the root costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its path without the leading slash, or what it stands for.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// What it takes on flash, in bytes, as `du -sx` counts: whole blocks.
    pub disk: u64,
}

enum Node<'a> {
    Folder,
    File(&'a [u8]),
    Link(&'static str),
}

/// One of each: a path, what stands there, and its mode.
type Entry<'a> = (String, Node<'a>, u32);

/// Every file of the root, sorted by path.
///
/// `/bin` is a link, as in today's distributions, for a folder costs a block. `/etc` and `/var/run` are there because
/// the runtime and the daemon write in them and make no folder: without /var/run the daemon puts its socket into the
/// current folder (upstream's paths.DefaultTailscaledSocket).
fn entries(contents: &Contents) -> Vec<Entry<'_>> {
    let folders = ["etc", "usr", "usr/local", "usr/local/bin", "var", "var/lib", STATE, "var/run"];
    let mode = |path: &str| if path == STATE { 0o700 } else { 0o755 };
    let mut found: Vec<Entry<'_>> = folders.iter().map(|path| ((*path).to_owned(), Node::Folder, mode(path))).collect();
    found.push((PROGRAM.to_owned(), Node::File(&contents.program), 0o755));
    found.push((COMMAND.to_owned(), Node::Link("tailscaled"), 0o777));
    if let Some(shell) = &contents.shell {
        found.push(("bin".to_owned(), Node::Link("usr/local/bin"), 0o777));
        found.push((ENTRYPOINT.to_owned(), Node::File(ENTRYPOINT_SCRIPT.as_bytes()), 0o755));
        found.push((SHELL.to_owned(), Node::File(&shell.bytes), 0o755));
        let links = shell.kind.map(Kind::links).unwrap_or_default();
        found.extend(links.iter().map(|name| (format!("usr/local/bin/{name}"), Node::Link("sh"), 0o777)));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// The root as one uncompressed layer. The same contents give the same bytes.
///
/// # Errors
/// Where the archive's writer refuses a path or a length; none of ours is refused.
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

/// A header whose every field is stated: owner root, a fixed time, no names of users.
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

/// What each part costs: the files by their paths, and all folders together. Links are stored in the folder's own space.
#[must_use]
pub fn parts(contents: &Contents) -> Vec<Part> {
    let mut parts = Vec::new();
    // The root itself is a folder too.
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

/// What a file of this length takes: whole blocks.
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
    fn the_root_holds_what_it_says_and_nothing_twice() {
        let program = vec![7; 5000];
        let shell = |kind| Some(Shell { bytes: vec![1; 10], kind });
        let mksh = Contents { program: program.clone(), shell: shell(Some(Kind::Mksh)) };
        insta::assert_snapshot!(listing(&mksh));
        let none = Contents { program: program.clone(), shell: None };
        insta::assert_snapshot!(listing(&none));
        let busybox = Contents { program, shell: shell(Some(Kind::Busybox)) };
        assert!(listing(&busybox).contains("Symlink 777 0 usr/local/bin/ip -> sh"));
        let parts: Vec<String> =
            parts(&mksh).iter().map(|part| format!("{} {} {}", part.name, part.bytes, part.disk)).collect();
        insta::assert_snapshot!(parts.join("\n"));
    }
}
