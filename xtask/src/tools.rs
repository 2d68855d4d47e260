//! Tools: found on the machine, or provided without root under `target/tools`.

pub mod debian;
pub mod go;
pub mod qemu;
pub mod upx;
pub mod zig;

use std::path::Path;

/// The numbers of a version in a tool's output: `go1.26.8` or `upx 4.2.2` give `[1, 26, 8]`, `[4, 2, 2]`.
/// What follows the numbers (`rc1`) does not count; missing ones are zero.
#[must_use]
pub fn numbers(text: &str) -> Option<[u32; 3]> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let version: String = text[start..].chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    Some(std::array::from_fn(|_| parts.next().unwrap_or(0)))
}

/// Whether there is a file at a path.
fn is_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|data| data.is_file())
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
