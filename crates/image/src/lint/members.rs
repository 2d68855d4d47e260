//! The members of a tar archive, read without unpacking: slices of the archive, each length checked against it.

use std::collections::BTreeSet;

use tar::{Archive, EntryType};

use super::{Verdict, shown};

/// Longer paths than Linux takes are refused.
const LONGEST_PATH: usize = 4096;

/// Deeper paths than any image has are refused: each folder on the way is looked up.
const DEEPEST_PATH: usize = 256;

/// How many members an archive may have.
const MOST_MEMBERS: usize = 200_000;

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// A symbolic link, and where it points.
    Link(String),
    /// Another name of a file of the same archive.
    Hard(String),
    /// A device, a pipe or a socket.
    Special,
}

/// One member.
#[derive(Debug, Clone)]
pub(super) struct Member<'a> {
    /// Its path without a leading `./` or a trailing slash.
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) bytes: &'a [u8],
    /// Its permissions.
    pub(super) mode: u32,
}

/// A path in the one form that all are compared in.
pub(crate) fn normal(path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.collect::<Vec<_>>().join("/")
}

/// Reads the members of an archive as far as it can be read. `place` is the archive's own name within another.
pub(super) fn read<'a>(archive: &'a [u8], place: &str, verdict: &mut Verdict) -> Vec<Member<'a>> {
    let mut members = Vec::new();
    let mut reader = Archive::new(archive);
    let entries = match reader.entries() {
        Ok(entries) => entries,
        Err(error) => {
            verdict.find("unreadable", place, format!("it can't be read as a tar archive: {error}"));
            return members;
        }
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let message = format!("it can't be read as a tar archive after {} files: {error}", members.len());
                verdict.find("unreadable", place, shown(&message));
                break;
            }
        };
        if members.len() == MOST_MEMBERS {
            verdict.find("absurd-size", place, format!("it has more than {MOST_MEMBERS} files"));
            break;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(bytes) = content(archive, &entry) else {
            let message = format!("`{}` states {} bytes, which are not there", shown(&path), entry.size());
            verdict.find("absurd-size", place, message);
            break;
        };
        let link = entry.link_name_bytes().map(|name| String::from_utf8_lossy(&name).into_owned());
        let link = link.unwrap_or_default();
        let too_long = (link.len() > LONGEST_PATH).then_some("points to what is longer than a path can be");
        if let Some(reason) = unsafe_path(&path).or(too_long) {
            verdict.find("unsafe-path", place, format!("`{}` {reason}", shown(&path)));
            continue;
        }
        let kind = kind(entry.header().entry_type(), link);
        members.push(Member { path: normal(&path), kind, bytes, mode: entry.header().mode().unwrap_or(0) });
    }
    through_links(&members, place, verdict);
    members
}

/// The bytes of a member, if the archive has as many as it states.
fn content<'a>(archive: &'a [u8], entry: &tar::Entry<'_, &[u8]>) -> Option<&'a [u8]> {
    // A sparse file states a length that its bytes don't have.
    if entry.header().entry_type() == EntryType::GNUSparse {
        return None;
    }
    let start = usize::try_from(entry.raw_file_position()).ok()?;
    let end = start.checked_add(usize::try_from(entry.size()).ok()?)?;
    archive.get(start..end)
}

fn kind(kind: EntryType, link: String) -> Kind {
    match kind {
        EntryType::Directory => Kind::Folder,
        EntryType::Symlink => Kind::Link(link),
        EntryType::Link => Kind::Hard(link),
        EntryType::Char | EntryType::Block | EntryType::Fifo => Kind::Special,
        _ => Kind::File,
    }
}

/// Why a path must not be unpacked.
fn unsafe_path(path: &str) -> Option<&'static str> {
    if path.starts_with('/') {
        Some("is absolute")
    } else if path.split('/').any(|part| part == "..") {
        Some("leads out of the archive")
    } else if path.contains('\0') || path.is_empty() {
        Some("is no path")
    } else if path.len() > LONGEST_PATH || path.matches('/').count() > DEEPEST_PATH {
        Some("is longer or deeper than a path can be")
    } else {
        None
    }
}

/// Finds members that would be written through a link of the same archive, and hard links to what is outside.
fn through_links(members: &[Member<'_>], place: &str, verdict: &mut Verdict) {
    let mut links = BTreeSet::new();
    for member in members {
        let above = member.path.match_indices('/').map(|(at, _)| &member.path[..at]);
        if let Some(link) = above.into_iter().find(|above| links.contains(above)) {
            let message = format!("`{}` would be written through the link `{}`", shown(&member.path), shown(link));
            verdict.find("unsafe-path", place, message);
        }
        match &member.kind {
            Kind::Link(_) => {
                links.insert(member.path.as_str());
            }
            Kind::Hard(to) if unsafe_path(to).is_some() => {
                let message = format!("`{}` is another name of `{}`", shown(&member.path), shown(to));
                verdict.find("unsafe-path", place, message);
            }
            _ => {}
        }
    }
}
