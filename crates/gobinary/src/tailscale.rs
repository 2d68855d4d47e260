//! Which Tailscale is in a program of Go's: what its build information says, and, where that is `(devel)`, what its data says.

use object::{Object, ObjectSection, ObjectSymbol};

use crate::buildinfo::{BuildInfo, Module};

/// The module that Tailscale is.
pub const MODULE: &str = "tailscale.com";

/// How Tailscale is in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The daemon, `tailscale.com/cmd/tailscaled`; with the build tag `ts_include_cli` it is the command too.
    Daemon,
    /// The command alone, `tailscale.com/cmd/tailscale`.
    Command,
    /// Another program of Tailscale's own module.
    Tool,
    /// A program of someone else's that holds Tailscale as a library, as those with tsnet do.
    Library,
}

/// Where the version of Tailscale was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The version of the module, in the build information.
    Module,
    /// `-ldflags`, in the build information. Go leaves them out of it under `-trimpath`.
    LinkerFlags,
    /// The variable that the linker set, found by its symbol.
    Symbol,
    /// A text in the form of upstream's own stamp, `1.98.5-t012345678`: the only one in the program.
    Stamp,
    /// The embedded VERSION.txt of the source: the only text of its form in the program.
    VersionFile,
}

/// What is known of the Tailscale in a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tailscale {
    /// How it is in there.
    pub role: Role,
    /// Its version without a leading `v`, such as `1.98.5`, or a longer stamp; nothing where the program does not say.
    pub version: Option<(String, Source)>,
    /// Whether another module or folder stood in the place of Tailscale's: a fork, perhaps.
    pub replaced: bool,
}

/// Reads which Tailscale is in a program; nothing if none is.
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
        .and_then(of_module)
        .map(|version| (version, Source::Module))
        .or_else(|| of_linker_flags(info).map(|version| (version, Source::LinkerFlags)))
        .or_else(|| of_symbol(bytes).map(|version| (version, Source::Symbol)))
        .or_else(|| only(bytes, stamp).map(|version| (version, Source::Stamp)))
        .or_else(|| only(bytes, version_file).map(|version| (version, Source::VersionFile)));
    Some(Tailscale { role, version, replaced: module.is_some_and(|module| module.replaced) })
}

/// The version of a module, unless it was built from a folder (`(devel)`) or between two releases (`v0.0.0-…`, `v1.99.0-pre…`).
fn of_module(module: &Module) -> Option<String> {
    let version = module.version.strip_prefix('v')?;
    let version = version.strip_suffix("+dirty").unwrap_or(version);
    is_release(version).then(|| version.to_owned())
}

/// Whether a text is three numbers with dots between.
fn is_release(text: &str) -> bool {
    let mut parts = text.split('.');
    let numbers = parts.by_ref().take(3).filter(|part| is_number(part)).count();
    numbers == 3 && parts.next().is_none()
}

fn is_number(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `-X tailscale.com/version.shortStamp=…`, or the long one.
fn of_linker_flags(info: &BuildInfo) -> Option<String> {
    let flags = info.settings.get("-ldflags")?;
    ["tailscale.com/version.shortStamp=", "tailscale.com/version.longStamp="].iter().find_map(|name| {
        let (_, value) = flags.split_once(name)?;
        let end = value.find([' ', '\'', '"']).unwrap_or(value.len());
        Some(value[..end].to_owned()).filter(|value| !value.is_empty())
    })
}

/// The text behind the symbol that the linker makes for `-X`.
fn of_symbol(bytes: &[u8]) -> Option<String> {
    let file = object::File::parse(bytes).ok()?;
    let names = ["tailscale.com/version.shortStamp.str", "tailscale.com/version.longStamp.str"];
    names.iter().find_map(|name| {
        let symbol = file.symbols().find(|symbol| symbol.name() == Ok(name))?;
        let section = file.section_by_index(symbol.section_index()?).ok()?;
        // A stamp is short; a length that is made up must not make a text of the whole file.
        let text = section.data_range(symbol.address(), symbol.size().min(128)).ok()??;
        let text = std::str::from_utf8(text).ok()?.trim_end_matches('\0');
        Some(text.to_owned()).filter(|text| !text.is_empty())
    })
}

/// What `at` finds in the bytes, if it finds the same text wherever it finds one. It is given every place where three numbers
/// with dots begin: the text from there on, and how long the numbers are. Go puts one text behind the other without anything
/// between, so a digit may stand before.
fn only(bytes: &[u8], at: fn(&[u8], usize) -> Option<usize>) -> Option<String> {
    let mut found: Option<&[u8]> = None;
    for start in bytes.windows(2).enumerate().filter(|(_, pair)| *pair == b"1.").map(|(start, _)| start) {
        if start > 0 && bytes[start - 1] == b'.' {
            continue;
        }
        let rest = &bytes[start..];
        let Some(end) = numbers(rest).and_then(|end| at(rest, end)) else { continue };
        if found.is_some_and(|found| found != &rest[..end]) {
            return None;
        }
        found = Some(&rest[..end]);
    }
    found.map(|text| String::from_utf8_lossy(text).into_owned())
}

/// The length of three numbers with dots between at the beginning of a text.
fn numbers(text: &[u8]) -> Option<usize> {
    const LONGEST: usize = 17;
    let beginning = &text[..LONGEST.min(text.len())];
    let end = beginning.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
    std::str::from_utf8(&beginning[..end]).is_ok_and(is_release).then_some(end)
}

/// `1.98.5-t012345678`: upstream's `cmd/mkversion` puts nine digits of the commit behind the release.
fn stamp(text: &[u8], end: usize) -> Option<usize> {
    const DIGITS: usize = 9;
    let commit = text[end..].strip_prefix(b"-t")?.get(..DIGITS)?;
    commit.iter().all(u8::is_ascii_hexdigit).then_some(end + 2 + DIGITS)
}

/// `1.98.5` and a line break: what VERSION.txt holds, and no other text of a program does.
fn version_file(text: &[u8], end: usize) -> Option<usize> {
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
    fn the_role_is_that_of_the_main_package() {
        let role = |path: &str, main: &str, dependency: &str| {
            let info = info(path, module(main, "v1.2.3"), vec![module(dependency, "v1.98.5")]);
            tailscale(b"", &info).map(|found| found.role)
        };
        assert_eq!(role("tailscale.com/cmd/tailscaled", "tailscale.com", "x"), Some(Role::Daemon));
        // Built from a module of its own that only requires Tailscale.
        assert_eq!(role("tailscale.com/cmd/tailscaled", "generated", "tailscale.com"), Some(Role::Daemon));
        assert_eq!(role("tailscale.com/cmd/tailscale", "tailscale.com", "x"), Some(Role::Command));
        assert_eq!(role("tailscale.com/cmd/derper", "tailscale.com", "x"), Some(Role::Tool));
        assert_eq!(role("example.com/proxy", "example.com/proxy", "tailscale.com"), Some(Role::Library));
        assert_eq!(role("tailscale.community/x", "tailscale.community", "x"), None);
    }

    #[test]
    fn a_version_comes_from_where_it_is_surest() {
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
        assert_eq!(version(tailscale(b"1.98.1\n1.98.2\n", &built)), None, "never guessed");
        assert_eq!(version(tailscale(b"", &built)), None);
        built.main = Some(module(MODULE, "v1.99.0-pre.0.20260101000000-abcdefabcdef"));
        assert_eq!(version(tailscale(b"", &built)), None, "between two releases");
    }
}
