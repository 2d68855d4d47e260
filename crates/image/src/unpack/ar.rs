//! The members of an ar archive, streamed: deb(5) has three of them, with plain names.
//!
//! The crate `ar` allocates what a header states before the bytes are there, and that of `object` wants the whole file; a
//! header is sixty bytes.

use std::io::{self, Read};

use super::source::Source;
use super::{Fault, Format, Walk};

const MAGIC: u64 = 8;
const HEADER: usize = 60;

/// More members than any package has.
const MOST_MEMBERS: usize = 1000;

/// Looks at every member of an archive.
pub(super) fn walk(walk: &mut Walk<'_>, mut stream: Source<'_>, depth: usize) -> Result<(), Fault> {
    skip(&mut stream, MAGIC)?;
    let mut is_package = false;
    for _ in 0..MOST_MEMBERS {
        let Some((name, size)) = header(&mut stream)? else {
            return if is_package { Ok(()) } else { Err(not_a_package()) };
        };
        if name == "debian-binary" {
            is_package = true;
            walk.is(Format::ArPackage);
        }
        let mut member = stream.by_ref().take(size);
        walk.member(&name, &mut member, depth)?;
        // What was not looked at, and the byte that makes the length even. The last one may lack it.
        let left = member.limit();
        skip(&mut stream, left)?;
        let _ = skip(&mut stream, size % 2);
    }
    Err(if is_package { Fault::TooMuch(format!("it has more than {MOST_MEMBERS} members")) } else { not_a_package() })
}

fn not_a_package() -> Fault {
    Fault::Foreign("an ar archive that is no package, such as a library", "Name a program, or the package it is in.")
}

/// The name and the size of the next member; nothing at the end.
fn header(stream: &mut impl Read) -> Result<Option<(String, u64)>, Fault> {
    let mut bytes = Vec::with_capacity(HEADER);
    stream.take(HEADER as u64).read_to_end(&mut bytes).map_err(|error| Fault::of(&error))?;
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
    let skipped = io::copy(&mut stream.by_ref().take(count), &mut io::sink()).map_err(|error| Fault::of(&error))?;
    if skipped == count { Ok(()) } else { Err(Fault::Truncated) }
}
