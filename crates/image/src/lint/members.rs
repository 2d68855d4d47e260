//! The members of a tar archive, read without unpacking: slices of the archive, each length checked against it.

use std::collections::BTreeSet;
use std::io;

use diagnostics::area::Image;
use tar::{Archive, EntryType};

use super::verdict::Verdict;
use crate::limits::{DEEPEST_PATH, LONGEST_PATH, MOST_MEMBERS, MOST_NAMES};
use crate::printable::printable;
use crate::tar_records::{Described, Unread};

/// The unit of a tar archive.
const BLOCK: usize = 512;

/// How many members may still be read, and how many bytes of their names: of the archive and its layers together.
#[derive(Debug)]
pub(super) struct Room {
    members: usize,
    names: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { members: MOST_MEMBERS, names: MOST_NAMES }
    }
}

impl Room {
    /// Takes the room of one member; what there is too much of, if there is.
    fn take(&mut self, name: usize) -> Result<(), String> {
        self.members =
            self.members.checked_sub(1).ok_or_else(|| format!("there are more than {MOST_MEMBERS} files in all"))?;
        self.names = self
            .names
            .checked_sub(name)
            .ok_or_else(|| format!("the names of its files have more than {MOST_NAMES} bytes in all"))?;
        Ok(())
    }
}

/// The kind of a member.
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
pub(super) fn read<'a>(archive: &'a [u8], place: &str, room: &mut Room, verdict: &mut Verdict) -> Vec<Member<'a>> {
    let mut members = Vec::new();
    let mut reader = Archive::new(archive);
    let entries = match reader.entries() {
        Ok(entries) => entries,
        Err(error) => {
            verdict.find(Image::NotAnArchive, place, format!("it can't be read as a tar archive: {error}"));
            return members;
        }
    };
    let (mut described, mut end, mut whole) = (Described::default(), 0, true);
    for entry in entries.raw(true) {
        let member = entry.map_err(|error| unreadable(&error, members.len())).and_then(|entry| {
            end = next_record(&entry);
            member(archive, entry, &mut described, room).map_err(|error| match error {
                Error::Io(error) => unreadable(&error, members.len()),
                Error::Unusable(unusable) => unusable,
            })
        });
        match member {
            Ok(member) => members.extend(member),
            Err(Unusable { code, message, ends }) => {
                verdict.find(code, place, message);
                if ends {
                    whole = false;
                    break;
                }
            }
        }
    }
    if whole {
        after_the_end(archive, end, place, verdict);
    }
    through_links(&members, place, verdict);
    members
}

/// A member that can't be used.
struct Unusable {
    /// The lint that reports it.
    code: Image,
    message: String,
    /// Whether nothing after it can be read.
    ends: bool,
}

/// Why a member was not read.
enum Error {
    Io(io::Error),
    Unusable(Unusable),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn unreadable(error: &io::Error, files: usize) -> Unusable {
    let message = printable(&format!("it can't be read as a tar archive after {files} files: {error}"));
    Unusable { code: Image::NotAnArchive, message, ends: true }
}

/// Reads one member; `None` for a record that describes the next one.
fn member<'a>(
    archive: &'a [u8],
    mut entry: tar::Entry<'_, &'a [u8]>,
    next: &mut Described,
    room: &mut Room,
) -> Result<Option<Member<'a>>, Error> {
    let unusable = |code, message, ends| Err(Error::Unusable(Unusable { code, message, ends }));
    if next.take(&mut entry)? {
        return Ok(None);
    }
    let mut described = std::mem::take(next);
    let header = entry.header();
    let (path, link) = (described.path(header), described.link(header));
    if let Err(message) = room.take(path.len() + link.len()) {
        return unusable(Image::InvalidSize, message, true);
    }
    if let Some(unread) = described.unread(header) {
        let message = format!("`{}` is {}", printable(&path), unread.description());
        return unusable(Image::UnreadMember, message, unread == Unread::SparseInPieces);
    }
    // An extended header states a length only if it does not fit the header: above 8 GiB.
    let stated = described.size.unwrap_or(entry.size());
    let Some(bytes) = content(archive, &entry).filter(|bytes| bytes.len() as u64 == stated) else {
        let message = format!("`{}` states {stated} bytes, which are not there", printable(&path));
        return unusable(Image::InvalidSize, message, true);
    };
    let too_long = (link.len() > LONGEST_PATH).then_some("points to what is longer than a path can be");
    if let Some(reason) = unsafe_path(&path).or(too_long) {
        return unusable(Image::UnsafePath, format!("`{}` {reason}", printable(&path)), false);
    }
    let kind = kind(header.entry_type(), link);
    Ok(Some(Member { path: normal(&path), kind, bytes, mode: header.mode().unwrap_or(0) }))
}

/// The offset of the record after a member.
fn next_record(entry: &tar::Entry<'_, &[u8]>) -> usize {
    let end = entry.raw_file_position().saturating_add(entry.size());
    usize::try_from(end).unwrap_or(usize::MAX).checked_next_multiple_of(BLOCK).unwrap_or(usize::MAX)
}

/// Finds data after the end of an archive: zeros end it, and only zeros may follow.
fn after_the_end(archive: &[u8], end: usize, place: &str, verdict: &mut Verdict) {
    let rest = archive.get(end..).unwrap_or_default();
    if let Some(at) = rest.iter().position(|byte| *byte != 0) {
        let message = format!("there are {} bytes after its end", rest.len() - at / BLOCK * BLOCK);
        verdict.find(Image::TrailingData, place, message);
    }
}

/// The bytes of a member, if the archive has as many as it states.
fn content<'a>(archive: &'a [u8], entry: &tar::Entry<'_, &[u8]>) -> Option<&'a [u8]> {
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
        Some("is not a path")
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
            let message =
                format!("`{}` would be written through the link `{}`", printable(&member.path), printable(link));
            verdict.find(Image::UnsafePath, place, message);
        }
        match &member.kind {
            Kind::Link(_) => {
                links.insert(member.path.as_str());
            }
            Kind::Hard(to) if unsafe_path(to).is_some() => {
                let message = format!("`{}` is another name of `{}`", printable(&member.path), printable(to));
                verdict.find(Image::UnsafePath, place, message);
            }
            _ => {}
        }
    }
}
