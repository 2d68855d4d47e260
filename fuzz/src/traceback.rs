//! Tracebacks: symbolized with the tables of a real program.

use std::sync::LazyLock;

use gobinary::symbols::Symbols;
use xtask::commands::symbolize::translate;

use crate::program::PROGRAM;

static SYMBOLS: LazyLock<Option<Symbols<'static>>> = LazyLock::new(|| Symbols::read(PROGRAM.as_deref()?).ok());

pub(crate) fn check(input: &[u8]) {
    let Some(symbols) = SYMBOLS.as_ref() else { return };
    let text = String::from_utf8_lossy(input);
    let Ok((translated, known)) = translate(&text, symbols) else { return };
    assert!(translated.lines().count() >= text.lines().count(), "a line of the traceback is lost");
    assert!(known > 0 || translated.lines().eq(text.lines()), "a line changed though no frame is known");
}
