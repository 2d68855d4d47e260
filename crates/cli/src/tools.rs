//! Tools: found on the PATH, or provided without root in the user's own cache.

pub mod debian;
pub mod go;
pub mod packer;
pub mod qemu;
pub mod skopeo;
pub mod upx;

use diagnostics::{Code, Diagnostic};

use crate::interrupted::Interrupted;

/// Returns a value of an `os-release` file, such as `debian` of `ID`; `None` if the file does not have the name.
fn os_release_value<'a>(os_release: &'a str, name: &str) -> Option<&'a str> {
    let value = os_release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.map(|value| value.trim_matches('"'))
}

/// Returns the numbers of a version in a tool's output: `[1, 26, 8]` for `go1.26.8`, `[4, 2, 2]` for `upx 4.2.2`. A suffix
/// such as `rc1` is ignored; missing numbers are zero.
#[must_use]
pub fn numbers(text: &str) -> Option<[u32; 3]> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let version: String = text[start..].chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    Some(std::array::from_fn(|_| parts.next().unwrap_or(0)))
}

/// Whether an error must be reported instead of trying another source of a tool.
fn is_final(error: &anyhow::Error) -> bool {
    let codes = [Code::DiskFull, Code::CacheNotCreated, Code::CacheNotTrusted, Code::NoTemporaryFolder];
    error.is::<Interrupted>() || error.downcast_ref::<Diagnostic>().is_some_and(|problem| codes.contains(&problem.code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_tools_print() {
        assert_eq!(numbers("go version go1.26.8 linux/amd64"), Some([1, 26, 8]));
        assert_eq!(numbers("upx 4.2.2\nUCL data"), Some([4, 2, 2]));
        assert_eq!(numbers("go1.27rc1"), Some([1, 27, 0]));
        assert_eq!(numbers("none"), None);
    }
}
