//! Finds the Tailscale release in a Go executable: in the build information, or in the data if that
//! says `(devel)`.

use object::{Object, ObjectSection, ObjectSymbol};

use crate::buildinfo::{BuildInfo, Module};
use crate::elf::with_names;

/// The path of Tailscale's module.
pub const MODULE: &str = "tailscale.com";

/// The role of Tailscale in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The daemon, `tailscale.com/cmd/tailscaled`; with the build tag `ts_include_cli` also the
    /// command.
    Daemon,
    /// The command, `tailscale.com/cmd/tailscale`.
    Command,
    /// Another program of Tailscale's module.
    Tool,
    /// A program of another module that uses Tailscale as a library, for example through tsnet.
    Library,
}

/// The source of the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The module version in the build information.
    Module,
    /// `-ldflags` in the build information. With `-trimpath` Go does not record them.
    LinkerFlags,
    /// The variable set by the linker, found by its symbol.
    Symbol,
    /// The only string in the program with the form of upstream's version stamp,
    /// `1.98.5-t012345678`.
    Stamp,
    /// The only string in the program with the form of upstream's embedded VERSION.txt.
    VersionFile,
}

/// The Tailscale in a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tailscale {
    /// Its role.
    pub role: Role,
    /// Its version without a leading `v`, such as `1.98.5`, or a longer stamp. `None` if it was not
    /// found.
    pub version: Option<(String, Source)>,
    /// Whether a `replace` directive replaced Tailscale's module. It may be a fork.
    pub replaced: bool,
}

/// Finds Tailscale in a program. `None` if the program does not contain it.
#[must_use]
pub fn tailscale(bytes: &[u8], info: &BuildInfo) -> Option<Tailscale> {
    let own = info.main.as_ref().filter(|main| main.path == MODULE);
    let role = match info.path.strip_prefix(MODULE) {
        Some("/cmd/tailscaled") => Role::Daemon,
        Some("/cmd/tailscale") => Role::Command,
        Some(rest) if rest.starts_with('/') => Role::Tool,
        _ if own.is_some() => Role::Tool,
        _ => Role::Library,
    };
    let module = own.or_else(|| info.dependencies.iter().find(|module| module.path == MODULE));
    if module.is_none() && role == Role::Library {
        return None;
    }
    let version = module
        .and_then(module_version)
        .map(|version| (version, Source::Module))
        .or_else(|| linker_flag_version(info).map(|version| (version, Source::LinkerFlags)))
        .or_else(|| symbol_version(bytes).map(|version| (version, Source::Symbol)))
        .or_else(|| unique_version(bytes, stamp_len).map(|version| (version, Source::Stamp)))
        .or_else(|| unique_version(bytes, version_file_len).map(|version| (version, Source::VersionFile)));
    Some(Tailscale { role, version, replaced: module.is_some_and(|module| module.replaced) })
}

/// Returns the version of a module if it is a release. It is not one if the module was built from a
/// directory (`(devel)`) or between two releases (`v0.0.0-…`, `v1.99.0-pre…`).
fn module_version(module: &Module) -> Option<String> {
    let version = module.version.strip_prefix('v')?;
    let version = version.strip_suffix("+dirty").unwrap_or(version);
    is_release(version).then(|| version.to_owned())
}

/// Whether a text is three numbers separated by dots.
fn is_release(text: &str) -> bool {
    let mut parts = text.split('.');
    let numbers = parts.by_ref().take(3).filter(|part| is_number(part)).count();
    numbers == 3 && parts.next().is_none()
}

fn is_number(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the value of `-X tailscale.com/version.shortStamp=…`, or of `longStamp`.
fn linker_flag_version(info: &BuildInfo) -> Option<String> {
    let flags = info.settings.get("-ldflags")?;
    ["tailscale.com/version.shortStamp=", "tailscale.com/version.longStamp="].iter().find_map(|name| {
        let (_, value) = flags.split_once(name)?;
        let end = value.find([' ', '\'', '"']).unwrap_or(value.len());
        Some(value[..end].to_owned()).filter(|value| !value.is_empty())
    })
}

/// Returns the string of the symbol that the linker creates for `-X`.
fn symbol_version(bytes: &[u8]) -> Option<String> {
    let file = object::File::parse(bytes).ok()?;
    let names: [&[u8]; 2] = [b"tailscale.com/version.shortStamp.str", b"tailscale.com/version.longStamp.str"];
    names.iter().find_map(|expected| {
        let (_, symbol) = with_names(file.symbols(), ObjectSymbol::name_bytes).find(|(name, _)| name == expected)?;
        let section = file.section_by_index(symbol.section_index()?).ok()?;
        // A stamp is short. Do not trust the recorded length of a hostile file.
        let text = section.data_range(symbol.address(), symbol.size().min(128)).ok()??;
        let text = std::str::from_utf8(text).ok()?.trim_end_matches('\0');
        Some(text.to_owned()).filter(|text| !text.is_empty())
    })
}

/// Returns the version that `version_len` recognizes, if it is the same everywhere in the bytes.
/// `version_len` gets the text from each release number on, and the length of that number. It
/// returns the length of the whole version. A digit may precede the release number, because Go
/// stores strings without separators.
fn unique_version(bytes: &[u8], version_len: fn(&[u8], usize) -> Option<usize>) -> Option<String> {
    let mut found: Option<&[u8]> = None;
    for start in bytes.windows(2).enumerate().filter(|(_, pair)| *pair == b"1.").map(|(start, _)| start) {
        if start > 0 && bytes[start - 1] == b'.' {
            continue;
        }
        let rest = &bytes[start..];
        let Some(end) = release_len(rest).and_then(|end| version_len(rest, end)) else { continue };
        if found.is_some_and(|found| found != &rest[..end]) {
            return None;
        }
        found = Some(&rest[..end]);
    }
    found.map(|text| String::from_utf8_lossy(text).into_owned())
}

/// Returns the length of the release number at the start of a text.
fn release_len(text: &[u8]) -> Option<usize> {
    const MAX_LEN: usize = 17;
    let start = &text[..MAX_LEN.min(text.len())];
    let end = start.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
    std::str::from_utf8(&start[..end]).is_ok_and(is_release).then_some(end)
}

/// Recognizes `1.98.5-t012345678`. Upstream's `cmd/mkversion` appends nine digits of the commit to
/// the release.
fn stamp_len(text: &[u8], end: usize) -> Option<usize> {
    const DIGITS: usize = 9;
    let commit = text[end..].strip_prefix(b"-t")?.get(..DIGITS)?;
    commit.iter().all(u8::is_ascii_hexdigit).then_some(end + 2 + DIGITS)
}

/// Recognizes `1.98.5` followed by a line break, the content of VERSION.txt. No other string has
/// this form.
fn version_file_len(text: &[u8], end: usize) -> Option<usize> {
    (text.get(end) == Some(&b'\n')).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(path: &str, version: &str) -> Module {
        Module { path: path.to_owned(), version: version.to_owned(), sum: String::new(), replaced: false }
    }

    fn info(path: &str, main: Module, dependencies: Vec<Module>) -> BuildInfo {
        BuildInfo { path: path.to_owned(), main: Some(main), dependencies, ..BuildInfo::default() }
    }

    fn version(found: Option<Tailscale>) -> Option<(String, Source)> {
        found.unwrap().version
    }

    #[test]
    fn role_is_that_of_the_main_package() {
        let role = |path: &str, main: &str, dependency: &str| {
            let info = info(path, module(main, "v1.2.3"), vec![module(dependency, "v1.98.5")]);
            tailscale(b"", &info).map(|found| found.role)
        };
        assert_eq!(role("tailscale.com/cmd/tailscaled", "tailscale.com", "x"), Some(Role::Daemon));
        // Built in a separate module that only requires Tailscale.
        assert_eq!(role("tailscale.com/cmd/tailscaled", "generated", "tailscale.com"), Some(Role::Daemon));
        assert_eq!(role("tailscale.com/cmd/tailscale", "tailscale.com", "x"), Some(Role::Command));
        assert_eq!(role("tailscale.com/cmd/derper", "tailscale.com", "x"), Some(Role::Tool));
        assert_eq!(role("example.com/proxy", "example.com/proxy", "tailscale.com"), Some(Role::Library));
        assert_eq!(role("tailscale.community/x", "tailscale.community", "x"), None);
    }

    #[test]
    fn version_comes_from_the_most_reliable_source() {
        let mut built = info("tailscale.com/cmd/tailscaled", module(MODULE, "v1.98.5+dirty"), vec![]);
        assert_eq!(version(tailscale(b"", &built)), Some(("1.98.5".to_owned(), Source::Module)));
        built.main = Some(module(MODULE, "(devel)"));
        let flags = "-s -w -X tailscale.com/version.longStamp=1.98.4-x -X tailscale.com/version.shortStamp=1.98.4";
        built.settings.insert("-ldflags".to_owned(), flags.to_owned());
        assert_eq!(version(tailscale(b"", &built)), Some(("1.98.4".to_owned(), Source::LinkerFlags)));
        built.settings.clear();
        let data = b"http/1.1 10.0.0.1\n1.98.3-t01234567 1.98.2-t0123456789 1.98.1\n";
        assert_eq!(version(tailscale(data, &built)), Some(("1.98.2-t012345678".to_owned(), Source::Stamp)));
        let data = b"x1.98.1\nand again 51.98.1\n, 3.1.98.2\n 1.2.3.4\n";
        assert_eq!(version(tailscale(data, &built)), Some(("1.98.1".to_owned(), Source::VersionFile)));
        assert_eq!(version(tailscale(b"1.98.1\n1.98.2\n", &built)), None, "two candidates");
        assert_eq!(version(tailscale(b"", &built)), None);
        built.main = Some(module(MODULE, "v1.99.0-pre.0.20260101000000-abcdefabcdef"));
        assert_eq!(version(tailscale(b"", &built)), None, "between two releases");
    }
}
