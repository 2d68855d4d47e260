//! RouterOS syntax: escaped strings, and idempotent commands.

use std::fmt::Write;

/// Returns a RouterOS string. All characters except letters, digits and a few safe signs are escaped as `\XX`, so that no
/// value can end the string, expand a variable or trigger the terminal's help.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_./:=,@+ ".contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            let _ = write!(quoted, "\\{byte:02X}");
        }
    }
    quoted + "\""
}

/// Returns an address without its prefix length.
pub(super) fn address(with_length: &str) -> &str {
    with_length.split('/').next().unwrap_or_default()
}

/// Returns a command that adds an entry unless it exists.
pub(super) fn guarded(menu: &str, find: &str, add: &str) -> String {
    format!(":if ([:len [{menu}/find where {find}]] = 0) do={{ {menu}/add {add} }}\n")
}
