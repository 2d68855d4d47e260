//! Text from archives and from users in messages.

/// Returns a text that is safe to print: control characters are escaped, and a long text is cut.
pub(crate) fn printable(text: &str) -> String {
    let short: String = text.chars().take(120).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", short.escape_debug().to_string().replace("\\'", "'"))
}
