//! Reads the build information of a Go executable, which `go version -m` prints.
//!
//! Format since Go 1.18 (Go's `debug/buildinfo` and `cmd/link/internal/ld/data.go`): a header of 32
//! bytes. Its first 14 bytes are the magic, and bit 1 of byte 15 marks the inline format. Two
//! strings follow, each with its length as a varint: the Go version, and the module information
//! between two sentinels of 16 bytes.

use std::collections::BTreeMap;

use object::{Object, ObjectSection, ObjectSegment};

use crate::elf::named_sections;
use crate::error::Unreadable;
use crate::limits::{MAX_BUILD_INFO_LEN, MAX_MODULES};

const MAGIC: &[u8] = b"\xff Go buildinf:";
const HEADER: usize = 32;
const SENTINEL: usize = 16;
const INLINE: u8 = 2;
const ALIGNMENT: usize = 16;

/// The build information of a Go executable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BuildInfo {
    /// The toolchain, such as `go1.26.8`, or `go1.27.3-X:nojsonv2` with an experiment.
    pub go: String,
    /// The import path of the main package.
    pub path: String,
    /// The module of the main package.
    pub main: Option<Module>,
    /// All other modules, in recorded order.
    pub dependencies: Vec<Module>,
    /// The build settings, such as `-tags` and `GOARCH`.
    pub settings: BTreeMap<String, String>,
}

/// A module in the build information.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its path, such as `tailscale.com`.
    pub path: String,
    /// Its version, such as `v1.102.5`.
    pub version: String,
    /// Its checksum, `h1:…`; empty if not recorded.
    pub sum: String,
    /// Whether a `replace` directive replaced it.
    pub replaced: bool,
}

impl BuildInfo {
    /// Returns the version of the toolchain without its experiments, such as `1.26.8`.
    ///
    /// Source: `cmd/link/internal/ld/main.go`, which separates them with a space or, since Go 1.26, a hyphen.
    #[must_use]
    pub fn go_version(&self) -> &str {
        let version = self.go.strip_prefix("go").unwrap_or(&self.go);
        version.split(' ').next().and_then(|version| version.split("-X:").next()).unwrap_or_default()
    }
}

/// Reads the build information of an ELF executable.
///
/// # Errors
/// [`Unreadable`] if the file is not an ELF file, or if its build information is missing or
/// damaged.
pub fn build_info(bytes: &[u8]) -> Result<BuildInfo, Unreadable> {
    decode(find(bytes)?)
}

/// Returns only the Go version, which is present even if the module information is missing.
pub(crate) fn toolchain(bytes: &[u8]) -> Option<String> {
    let (go, _) = string(find(bytes).ok()?.get(HEADER..)?).ok()?;
    Some(String::from_utf8_lossy(go).into_owned()).filter(|go| !go.is_empty())
}

/// Returns the bytes from the build information on. If the file has no sections, it is searched for
/// as Go does: at every 16th byte of a writable segment. (A program that itself searches for build
/// information contains the magic as a constant, too.)
fn find(bytes: &[u8]) -> Result<&[u8], Unreadable> {
    let not_elf = |error: object::Error| Unreadable::NotElf(error.to_string());
    let file = object::File::parse(bytes).map_err(not_elf)?;
    if let Some((_, section)) = named_sections(&file).find(|(name, _)| *name == b".go.buildinfo") {
        return section.data().map_err(not_elf);
    }
    if file.sections().next().is_some() {
        return Err(Unreadable::NoBuildInfo);
    }
    let writable = |segment: &object::Segment<'_, '_>| segment.permissions().writable();
    // Segments do not overlap, so their total length is at most that of the file.
    let mut remaining = bytes.len();
    let mapped = file.segments().filter(writable).filter_map(|segment| segment.data().ok());
    let mapped =
        mapped.map_while(|segment| remaining.checked_sub(segment.len()).map(|rest| (remaining = rest, segment).1));
    mapped.filter_map(find_in_segment).next().ok_or(Unreadable::NoBuildInfo)
}

/// Searches a segment, which is loaded at a multiple of 16.
fn find_in_segment(segment: &[u8]) -> Option<&[u8]> {
    let at = (0..segment.len()).step_by(ALIGNMENT).find(|at| segment[*at..].starts_with(MAGIC))?;
    Some(&segment[at..])
}

/// Decodes the build information.
fn decode(data: &[u8]) -> Result<BuildInfo, Unreadable> {
    if !data.starts_with(MAGIC) {
        return Err(Unreadable::BadBuildInfo("the magic is missing"));
    }
    if data.get(15).is_none_or(|flags| flags & INLINE == 0) {
        return Err(Unreadable::BadBuildInfo("written by a Go before 1.18"));
    }
    let rest = data.get(HEADER..).ok_or(Unreadable::BadBuildInfo("truncated"))?;
    let (go, rest) = string(rest)?;
    let (modules, _) = string(rest)?;
    let text = match modules.len().checked_sub(2 * SENTINEL) {
        Some(length) if length > 0 => &modules[SENTINEL..SENTINEL + length],
        _ => return Err(Unreadable::NoBuildInfo),
    };
    let mut info = parse(std::str::from_utf8(text).map_err(|_| Unreadable::BadBuildInfo("not UTF-8"))?)?;
    info.go = String::from_utf8_lossy(go).into_owned();
    Ok(info)
}

/// Decodes a string with its length as a varint. Returns it and the rest.
fn string(data: &[u8]) -> Result<(&[u8], &[u8]), Unreadable> {
    let truncated = Unreadable::BadBuildInfo("truncated");
    let mut length = 0_u64;
    for (index, byte) in data.iter().enumerate().take(9) {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            if length > MAX_BUILD_INFO_LEN as u64 {
                return Err(Unreadable::BadBuildInfo("too long"));
            }
            let start = index + 1;
            let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
            let end = end.ok_or(truncated.clone())?;
            return data.get(start..end).map(|bytes| (bytes, &data[end..])).ok_or(truncated);
        }
    }
    Err(truncated)
}

fn parse(text: &str) -> Result<BuildInfo, Unreadable> {
    let mut info = BuildInfo::default();
    let mut last_is_main = false;
    for line in text.lines() {
        let mut fields = line.split('\t');
        let kind = fields.next().unwrap_or_default();
        match kind {
            "path" => info.path = fields.next().unwrap_or_default().to_owned(),
            "mod" | "dep" => {
                if info.dependencies.len() == MAX_MODULES {
                    return Err(Unreadable::BadBuildInfo("too many modules"));
                }
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
                info.settings.insert(key.to_owned(), unquote(value));
            }
            _ => {}
        }
    }
    Ok(info)
}

fn module<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Module {
    let mut next = || fields.next().unwrap_or_default().to_owned();
    Module { path: next(), version: next(), sum: next(), replaced: false }
}

/// Removes the quotes, which Go adds to a value that contains a space, a quote or a line break.
fn unquote(value: &str) -> String {
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

    const MODULE_INFO: &str = "path\ttailscale.com/cmd/tailscaled\nmod\ttailscale.com\tv1.102.5\th1:abc=\n\
        dep\tgo4.org/mem\tv0.1.0\th1:x=\ndep\tfork.example/a\tv1.0.0\n=>\tfork.example/b\tv1.0.1\th1:y=\n\
        build\t-tags=ts_include_cli,ts_omit_ace\nbuild\t-ldflags=\"-s -w\"\nbuild\tGOARCH=arm\n";

    #[test]
    fn go_version_has_no_experiments() {
        let version = |go: &str| BuildInfo { go: go.to_owned(), ..BuildInfo::default() }.go_version().to_owned();
        assert_eq!(version("go1.26.8"), "1.26.8");
        assert_eq!(version("go1.24.1 X:synctest"), "1.24.1");
        assert_eq!(version("go1.27.3-X:nojsonv2"), "1.27.3");
        assert_eq!(version("go1.27.3-custom X:nojsonv2"), "1.27.3-custom");
        assert_eq!(version("devel go1.28-abc"), "devel");
    }

    #[test]
    fn build_info_is_decoded() {
        let info = decode(&section("go1.26.8", MODULE_INFO)).unwrap();
        assert_eq!((info.go.as_str(), info.path.as_str()), ("go1.26.8", "tailscale.com/cmd/tailscaled"));
        assert_eq!(info.main.unwrap().sum, "h1:abc=");
        assert_eq!(info.dependencies.iter().map(|dep| dep.replaced).collect::<Vec<_>>(), [false, true]);
        assert_eq!(info.settings["-tags"], "ts_include_cli,ts_omit_ace");
        assert_eq!(info.settings["-ldflags"], "-s -w");
    }

    #[test]
    fn build_info_over_a_limit_is_an_error() {
        let long = decode(&section("go1.26.8", &"dep\n".repeat(MAX_BUILD_INFO_LEN / 4)));
        assert_eq!(long, Err(Unreadable::BadBuildInfo("too long")));
        let many = decode(&section("go1.26.8", &"dep\n".repeat(MAX_MODULES + 1)));
        assert_eq!(many, Err(Unreadable::BadBuildInfo("too many modules")));
        assert_eq!(decode(&section("go1.26.8", &"dep\n".repeat(MAX_MODULES))).unwrap().dependencies.len(), MAX_MODULES);
        let go = decode(&section(&"x".repeat(MAX_BUILD_INFO_LEN + 1), MODULE_INFO));
        assert_eq!(go, Err(Unreadable::BadBuildInfo("too long")));
    }

    #[test]
    fn build_info_of_other_and_damaged_files_is_an_error() {
        assert!(matches!(build_info(b""), Err(Unreadable::NotElf(_))));
        assert!(matches!(build_info(b"#!/bin/sh\n"), Err(Unreadable::NotElf(_))));
        assert_eq!(decode(&section("go1.26.8", "")), Err(Unreadable::NoBuildInfo));
        assert!(decode(MAGIC).is_err());
        // The test program is an ELF file that Go did not link.
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(build_info(&own), Err(Unreadable::NoBuildInfo));
        }
    }

    proptest! {
        #[test]
        fn decode_of_truncated_data_does_not_panic(at in 0_usize..400) {
            let data = section("go1.26.8", MODULE_INFO);
            let _ = decode(&data[..at.min(data.len())]);
        }

        #[test]
        fn decode_of_random_bytes_does_not_panic(tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut data = section("", "");
            data.truncate(HEADER);
            data.extend(tail);
            let _ = decode(&data);
        }
    }
}
