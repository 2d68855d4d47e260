//! The build information of a Go executable, as `go version -m` shows it.
//!
//! Layout (Go's `debug/buildinfo` and `cmd/link/internal/ld/data.go`, since Go 1.18): a 32 byte header whose
//! first 14 bytes are the magic, then byte 15 with bit 1 set for the inline form, and at byte 32 two strings,
//! each a length as a varint and its bytes: the version of Go, and the module information between two
//! 16 byte sentinels.

use std::collections::BTreeMap;

use object::{Object, ObjectSection, ObjectSegment};

use crate::error::Unreadable;

const MAGIC: &[u8] = b"\xff Go buildinf:";
const HEADER: usize = 32;
const SENTINEL: usize = 16;
const INLINE: u8 = 2;
const ALIGNMENT: usize = 16;

/// What a Go executable records of its own build.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BuildInfo {
    /// The toolchain, such as `go1.26.8`.
    pub go: String,
    /// The import path of the main package.
    pub path: String,
    /// The module that holds the main package.
    pub main: Option<Module>,
    /// Every other module inside, in the order of the record.
    pub dependencies: Vec<Module>,
    /// The settings of the build, such as `-tags` and `GOARCH`.
    pub settings: BTreeMap<String, String>,
}

/// A module and what was recorded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its path, such as `tailscale.com`.
    pub path: String,
    /// Its version, such as `v1.102.5`.
    pub version: String,
    /// Its checksum, `h1:…`; empty where none was recorded.
    pub sum: String,
    /// Whether another module stood in its place.
    pub replaced: bool,
}

/// Reads the build information of an ELF executable.
///
/// # Errors
/// [`Unreadable`] if the bytes are no ELF file, hold no build information, or a damaged one.
pub fn build_info(bytes: &[u8]) -> Result<BuildInfo, Unreadable> {
    decode(record(bytes)?)
}

/// The version of Go alone, which the record begins with even where nothing else is in it.
pub(crate) fn toolchain(bytes: &[u8]) -> Option<String> {
    let (go, _) = string(record(bytes).ok()?.get(HEADER..)?).ok()?;
    Some(String::from_utf8_lossy(go).into_owned()).filter(|go| !go.is_empty())
}

/// The bytes from the record on. Where the sections are gone, it is looked for as Go itself does: at every 16th byte of what is
/// mapped and can be written to. A program that looks for such records holds the magic too, as text.
fn record(bytes: &[u8]) -> Result<&[u8], Unreadable> {
    let not_elf = |error: object::Error| Unreadable::NotElf(error.to_string());
    let file = object::File::parse(bytes).map_err(not_elf)?;
    if let Some(section) = file.section_by_name(".go.buildinfo") {
        return section.data().map_err(not_elf);
    }
    if file.sections().next().is_some() {
        return Err(Unreadable::NoBuildInfo);
    }
    let writable = |segment: &object::Segment<'_, '_>| segment.permissions().writable();
    let mapped = file.segments().filter(writable).filter_map(|segment| segment.data().ok());
    mapped.filter_map(find).next().ok_or(Unreadable::NoBuildInfo)
}

/// The first record in a segment, which is loaded at a multiple of 16.
fn find(segment: &[u8]) -> Option<&[u8]> {
    let at = (0..segment.len()).step_by(ALIGNMENT).find(|at| segment[*at..].starts_with(MAGIC))?;
    Some(&segment[at..])
}

/// Decodes the contents of the section.
fn decode(data: &[u8]) -> Result<BuildInfo, Unreadable> {
    if !data.starts_with(MAGIC) {
        return Err(Unreadable::BadBuildInfo("the magic is missing"));
    }
    if data.get(15).is_none_or(|flags| flags & INLINE == 0) {
        return Err(Unreadable::BadBuildInfo("written by a Go before 1.18"));
    }
    let rest = data.get(HEADER..).ok_or(Unreadable::BadBuildInfo("cut off"))?;
    let (go, rest) = string(rest)?;
    let (modules, _) = string(rest)?;
    let text = match modules.len().checked_sub(2 * SENTINEL) {
        Some(length) if length > 0 => &modules[SENTINEL..SENTINEL + length],
        _ => return Err(Unreadable::NoBuildInfo),
    };
    let mut info = parse(std::str::from_utf8(text).map_err(|_| Unreadable::BadBuildInfo("not text"))?);
    info.go = String::from_utf8_lossy(go).into_owned();
    Ok(info)
}

/// A length as a varint, and as many bytes.
fn string(data: &[u8]) -> Result<(&[u8], &[u8]), Unreadable> {
    let cut = Unreadable::BadBuildInfo("cut off");
    let mut length = 0_u64;
    for (index, byte) in data.iter().enumerate().take(9) {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let start = index + 1;
            let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length)).ok_or(cut.clone())?;
            return data.get(start..end).map(|bytes| (bytes, &data[end..])).ok_or(cut);
        }
    }
    Err(cut)
}

fn parse(text: &str) -> BuildInfo {
    let mut info = BuildInfo::default();
    let mut last_is_main = false;
    for line in text.lines() {
        let mut fields = line.split('\t');
        let kind = fields.next().unwrap_or_default();
        match kind {
            "path" => info.path = fields.next().unwrap_or_default().to_owned(),
            "mod" | "dep" => {
                last_is_main = kind == "mod";
                let module = module(&mut fields);
                if last_is_main { info.main = Some(module) } else { info.dependencies.push(module) }
            }
            "=>" => {
                let replaced = if last_is_main { info.main.as_mut() } else { info.dependencies.last_mut() };
                replaced.into_iter().for_each(|module| module.replaced = true);
            }
            "build" => {
                let setting = fields.next().unwrap_or_default();
                let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
                info.settings.insert(key.to_owned(), unquoted(value));
            }
            _ => {}
        }
    }
    info
}

fn module<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Module {
    let mut next = || fields.next().unwrap_or_default().to_owned();
    Module { path: next(), version: next(), sum: next(), replaced: false }
}

/// Go quotes a value that holds a space, a quote or a line break.
fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => value.strip_prefix('`').and_then(|value| value.strip_suffix('`')).unwrap_or(value).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn section(go: &str, modules: &str) -> Vec<u8> {
        let mut data = MAGIC.to_vec();
        data.resize(HEADER, 0);
        data[15] = INLINE;
        for text in [go.to_owned(), format!("{0}{modules}{0}", "s".repeat(SENTINEL))] {
            let mut length = text.len();
            while length >= 0x80 {
                data.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
                length >>= 7;
            }
            data.push(u8::try_from(length).unwrap());
            data.extend(text.as_bytes());
        }
        data
    }

    const RECORD: &str = "path\ttailscale.com/cmd/tailscaled\nmod\ttailscale.com\tv1.102.5\th1:abc=\n\
        dep\tgo4.org/mem\tv0.1.0\th1:x=\ndep\tfork.example/a\tv1.0.0\n=>\tfork.example/b\tv1.0.1\th1:y=\n\
        build\t-tags=ts_include_cli,ts_omit_ace\nbuild\t-ldflags=\"-s -w\"\nbuild\tGOARCH=arm\n";

    #[test]
    fn the_record_is_read() {
        let info = decode(&section("go1.26.8", RECORD)).unwrap();
        assert_eq!((info.go.as_str(), info.path.as_str()), ("go1.26.8", "tailscale.com/cmd/tailscaled"));
        assert_eq!(info.main.unwrap().sum, "h1:abc=");
        assert_eq!(info.dependencies.iter().map(|dep| dep.replaced).collect::<Vec<_>>(), [false, true]);
        assert_eq!(info.settings["-tags"], "ts_include_cli,ts_omit_ace");
        assert_eq!(info.settings["-ldflags"], "-s -w");
    }

    #[test]
    fn foreign_and_damaged_files_are_errors() {
        assert!(matches!(build_info(b""), Err(Unreadable::NotElf(_))));
        assert!(matches!(build_info(b"#!/bin/sh\n"), Err(Unreadable::NotElf(_))));
        assert_eq!(decode(&section("go1.26.8", "")), Err(Unreadable::NoBuildInfo));
        assert!(decode(MAGIC).is_err());
        // The test program itself is an ELF file that Go did not make.
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(build_info(&own), Err(Unreadable::NoBuildInfo));
        }
    }

    proptest! {
        #[test]
        fn no_cut_makes_it_panic(at in 0_usize..400) {
            let data = section("go1.26.8", RECORD);
            let _ = decode(&data[..at.min(data.len())]);
        }

        #[test]
        fn no_bytes_make_it_panic(tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut data = section("", "");
            data.truncate(HEADER);
            data.extend(tail);
            let _ = decode(&data);
        }
    }
}
