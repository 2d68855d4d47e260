//! Members of a tar archive, as a stream.

use std::cell::Cell;
use std::io::{self, Read};

use tar::{Archive, EntryType};

use super::reader::PeekedReader;
use super::report::{Fault, Format, Visitor};
use crate::limits::MOST_MEMBERS;
use crate::tar_records::{Described, Unread};

/// Visits every file of an archive.
pub(super) fn visit(reader: PeekedReader<'_>, visitor: &mut dyn Visitor) -> Result<(), Fault> {
    let ended = Cell::new(false);
    let mut archive = Archive::new(UntilEnd { inner: reader, ended: &ended });
    // An apk package is several concatenated archives, and not every tool removes their end markers.
    archive.set_ignore_zeros(true);
    let mut format = Format::Tar;
    let outcome = members(visitor, &mut archive, &mut format);
    visitor.format(format);
    outcome.map_err(|fault| match fault {
        Fault::Damaged(_) if ended.get() => Fault::Truncated,
        fault => fault,
    })
}

fn members<R: Read>(visitor: &mut dyn Visitor, archive: &mut Archive<R>, format: &mut Format) -> Result<(), Fault> {
    let mut described = Described::default();
    let entries = archive.entries().map_err(|error| Fault::from_io(&error))?;
    for (index, entry) in entries.raw(true).enumerate() {
        let mut entry = entry.map_err(|error| Fault::from_io(&error))?;
        if index == MOST_MEMBERS {
            return Err(Fault::TooMuch(format!("it has more than {MOST_MEMBERS} files")));
        }
        if described.take(&mut entry).map_err(|error| Fault::from_io(&error))? {
            continue;
        }
        let mut described = std::mem::take(&mut described);
        let name = described.path(entry.header());
        match (described.unread(entry.header()), entry.header().entry_type()) {
            (Some(unread), _) => {
                visitor.unread(&name, unread.description());
                if unread == Unread::SparseInPieces {
                    return Ok(());
                }
            }
            (None, EntryType::Regular | EntryType::Continuous) => {
                *format = format_by_member(&name, *format);
                visitor.member(&name, &mut entry)?;
            }
            (None, _) => {}
        }
    }
    Ok(())
}

/// Returns the format of an archive by the name of a member. Docker's images contain the files of both layouts.
fn format_by_member(name: &str, known: Format) -> Format {
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

/// A reader that records whether it reached its end.
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
