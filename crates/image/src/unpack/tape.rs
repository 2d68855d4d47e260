//! The members of a tar archive, streamed.
//!
//! The reader of the crate `tar` holds long names and extended headers of any length in memory, so it is asked for the
//! records as they are, and no more of a name is read than a path can have.

use std::cell::Cell;
use std::io::{self, Read};

use tar::{Archive, EntryType, PaxExtensions};

use super::source::Source;
use super::{Fault, Format, Walk};

/// How many members an archive may have.
const MOST_MEMBERS: usize = 200_000;

/// How much of a name or of an extended header is read.
const LONGEST_HEADER: u64 = 64 << 10;

/// Looks at every file of an archive.
pub(super) fn walk(walk: &mut Walk<'_>, source: Source<'_>, depth: usize) -> Result<(), Fault> {
    let ended = Cell::new(false);
    let mut archive = Archive::new(UntilEnd { inner: source, ended: &ended });
    // A package of apk is several archives in one stream, and not every tool takes their ends away.
    archive.set_ignore_zeros(true);
    let mut format = Format::Tar;
    let outcome = members(walk, &mut archive, depth, &mut format);
    walk.is(format);
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
    let mut long = None;
    let entries = archive.entries().map_err(|error| Fault::of(&error))?;
    for (index, entry) in entries.raw(true).enumerate() {
        let mut entry = entry.map_err(|error| Fault::of(&error))?;
        if index == MOST_MEMBERS {
            return Err(Fault::TooMuch(format!("it has more than {MOST_MEMBERS} files")));
        }
        match entry.header().entry_type() {
            EntryType::GNULongName => long = Some(text(&mut entry)?),
            EntryType::XHeader => long = path_of_pax(&text(&mut entry)?).or(long),
            EntryType::XGlobalHeader | EntryType::GNULongLink => {}
            EntryType::Regular | EntryType::Continuous => {
                let own = || String::from_utf8_lossy(&entry.header().path_bytes()).into_owned();
                let name = long.take().unwrap_or_else(own);
                *format = told_by(&name, *format);
                walk.member(&name, &mut entry, depth)?;
            }
            _ => long = None,
        }
    }
    Ok(())
}

/// A name that has a record of its own.
fn text(entry: &mut impl Read) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    entry.take(LONGEST_HEADER).read_to_end(&mut bytes).map_err(|error| Fault::of(&error))?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
}

/// The path in an extended header, if it has one.
fn path_of_pax(header: &str) -> Option<String> {
    let mut extensions = PaxExtensions::new(header.as_bytes()).filter_map(Result::ok);
    let path = extensions.find(|extension| extension.key_bytes() == b"path")?;
    Some(String::from_utf8_lossy(path.value_bytes()).into_owned())
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
