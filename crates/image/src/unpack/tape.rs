//! The members of a tar archive, streamed.

use std::cell::Cell;
use std::io::{self, Read};

use tar::{Archive, EntryType};

use super::source::Source;
use super::{Fault, Format, Walk};
use crate::limits::MOST_MEMBERS;
use crate::tape::{Described, Unread};

/// Looks at every file of an archive.
pub(super) fn walk(walk: &mut Walk<'_>, source: Source<'_>, depth: usize) -> Result<(), Fault> {
    let ended = Cell::new(false);
    let mut archive = Archive::new(UntilEnd { inner: source, ended: &ended });
    // A package of apk is several archives in one stream, and not every tool takes their ends away.
    archive.set_ignore_zeros(true);
    let mut format = Format::Tar;
    let whole = walk.place.is_empty();
    let outcome = members(walk, &mut archive, depth, &mut format);
    // An error leaves the place where it happened, and the file is of its format all the same.
    if whole {
        walk.looked.format.get_or_insert(format);
    }
    outcome.map_err(|fault| match fault {
        Fault::Damaged(_) if ended.get() => Fault::Truncated,
        fault => fault,
    })
}

fn members<R: Read>(
    walk: &mut Walk<'_>,
    archive: &mut Archive<R>,
    depth: usize,
    format: &mut Format,
) -> Result<(), Fault> {
    let mut described = Described::default();
    let entries = archive.entries().map_err(|error| Fault::of(&error))?;
    for (index, entry) in entries.raw(true).enumerate() {
        let mut entry = entry.map_err(|error| Fault::of(&error))?;
        if index == MOST_MEMBERS {
            return Err(Fault::TooMuch(format!("it has more than {MOST_MEMBERS} files")));
        }
        if described.take(&mut entry).map_err(|error| Fault::of(&error))? {
            continue;
        }
        let mut described = std::mem::take(&mut described);
        let name = described.path(entry.header());
        match (described.unread(entry.header()), entry.header().entry_type()) {
            (Some(unread), _) => {
                walk.unread(&name, unread.what());
                if unread == Unread::SparseInPieces {
                    return Ok(());
                }
            }
            (None, EntryType::Regular | EntryType::Continuous) => {
                *format = told_by(&name, *format);
                walk.member(&name, &mut entry, depth)?;
            }
            (None, _) => {}
        }
    }
    Ok(())
}

/// What an archive is by the name of a member, if it was not known yet. Docker's own images hold the files of both layouts.
fn told_by(name: &str, known: Format) -> Format {
    let name = name.trim_start_matches("./");
    match (name, known) {
        ("manifest.json", Format::Tar | Format::OciLayout) => Format::DockerArchive,
        ("oci-layout", Format::Tar) => Format::OciLayout,
        ("debian-binary", Format::Tar) => Format::Ipk,
        (".PKGINFO", Format::Tar) => Format::Apk,
        (name, Format::Tar) if name.starts_with(".SIGN.") => Format::Apk,
        _ => known,
    }
}

/// A stream that knows whether it came to its end.
struct UntilEnd<'a, R> {
    inner: R,
    ended: &'a Cell<bool>,
}

impl<R: Read> Read for UntilEnd<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.ended.set(count == 0 && !buffer.is_empty());
        Ok(count)
    }
}
