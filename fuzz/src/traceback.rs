//! Tracebacks: symbolized with the tables of a real program.

use gobinary::symbols::Symbols;
use tailscale_featureset::commands::symbolize::{Translated, translate};

use crate::program::PROGRAM;

thread_local! {
    static SYMBOLS: Option<Symbols<'static>> = PROGRAM.as_deref().and_then(|program| Symbols::read(program).ok());
}

pub(crate) fn check(input: &[u8]) {
    // A copy, because each input may use the whole limit of work.
    let Some(symbols) = SYMBOLS.with(Clone::clone) else { return };
    let text = String::from_utf8_lossy(input);
    let Ok(Translated { text: translated, known, .. }) = translate(&text, &symbols) else { return };
    assert!(translated.lines().count() >= text.lines().count(), "a line of the traceback is lost");
    assert!(known > 0 || translated == text, "the text changed though no frame is known");
}
