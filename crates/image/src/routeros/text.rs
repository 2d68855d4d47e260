//! RouterOS syntax: escaped strings, idempotent commands, and waiting.

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

/// Returns a condition: no entry of a menu matches.
pub(super) fn missing(menu: &str, find: &str) -> String {
    format!("[:len [{menu}/find where {find}]] = 0")
}

/// Returns a condition: an entry of a menu matches.
pub(super) fn present(menu: &str, find: &str) -> String {
    format!("[:len [{menu}/find where {find}]] > 0")
}

/// Returns a command that adds an entry unless it exists.
pub(super) fn guarded(menu: &str, find: &str, add: &str) -> String {
    format!(":if ({}) do={{ {menu}/add {add} }}\n", missing(menu, find))
}

/// Returns a command that stops the script with a message if a condition holds.
pub(super) fn refuse_if(condition: &str, message: &str) -> String {
    format!(":if ({condition}) do={{ :error {} }}\n", quoted(message))
}

/// The condition of a container that runs. Versions have a property `status`, or a flag; an unknown one matches nothing.
pub(super) const RUNNING: &str = "(status=\"running\" or running=yes)";

/// The condition of a container that is unpacked and does not run.
pub(super) const STOPPED: &str = "(status=\"stopped\" or stopped=yes)";

/// Returns commands that wait until a container matches, and stop the script with a message after a time. They need the
/// variable `waited`.
pub(super) fn wait(find: &str, seconds: u32, message: &str) -> String {
    wait_until(&present("/container", find), seconds, message)
}

/// The same for any condition.
pub(super) fn wait_until(condition: &str, seconds: u32, message: &str) -> String {
    format!(
        ":set waited 0\n:while (!({condition})) do={{ :if ($waited >= {seconds}) do={{ :error {} }}; :delay 2s; :set \
         waited ($waited + 2) }}\n",
        quoted(message)
    )
}
