//! The members of an ar archive, streamed: deb(5) has three of them, with plain names.
//!
//! The crate `ar` allocates the size in a header before reading the bytes, and that of `object` needs the whole file; a
//! header has only 60 bytes.

use std::io::{self, Read};

use super::reader::PeekedReader;
use super::report::{Fault, Format, Visitor};

const MAGIC: u64 = 8;
const HEADER: usize = 60;

/// The maximum number of members; packages have only a few.
const MOST_MEMBERS: usize = 1000;

/// Visits every member of an archive.
pub(super) fn visit(mut stream: PeekedReader<'_>, visitor: &mut dyn Visitor) -> Result<(), Fault> {
    skip(&mut stream, MAGIC)?;
    let mut is_package = false;
    for _ in 0..MOST_MEMBERS {
        let Some((name, size)) = header(&mut stream)? else {
            return if is_package { Ok(()) } else { Err(not_a_package()) };
        };
        if name == "debian-binary" {
            is_package = true;
            visitor.format(Format::ArPackage);
        }
        let mut member = stream.by_ref().take(size);
        visitor.member(&name, &mut member)?;
        // The rest of the member, and the padding byte, which may be missing at the end.
        let unread = member.limit();
        skip(&mut stream, unread)?;
        let _ = skip(&mut stream, size % 2);
    }
    Err(if is_package { Fault::TooMuch(format!("it has more than {MOST_MEMBERS} members")) } else { not_a_package() })
}

fn not_a_package() -> Fault {
    Fault::Foreign("an ar archive that is not a package, such as a library", "Name a program, or the package it is in.")
}

/// The name and the size of the next member; `None` at the end.
fn header(stream: &mut impl Read) -> Result<Option<(String, u64)>, Fault> {
    let mut bytes = Vec::with_capacity(HEADER);
    stream.take(HEADER as u64).read_to_end(&mut bytes).map_err(|error| Fault::from_io(&error))?;
    match bytes.len() {
        0 => return Ok(None),
        HEADER => {}
        _ => return Err(Fault::Truncated),
    }
    let field = |from: usize, to: usize| String::from_utf8_lossy(&bytes[from..to]).trim().to_owned();
    if bytes[58..] != *b"`\n" {
        return Err(Fault::Damaged("a member of it has no header".to_owned()));
    }
    let size = field(48, 58).parse().map_err(|_| Fault::Damaged("a member of it has no size".to_owned()))?;
    Ok(Some((field(0, 16).trim_end_matches('/').to_owned(), size)))
}

fn skip(stream: &mut impl Read, count: u64) -> Result<(), Fault> {
    let skipped =
        io::copy(&mut stream.by_ref().take(count), &mut io::sink()).map_err(|error| Fault::from_io(&error))?;
    if skipped == count { Ok(()) } else { Err(Fault::Truncated) }
}
