//! Records of a tar archive that describe the next member: long names and extended headers.
//!
//! The crate `tar` would hold such records in memory at any length, so it is configured to return them unprocessed, and only as much
//! of one is read as a path can need.

use std::io::{self, Read};

use tar::{Entry, EntryType, Header, PaxExtensions};

use crate::limits::LONGEST_HEADER;

/// The description of a member in the records before it.
#[derive(Debug, Default)]
pub(crate) struct Described {
    path: Option<String>,
    link: Option<String>,
    /// The length that replaces the one in the header.
    pub(crate) size: Option<u64>,
    sparse: bool,
}

/// The reason why a member is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// A sparse file: its bytes are a map and the data between holes.
    Sparse,
    /// The same, with a map that continues after the header: the offset of the next member is not known.
    SparseInPieces,
    /// A kind of member that only some archivers know, by its letter.
    Kind(u8),
}

impl Described {
    /// Reads a record that describes the next member. Returns `false` if the entry is not such a record.
    pub(crate) fn take<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> io::Result<bool> {
        match entry.header().entry_type() {
            EntryType::GNULongName => self.path = Some(name(&record(entry)?)),
            EntryType::GNULongLink => self.link = Some(name(&record(entry)?)),
            EntryType::XHeader => self.extend(&record(entry)?),
            EntryType::XGlobalHeader => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn extend(&mut self, header: &[u8]) {
        for record in PaxExtensions::new(header).filter_map(Result::ok) {
            let value = || String::from_utf8_lossy(record.value_bytes()).into_owned();
            match record.key_bytes() {
                b"path" => self.path = Some(value()),
                // The header of a sparse file has an artificial path.
                b"GNU.sparse.name" => (self.path, self.sparse) = (Some(value()), true),
                b"linkpath" => self.link = Some(value()),
                b"size" => self.size = value().parse().ok(),
                key => self.sparse |= key.starts_with(b"GNU.sparse."),
            }
        }
    }

    /// The path of the member.
    pub(crate) fn path(&mut self, header: &Header) -> String {
        self.path.take().unwrap_or_else(|| String::from_utf8_lossy(&header.path_bytes()).into_owned())
    }

    /// The target of a link.
    pub(crate) fn link(&mut self, header: &Header) -> String {
        let own = || header.link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned());
        self.link.take().or_else(own).unwrap_or_default()
    }

    /// The reason why the bytes of the member are not its content, if any.
    pub(crate) fn unread(&self, header: &Header) -> Option<Unread> {
        match header.entry_type() {
            EntryType::GNUSparse if header.as_gnu().is_some_and(tar::GnuHeader::is_extended) => {
                Some(Unread::SparseInPieces)
            }
            EntryType::GNUSparse => Some(Unread::Sparse),
            EntryType::Regular | EntryType::Continuous if self.sparse => Some(Unread::Sparse),
            EntryType::Regular
            | EntryType::Continuous
            | EntryType::Directory
            | EntryType::Symlink
            | EntryType::Link
            | EntryType::Char
            | EntryType::Block
            | EntryType::Fifo => None,
            other => Some(Unread::Kind(other.as_byte())),
        }
    }
}

impl Unread {
    /// A phrase for the member.
    pub(crate) fn description(self) -> String {
        match self {
            Self::Sparse => "a sparse file, which is not read".to_owned(),
            Self::SparseInPieces => {
                "a sparse file with many holes; neither it nor what follows it in the archive is read".to_owned()
            }
            Self::Kind(letter) => format!("a member of the kind `{}`, which is not read", letter.escape_ascii()),
        }
    }
}

/// Reads a record up to the limit.
fn record(entry: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.take(LONGEST_HEADER).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A name up to the NUL that ends it.
fn name(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
