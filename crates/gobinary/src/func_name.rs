//! Function names as the runtime prints them.

use std::borrow::Cow;

/// Shortens the type arguments of a function name to `F[...]`. Only profiles show them in full.
///
/// Source: `funcNameForPrint` in Go's `src/runtime/symtab.go`. It leaves a shortened name
/// unchanged.
pub(crate) fn func_name_for_print(name: &[u8]) -> Cow<'_, [u8]> {
    let (open, close) = (name.iter().position(|byte| *byte == b'['), name.iter().rposition(|byte| *byte == b']'));
    match open.zip(close).filter(|(open, close)| open < close) {
        Some((open, close)) => [&name[..open], b"[...]", &name[close + 1..]].concat().into(),
        None => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn func_name_for_print_shortens_the_outermost_brackets() {
        for (name, printed) in [
            ("main.F[go.shape.int]", "main.F[...]"),
            ("main.(*T[go.shape.[]uint8]).M.func1", "main.(*T[...]).M.func1"),
            ("main.main", "main.main"),
            ("a]b[", "a]b["),
        ] {
            assert_eq!(func_name_for_print(name.as_bytes()), printed.as_bytes(), "{name}");
        }
    }
}
