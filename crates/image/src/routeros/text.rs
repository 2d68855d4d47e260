//! Text that RouterOS reads: strings that can't end before their end, and commands that do nothing twice.

use std::fmt::Write;

/// A string of RouterOS. Everything but letters, digits and a few signs that mean nothing in it is written as its code
/// (`\22` for a quotation mark), so that no value ends the string, expands a variable or asks the terminal for help.
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

/// An address without the length of its network.
pub(super) fn address(with_length: &str) -> &str {
    with_length.split('/').next().unwrap_or_default()
}

/// A command that adds something unless it is there.
pub(super) fn guarded(menu: &str, find: &str, add: &str) -> String {
    format!(":if ([:len [{menu}/find where {find}]] = 0) do={{ {menu}/add {add} }}\n")
}
